"""The Anthropic adapter: events -> events, and history -> requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from bus.builtin_events import Citation, ToolSearchResults, WebSearchDone, WebSearchStarted
from bus.entities import TurnSummary
from bus.events import Event, Info, Log, RunFinished, ToolCall, ToolResult, Unknown
from bus.timeline import Timeline
from engine.anthropic_request import anthropic_body
from engine.ports import Block, Request, ToolSpec
from tests.support.provider_http import Answer, FakeServer, ask, fold, sse, story


async def heard(*events: Mapping[str, Any] | str) -> list[Event]:
    return await ask("anthropic-messages", FakeServer(sse(*events)))


START: dict[str, Any] = {"type": "message_start", "message": {"model": "claude-x", "usage": {"input_tokens": 5}}}
STOP: dict[str, Any] = {"type": "message_stop"}


def block(index: int, kind: str, *deltas: Mapping[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """A whole content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(words: str, index: int = 0) -> list[dict[str, Any]]:
    return block(index, "text", {"type": "text_delta", "text": words}, text="")


def tool(written: str, index: int = 1) -> list[dict[str, Any]]:
    piece = {"type": "input_json_delta", "partial_json": written}
    return block(index, "tool_use", piece, id="toolu_1", name="f", input={})


def ending(reason: str, **fields: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, **fields}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}, STOP]


@pytest.fixture
async def told() -> list[Event]:
    return await ask("anthropic-messages", FakeServer(Answer(body=story("anthropic-story"), size=13)))


async def test_a_story_with_thinking_a_search_code_and_a_tool(told: list[Event]) -> None:
    got = fold(told)
    assert got.thinking == "Look it up, then list."
    assert got.text == "\n\nIt rains."
    assert got.asked == {"toolu_1": ("list_files", "{}")}
    assert got.stop_reason == "tool_use"
    assert got.end is not None and got.end.meta.usage is not None and got.end.meta.extra is not None
    assert got.end.meta.usage.model_dump(exclude_none=True) == {
        "input_tokens": 300,
        "output_tokens": 77,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 1000,
    }
    assert got.end.meta.extra["reasoning_tokens"] == 12
    timeline = Timeline()
    for event in [*told, RunFinished()]:
        timeline.apply(event)
    [summary] = [entity for entity in timeline.entities if isinstance(entity, TurnSummary)]
    assert (summary.input_tokens, summary.cached_tokens) == (1300, 1000), "what the cache held was told, too"
    assert timeline.state.context_tokens == 1377


async def test_every_block_that_must_go_back_is_kept_in_order(told: list[Event]) -> None:
    kept = fold(told).blocks
    assert kept[0] == {"type": "thinking", "thinking": "Look it up, then list.", "signature": "signed"}
    assert kept[1] == {"type": "redacted_thinking", "data": "hidden"}
    assert kept[2]["input"] == {"query": "weather Rome"}
    assert kept[3]["content"][0]["encrypted_content"] == "secret"
    assert kept[4]["text"] == "It rains." and kept[4]["citations"][0]["encrypted_index"] == "e1"
    assert kept[5] == {"type": "hologram", "data": "abcdef"}
    assert [block["type"] for block in kept[6:]] == ["server_tool_use", "bash_code_execution_tool_result"]


async def test_tools_at_the_provider_have_their_events(told: list[Event]) -> None:
    assert [e.query for e in told if isinstance(e, WebSearchStarted)] == ["weather Rome"]
    results = next(e for e in told if isinstance(e, ToolSearchResults)).results
    assert results == [{"url": "https://example.org/rome", "title": "Rome", "ext": {"page_age": "1 hour"}}]
    assert [e.item_id for e in told if isinstance(e, WebSearchDone)] == ["srvtoolu_1"]
    code = next(e for e in told if isinstance(e, ToolCall) and e.tool_call.name == "bash_code_execution")
    assert code.correlation is not None and code.correlation.source == "provider"
    said = next(e for e in told if isinstance(e, ToolResult))
    assert (said.tool_result.id, said.tool_result.name) == ("srvtoolu_2", "bash_code_execution")
    cited = next(e for e in told if isinstance(e, Citation))
    assert (cited.url, cited.start_index, cited.end_index) == ("https://example.org/rome", 2, 11)


