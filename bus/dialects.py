"""Other vocabularies of the same events, read into ours.

Geppetto renamed its events in May 2026 (`text-delta`, `tool-call-requested`, …); before that some had other forms.
A translation takes a payload as a dict and gives the dict of one of our types; fields it does not know stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

Payload: TypeAlias = dict[str, Any]

REASONING_TEXT = "reasoning-text"
"""`correlation.source` of old reasoning events: where `partial-thinking` came too, they repeat it."""


def translate(payload: Payload) -> Payload | None:
    """`payload` in our vocabulary; None when its type has no equal there."""
    translation = _TRANSLATIONS.get(payload.get("type", ""))
    return translation(dict(payload)) if translation else None


def _text_delta(payload: Payload) -> Payload:
    return payload | {"type": "partial", "completion": payload.pop("text", None)}


def _reasoning_delta(payload: Payload) -> Payload:
    return payload | {"type": "partial-thinking", "completion": payload.pop("text", None)}


def _call_started(payload: Payload) -> Payload:
    return payload | {"type": "start"}


def _call_updated(payload: Payload) -> Payload:
    return _with_outcome(payload) | {"type": "partial", "delta": ""}


def _call_finished(payload: Payload) -> Payload:
    match payload.get("finish_class"):
        case "interrupted":
            name = "interrupt"
        case "error":
            name = "error"
        case _:
            name = "final"
    return _with_outcome(payload) | {"type": name}


def _with_outcome(payload: Payload) -> Payload:
    """The outcome of a call stands beside `meta` there, and in `meta` here."""
    outcome = {name: payload.pop(name, None) for name in ("stop_reason", "usage", "duration_ms")}
    meta = payload.get("meta")
    known = cast("Payload", meta) if isinstance(meta, dict) else {}
    return payload | {"meta": known | {name: value for name, value in outcome.items() if value is not None}}


def _tool_call(name: str) -> Callable[[Payload], Payload]:
    def translation(payload: Payload) -> Payload:
        call = _taken(payload, id="tool_call_id", name="tool_name", input="input")
        return payload | {"type": name, "tool_call": call}

    return translation


def _tool_result(payload: Payload) -> Payload:
    result = _taken(payload, id="tool_call_id", name="tool_name", result="result")
    match payload.pop("status", None):
        case "error":
            result["error"] = True
        case "success":
            result["error"] = False
        case _:
            pass
    return payload | {"type": "tool-call-execution-result", "tool_result": result}


def _taken(payload: Payload, **names: str) -> Payload:
    values = {ours: payload.pop(theirs, None) for ours, theirs in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def _reasoning_text_delta(payload: Payload) -> Payload:
    return payload | {"type": "partial-thinking", "correlation": {"source": REASONING_TEXT}}


def _reasoning_text_done(payload: Payload) -> Payload:
    return payload | {"type": "reasoning-segment-finished", "correlation": {"source": REASONING_TEXT}}


_TRANSLATIONS: dict[str, Callable[[Payload], Payload]] = {
    "text-delta": _text_delta,
    "reasoning-delta": _reasoning_delta,
    "provider-call-started": _call_started,
    "provider-call-metadata-updated": _call_updated,
    "provider-call-finished": _call_finished,
    "tool-call-requested": _tool_call("tool-call"),
    "tool-execution-started": _tool_call("tool-call-execute"),
    "tool-result-ready": _tool_result,
    # Until May 2026.
    "reasoning-text-delta": _reasoning_text_delta,
    "reasoning-text-done": _reasoning_text_done,
}
