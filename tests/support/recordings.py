"""The recordings of what providers really send: their outcomes, what they should be, and the table of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bus.codec import decode
from bus.events import Error, Event, Final
from engine.anthropic import AnthropicAdapter
from engine.call import Call
from engine.exchange import Adapter
from engine.failures import Service
from engine.openai_chat import ChatAdapter
from engine.openai_responses import ResponsesAdapter
from engine.sse import EventReader
from tests.support.fixtures import fixtures_dir
from tests.support.provider_http import HELLO, Api, Outcome, fold

FOLDER = (fixtures_dir() or Path("absent")) / "providers"
SLUGS = sorted(path.parent.name for path in FOLDER.glob("*/meta.json"))
ABSENT = "the recordings are not here: set RIFFLE_FIXTURES to their folder"
needed = pytest.mark.skipif(not SLUGS, reason=ABSENT)

MODELS: dict[Api, str] = {
    "openai-chat": "openai-chat:gpt-4o",
    "openai-responses": "openai:gpt-5",
    "anthropic-messages": "anthropic:claude-sonnet-4-5",
}
"""A model by which each API is asked."""

_ADAPTERS: dict[Api, type[Adapter]] = {
    "openai-chat": ChatAdapter,
    "openai-responses": ResponsesAdapter,
    "anthropic-messages": AnthropicAdapter,
}
_SERVICE = Service(name="A provider", model="a-model", base_url="https://provider.example", key_variable="A_KEY")


@cache
def meta(slug: str) -> dict[str, Any]:
    """What is known of a recording."""
    return json.loads((FOLDER / slug / "meta.json").read_text())


def api(slug: str) -> Api:
    """The API that it is of."""
    return meta(slug)["provider_api"]


def features(slug: str) -> list[str]:
    """The classes that it belongs to: its API, then what it shows."""
    return [api(slug), *meta(slug)["features"]]


def body(slug: str) -> bytes:
    """Its bytes."""
    return (FOLDER / slug / "stream.sse").read_bytes()


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events of a body, as the adapter gets them; up to what cannot be read."""
    reader, events = EventReader(), list[dict[str, Any]]()
    for data in [*reader.feed(stream), *reader.close()]:
        try:
            events.append(json.loads(data))
        except ValueError:  # [DONE], or a body whose events are not separated
            break
    return events


def fresh(slug: str) -> Adapter:
    """An adapter that has read nothing yet."""
    return _ADAPTERS[api(slug)](Call(HELLO, provider="a-provider"), _SERVICE)


# -- what should come of it -------------------------------------------------------------------------------------


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


def differences(slug: str, got: Outcome) -> dict[str, tuple[object, object]]:
    """What differs: (what came, what is expected)."""
    want = wanted(slug)
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


def outcome_of_run(lines: Iterable[str]) -> Outcome:
    """What the records of `riffle run --output json --max-calls 1` add up to: its one call."""
    events: list[Event] = []
    for line in lines:
        event = decode(json.dumps(json.loads(line)["event"]))
        events.append(event)
        if isinstance(event, Final | Error):
            break
    return fold(events)


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


# -- the table ---------------------------------------------------------------------------------------------------

COLUMNS = 4


def table(right: Sequence[str], wrong: Sequence[str]) -> list[str]:
    """How many of each feature class fold to what they should, and by name those that do not."""
    total = Counter(feature for slug in (*right, *wrong) for feature in features(slug))
    passed = Counter(feature for slug in right for feature in features(slug))
    apis = sorted(_ADAPTERS)
    names = [*apis, *sorted(name for name in total if name not in apis)]
    cells = [f"{name} {passed[name]}/{total[name]}" for name in names if total[name]]
    width = max(map(len, cells), default=0) + 2
    lines = [f"recordings that fold to what they should: {len(right)} of {len(right) + len(wrong)}"]
    for at in range(0, len(cells), COLUMNS):
        lines.append("  " + "".join(cell.ljust(width) for cell in cells[at : at + COLUMNS]).rstrip())
    return [*lines, *(f"  not so: {slug}" for slug in sorted(wrong))]