async def test_unknown_blocks_and_events_are_carried(told: list[Event]) -> None:
    assert any(isinstance(e, Info) and "hologram" in e.message for e in told)
    assert [e.type for e in told if isinstance(e, Unknown)] == ["anthropic.tide"]


async def test_hidden_thinking_is_marked_as_such(told: list[Event]) -> None:
    ends = [e.data for e in told if isinstance(e, Info) and e.message == "thinking-ended"]
    assert ends == [None, {"redacted": True}]


async def test_a_tool_call_cut_by_the_limit_is_shown_and_never_asked_for() -> None:
    for written in ('{"path": "a', ""):
        events = await heard(START, *text("I write."), *tool(written), *ending("max_tokens"))
        got = fold(events)
        assert (got.text, got.asked, got.stop_reason) == ("I write.", {}, "max_tokens")
        assert any(isinstance(e, Log) and "limit of output tokens" in e.message for e in events)


async def test_a_refusal_says_why_and_runs_nothing() -> None:
    why = {"explanation": "That is dangerous."}
    events = await heard(START, *tool("{}"), *ending("refusal", stop_details=why))
    got = fold(events)
    assert (got.asked, got.stop_reason) == ({}, "refusal")
    assert any(isinstance(e, Log) and "That is dangerous." in e.message for e in events)
    assert got.end is not None and (got.end.meta.extra or {})["stop_details"] == why


async def test_a_pause_is_no_error() -> None:
    events = await heard(START, *text("I search."), *ending("pause_turn"))
    assert fold(events).stop_reason == "pause_turn"
    assert any(isinstance(e, Log) and e.level == "info" for e in events)


async def test_a_message_that_comes_whole_in_its_start_is_read_there() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}, "caller": {"type": "code_execution"}}
    whole = {"model": "claude-x", "stop_reason": "tool_use", "content": [call]}
    got = fold(await heard({"type": "message_start", "message": whole}, STOP))
    assert (got.asked, got.blocks, got.stop_reason) == ({"t": ("f", '{"a": 1}')}, [call], "tool_use")


async def test_an_error_in_the_stream_keeps_the_text() -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    got = fold(await heard(START, *text("So")[:2], overloaded))
    assert got.text == "So"
    assert got.error is not None and got.error.code == "overloaded"
    assert got.error.meta.extra is not None and got.error.meta.extra["retryable"] is True


async def test_a_stream_without_its_end_is_cut_off_and_asks_for_nothing() -> None:
    got = fold(await heard(START, *text("So"), *tool("{}")))
    assert got.error is not None and got.error.code == "cut-off"
    assert (got.text, got.asked) == ("So", {})


async def test_events_without_their_names_are_read_all_the_same() -> None:
    body = b"".join(
        line for line in sse(START, *text("Hi"), *ending("end_turn")).splitlines(True) if b"event:" not in line
    )
    assert fold(await ask("anthropic-messages", FakeServer(body))).text == "Hi"


# -- requests --------------------------------------------------------------------------------------------------

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
SEARCH: dict[str, Any] = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
FOUND: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}
QUESTION = Block(kind="user", text="Read a.txt")


def own(data: Mapping[str, Any], segment: str) -> Block:
    return Block(kind="provider", provider="anthropic", segment_id=segment, data=data)


def sent(*blocks: Block, **options: Any) -> dict[str, Any]:
    options = {"model": "claude-sonnet-5", **options}
    return _unmarked(anthropic_body(Request(blocks=blocks, system="Be brief.", **options), "anthropic"))


