"""Every recording of a real provider stream, through the real SDKs and our adapters, against its expected outcome."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bus.events import Event
from engine.anthropic import AnthropicAdapter
from engine.call import Call
from engine.exchange import Adapter
from engine.failures import Service
from engine.openai_chat import ChatAdapter
from engine.openai_responses import ResponsesAdapter
from engine.sse import EventReader
from tests.support.fixtures import fixtures_dir
from tests.support.provider_http import HELLO, Answer, Api, FakeServer, Outcome, ask, fold

MISMATCHES: dict[str, str] = {}
"""Recordings that do not fold to what is expected: the reason. Empty is the aim."""

FOLDER = (fixtures_dir() or Path("absent")) / "providers"
SLUGS = sorted(path.parent.name for path in FOLDER.glob("*/meta.json"))
pytestmark = pytest.mark.skipif(not SLUGS, reason="the recordings are not here: set RIFFLE_FIXTURES to their folder")

ADAPTERS: dict[Api, type[Adapter]] = {
    "openai-chat": ChatAdapter,
    "openai-responses": ResponsesAdapter,
    "anthropic-messages": AnthropicAdapter,
}
SERVICE = Service(name="A provider", model="a-model", base_url="https://provider.example", key_variable="A_KEY")


@cache
def meta(slug: str) -> dict[str, Any]:
    return json.loads((FOLDER / slug / "meta.json").read_text())


def body(slug: str) -> bytes:
    return (FOLDER / slug / "stream.sse").read_bytes()


def wanted(slug: str) -> dict[str, Any]:
    """What the recording should fold to; what it says under `lenient` goes first."""
    expected = json.loads((FOLDER / slug / "expected.json").read_text())
    lenient: dict[str, Any] = expected.get("lenient") or {}
    want = {**expected, **lenient}
    if (raw := lenient.get("usage_raw")) and not expected.get("usage"):
        want["usage"] = {
            "input": raw.get("prompt_tokens", raw.get("input_tokens")),
            "output": raw.get("completion_tokens", raw.get("output_tokens")),
        }
    if "white space stripped" in lenient.get("why", ""):
        want["strip"] = True
    return want


@cache
def outcome(slug: str) -> Outcome:
    answer = Answer(body=body(slug), size=1000)
    events = asyncio.run(ask(meta(slug)["provider_api"], FakeServer(answer)))
    assert answer.closed
    return fold(events)


def differences(slug: str) -> dict[str, tuple[object, object]]:
    """What differs: (what came, what is expected)."""
    want, got = wanted(slug), outcome(slug)
    refusal: str = want.get("refusal") or ""
    pairs: dict[str, tuple[object, object]] = {
        "text": (got.text, _stripped(want, want["text"] + refusal)),
        "thinking": (got.thinking, _stripped(want, want["thinking"])),
        "tool calls": (
            [(call_id, name, _arguments(text)) for call_id, (name, text) in got.written.items()],
            [(c["id"], c["name"], _arguments(_written(c))) for c in want["tool_calls"]],
        ),
        "error": (got.error is not None, bool(want.get("error")) or "truncated" in meta(slug)["features"]),
        "usage": (_usage(got, want), want.get("usage")),
    }
    if got.error is None:
        pairs["server tools"] = (_server_tools(got.blocks), _server_tools(want.get("server_tool_calls") or []))
        pairs["stop reason"] = (got.stop_reason, "refusal" if refusal else want["stop_reason"])
        if want["stop_reason"] in ("tool_calls", "tool_use", "completed"):
            pairs["asked for"] = ([*got.asked], [c["id"] for c in want["tool_calls"]])
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _written(call: dict[str, Any]) -> str:
    """Anthropic's are parsed, and given raw beside it where they came in pieces."""
    if "arguments_raw" in call:
        return call["arguments_raw"] or json.dumps(call["arguments"])
    return call["arguments"] or "{}"


