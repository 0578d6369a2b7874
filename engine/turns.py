"""A turn as the history keeps it: the calls that answer it, their segments, and the blocks that they are told as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bus.attachment import Attachment
from bus.entities import TextBuffer
from bus.events import Event, ProviderBlock, ToolResultPayload

from .ports import Block, File

INTERRUPTED = "interrupted"
"""The result that a model is told for a tool call that never got one."""

REFUSED = frozenset({"bad-request", "context-too-long"})
"""Codes of errors that are about what was asked: told again, it would be refused again, with all that follows it."""

SegmentKind = Literal["text", "thinking", "tool-call", "provider"]


@dataclass(slots=True, kw_only=True)
class Segment:
    """One piece of a call, at the place where it was first heard of.

    `complete` is about tool calls: their arguments are all there. `own_words` are its blocks in the provider's form.
    """

    kind: SegmentKind
    id: str
    text: TextBuffer = field(default_factory=TextBuffer)
    call_id: str = ""
    name: str = ""
    complete: bool = False
    result: ToolResultPayload | None = None
    own_words: list[Block] = field(default_factory=list[Block])

    def leads_on(self) -> bool:
        """Whether an answer can end with it: providers refuse reasoning that nothing follows."""
        return self.complete if self.kind == "tool-call" else self.kind == "text" and len(self.text) > 0

    def blocks(self, message_id: str, *, interrupted: bool) -> Iterator[Block]:
        if self.kind == "tool-call":
            if not self.complete:
                return
            yield self.tool_call(message_id)
        elif self.kind != "provider" and len(self.text):
            yield Block(
                kind=self.kind,
                text=str(self.text),
                segment_id=self.id,
                message_id=message_id,
                interrupted=interrupted and self.kind == "text",
            )
        yield from self.own_words

    def tool_call(self, message_id: str) -> Block:
        return Block(
            kind="tool-call",
            call_id=self.call_id,
            name=self.name,
            text=str(self.text),
            segment_id=self.id,
            message_id=message_id,
        )

    def tool_result(self, message_id: str) -> Block:
        text, failed = INTERRUPTED, True
        if self.result is not None:
            text, failed = self.result.result, bool(self.result.error)
        return Block(
            kind="tool-result", call_id=self.call_id, name=self.name, text=text, failed=failed, message_id=message_id
        )


@dataclass(slots=True)
class Call:
    """One provider call: its segments in order."""

    message_id: str
    segments: list[Segment] = field(default_factory=list[Segment])
    state: Literal["open", "complete", "interrupted", "failed"] = "open"
    stop_reason: str | None = None

    def segment(self, kind: SegmentKind, segment_id: str) -> Segment:
        """The segment of that id, made when it is new. Without an id there is one of a kind."""
        for segment in reversed(self.segments):  # mostly the newest: an answer may have hundreds
            if segment.kind == kind and segment.id == segment_id:
                return segment
        segment = Segment(kind=kind, id=segment_id)
        self.segments.append(segment)
        return segment

    def tool_call(self, call_id: str, segment_id: str) -> Segment:
        segment = self.segment("tool-call", segment_id or call_id)
        segment.call_id = call_id
        return segment

    def keep_verbatim(self, event: ProviderBlock) -> None:
        segment_id = event.segment_id or segment_id_of(event)
        owner = next((s for s in self.segments if segment_id and s.id == segment_id), None)
        if owner is None:
            owner = Segment(kind="provider", id=segment_id)
            self.segments.append(owner)
        owner.own_words.append(
            Block(
                kind="provider",
                provider=event.provider,
                segment_id=segment_id,
                message_id=self.message_id,
                data=event.block,
            )
        )

    def text(self) -> str:
        return "".join(str(segment.text) for segment in self.segments if segment.kind == "text")

    def end(self, state: Literal["complete", "interrupted", "failed"], text: str | None = None) -> None:
        """Close it. A cumulative `text` wins over the sum of deltas; it then stands in the first text segment."""
        if self.state != "open":
            return
        self.state = state
        if not text or text == self.text():
            return
        for segment in self.segments:
            if segment.kind == "text":
                segment.text.replace("")
        first = next((s for s in self.segments if s.kind == "text"), None) or self.segment("text", "")
        first.text.replace(text)

    def ends_turn(self) -> bool:
        """Whether the turn needs no further call."""
        asked = any(segment.kind == "tool-call" for segment in self.segments)
        return self.state == "complete" and not asked and self.stop_reason != "pause_turn"

    def waiting(self) -> list[Segment]:
        """Its tool calls that have no result."""
        return [s for s in self.segments if s.kind == "tool-call" and s.complete and s.result is None]

    def blocks(self) -> Iterator[Block]:
        if self.state == "failed":
            return
        segments = self.segments
        cut: Segment | None = None
        if self.state != "complete":
            ends = [index for index, segment in enumerate(segments) if segment.leads_on()]
            segments = segments[: ends[-1] + 1] if ends else []
            cut = segments[-1] if segments and segments[-1].kind == "text" else None
        for segment in segments:
            yield from segment.blocks(self.message_id, interrupted=segment is cut)
        for segment in segments:
            if segment.kind == "tool-call" and segment.complete:
                yield segment.tool_result(self.message_id)


@dataclass(slots=True)
class Turn:
    """A user's message and all that came of it. `parent` is the turn that it follows in the conversation.

    `refused`: the provider did not take the message itself.
    """

    id: str
    text: str
    parent: Turn | None
    attachments: Sequence[Attachment] = ()
    inference_id: str | None = None
    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    ended: bool = False
    failed: bool = False
    refused: bool = False

    def refuse(self, code: str | None) -> None:
        """A call failed with that error. Of a message that was answered before it is not the one that is refused."""
        self.refused = code in REFUSED and not any(call.state == "complete" for call in self.calls.values())

    def end(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        self.ended = True
        self.failed = state == "failed"
        for call in self.calls.values():
            call.end(state)

    def blocks(self) -> Iterator[Block]:
        if self.refused:
            return
        files = [File(name=a.name, media_type=a.media_type, block_key=a.block_key) for a in self.attachments]
        yield Block(kind="user", text=self.text, files=files)
        for call in self.calls.values():
            yield from call.blocks()


def segment_id_of(event: Event) -> str:
    """The segment that `event` is about; empty where it does not say."""
    return (event.correlation and event.correlation.segment_id) or ""
