"""The Responses adapter: events -> events, and history -> requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bus.builtin_events import (
    Citation,
    CodeInterpreterCodeDelta,
    CodeInterpreterCodeDone,
    ToolSearchResults,
    WebSearchStarted,
)
from bus.events import Event, Log, Partial, ToolCall, ToolResult, Unknown
from engine.openai_responses_request import responses_body
from engine.ports import Block, Request, ToolSpec
from tests.support.provider_http import Answer, FakeServer, ask, fold, sse, story


async def heard(*events: Mapping[str, Any] | str) -> list[Event]:
    return await ask("openai-responses", FakeServer(sse(*events)))


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def ended(kind: str = "completed", **response: Any) -> dict[str, Any]:
    return event(kind, response={"status": kind, "output": [], **response})


def text(delta: str, index: int = 0) -> dict[str, Any]:
    return event("output_text.delta", output_index=index, content_index=0, delta=delta)


@pytest.fixture
async def told() -> list[Event]:
    return await ask("openai-responses", FakeServer(Answer(body=story("responses-story"), size=11)))


async def test_a_story_with_reasoning_searches_code_and_a_tool(told: list[Event]) -> None:
    got = fold(told)
    assert got.thinking == "**Weather**\n\nSearch, then count."
    assert got.text == "It rains in Rome."
    assert got.asked == {"call_1": ("read_file", '{"path":"a.txt"}')}
    assert got.stop_reason == "completed"
    assert got.end is not None and got.end.meta.usage is not None and got.end.meta.extra is not None
    assert (got.end.meta.usage.input_tokens, got.end.meta.usage.cached_tokens) == (900, 512)
    assert got.end.meta.extra["reasoning_tokens"] == 30


async def test_deltas_that_differ_from_the_finished_text_are_repaired(told: list[Event]) -> None:
    partials = [e for e in told if isinstance(e, Partial)]
    assert [(e.delta, e.completion) for e in partials] == [
        (" It rains", None),
        (" in Rome.", None),
        ("", "It rains in Rome."),
    ]


async def test_what_must_go_back_is_kept_as_it_was_finished(told: list[Event]) -> None:
    kept = fold(told).blocks
    assert [block["type"] for block in kept] == [
        "reasoning", "web_search_call", "code_interpreter_call", "message", "telescope_call"
    ]  # fmt: skip
    assert kept[0]["encrypted_content"] == "long-and-final"
    assert kept[3]["phase"] == "commentary"


async def test_tools_at_the_provider_have_their_events(told: list[Event]) -> None:
    assert [e.query for e in told if isinstance(e, WebSearchStarted)] == [None, "weather Rome"]
    sources = next(e for e in told if isinstance(e, ToolSearchResults))
    assert (sources.tool, sources.results) == ("web_search", [{"url": "https://example.org/rome"}])
    assert "".join(e.delta for e in told if isinstance(e, CodeInterpreterCodeDelta)) == "print(6*7)"
    assert [e.code for e in told if isinstance(e, CodeInterpreterCodeDone)] == ["print(6*7)"]
    results = {e.tool_result.name: e.tool_result.result for e in told if isinstance(e, ToolResult)}
    assert results == {"code_interpreter": "42\n\n[image]", "telescope": "cloudy"}
    cited = next(e for e in told if isinstance(e, Citation))
    assert (cited.url, cited.start_index, cited.output_index) == ("https://example.org/rome", 11, 3)


async def test_unknown_items_are_tools_of_the_provider_and_unknown_events_are_carried(told: list[Event]) -> None:
    telescope = next(e for e in told if isinstance(e, ToolCall) and e.tool_call.name == "telescope")
    assert telescope.correlation is not None and telescope.correlation.source == "provider"
    assert telescope.tool_call.input == '{"target": "M31"}'
    carried = next(e for e in told if isinstance(e, Unknown))
    assert carried.type == "openai.response.tides.turned"
    assert (carried.model_extra or {})["data"]["height"] == 3


async def test_an_answer_that_comes_only_with_its_end_is_read_there() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "All at once."}]}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    got = fold(await heard(ended(output=[message, call])))
    assert (got.text, got.asked) == ("All at once.", {"c": ("f", "{}")})


async def test_a_refusal_is_text_that_says_so() -> None:
    got = fold(await heard(event("refusal.delta", output_index=0, delta="I cannot."), ended()))
    assert (got.text, got.stop_reason) == ("I cannot.", "refusal")


@pytest.mark.parametrize(("reason", "words"), [("max_output_tokens", "limit"), ("content_filter", "filter")])
async def test_an_incomplete_answer_says_why(reason: str, words: str) -> None:
    events = await heard(text("So"), ended("incomplete", incomplete_details={"reason": reason}))
    got = fold(events)
    assert (got.text, got.stop_reason) == ("So", "incomplete")
    assert got.end is not None and (got.end.meta.extra or {})["incomplete_reason"] == reason
    assert any(isinstance(e, Log) and words in e.message for e in events)


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "error", "error": {"type": "insufficient_quota", "message": "No money"}},
        {"type": "error", "code": "insufficient_quota", "message": "No money", "param": None},
        event("failed", response={"error": {"code": "insufficient_quota", "message": "No money"}}),
        {"error": {"code": "insufficient_quota", "message": "No money"}},
    ],
    ids=["nested", "flat", "failed", "bare"],
)
async def test_an_error_in_the_stream_keeps_the_text(failure: dict[str, Any]) -> None:
    got = fold(await heard(text("So"), failure, ended("failed")))
    assert got.text == "So"
    assert got.error is not None and got.error.code == "no-credit" and "No money" in got.error.error_string


async def test_a_stream_without_its_end_is_cut_off_and_asks_for_nothing() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    begun = event("output_item.added", output_index=1, item=call)
    half = event("function_call_arguments.delta", output_index=1, delta='{"a')
    got = fold(await heard(text("So"), begun, half))
    assert got.error is not None and got.error.code == "cut-off"
    assert (got.text, got.asked, got.written) == ("So", {}, {"c": ["f", '{"a']})


# -- requests --------------------------------------------------------------------------------------------------

REASONING: dict[str, Any] = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e"}
CONVERSATION = (
    Block(kind="user", text="Read a.txt"),
    Block(kind="thinking", text="Hm.", segment_id="m:1"),
    Block(kind="provider", provider="openai", segment_id="m:1", data=REASONING),
    Block(kind="provider", provider="anthropic", segment_id="m:8", data={"type": "redacted_thinking"}),
    Block(kind="tool-call", call_id="c", name="read_file", text='{"path":"a.txt"}', segment_id="m:2"),
    Block(kind="tool-result", call_id="c", name="read_file", text="hello"),
    Block(kind="text", text="It says hello.", segment_id="m:3"),
)


def body(*blocks: Block, model: str = "gpt-6", origin: str = "openai") -> dict[str, Any]:
    return responses_body(Request(model=model, system="Be brief.", blocks=blocks), origin)


def test_everything_goes_back_and_nothing_is_stored() -> None:
    sent = body(*CONVERSATION)
    assert (sent["store"], sent["instructions"]) == (False, "Be brief.")
    assert sent["include"] == ["reasoning.encrypted_content"] and sent["reasoning"] == {"summary": "auto"}
    assert sent["input"] == [
        {"role": "user", "content": "Read a.txt"},
        REASONING,
        {"type": "function_call", "call_id": "c", "name": "read_file", "arguments": '{"path":"a.txt"}'},
        {"type": "function_call_output", "call_id": "c", "output": "hello"},
        {"role": "assistant", "content": "It says hello."},
    ]


def test_reasoning_of_another_server_and_reasoning_that_leads_nowhere_stay_away() -> None:
    assert REASONING not in body(*CONVERSATION, origin="openai@proxy")["input"]
    assert REASONING not in body(*CONVERSATION[:3])["input"]


def test_models_that_do_not_reason_are_not_asked_to() -> None:
    assert not {"include", "reasoning"} & body(model="gpt-4.1-mini").keys()


def test_custom_calls_are_answered_as_such_and_client_tools_only_when_they_were() -> None:
    custom = {"type": "custom_tool_call", "call_id": "x", "name": "sql", "input": "SELECT 1"}
    shell = {"type": "shell_call", "call_id": "s", "action": {"commands": ["ls"]}}
    output: dict[str, Any] = {"type": "shell_call_output", "call_id": "s", "output": []}
    blocks = [
        Block(kind="tool-call", call_id="x", name="sql", text="SELECT 1", segment_id="m:1"),
        Block(kind="provider", provider="openai", segment_id="m:1", data=custom),
        Block(kind="provider", provider="openai", segment_id="m:2", data=shell),
    ]
    answer = {"type": "custom_tool_call_output", "call_id": "x", "output": "interrupted"}
    assert body(*blocks)["input"] == [custom, answer]
    done = Block(kind="provider", provider="openai", segment_id="m:3", data=output)
    assert body(*blocks, done)["input"] == [custom, shell, output, answer]


def test_tools_and_options() -> None:
    tool = ToolSpec(name="f", description="d", parameters={"type": "object"})
    settings = {"reasoning_effort": "low", "reasoning_summary": "detailed"}
    request = Request(model="gpt-6", blocks=(), tools=[tool], max_tokens=9, temperature=0.5, settings=settings)
    sent = responses_body(request, "openai")
    assert sent["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False}
    ]
    assert (sent["max_output_tokens"], sent["temperature"]) == (9, 0.5)
    assert sent["reasoning"] == {"summary": "detailed", "effort": "low"}


async def test_options_that_a_model_refuses_are_left_out() -> None:
    words = "Your organization must be verified to generate reasoning summaries."
    refusal = f'{{"error": {{"message": "{words}", "param": "reasoning.summary"}}}}'.encode()
    server = FakeServer(Answer(status=400, body=refusal), sse(text("Hi"), ended()))
    request = Request(model="gpt-6", blocks=[Block(kind="user", text="Hello")])
    assert fold(await ask("openai-responses", server, request)).text == "Hi"
    assert ["reasoning" in sent for sent in server.bodies] == [True, False]
    assert all("include" in sent for sent in server.bodies)