def _arguments(text: str) -> object:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _server_tools(blocks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    passing = ("reasoning", "message", "thinking", "redacted_thinking", "text", "tool_use", "function_call")
    return sorted(
        (block["type"], block.get("id") or block.get("tool_use_id") or "")
        for block in blocks
        if block.get("type", "") not in ("", "custom_tool_call", *passing)
    )


def _stripped(want: dict[str, Any], text: str) -> str:
    return text.strip() if want.get("strip") else text


def _usage(got: Outcome, want: dict[str, Any]) -> dict[str, Any] | None:
    """The usage in the corpus' terms, as far as the corpus has an opinion."""
    usage = got.end.meta.usage if got.end else None
    if got.end is None or usage is None or not want.get("usage"):
        return None
    cached = usage.cached_tokens if usage.cached_tokens is not None else usage.cache_read_input_tokens
    found = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cached": cached,
        "cache_creation": usage.cache_creation_input_tokens,
        "cache_read": cached,
        "reasoning": (got.end.meta.extra or {}).get("reasoning_tokens"),
    }
    return {name: found[name] for name in want["usage"]}


@pytest.mark.filterwarnings("ignore:The model .* is deprecated")
@pytest.mark.parametrize("slug", SLUGS)
def test_a_recording_folds_to_what_it_should(slug: str, request: pytest.FixtureRequest) -> None:
    if slug in MISMATCHES:
        request.applymarker(pytest.mark.xfail(reason=MISMATCHES[slug], strict=True))
    assert differences(slug) == {}


def test_the_table_by_feature(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what passes, by feature class."""
    passed, total = Counter[str](), Counter[str]()
    for slug in SLUGS:
        features = [meta(slug)["provider_api"], *meta(slug)["features"]]
        total.update(features)
        if not differences(slug):
            passed.update(features)
    with capsys.disabled():
        right = sum(not differences(slug) for slug in SLUGS)
        lines = [f"\n\nrecordings that fold to what they should: {right} of {len(SLUGS)}"]
        cells = [f"{name} {passed[name]}/{count}" for name, count in sorted(total.items())]
        for at in range(0, len(cells), 4):
            lines.append("  " + "".join(cell.ljust(42) for cell in cells[at : at + 4]).rstrip())
        sys.stdout.write("\n".join(lines) + "\n")
    assert sum(total.values()) > 0


def parsed(slug: str) -> list[dict[str, Any]]:
    """The events of a recording, as the adapter gets them; up to what cannot be read."""
    reader, events = EventReader(), list[dict[str, Any]]()
    for data in [*reader.feed(body(slug)), *reader.close()]:
        try:
            events.append(json.loads(data))
        except ValueError:  # [DONE], or a body whose events are not separated
            break
    return events


def fresh(slug: str) -> Adapter:
    return ADAPTERS[meta(slug)["provider_api"]](Call(HELLO, provider="a-provider"), SERVICE)


def read(adapter: Adapter, events: list[dict[str, Any]]) -> list[Event]:
    return [out for event in events for out in adapter.feed(event)]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_recording_may_end_anywhere(slug: str) -> None:
    """Whatever came before stands, nothing is made up, and no half-written call is asked for."""
    events, adapter = parsed(slug), fresh(slug)
    ends = {round(n * len(events) / 6) for n in range(7)}
    seen: list[Event] = []
    for number in range(len(events) + 1):
        if number in ends:
            cut = fold(seen + copy.deepcopy(adapter).finish())
            before = fold(seen)
            assert cut.end is not None
            assert cut.text.startswith(before.text) and cut.thinking.startswith(before.thinking)
            added = cut.text.removeprefix(before.text) + cut.thinking.removeprefix(before.thinking)
            assert json.dumps(added)[1:-1] in json.dumps(events[:number])
            assert cut.error is None or not any(cut.asked.get(call) != before.asked.get(call) for call in cut.asked)
            assert fold(seen + copy.deepcopy(adapter).finish(ConnectionResetError("reset"))).end is not None
        if number < len(events):
            seen += adapter.feed(events[number])


@pytest.mark.parametrize("slug", SLUGS)
def test_events_may_be_lost_or_come_twice(slug: str) -> None:
    events = parsed(slug)
    for at in {len(events) // 3, len(events) // 2, max(0, len(events) - 2)}:
        for damaged in (events[:at] + events[at + 1 :], events[: at + 1] + events[at:]):
            adapter = fresh(slug)
            assert fold(read(adapter, damaged) + adapter.finish()).end is not None
