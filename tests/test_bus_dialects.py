"""Newer and older names of the same events become ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bus.codec import decode
from bus.dialects import translate
from bus.events import Error, Event, Final, Interrupt, Partial, PartialThinking, ToolCallExecutionResult

META = {"message_id": "m1"}
CORRELATION = {"run_id": "r", "segment_id": "s"}


def read(**payload: Any) -> Event:
    return decode(json.dumps(payload))


def test_text_delta():
    event = read(type="text-delta", meta=META, correlation=CORRELATION, delta="b", text="ab", sequence=2)
    assert isinstance(event, Partial)
    assert (event.delta, event.completion, event.offset) == ("b", "ab", None)
    assert event.correlation is not None
    assert event.correlation.segment_id == "s"


def test_reasoning_delta():
    event = read(type="reasoning-delta", meta=META, correlation=CORRELATION, delta="b", text="ab", source="summary")
    assert isinstance(event, PartialThinking)
    assert (event.delta, event.completion) == ("b", "ab")


def test_metadata_update_carries_usage():
    usage = {"input_tokens": 3, "output_tokens": 4}
    event = read(type="provider-call-metadata-updated", meta=META, stop_reason="stop", usage=usage)
    assert isinstance(event, Partial)
    assert event.delta == ""
    assert event.meta.stop_reason == "stop"
    assert event.meta.usage is not None
    assert event.meta.usage.output_tokens == 4


@pytest.mark.parametrize(
    ("finish_class", "model"),
    [("completed", Final), ("tool_calls_pending", Final), (None, Final), ("interrupted", Interrupt), ("error", Error)],
)
def test_call_finished(finish_class: str | None, model: type[Event]):
    event = read(type="provider-call-finished", meta=META, finish_class=finish_class, duration_ms=12)
    assert type(event) is model
    assert event.meta.duration_ms == 12


@pytest.mark.parametrize(("status", "error"), [("error", True), ("success", False), ("unknown", None), (None, None)])
def test_tool_result(status: str | None, error: bool | None):
    event = read(type="tool-result-ready", tool_call_id="c", tool_name="look", result="r", status=status)
    assert isinstance(event, ToolCallExecutionResult)
    assert (event.tool_result.id, event.tool_result.name, event.tool_result.result) == ("c", "look", "r")
    assert event.tool_result.error is error


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("provider-call-started", "start"),
        ("tool-call-requested", "tool-call"),
        ("tool-execution-started", "tool-call-execute"),
        ("reasoning-text-delta", "partial-thinking"),
        ("reasoning-text-done", "reasoning-segment-finished"),
        ("text-segment-started", "text-segment-started"),
        ("tool-call-finished", "tool-call-finished"),
    ],
)
def test_names(theirs: str, ours: str):
    assert read(type=theirs, meta=META, tool_call_id="c").type == ours


def test_old_error_stands_in_another_field():
    event = read(type="error", error="deadline exceeded")
    assert isinstance(event, Error)
    assert event.message == "deadline exceeded"
    assert read(type="error", error={}, error_string="boom") == Error(error_string="boom", error={})


def test_old_session_id():
    assert read(type="start", meta={"run_id": "old"}).meta.session_id == "old"
    assert read(type="start", meta={"run_id": "old", "session_id": "new"}).meta.session_id == "new"


def test_translation_leaves_its_input_alone():
    payload = {"type": "text-delta", "text": "a"}
    assert translate(payload) == {"type": "partial", "completion": "a"}
    assert payload == {"type": "text-delta", "text": "a"}
    assert translate({"type": "final"}) is None
