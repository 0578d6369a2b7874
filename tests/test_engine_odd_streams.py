"""Streams that no recording shows and a server may send all the same: what is sent is shown, once, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bus.codec import decode, encode
from tests.support.provider_http import Answer, Api, FakeServer, Outcome, ask, fold, sse

Event = dict[str, Any]

CHAT: Api = "openai-chat"
RESPONSES: Api = "openai-responses"
ANTHROPIC: Api = "anthropic-messages"


async def told(api: Api, body: bytes) -> Outcome:
    """What comes of it, on the wire too; the same whether it comes at once or byte by byte."""
    outcomes: list[Outcome] = []
    for size in (None, 1):
        events = await ask(api, FakeServer(Answer(body=body, size=size)))
        outcomes.append(fold(decode(encode(event)) for event in events))
    at_once, in_bytes = outcomes
    assert (at_once.text, at_once.thinking, at_once.asked) == (in_bytes.text, in_bytes.thinking, in_bytes.asked)
    assert (at_once.stop_reason, at_once.error is None) == (in_bytes.stop_reason, in_bytes.error is None)
    return in_bytes


# -- Chat Completions ----------------------------------------------------------------------------------------------


def chunk(finish_reason: str | None = None, /, **delta: Any) -> Event:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def piece(**call: Any) -> Event:
    return chunk(tool_calls=[call])


async def test_framing_that_is_allowed_and_rare_is_read() -> None:
    lines = ["\ufeff: alive", "data:", "", "data:" + json.dumps(chunk(content="Hel")), "id: 3", "retry: 9", ""]
    lines += [": ping", "", 'data: {"choices": [{"delta":', 'data: {"content": "lo"}}]}', "", "data:  ", ""]
    lines += ["data:" + json.dumps(chunk("stop")), "", "data:[DONE]", "", ""]
    got = await told(CHAT, "\r\n".join(lines).encode())
    assert (got.text, got.stop_reason) == ("Hello", "stop")


async def test_a_character_that_was_cut_into_halves_is_whole_again() -> None:
    emoji = json.dumps("😀")[1:-1]
    halves = (emoji[:6], emoji[6:])

    def raw(delta: str, half: str) -> bytes:
        return f'data: {{"choices": [{{"delta": {delta.replace("@", half)}}}]}}\n\n'.encode()

    text = [raw('{"content": "@"}', half) for half in halves]
    call = '{"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "@"}}]}'
    got = await told(CHAT, b"".join([*text, *(raw(call, half) for half in halves)]) + sse(chunk("tool_calls")))
    assert (got.text, got.asked, got.written) == ("😀", {"c": ("f", "😀")}, {"c": ["f", "😀"]})
    alone = await told(CHAT, text[0] + sse(chunk("stop")))
    assert alone.text == "\ufffd", "a half that stays alone is marked"


async def test_what_came_before_bad_bytes_is_kept_however_they_come() -> None:
    bad = b'data: {"choices": [{"delta": {"content": "\xe2\x82"}}]}\n\n'
    got = await told(CHAT, sse(chunk(content="Kept")) + bad + sse(chunk("stop")))
    assert got.text == "Kept"
    assert got.error is not None and "cannot be read" in got.error.error_string


async def test_nothing_where_something_should_be_is_nothing() -> None:
    nulls: list[Event] = [
        {"id": None, "model": None, "choices": None, "usage": None},
        {"choices": [None, {"index": None, "delta": None, "finish_reason": None}]},
        chunk(role=None, content=None, tool_calls=[None], refusal=None, reasoning=None, reasoning_details=None),
        {"choices": [{"delta": {"content": "ok", "tool_calls": None}}], "usage": {"prompt_tokens": None}},
    ]
    got = await told(CHAT, sse(*nulls, chunk("stop"), "[DONE]"))
    assert (got.text, got.asked, got.stop_reason) == ("ok", {}, "stop")


async def test_reasoning_in_three_fields_is_shown_once_whichever_begins() -> None:
    def detail(text: str) -> list[Event]:
        return [{"type": "reasoning.text", "text": text}]

    said = [
        chunk(reasoning_content="", reasoning_details=detail("One ")),
        chunk(reasoning_content="two ", reasoning="two ", reasoning_details=detail("two ")),
        chunk(content=[{"type": "thinking", "thinking": "three"}, {"type": "text", "text": "Four"}]),
    ]
    got = await told(CHAT, sse(*said, chunk("stop")))
    assert (got.thinking, got.text) == ("One two three", "Four")


@pytest.mark.parametrize(
    "failure",
    [
        {"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "It broke."}}]},
        {"message": "It broke.", "type": "server_error"},
        {"error": "It broke."},
    ],
)
async def test_an_error_is_found_wherever_a_server_puts_it(failure: Event) -> None:
    got = await told(CHAT, sse(chunk(content="Half"), failure, "[DONE]"))
    assert got.text == "Half"
    assert got.error is not None and "It broke." in got.error.error_string


async def test_a_tool_call_in_odd_pieces() -> None:
    endless = '{"choices": [{"delta": {"tool_calls": [{"index": 1e999, "id": "b", "function": {"name": "g"}}]}}]}'
    pieces = [
        piece(index=2, id="a", function={"name": "f", "arguments": text}) for text in ("", '{"', "x\\", 'u00e9":1}')
    ]
    got = await told(CHAT, sse(*pieces, endless, chunk("tool_calls")))
    assert got.asked == {"a": ("f", '{"x\\u00e9":1}'), "b": ("g", "{}")}


# -- Responses -----------------------------------------------------------------------------------------------------

MESSAGE: Event = {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hey"}]}
CALL: Event = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": '{"a":1}'}


def response(kind: str, at: int | None = None, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **({} if at is None else {"output_index": at}), **fields}


def added(at: int | None, item: Event) -> Event:
    return response("output_item.added", at, item={**item, "content": [], "arguments": ""})


def completed(*output: Event) -> Event:
    return response("completed", response={"status": "completed", "output": list(output)})


def text(at: int | None, words: str, **fields: Any) -> Event:
    return response("output_text.delta", at, delta=words, **fields)


def written(at: int | None, words: str, **fields: Any) -> Event:
    return response("function_call_arguments.delta", at, delta=words, **fields)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [added(0, MESSAGE), text(0, "Hey"), added(1, CALL), written(1, '{"a":1}'), completed(MESSAGE, CALL)],
            id="no item is done",
        ),
        pytest.param(
            [
                added(0, MESSAGE),
                response("output_text.done", 0, text="Hey"),
                added(1, CALL),
                written(1, '{"a'),
                response("function_call_arguments.done", 1, arguments='{"a":1}'),
                completed(),
            ],
            id="no item is done, and the end repeats none",
        ),
        pytest.param(
            [text(0, "He"), text(0, "y"), written(1, '{"a":1}'), completed(MESSAGE, CALL)], id="no item has begun"
        ),
        pytest.param(
            [
                added(0, MESSAGE),
                text(0, "Hey"),
                response("output_item.done", 0, item=MESSAGE),
                completed(MESSAGE, CALL),
            ],
            id="a call comes with the end only",
        ),
        pytest.param(
            [
                added(0, MESSAGE),
                text(0, "He"),
                response("output_item.done", 0, item=MESSAGE),
                text(0, "y"),
                response("output_item.done", 1, item=CALL),
                written(1, "1}"),
                completed(),
            ],
            id="deltas come late",
        ),
        pytest.param(
            [
                added(None, MESSAGE),
                text(None, "Hey", item_id="m"),
                response("output_item.done", item=MESSAGE),
                added(None, CALL),
                written(None, '{"a":1}', item_id="fc"),
                response("output_item.done", item=CALL),
                completed(MESSAGE, CALL),
            ],
            id="no event says its place",
        ),
    ],
)
async def test_a_response_whose_events_are_incomplete_is_read_whole(events: list[Event]) -> None:
    got = await told(RESPONSES, sse(*events))
    assert (got.text, got.asked, got.stop_reason) == ("Hey", {"c": ("f", '{"a":1}')}, "completed")


# -- Messages ------------------------------------------------------------------------------------------------------


def begun(at: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_start", "index": at, "content_block": {"type": kind, **fields}}


def grown(at: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_delta", "index": at, "delta": {"type": kind, **fields}}


def ended(reason: str) -> list[Event]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": None}, {"type": "message_stop"}]


@pytest.mark.parametrize(("reason", "written", "asked"), [("tool_use", '{"a":1}', ["t"]), ("max_tokens", '{"a":1', [])])
async def test_blocks_that_are_never_stopped_end_with_their_message(
    reason: str, written: str, asked: list[str]
) -> None:
    events = [
        {"type": "ping"},
        begun(0, "thinking", thinking="", signature=""),
        grown(0, "thinking_delta", thinking="Hm"),
        grown(0, "signature_delta", signature="sig"),
        begun(1, "tool_use", id="t", name="f", input={}),
        grown(1, "input_json_delta", partial_json=written),
    ]
    got = await told(ANTHROPIC, sse(*events, *ended(reason)))
    assert ([*got.asked], got.thinking, got.stop_reason) == (asked, "Hm", reason)
    if asked:
        assert got.blocks == [{"type": "thinking", "thinking": "Hm", "signature": "sig"}]


async def test_a_kind_of_block_that_is_new_is_kept_with_all_that_was_added_to_it() -> None:
    events = [
        {"type": "brand_new", "x": 1},
        begun(0, "weird_use", id="w", input={}),
        grown(0, "input_json_delta", partial_json='{"q":'),
        grown(0, "input_json_delta", partial_json="2}"),
        grown(0, "novel_delta", content="abc"),
        grown(0, "novel_delta", content="def"),
        {"type": "content_block_stop", "index": 0},
        grown(1, "text_delta", text="Hey"),
    ]
    got = await told(ANTHROPIC, sse(*events, *ended("end_turn")))
    assert got.blocks == [{"type": "weird_use", "id": "w", "input": {"q": 2}, "content": "abcdef"}]
    assert (got.text, got.stop_reason) == ("Hey", "end_turn")