def _unmarked(value: Any) -> Any:
    """Without the marks for the cache, which have a test of their own."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {name: _unmarked(inner) for name, inner in found.items() if name != "cache_control"}
    return [_unmarked(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def test_blocks_go_back_unchanged_and_in_order() -> None:
    body = sent(
        QUESTION,
        Block(kind="text", text="\n\n", segment_id="m:0"),
        Block(kind="thinking", text="Hm.", segment_id="m:1"),
        own(THINKING, "m:1"),
        own(SEARCH, "m:2"),
        own(FOUND, "m:3"),
        Block(kind="provider", provider="openai", segment_id="m:4", data={"type": "reasoning"}),
        Block(kind="tool-call", call_id="functions.f:0", name="f", text='{"a": 1}', segment_id="m:5"),
        Block(kind="tool-result", call_id="functions.f:0", name="f", text="no", failed=True),
        Block(kind="user", text="And now?"),
    )
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    use = {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "functions_f_0", "content": "no", "is_error": True}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Read a.txt"}]},
        {"role": "assistant", "content": [THINKING, SEARCH, FOUND, use]},
        {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]},
    ]


def test_the_cache_is_told_where_the_next_request_will_be_the_same() -> None:
    def marked(*blocks: Block) -> list[tuple[str, str]]:
        body = anthropic_body(Request(model="m", blocks=blocks, system="Be brief."), "anthropic")
        places = [("system", block) for block in body["system"]]
        places += [(message["role"], block) for message in body["messages"] for block in message["content"]]
        return [(role, block.get("text", block["type"])) for role, block in places if "cache_control" in block]

    use = Block(kind="tool-call", call_id="t", name="f", text="{}")
    assert marked(QUESTION) == [("system", "Be brief."), ("user", "Read a.txt")]
    assert marked(QUESTION, Block(kind="text", text="Yes."), Block(kind="user", text="2"), use) == [
        ("system", "Be brief."), ("user", "2"), ("user", "tool_result"),
    ]  # fmt: skip
    many = [block for n in range(9) for block in (Block(kind="user", text=f"{n}"), Block(kind="text", text="Yes."))]
    assert marked(*many) == [("system", "Be brief."), ("user", "7"), ("user", "8")]


def test_thinking_without_a_signature_stays_away() -> None:
    body = sent(QUESTION, Block(kind="thinking", text="Hm.", segment_id="x"), Block(kind="text", text="Yes."))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "Yes."}]


def test_a_paused_turn_goes_back_as_it_is_and_an_abandoned_search_does_not() -> None:
    paused = sent(QUESTION, own(SEARCH, "m:1"))
    assert paused["messages"][-1] == {"role": "assistant", "content": [SEARCH]}
    later = sent(QUESTION, own(SEARCH, "m:1"), Block(kind="user", text="Never mind"))
    assert [message["role"] for message in later["messages"]] == ["user"]
    assert len(later["messages"][0]["content"]) == 2


def test_a_call_without_a_result_is_answered() -> None:
    body = sent(QUESTION, Block(kind="tool-call", call_id="t", name="f", text="bro"), Block(kind="user", text="Well?"))
    assert body["messages"][1]["content"][0]["input"] == {}
    result = body["messages"][2]["content"][0]
    assert (result["tool_use_id"], result["content"], result["is_error"]) == ("t", "interrupted", True)


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-sonnet-4-5-20250929", {"type": "enabled", "budget_tokens": 2000}),
        ("claude-opus-4-1", {"type": "enabled", "budget_tokens": 2000}),
        ("claude-opus-4-6", {"type": "adaptive", "display": "summarized"}),
        ("claude-sonnet-5-5", {"type": "adaptive", "display": "summarized"}),
    ],
)
def test_each_generation_is_asked_to_think_its_own_way(model: str, thinking: dict[str, Any]) -> None:
    body = sent(QUESTION, model=model, thinking_budget=2000, temperature=0.5, max_tokens=1000)
    assert body["thinking"] == thinking and "temperature" not in body
    assert body["max_tokens"] == (3024 if thinking["type"] == "enabled" else 1000)


def test_tools_and_options() -> None:
    spec = ToolSpec(name="f", description="d", parameters={"type": "object"})
    body = sent(QUESTION, tools=[spec], temperature=0.5)
    assert body["tools"] == [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]
    assert (body["max_tokens"], body["temperature"]) == (32_000, 0.5)
