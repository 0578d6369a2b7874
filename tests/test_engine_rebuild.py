"""A second engine sends what the first one would: every recording, written to a stream and read back from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bus.events import (
    Event,
    ProviderBlock,
    RunStarted,
    ToolCall,
    ToolCallExecutionResult,
    ToolResultPayload,
    UserMessage,
)
from bus.memory import MemoryStream
from bus.meta import Metadata
from bus.writer import Writer
from engine.anthropic_request import anthropic_body
from engine.history import History
from engine.openai_chat_request import chat_body
from engine.openai_responses_request import responses_body
from engine.ports import Request
from tests.support import recordings
from tests.support.recordings import FOLDER, SLUGS, api, features

pytestmark = recordings.needed


def parsed(slug: str) -> list[dict[str, Any]]:
    return recordings.events_of(recordings.body(slug))


def expected(slug: str) -> dict[str, Any]:
    return json.loads((FOLDER / slug / "expected.json").read_text())


def having(feature: str) -> list[str]:
    """The recordings of that feature that end as an answer does: a failed one is no part of the conversation."""
    broken = {"truncated", "malformed", "bad_framing", "no_finish_reason"}
    found = [slug for slug in SLUGS if feature in features(slug) and not broken & set(features(slug))]
    return [slug for slug in found if not expected(slug).get("error")]


def turn(slug: str) -> list[Event]:
    """The events of a turn whose first call is the recording, up to the second call."""
    ids = Metadata(session_id="s", turn_id="t1")
    adapter = recordings.fresh(slug)
    answer = [out for event in parsed(slug) for out in adapter.feed(event)] + adapter.finish()
    results = [
        ToolCallExecutionResult(
            meta=event.meta, tool_result=ToolResultPayload(id=event.tool_call.id, name=event.tool_call.name, result="7")
        )
        for event in answer
        if isinstance(event, ToolCall) and not (event.correlation and event.correlation.source)
    ]
    return [UserMessage(meta=ids, text="Question"), RunStarted(meta=ids), *answer, *results]


def request_after(slug: str, events: list[Event]) -> dict[str, Any]:
    """What the next call sends."""
    history = History()
    for event in events:
        history.apply(event)
    request = Request(model="m", system="Be brief.", blocks=history.blocks())
    match api(slug):
        case "anthropic-messages":
            return anthropic_body(request, "a-provider")
        case "openai-chat":
            return chat_body(request, "a-provider", official=True)
        case _:
            return responses_body(request, "a-provider")


async def stored(events: list[Event]) -> list[Event]:
    """`events` as a stream has them: merged, cut, with checkpoints, and what is too big laid elsewhere and put back."""
    stream = MemoryStream()
    async with Writer(stream, writer="w", epoch=1) as writer:
        for event in events:
            await writer.publish(event)
    found = [entry.event for entry in await stream.read(count=100_000)]
    return [await _with_its_block(stream, event) for event in found]


async def _with_its_block(stream: MemoryStream, event: Event) -> Event:
    """As a seat gives it."""
    if not isinstance(event, ProviderBlock) or event.block_key is None:
        return event
    raw = await stream.get_block(event.block_key)
    assert raw is not None
    return event.model_copy(update={"block": json.loads(raw), "block_key": None})


@pytest.mark.parametrize("of", ["anthropic-messages", "openai-chat", "openai-responses"])
async def test_a_second_engine_sends_the_same_request(of: str) -> None:
    slugs = [slug for slug in SLUGS if api(slug) == of]
    for slug in slugs:
        events = turn(slug)
        again = await stored(events)
        assert request_after(slug, again) == request_after(slug, events), slug
    assert len(slugs) > 40


@pytest.mark.parametrize("slug", having("signature"))
async def test_signatures_go_back(slug: str) -> None:
    sent = json.dumps(request_after(slug, await stored(turn(slug))))
    signatures = [block["signature"] for block in expected(slug)["thinking_blocks"] if block.get("signature")]
    assert signatures
    for signature in signatures:
        assert json.dumps(signature) in sent


@pytest.mark.parametrize("slug", having("encrypted_reasoning"))
async def test_encrypted_reasoning_goes_back_as_it_was_finished(slug: str) -> None:
    done = [e["item"] for e in parsed(slug) if e.get("type") == "response.output_item.done"]
    sealed = [item["encrypted_content"] for item in done if item.get("encrypted_content")]
    sent = json.dumps(request_after(slug, await stored(turn(slug))))
    assert sealed
    for text in sealed:
        assert json.dumps(text) in sent


@pytest.mark.parametrize("slug", having("reasoning_details"))
async def test_reasoning_details_go_back(slug: str) -> None:
    sent = request_after(slug, await stored(turn(slug)))
    assert any(message.get("reasoning_details") for message in sent["messages"])


@pytest.mark.parametrize("slug", having("tool_call"))
async def test_every_call_that_was_asked_for_goes_back_with_its_result(slug: str) -> None:
    want = expected(slug)
    if want.get("stop_reason") not in ("tool_calls", "tool_use", "completed"):
        pytest.skip("the call was never asked for")
    sent = json.dumps(request_after(slug, await stored(turn(slug))))
    assert sent.count('"7"') >= len(want["tool_calls"]) > 0
    for call in want["tool_calls"]:
        assert json.dumps(call["name"]) in sent


@pytest.mark.parametrize("slug", having("anthropic-messages"))
async def test_tools_that_ran_at_anthropic_go_back_with_their_results(slug: str) -> None:
    blocks = [e["content_block"] for e in parsed(slug) if e.get("type") == "content_block_start"]
    calls = {b["id"] for b in blocks if b["type"] in ("server_tool_use", "mcp_tool_use")}
    answered = {b["tool_use_id"] for b in blocks if b["type"].endswith("_tool_result")}
    content = [
        block for message in request_after(slug, await stored(turn(slug)))["messages"] for block in message["content"]
    ]
    assert {b["id"] for b in content if b["type"] in ("server_tool_use", "mcp_tool_use")} >= calls & answered
    assert {b["tool_use_id"] for b in content if b["type"].endswith("_tool_result")} >= calls & answered
