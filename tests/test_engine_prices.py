"""What an answer costs: tokens as each provider counts them, the vendors' lists, one's own prices, and no guesses."""

from __future__ import annotations

import datetime
import tomllib

import pytest

from bus.entities import CallUsage, TurnSummary
from bus.events import Event, Final, Interrupt, RunFinished, Start, UserMessage
from bus.meta import Metadata, Usage
from bus.timeline import Timeline
from engine.call import Call
from engine.models import DEFAULT_MODELS
from engine.ports import Request
from engine.prices import LIST, Price, Prices
from tui.prices import dollars

MILLION = 1_000_000


def approx(cost: float) -> object:
    return pytest.approx(cost)  # pyright: ignore[reportUnknownMemberType]


def call(model: str = "claude-opus-5-5", provider: str = "anthropic", **tokens: int) -> CallUsage:
    return CallUsage(model=model, provider=provider, **(tokens or {"input_tokens": MILLION}))


def summary(*usages: Usage | None, model: str, provider: str) -> TurnSummary:
    """The footer of a turn with these calls, as an engine writes them. None: nobody counted, it was cut off."""
    turn = Metadata(turn_id="t", message_id="m")
    events: list[Event] = [UserMessage(meta=turn, text="Hi")]
    for number, usage in enumerate(usages):
        request = Request(model=model, blocks=[], session_id="s", turn_id="t", inference_id="i")
        asked = Call(request, provider=provider, message_id=f"m{number}", clock=lambda: 0.0)
        asked.text("Yes.")
        if usage is not None:
            asked.usage(usage)
            asked.final("stop")
        events += asked.drain()
        if usage is None:
            events.append(Interrupt(meta=Metadata(turn_id="t", message_id=f"m{number}"), text="Yes."))
    timeline = Timeline()
    for number, event in enumerate([*events, RunFinished(meta=turn)]):
        timeline.apply(event, f"{number + 1}-0", number)
    [found] = [entity for entity in timeline.entities if isinstance(entity, TurnSummary)]
    return found


def test_tokens_of_a_cache_are_a_part_of_openais_input_and_stand_beside_anthropics() -> None:
    openai = Usage(input_tokens=10_000, output_tokens=1_000, cached_tokens=6_000, cache_creation_input_tokens=1_000)
    anthropic = Usage(
        input_tokens=3_000, output_tokens=1_000, cache_read_input_tokens=6_000, cache_creation_input_tokens=1_000
    )
    by_openai = summary(openai, model="gpt-6.1-sol", provider="openai")
    by_anthropic = summary(anthropic, model="claude-sonnet-5-5", provider="anthropic")
    for found in (by_openai, by_anthropic):
        assert (found.input_tokens, found.cached_tokens) == (10_000, 6_000)
        # Both take 2 dollars for a million in, 10 out, 0.1 read, 2.5 written.
        assert Prices().cost(found.usage) == approx((3_000 * 2 + 6_000 * 0.1 + 1_000 * 2.5 + 1_000 * 10) / MILLION)


def test_the_calls_of_a_turn_are_paid_one_by_one() -> None:
    short, long = Usage(input_tokens=272_000, output_tokens=0), Usage(input_tokens=272_001, output_tokens=0)
    found = summary(short, long, model="gpt-6.1-sol-2026-09-29", provider="openai-chat")
    assert found.input_tokens == 544_001
    assert Prices().cost(found.usage) == approx((272_000 * 2 + 272_001 * 4) / MILLION)


def test_an_answer_that_nobody_counted_makes_the_cost_of_its_turn_unknown() -> None:
    counted = Usage(input_tokens=1_000, output_tokens=10)
    assert Prices().cost(summary(counted, counted, model="gpt-5", provider="openai").usage)
    assert Prices().cost(summary(counted, None, model="gpt-5", provider="openai").usage) is None


def test_what_is_not_known_costs_nothing_that_could_be_said() -> None:
    for unknown in (
        call("claude-opus-99"),
        call("claude-opus-5-5-fast"),
        call(provider=""),
        call(provider="anthropic@proxy.example"),
        call("gpt-5", "openai@localhost"),
        call("gpt-5", "openrouter"),
        call("gpt-5", "anthropic"),
    ):
        assert Prices().cost([unknown]) is None, unknown
        assert Prices().cost([call(), unknown]) is None, "half of it would be said as if it were all"
    assert Prices().cost([]) is None
    assert Prices().cost([call()]) == 4


def test_a_price_of_ones_own_wins_and_counts_wherever_the_model_runs() -> None:
    prices = Prices({"claude-opus-5-5": Price(input=1, output=2), "llama": Price(input=0.5, output=1, cache_read=0)})
    assert prices.cost([call()]) == 1
    assert prices.cost([call("llama", "vllm@10.0.0.7", input_tokens=MILLION, cached_tokens=MILLION // 2)]) == 0.25
    assert prices.cost([call("llama", "", output_tokens=MILLION)]) == 1


def test_a_call_says_who_answered_from_its_start_on() -> None:
    asked = Call(Request(model="m", blocks=[]), provider="openai@host")
    asked.text("Yes.")
    asked.final("stop")
    told = [event.meta.extra for event in asked.drain() if isinstance(event, Start | Final)]
    assert [extra and extra["provider"] for extra in told] == ["openai@host"] * 2


def test_the_list_is_dated_and_makes_sense() -> None:
    tree = tomllib.loads(LIST.read_text(encoding="utf-8"))
    assert datetime.date.fromisoformat(tree.pop("as_of")) <= datetime.date(2100, 1, 1)
    for prices in tree.values():
        for model, price in prices.items():
            assert price["cache_read"] < price["input"] < price["output"], model
            assert price.get("cache_write", price["input"]) >= price["input"], model
            assert price.get("long", price)["input"] >= price["input"], model
    for provider, model in DEFAULT_MODELS.items():
        assert Prices().cost([call(model, provider)]), "the models that riffle itself proposes"


@pytest.mark.parametrize(
    ("cost", "said"),
    [(None, ""), (0.0, ""), (0.00001, "<$0.0001"), (0.00042, "$0.00042"), (0.01234, "$0.012"), (0.1, "$0.10"),
     (0.996, "$1.00"), (12.3, "$12.30"), (1234.5, "$1,234.50")],
)  # fmt: skip
def test_dollars_are_said_in_few_digits(cost: float | None, said: str) -> None:
    assert dollars(cost) == said
