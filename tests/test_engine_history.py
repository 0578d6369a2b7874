"""The conversation rebuilt from events: what stays, what is left out, and that a restart changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bus.codec import decode, encode
from bus.events import (
    Error,
    Event,
    Final,
    Info,
    Interrupt,
    Partial,
    PartialThinking,
    ProviderBlock,
    ReasoningSegmentFinished,
    Retry,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Start,
    TextSegmentFinished,
    ToolCall,
    ToolCallExecutionResult,
    ToolCallPayload,
    ToolCallStarted,
    ToolResult,
    ToolResultPayload,
    UserMessage,
)
from bus.meta import Correlation, Metadata
from engine.engine import EngineConfig
from engine.history import History
from engine.ports import Block, Request
from engine.service import Service
from engine.tools import Arguments, Tool, Toolbox
from tests.support.scripted import HANG, Line, Scripted, end, fail, say, think, use
from tests.support.seat import MemorySeat, work


def fold(*events: Event) -> History:
    history = History()
    for event in events:
        history.apply(event)
    return history


def told(history: History) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in history.blocks()]


def of(message_id: str) -> Metadata:
    return Metadata(message_id=message_id)


def asked(text: str, turn_id: str = "t1", *, parent: str | None = None, supersedes: str | None = None) -> list[Event]:
    meta = Metadata(session_id="s1", inference_id=f"i-{turn_id}", turn_id=turn_id)
    return [
        UserMessage(meta=meta, text=text, parent_turn_id=parent, supersedes=supersedes),
        RunStarted(meta=meta),
    ]


def answered(text: str, message_id: str = "m1") -> list[Event]:
    return [
        Start(meta=of(message_id)),
        Partial(meta=of(message_id), delta=text, offset=0),
        Final(meta=of(message_id), text=text),
        RunFinished(),
    ]


def call(call_id: str, message_id: str = "m1", name: str = "weather") -> ToolCall:
    return ToolCall(meta=of(message_id), tool_call=ToolCallPayload(id=call_id, name=name, input="{}"))


def result(call_id: str, text: str, message_id: str = "m1", *, error: bool | None = None) -> ToolCallExecutionResult:
    return ToolCallExecutionResult(
        meta=of(message_id), tool_result=ToolResultPayload(id=call_id, result=text, error=error)
    )


# -- text ------------------------------------------------------------------------------------------------------


def test_a_conversation_is_what_was_asked_and_answered() -> None:
    history = fold(*asked("Hi?"), *answered("Hello."), *asked("And?", "t2"), *answered("Bye.", "m2"))
    assert told(history) == [("user", "Hi?"), ("text", "Hello."), ("user", "And?"), ("text", "Bye.")]
    assert not any(block.interrupted for block in history.blocks())


def test_deltas_are_put_where_their_offset_says() -> None:
    pieces = [("Hel", 0), ("lo ", 3), ("lo ", 3), ("o you", 4)]
    deltas = [Partial(meta=of("m1"), delta=delta, offset=offset) for delta, offset in pieces]
    assert told(fold(*asked("?"), *deltas, Final(meta=of("m1"))))[1] == ("text", "Hello you")


def test_a_checkpoint_wins_over_the_sum_of_deltas() -> None:
    history = fold(
        *asked("?"),
        Partial(meta=of("m1"), delta="Hxllo", offset=0),
        Partial(meta=of("m1"), delta="", completion="Hello"),
        Partial(meta=of("m1"), delta=" you", offset=5),
        Final(meta=of("m1")),
    )
    assert told(history)[1] == ("text", "Hello you")


def test_the_final_text_wins_over_everything() -> None:
    history = fold(*asked("?"), Partial(meta=of("m1"), delta="lo", offset=3), Final(meta=of("m1"), text="Hello"))
    assert told(history)[1] == ("text", "Hello")
    assert told(fold(*asked("?"), Final(meta=of("m1"), text="Hello")))[1] == ("text", "Hello")


def test_a_late_delta_does_not_reopen_an_answer() -> None:
    history = fold(*asked("?"), Final(meta=of("m1"), text="Hello"), Partial(meta=of("m1"), delta="!", offset=5))
    assert told(history)[1] == ("text", "Hello")


def test_segments_stay_apart_and_in_order() -> None:
    def segment(number: int) -> Correlation:
        return Correlation(segment_id=f"m1:{number}")

    history = fold(
        *asked("?"),
        PartialThinking(meta=of("m1"), delta="Hm", correlation=segment(1)),
        Partial(meta=of("m1"), delta="One", correlation=segment(2)),
        PartialThinking(meta=of("m1"), delta="So", correlation=segment(3)),
        Partial(meta=of("m1"), delta="Two", correlation=segment(4)),
        Final(meta=of("m1"), text="OneTwo"),
    )
    assert told(history)[1:] == [("thinking", "Hm"), ("text", "One"), ("thinking", "So"), ("text", "Two")]


def test_finished_segments_bring_their_whole_text() -> None:
    history = fold(
        *asked("?"),
        ReasoningSegmentFinished(meta=of("m1"), text="Hm"),
        TextSegmentFinished(meta=of("m1"), text="Yes."),
        Final(meta=of("m1")),
    )
    assert told(history)[1:] == [("thinking", "Hm"), ("text", "Yes.")]


# -- what is cut off or fails ----------------------------------------------------------------------------------


def test_an_interrupted_answer_stays_marked() -> None:
    history = fold(
        *asked("?"), Partial(meta=of("m1"), delta="One, tw", offset=0), Interrupt(meta=of("m1")), RunStopped()
    )
    (_, text) = history.blocks()
    assert (text.text, text.interrupted) == ("One, tw", True)


def test_reasoning_that_nothing_follows_is_not_told() -> None:
    history = fold(
        *asked("?"),
        PartialThinking(meta=of("m1"), delta="Hm", correlation=Correlation(segment_id="m1:1")),
        ProviderBlock(meta=of("m1"), provider="p", segment_id="m1:1", block={"type": "thinking"}),
        Interrupt(meta=of("m1")),
        RunStopped(),
    )
    assert told(history) == [("user", "?")]


def test_a_failed_answer_is_left_out_and_its_question_stays() -> None:
    history = fold(
        *asked("?"), Partial(meta=of("m1"), delta="Hal", offset=0), Error(meta=of("m1")), RunFailed(), *asked("2", "t2")
    )
    assert told(history) == [("user", "?"), ("user", "2")]


def test_what_the_provider_refused_is_not_told_again() -> None:
    refused = Error(meta=of("m2"), code="context-too-long")
    history = fold(*asked("1"), *answered("One."), *asked("huge", "t2"), refused, RunFailed(), *asked("3", "t3"))
    assert told(history) == [("user", "1"), ("text", "One."), ("user", "3")]
    # Where a tool's result was too much, the question itself had been taken.
    later = fold(*asked("1"), *answered("Let me look."), refused, RunFailed(), *asked("2", "t2"))
    assert told(later) == [("user", "1"), ("text", "Let me look."), ("user", "2")]


def test_a_call_that_was_tried_again_leaves_no_trace() -> None:
    history = fold(*asked("?"), Start(meta=of("m0")), Retry(meta=of("m0")), *answered("Yes.", "m1"))
    assert told(history) == [("user", "?"), ("text", "Yes.")]


# -- tools -----------------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_calls() -> None:
    history = fold(
        *asked("?"), call("a"), call("b"), Final(meta=of("m1")), result("b", "B"), result("a", "A", error=True)
    )
    calls = [(block.kind, block.call_id, block.text, block.failed) for block in history.blocks()[1:]]
    assert calls == [
        ("tool-call", "a", "{}", False),
        ("tool-call", "b", "{}", False),
        ("tool-result", "a", "A", True),
        ("tool-result", "b", "B", False),
    ]


def test_a_call_without_a_result_was_interrupted() -> None:
    history = fold(*asked("?"), call("a"), call("b"), Final(meta=of("m1")), result("a", "A"), Interrupt(), RunStopped())
    assert told(history)[-2:] == [("tool-result", "A"), ("tool-result", "interrupted")]


def test_a_call_whose_arguments_never_came_is_left_out() -> None:
    history = fold(
        *asked("?"),
        Partial(meta=of("m1"), delta="I look.", offset=0),
        ToolCallStarted(meta=of("m1"), tool_call_id="a", tool_name="weather"),
        Interrupt(meta=of("m1")),
        RunStopped(),
    )
    assert told(history) == [("user", "?"), ("text", "I look.")]


def test_call_ids_may_come_again_in_the_next_call() -> None:
    history = fold(
        *asked("?"), call("a", "m1"), Final(meta=of("m1")), result("a", "first", "m1"),
        call("a", "m2"), Final(meta=of("m2")), result("a", "second", "m2"),
    )  # fmt: skip
    assert [text for kind, text in told(history) if kind == "tool-result"] == ["first", "second"]


def test_a_result_without_a_message_finds_its_call() -> None:
    said = ToolResult(tool_result=ToolResultPayload(id="a", result="A"))
    assert told(fold(*asked("?"), call("a"), Final(meta=of("m1")), said))[-1] == ("tool-result", "A")


def test_tools_wait_until_their_result_is_there() -> None:
    history = fold(*asked("?"), call("a"), call("b"), Final(meta=of("m1")), result("a", "A"))
    assert [block.call_id for block in history.waiting_tool_calls()] == ["b"]


# -- the provider's own words ----------------------------------------------------------------------------------


def test_provider_blocks_follow_the_segment_that_they_belong_to() -> None:
    def own(number: int) -> ProviderBlock:
        return ProviderBlock(meta=of("m1"), provider="p", segment_id=f"m1:{number}", block={"n": number})

    history = fold(
        *asked("?"),
        Info(meta=of("m1"), message="thinking-started", correlation=Correlation(segment_id="m1:1")),
        Partial(meta=of("m1"), delta="Yes.", correlation=Correlation(segment_id="m1:2")),
        own(3),
        own(2),
        own(1),
        Final(meta=of("m1"), text="Yes."),
    )
    blocks = [(block.kind, block.segment_id, block.data) for block in history.blocks()[1:]]
    assert blocks == [
        ("provider", "m1:1", {"n": 1}),
        ("text", "m1:2", None),
        ("provider", "m1:2", {"n": 2}),
        ("provider", "m1:3", {"n": 3}),
    ]


def test_blocks_say_whose_they_are_so_that_another_provider_can_drop_them() -> None:
    block = ProviderBlock(meta=of("m1"), provider="anthropic", segment_id="m1:1", block={"signature": "x"})
    history = fold(*asked("?"), block, *answered("Yes."))
    assert [b.provider for b in history.blocks() if b.kind == "provider"] == ["anthropic"]


# -- turns -----------------------------------------------------------------------------------------------------


def test_a_superseded_turn_is_left_out() -> None:
    history = fold(
        *asked("1"), *answered("One.", "m1"),
        *asked("2", "t2", parent="t1"), *answered("Two.", "m2"),
        *asked("2", "t3", parent="t1", supersedes="t2"), *answered("Two, better.", "m3"),
    )  # fmt: skip
    assert [text for _, text in told(history)] == ["1", "One.", "2", "Two, better."]


def test_an_edit_leaves_out_all_that_followed_it() -> None:
    history = fold(
        *asked("1"), *answered("One.", "m1"), *asked("2", "t2"), *answered("Two.", "m2"),
        *asked("1, but shorter", "t3", supersedes="t1"), *answered("1.", "m3"), *asked("3", "t4"),
    )  # fmt: skip
    assert [text for _, text in told(history)] == ["1, but shorter", "1.", "3"]
    assert history.parent_of_next(None) == "t4"
    assert history.parent_of_next("t3") is None


def test_what_came_before_the_first_question_is_no_part_of_it() -> None:
    assert told(fold(*answered("Who?", "m0"), *asked("Hi?"))) == [("user", "Hi?")]


def test_an_open_turn_is_known_with_the_text_that_it_has() -> None:
    assert fold().open_turn() is None
    assert fold(*asked("?"), *answered("Yes.")).open_turn() is None
    turn = fold(*asked("?"), Partial(meta=of("m1"), delta="One, tw", offset=0)).open_turn()
    assert turn is not None
    assert (turn.turn_id, turn.inference_id, turn.message_id, turn.text) == ("t1", "i-t1", "m1", "One, tw")
    turn = fold(*asked("?"), call("a"), Final(meta=of("m1"))).open_turn()
    assert turn is not None and (turn.message_id, turn.text) == ("m1", None)


# -- restarts --------------------------------------------------------------------------------------------------


class Anything(Arguments):
    city: str = ""


async def _rain(arguments: Anything) -> str:
    return f"rain in {arguments.city}"


TOOLS = Toolbox([Tool(name="weather", description="The weather.", arguments=Anything, run=_rain)])

PAST: list[Sequence[Line]] = [
    [think("hm"), say("Let "), say("me see. 🌧"), use("a", "weather", '{"city":"Oslo"}'), use("b", "no", "{}"), end()],
    [say("It rains."), end()],
    [think("long"), say("One, "), say("two, "), HANG],
    [say("Hal"), fail("Overloaded.")],
]


async def _serve(seat: MemorySeat, scripts: Iterable[Sequence[Line]], *prompts: str) -> Scripted:
    """One engine process, from its start to its end; a prompt that never ends is interrupted."""
    provider = Scripted(list(scripts))
    service = Service(seat, make_provider=lambda model: provider, tools=TOOLS, config=EngineConfig(model="gpt-x"))
    seat.submit(*(work(prompt) for prompt in prompts), None)
    running = asyncio.create_task(service.run())
    if "hang" in prompts:
        await seat.sink.has("partial", 5)
        seat.interrupt("bob@there")
    await running
    return provider


def _without_ids(request: Request) -> Request:
    return replace(request, turn_id=None, inference_id=None)


async def test_a_restart_changes_nothing_of_what_the_provider_is_told() -> None:
    seat = MemorySeat()
    stayed = await _serve(seat, [*PAST, [say("Yes."), end()]], "Weather?", "hang", "fail", "And now?")
    before = seat.sink.types().index("run-failed") + 1
    stored = [decode(encode(event)) for event in seat.sink.events[:before]]
    restarted = await _serve(MemorySeat(past=stored), [[say("Yes."), end()]], "And now?")
    (request,) = restarted.requests
    assert _without_ids(request) == _without_ids(stayed.requests[-1])
    assert [block.kind for block in request.blocks] == [
        "user", "thinking", "provider", "text", "tool-call", "tool-call", "tool-result", "tool-result", "text",
        "user", "thinking", "provider", "text", "user", "user",
    ]  # fmt: skip


async def test_merged_deltas_change_nothing() -> None:
    seat = MemorySeat()
    await _serve(seat, PAST[:2], "Weather?")
    merged: list[Event] = []
    for event in seat.sink.events:
        last = merged[-1] if merged else None
        if isinstance(event, Partial) and isinstance(last, Partial) and last.correlation == event.correlation:
            merged[-1] = last.model_copy(update={"delta": last.delta + event.delta})
        else:
            merged.append(event)
    assert len(merged) < len(seat.sink.events)
    assert _blocks(merged) == _blocks(seat.sink.events)


def _blocks(events: Iterable[Event]) -> list[Block]:
    return fold(*events).blocks()
