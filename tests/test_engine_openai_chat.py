"""The Chat Completions adapter: chunks of every sort of server -> events, and history -> requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bus.builtin_events import Citation
from bus.events import Event, Info, Log, Partial, PartialThinking, ProviderBlock, Start, ToolCallFinished
from engine.openai_chat_request import chat_body
from engine.ports import Block, Request, ToolSpec
from tests.support.provider_http import Answer, FakeServer, ask, fold, sse, story


async def heard(*chunks: Mapping[str, Any] | str, done: bool = True) -> list[Event]:
    return await ask("openai-chat", FakeServer(sse(*chunks, *(["[DONE]"] if done else []))))


def chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


def piece(name: str | None, arguments: str | None, **more: Any) -> dict[str, Any]:
    """A piece of a tool call: what is None is sent as null."""
    return chunk({"tool_calls": [{**more, "function": {"name": name, "arguments": arguments}}]})


async def test_a_story_with_reasoning_text_and_tools() -> None:
    events = await ask("openai-chat", FakeServer(Answer(body=story("chat-reasoning-and-tools"), size=7)))
    got = fold(events)
    assert got.thinking == "Two files. I read both."
    assert got.text == "I look at both files: naïve.txt and 🦊.md."
    assert got.asked == {"call_a": ("read_file", '{"path": "naïve.txt"}'), "call_b": ("list_files", "{}")}
    assert got.stop_reason == "tool_calls"
    assert got.blocks == [{"reasoning_content": "Two files. I read both."}]
    assert got.end is not None and got.end.meta.usage is not None and got.end.meta.extra is not None
    assert got.end.meta.usage.model_dump(exclude_none=True) == {
        "input_tokens": 120,
        "output_tokens": 48,
        "cached_tokens": 64,
    }
    assert got.end.meta.extra["reasoning_tokens"] == 17
    assert isinstance(events[0], Start) and events[0].meta.model == "deep-one"
    kinds = [e.message for e in events if isinstance(e, Info)]
    assert kinds == ["thinking-started", "thinking-ended"]
    block = next(e for e in events if isinstance(e, ProviderBlock))
    thought = next(e for e in events if isinstance(e, PartialThinking))
    assert thought.correlation is not None and block.segment_id == thought.correlation.segment_id


async def test_a_server_that_does_everything_its_own_way() -> None:
    events = await ask("openai-chat", FakeServer(story("chat-odd-server")))
    got = fold(events)
    assert got.thinking == "Is 2 < 3? Yes."
    assert got.text == "Yes, 2 < 3."
    assert got.asked == {"0": ("note", '{"a":1}'), "1": ("note", '{"a": 2}')}
    assert got.end is not None and got.end.meta.usage is not None and got.end.meta.usage.input_tokens == 9
    assert [e.url for e in events if isinstance(e, Citation)] == ["https://example.org/order"]


async def test_an_error_after_text_keeps_the_text() -> None:
    got = fold(await ask("openai-chat", FakeServer(story("chat-error-after-text"))))
    assert got.text == "As far as I know"
    assert got.error is not None and got.error.code == "server-error"
    assert "Upstream went away" in got.error.error_string


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_think_tags_are_found_however_they_are_cut(size: int) -> None:
    answer = "\n<think>\n a <b> </think \n</think>\n\n x <think> y"
    got = fold(await heard(*(chunk({"content": answer[at : at + size]}) for at in range(0, len(answer), size))))
    assert (got.thinking, got.text) == ("a <b> </think", "x <think> y")


async def test_only_tags_at_the_start_are_thinking() -> None:
    got = fold(await heard(chunk({"content": "<thin"}), chunk({"content": "g> is no tag"}, "stop")))
    assert (got.thinking, got.text) == ("", "<thing> is no tag")
    got = fold(await heard(chunk({"content": "  <"}), done=False))
    assert got.text == "  <" and got.error is not None


async def test_reasoning_said_in_two_fields_is_shown_once_and_goes_back_unchanged() -> None:
    def both(text: str) -> dict[str, Any]:
        detail = {"type": "reasoning.text", "text": text, "index": 0, "format": "f"}
        return chunk({"content": "", "reasoning": text, "reasoning_details": [detail]})

    signed = chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]})
    hidden = chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "d", "index": 1}]})
    got = fold(await heard(both("One "), both("two."), signed, hidden, chunk({"content": "Done."}, "stop")))
    assert (got.thinking, got.text) == ("One two.", "Done.")
    text = {"type": "reasoning.text", "text": "One two.", "index": 0, "format": "f", "signature": "s"}
    encrypted = {"type": "reasoning.encrypted", "data": "d", "index": 1}
    assert got.blocks == [{"reasoning_details": [text, encrypted]}]


async def test_a_content_list_with_thinking_goes_back_as_one() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    got = fold(
        await heard(chunk({"content": [thought]}), chunk({"content": [{"type": "text", "text": "Yes."}]}, "stop"))
    )
    assert (got.thinking, got.text, got.blocks) == ("Hm.", "Yes.", [{"content": [thought]}])


async def test_a_refusal_is_text_that_says_so() -> None:
    got = fold(await heard(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")))
    assert (got.text, got.stop_reason) == ("I cannot.", "refusal")


@pytest.mark.parametrize(("reason", "words"), [("length", "limit of output tokens"), ("content_filter", "filter")])
async def test_an_answer_cut_by_the_provider_says_why(reason: str, words: str) -> None:
    half = piece("f", '{"x', index=0, id="a")
    events = await heard(chunk({"content": "So"}), half, chunk({}, reason))
    got = fold(events)
    assert (got.text, got.stop_reason, got.asked) == ("So", reason, {})
    assert any(isinstance(e, Log) and words in e.message for e in events)
    assert [e.tool_call_id for e in events if isinstance(e, ToolCallFinished)] == ["a"]


async def test_a_stream_without_its_end_is_cut_off_and_asks_for_nothing() -> None:
    pieces = [chunk({"content": "Look"}), piece("f", "{}", index=0, id="a")]
    got = fold(await heard(*pieces, done=False))
    assert got.error is not None and got.error.code == "cut-off"
    assert (got.text, got.asked) == ("Look", {})
    done = fold(await heard(*pieces))
    assert done.error is None and done.stop_reason is None and list(done.asked) == ["a"]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece("f", "{", index=0, id="a"), piece("f", "}", index=0, id="a")],
        [piece("f", None, index=0, id="a"), piece("", "{}", index=0, id="")],
        [piece("f", "{", id="a"), piece(None, "}")],
        [piece("f", None, index=3, id="a")],
    ],
    ids=["repeated", "empty later", "no index", "null arguments"],
)
async def test_one_call_in_every_shape(pieces: list[dict[str, Any]]) -> None:
    assert fold(await heard(*pieces, chunk({}, "tool_calls"))).asked == {"a": ("f", "{}")}


async def test_parallel_calls_that_share_an_index_or_an_id_stay_apart() -> None:
    shared_index = [piece("f", "{}", index=0, id=call_id) for call_id in ("a", "b")]
    assert list(fold(await heard(*shared_index, chunk({}, "tool_calls"))).asked) == ["a", "b"]
    shared_id = [piece("f", "{}", index=index, id="0") for index in (0, 1)]
    assert list(fold(await heard(*shared_id, chunk({}, "tool_calls"))).asked) == ["0", "0-2"]


async def test_deltas_are_slim_and_carry_the_usage_once() -> None:
    events = await heard(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk({"content": "b"}),
        chunk({"content": "c"}, "stop"),
    )
    deltas = [e for e in events if isinstance(e, Partial)]
    assert [e.offset for e in deltas] == [0, 1, 2]
    assert [e.meta.usage is not None for e in deltas] == [False, True, False]
    assert all(e.completion is None and e.meta.session_id is None for e in deltas)


# -- requests --------------------------------------------------------------------------------------------------

CONVERSATION = (
    Block(kind="user", text="Read a.txt"),
    Block(kind="thinking", text="I read it.", segment_id="m1:1"),
    Block(kind="provider", provider="openai-chat", segment_id="m1:1", data={"reasoning_content": "I read it."}),
    Block(kind="provider", provider="anthropic", segment_id="m1:9", data={"type": "thinking"}),
    Block(kind="tool-call", call_id="0", name="read_file", text='{"path": "a.txt"}', segment_id="m1:2"),
    Block(kind="tool-result", call_id="0", name="read_file", text="hello"),
)


def messages(*blocks: Block, origin: str = "openai-chat") -> list[dict[str, Any]]:
    body = chat_body(Request(model="m", system="Be brief.", blocks=blocks), origin, official=True)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    return body["messages"][1:]


def test_reasoning_goes_back_while_its_tools_are_answered_and_then_no_more() -> None:
    call = {"id": "0", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.txt"}'}}
    answer = {"role": "assistant", "content": None, "reasoning_content": "I read it.", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "0", "content": "hello"}
    assert messages(*CONVERSATION) == [{"role": "user", "content": "Read a.txt"}, answer, result]
    later = messages(*CONVERSATION, Block(kind="text", text="It says hello."), Block(kind="user", text="Thanks"))
    assert "reasoning_content" not in later[1]
    assert later[3:] == [{"role": "assistant", "content": "It says hello."}, {"role": "user", "content": "Thanks"}]


def test_what_another_server_reasoned_stays_away() -> None:
    assert "reasoning_content" not in messages(*CONVERSATION, origin="openai-chat@localhost")[1]


def test_a_call_without_a_result_is_answered_and_reused_ids_stay_apart() -> None:
    again = (Block(kind="tool-call", call_id="0", name="read.file", text="broken"), Block(kind="user", text="And?"))
    sent = messages(*CONVERSATION, *again)
    assert sent[3]["tool_calls"] == [
        {"id": "0-2", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    ]
    assert sent[4] == {"role": "tool", "tool_call_id": "0-2", "content": "interrupted"}


def test_an_interrupted_answer_is_marked() -> None:
    cut = Block(kind="text", text="Once upon ", interrupted=True)
    sent = messages(Block(kind="user", text="Tell"), cut, Block(kind="user", text="Go on"))
    assert sent[1]["content"] == "Once upon\n\n[This answer was interrupted by the user.]"


def test_options_are_sent_as_the_server_knows_them() -> None:
    tool = ToolSpec(name="f", description="d", parameters={"type": "object"})
    request = Request(
        model="m", blocks=(), tools=[tool], max_tokens=9, temperature=0.5, settings={"reasoning_effort": "low"}
    )
    own, other = (chat_body(request, "openai-chat", official=official) for official in (True, False))
    assert own["max_completion_tokens"] == other["max_tokens"] == 9
    assert (own["temperature"], own["reasoning_effort"]) == (0.5, "low")
    assert own["stream_options"] == {"include_usage": True}
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert own["tools"] == [{"type": "function", "function": function}]


async def test_options_that_a_server_refuses_are_left_out() -> None:
    refusal = Answer(status=422, body=b'{"error": {"message": "extra field: stream_options"}}')
    server = FakeServer(refusal, sse(chunk({"content": "Hi"}, "stop"), "[DONE]"))
    assert fold(await ask("openai-chat", server)).text == "Hi"
    assert ["stream_options" in body for body in server.bodies] == [True, False]
