"""The events of one provider call, built in the right order with the right ids: what every provider writes through.

A provider says what it hears (`text`, `thinking`, `tool_arguments`, …) and takes the events with `drain`. `Call`
keeps the segments with their ids and offsets, the whole text, the usage and the times. It does no I/O, and a
`copy.deepcopy` of it goes on by itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bus.events import (
    Error,
    Event,
    Final,
    Info,
    Log,
    Partial,
    PartialThinking,
    ProviderBlock,
    Start,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallPayload,
    ToolCallStarted,
    ToolResult,
    ToolResultPayload,
    Unknown,
)
from bus.meta import Correlation, Metadata, Usage

from .failures import Failure
from .loose import LONE_HALF, joined, whole_characters
from .ports import Request

Kind = Literal["text", "thinking"]


@dataclass(slots=True)
class _Segment:
    """One run of text or thinking. `length` counts code points; `half` is that of a character, the rest may follow."""

    kind: Kind
    correlation: Correlation
    parts: list[str] = field(default_factory=list[str])
    length: int = 0
    half: str = ""

    @property
    def text(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class _Tool:
    """A tool call that the model writes. `asked`: its arguments are complete and it was asked for."""

    name: str
    correlation: Correlation
    length: int = 0
    half: str = ""
    asked: bool = False


class Call:
    """Builds the events of one call; `message_id` is new unless given, `clock` counts seconds.

    `provider` names whose blocks `provider_block` keeps. A segment is known by the `key` that the provider tells its
    pieces apart with; text after thinking under the same key is a new segment. After `final` or `error`
    nothing more comes out.
    """

    def __init__(
        self,
        request: Request,
        *,
        provider: str,
        clock: Callable[[], float] = time.monotonic,
        message_id: str | None = None,
    ) -> None:
        self.message_id = message_id or str(uuid.uuid4())
        self.model = request.model
        self.ended = False
        self._provider = provider
        self._clock = clock
        self._began = clock()
        self._first_token: float | None = None
        self._settings = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        self._facts: dict[str, Any] = {"provider": provider}
        self._meta = Metadata(
            message_id=self.message_id,
            session_id=request.session_id,
            inference_id=request.inference_id,
            turn_id=request.turn_id,
        )
        self._slim = Metadata(message_id=self.message_id)
        self._started = False
        self._segment_count = 0
        self._open: dict[str, _Segment] = {}
        self._texts: list[_Segment] = []
        self._tools: dict[str, _Tool] = {}
        self._usage: Usage | None = None
        self._reasoning_tokens: int | None = None
        self._usage_is_news = False
        self._out: list[Event] = []

    def drain(self) -> list[Event]:
        """The events since the last time."""
        out, self._out = self._out, []
        return out

    # -- segments ----------------------------------------------------------------------------------------------

    @property
    def final_text(self) -> str:
        """All answer text: the text segments, nothing between."""
        return "".join(segment.text for segment in self._texts)

    def text(self, delta: str, key: str = "") -> None:
        """More answer text."""
        if delta:
            self._grow(self._segment("text", key), delta)

    def thinking(self, delta: str, key: str = "") -> None:
        """More reasoning."""
        if delta:
            self._grow(self._segment("thinking", key), delta)

    def open_thinking(self, key: str = "") -> None:
        """Reasoning begins, even if none of it is ever shown."""
        self._segment("thinking", key)

    def segment_text(self, key: str = "") -> str:
        """What the open segment `key` holds; empty when there is none."""
        return self._open[key].text if key in self._open else ""

    def segment_id(self, key: str = "") -> str | None:
        """The id of the open segment `key`."""
        return self._open[key].correlation.segment_id if key in self._open else None

    def settle(self, kind: Kind, text: str, key: str = "") -> None:
        """Make `text` the whole of segment `key`, as the provider says that it is: adds what is missing, or repairs."""
        text, current = joined([text]), self.segment_text(key)
        if not text or text == current:
            return
        segment = self._segment(kind, key)
        segment.half = ""
        if text.startswith(current):
            self._grow(segment, text[len(current) :])
            return
        segment.parts, segment.length = [text], len(text)
        self._emit_delta(segment, "", completion=text)

    def end_segment(self, key: str = "", *, redacted: bool = False) -> None:
        """Segment `key` is complete. `redacted`: the provider hides what was thought."""
        segment = self._open.pop(key, None)
        if segment is not None and segment.half:
            segment.half = ""
            self._grow(segment, LONE_HALF)
        if segment is not None and segment.kind == "thinking":
            data = {"redacted": True} if redacted else None
            self.emit(Info, message="thinking-ended", data=data, correlation=segment.correlation)

    def new_segment_id(self) -> str:
        """A segment id that nothing else of this message has."""
        self._segment_count += 1
        return f"{self.message_id}:{self._segment_count}"

    def _segment(self, kind: Kind, key: str) -> _Segment:
        segment = self._open.get(key)
        if segment is not None and segment.kind == kind:
            return segment
        self.end_segment(key)
        segment = _Segment(kind, Correlation(segment_id=self.new_segment_id()))
        self._open[key] = segment
        if kind == "text":
            self._texts.append(segment)
        else:
            self.emit(Info, message="thinking-started", correlation=segment.correlation)
        return segment

    def _grow(self, segment: _Segment, delta: str) -> None:
        delta, segment.half = whole_characters(segment.half + delta)
        if not delta:
            return
        self._emit_delta(segment, delta)
        segment.parts.append(delta)
        segment.length += len(delta)

    def _emit_delta(self, segment: _Segment, delta: str, completion: str | None = None) -> None:
        self._note_first_token()
        kind = Partial if segment.kind == "text" else PartialThinking
        self._emit(
            kind(
                meta=self._delta_meta(),
                correlation=segment.correlation,
                delta=delta,
                offset=segment.length,
                completion=completion,
            )
        )

    # -- tools -------------------------------------------------------------------------------------------------

    def unique_tool_id(self, wanted: str) -> str:
        """`wanted`, unless this call has it already or it is empty: then one like it."""
        if wanted and wanted not in self._tools:
            return wanted
        stem = wanted or f"call_{self.message_id[:8]}"
        number = 2 if wanted else 1
        while f"{stem}-{number}" in self._tools:
            number += 1
        return f"{stem}-{number}"

    def tool_started(self, tool_id: str, name: str, *, at_provider: bool = False) -> None:
        """The model begins to write a call. Ids come from `unique_tool_id`."""
        self._note_first_token()
        source = "provider" if at_provider else None
        correlation = Correlation(segment_id=self.new_segment_id(), tool_call_id=tool_id, source=source)
        self._tools[tool_id] = _Tool(name, correlation)
        self.emit(ToolCallStarted, tool_call_id=tool_id, tool_name=name, correlation=correlation)

    def tool_arguments(self, tool_id: str, delta: str) -> None:
        """More of a started call's arguments."""
        tool = self._tools[tool_id]
        delta, tool.half = whole_characters(tool.half + delta)
        if not delta:
            return
        self._emit(
            ToolCallArgumentsDelta(
                meta=self._delta_meta(),
                correlation=tool.correlation,
                tool_call_id=tool_id,
                delta=delta,
                offset=tool.length,
            )
        )
        tool.length += len(delta)

    def tool_call(self, tool_id: str, arguments: str) -> None:
        """The arguments of a started call are complete; none at all are `{}`."""
        tool = self._tools[tool_id]
        tool.asked = True
        arguments = joined([arguments])
        payload = ToolCallPayload(id=tool_id, name=tool.name, input=arguments if arguments.strip() else "{}")
        self.emit(ToolCall, tool_call=payload, correlation=tool.correlation)

    def tool_segment_id(self, tool_id: str) -> str | None:
        """The segment id of a started call."""
        return self._tools[tool_id].correlation.segment_id

    def provider_tool_result(self, tool_id: str, result: str, *, name: str | None = None, failed: bool = False) -> None:
        """What a tool that ran at the provider said; the call may belong to an earlier message."""
        tool = self._tools.get(tool_id)
        correlation = tool.correlation if tool else Correlation(tool_call_id=tool_id, source="provider")
        payload = ToolResultPayload(
            id=tool_id, name=name or (tool.name if tool else None), result=result, error=failed or None
        )
        self.emit(ToolResult, tool_result=payload, correlation=correlation)

    # -- other events ------------------------------------------------------------------------------------------

    def provider_block(self, block: Mapping[str, Any], segment_id: str | None = None) -> None:
        """Keep `block` to give it back verbatim; `segment_id` says of which segment it is the provider's own form."""
        self.emit(
            ProviderBlock,
            provider=self._provider,
            segment_id=segment_id or self.new_segment_id(),
            block=dict(block),
        )

    def notice(self, message: str, level: str = "warn") -> None:
        """One line that the person should see."""
        self.emit(Log, level=level, message=message)

    def unknown(self, kind: str, data: Mapping[str, Any]) -> None:
        """Carry an event that nobody here knows."""
        self._emit(Unknown.model_validate({"type": f"{self._provider}.{kind}", "meta": self._meta, "data": data}))

    def emit(self, kind: type[Event], **fields: Any) -> None:
        """Any other event of the vocabulary, with the full ids."""
        self._emit(kind(meta=self._meta, **fields))

    def usage(self, usage: Usage, reasoning_tokens: int | None = None) -> None:
        """What the provider has counted so far; replaces what it said before."""
        self._usage_is_news = self._usage_is_news or usage != self._usage
        self._usage, self._reasoning_tokens = usage, reasoning_tokens

    def start(self, model: str = "") -> None:
        """The provider answers, with `model` where it says so. Every other event sees to it."""
        if not self._started:
            self._started = True
            self.model = model or self.model
            known = {"model": self.model, **self._settings, "extra": self._facts}
            self._out.append(Start(meta=self._meta.model_copy(update=known)))

    # -- the end -----------------------------------------------------------------------------------------------

    def final(self, stop_reason: str | None, extra: Mapping[str, Any] | None = None) -> None:
        """The call is over. Calls whose arguments never got complete are called off."""
        if self.ended:
            return
        self._end_open()
        self._emit(Final(meta=self._end_meta(stop_reason, extra), text=self.final_text))
        self.ended = True

    def error(self, failure: Failure) -> None:
        """The call failed; what came of the answer stands."""
        if self.ended:
            return
        if self._started:
            self._end_open()
        self._started = True  # a call that failed before any answer has no `start`: a next try leaves no trace of it
        meta = self._end_meta(None, failure.extra())
        self._emit(Error(meta=meta, error_string=failure.message, code=failure.code, hint=failure.hint))
        self.ended = True

    def _end_open(self) -> None:
        for key in list(self._open):
            self.end_segment(key)
        for tool_id, tool in self._tools.items():
            if not tool.asked:
                self.emit(
                    ToolCallFinished,
                    tool_call_id=tool_id,
                    tool_name=tool.name,
                    status="unknown",
                    correlation=tool.correlation,
                )

    def _end_meta(self, stop_reason: str | None, extra: Mapping[str, Any] | None) -> Metadata:
        facts = {**self._facts, **(extra or {})}
        if self._reasoning_tokens is not None:
            facts["reasoning_tokens"] = self._reasoning_tokens
        if self._first_token is not None:
            facts["first_token_ms"] = round((self._first_token - self._began) * 1000)
        return self._meta.model_copy(
            update={
                "model": self.model,
                **self._settings,
                "stop_reason": stop_reason,
                "usage": self._usage,
                "duration_ms": round((self._clock() - self._began) * 1000),
                "extra": facts,
            }
        )

    def _delta_meta(self) -> Metadata:
        if not self._usage_is_news:
            return self._slim
        self._usage_is_news = False
        return Metadata(message_id=self.message_id, usage=self._usage)

    def _note_first_token(self) -> None:
        if self._first_token is None:
            self._first_token = self._clock()

    def _emit(self, event: Event) -> None:
        if self.ended:
            return
        self.start()
        self._out.append(event)
