"""The conversation, rebuilt from a session's events alone: what goes to the provider with the next call.

`History` is a fold: fed every event of the stream in order, it gives the same blocks whether the events came from
Redis after a restart or from the running engine one by one. Its rules:

- An answer that was interrupted stays, marked; one that failed does not.
- A tool call without a result gets "interrupted" as its result.
- A turn that another one supersedes is left out, and so is all that followed it.
- What the provider needs back verbatim follows the segment that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from bus.entities import TextBuffer
from bus.events import (
    Error,
    Event,
    Final,
    Info,
    Interrupt,
    Partial,
    PartialThinking,
    ProviderBlock,
    ReasoningSegmentFinished,
    Retry,
    RunFailed,
    RunFinished,
    RunStopped,
    Start,
    TextSegmentFinished,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallExecutionResult,
    ToolCallStarted,
    ToolResult,
    ToolResultPayload,
    UserMessage,
)

from .ports import Block

INTERRUPTED = "interrupted"
"""The result that a model is told for a tool call that never got one."""

SegmentKind = Literal["text", "thinking", "tool-call", "provider"]


@dataclass(slots=True, kw_only=True)
class _Segment:
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
class _Call:
    """One provider call: its segments in order."""

    message_id: str
    segments: list[_Segment] = field(default_factory=list[_Segment])
    state: Literal["open", "complete", "interrupted", "failed"] = "open"

    def segment(self, kind: SegmentKind, segment_id: str) -> _Segment:
        """The segment of that id, made when it is new. Without an id there is one of a kind."""
        for segment in reversed(self.segments):  # mostly the newest: an answer may have hundreds
            if segment.kind == kind and segment.id == segment_id:
                return segment
        segment = _Segment(kind=kind, id=segment_id)
        self.segments.append(segment)
        return segment

    def tool_call(self, call_id: str, segment_id: str) -> _Segment:
        segment = self.segment("tool-call", segment_id or call_id)
        segment.call_id = call_id
        return segment

    def keep_verbatim(self, event: ProviderBlock) -> None:
        segment_id = event.segment_id or _segment_id(event)
        owner = next((s for s in self.segments if segment_id and s.id == segment_id), None)
        if owner is None:
            owner = _Segment(kind="provider", id=segment_id)
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

    def waiting(self) -> list[_Segment]:
        """Its tool calls that have no result."""
        return [s for s in self.segments if s.kind == "tool-call" and s.complete and s.result is None]

    def blocks(self) -> Iterator[Block]:
        if self.state == "failed":
            return
        segments = self.segments
        cut: _Segment | None = None
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
class _Turn:
    """A user's message and all that came of it. `parent` is the turn that it follows in the conversation."""

    id: str
    text: str
    parent: _Turn | None
    inference_id: str | None = None
    calls: dict[str, _Call] = field(default_factory=dict[str, _Call])
    ended: bool = False

    def end(self, state: Literal["complete", "interrupted", "failed"]) -> None:
        self.ended = True
        for call in self.calls.values():
            call.end(state)

    def blocks(self) -> Iterator[Block]:
        yield Block(kind="user", text=self.text)
        for call in self.calls.values():
            yield from call.blocks()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """A turn that has not ended. `message_id` is its newest call; `text` is None unless that call is still open."""

    turn_id: str
    inference_id: str | None
    message_id: str | None
    text: str | None


class History:
    """The fold over a session's events. Events before the first user message belong to no turn and are left out."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}
        self._newest: _Turn | None = None

    def apply(self, event: Event) -> None:
        """Take the next event of the session in."""
        if isinstance(event, UserMessage):
            self._open_turn(event)
        elif (turn := self._newest) is None or turn.ended:
            return
        else:
            match event:
                case RunFinished():
                    turn.end("complete")
                case RunStopped():
                    turn.end("interrupted")
                case RunFailed():
                    turn.end("failed")
                case ToolCallExecutionResult() | ToolResult():
                    _keep_result(turn, event)
                case Start() | Partial() | PartialThinking() | Final() | Interrupt() | Error() | Retry():
                    _apply_to_answer(_call_of(turn, event), event)
                case _:
                    _apply_to_segment(turn, event)

    def blocks(self) -> list[Block]:
        """The conversation up to now, oldest first."""
        path: list[_Turn] = []
        turn = self._newest
        while turn is not None:
            path.append(turn)
            turn = turn.parent
        return [block for turn in reversed(path) for block in turn.blocks()]

    def waiting_tool_calls(self) -> list[Block]:
        """The tool calls of the newest provider call that this engine has to run, in the model's order."""
        call = self._newest_call()
        return [segment.tool_call(call.message_id) for segment in call.waiting()] if call else []

    def open_turn(self) -> OpenTurn | None:
        """The newest turn, if it has not ended: it is being answered, or its engine died."""
        turn = self._newest
        if turn is None or turn.ended:
            return None
        call = self._newest_call()
        return OpenTurn(
            turn_id=turn.id,
            inference_id=turn.inference_id,
            message_id=call.message_id if call else None,
            text=call.text() if call and call.state == "open" else None,
        )

    def parent_of_next(self, supersedes: str | None) -> str | None:
        """The id of the turn that a new one follows: the newest, or what the superseded turn itself followed."""
        parent = self._parent(supersedes, None)
        return parent.id if parent else None

    def _newest_call(self) -> _Call | None:
        if self._newest is None or not self._newest.calls:
            return None
        return next(reversed(self._newest.calls.values()))

    def _parent(self, supersedes: str | None, parent_id: str | None) -> _Turn | None:
        if supersedes in self._turns:
            return self._turns[supersedes].parent
        if parent_id in self._turns:
            return self._turns[parent_id]
        return self._newest

    def _open_turn(self, event: UserMessage) -> None:
        turn_id = event.meta.turn_id or f"turn-{len(self._turns) + 1}"
        turn = _Turn(
            id=turn_id,
            text=event.text,
            parent=self._parent(event.supersedes, event.parent_turn_id),
            inference_id=event.meta.inference_id,
        )
        if self._newest is not None and not self._newest.ended:
            self._newest.end("interrupted")
        self._turns[turn_id] = self._newest = turn


def _segment_id(event: Event) -> str:
    return (event.correlation and event.correlation.segment_id) or ""


def _runs_at_provider(event: Event) -> bool:
    return event.correlation is not None and event.correlation.source == "provider"


def _call_of(turn: _Turn, event: Event) -> _Call:
    message_id = event.meta.message_id
    if message_id not in turn.calls:
        turn.calls[message_id] = _Call(message_id)
    return turn.calls[message_id]


def _apply_to_answer(call: _Call, event: Event) -> None:
    """Events that make up or end the text of a call. A closed call is never reopened by a late delta."""
    match event:
        case Partial() | PartialThinking() if call.state == "open":
            kind = "text" if isinstance(event, Partial) else "thinking"
            _grow(call.segment(kind, _segment_id(event)).text, event)
        case Final():
            call.end("complete", event.text)
        case Interrupt():
            call.end("interrupted", event.text)
        case Error() | Retry():
            call.end("failed")
        case _:
            pass


def _apply_to_segment(turn: _Turn, event: Event) -> None:
    """Events that place or complete a segment."""
    segment_id = _segment_id(event)
    match event:
        case ToolCallStarted() | ToolCallArgumentsDelta() | ToolCall() if _runs_at_provider(event):
            pass  # the call and its result go back in the provider's own words
        case Info(message="thinking-started") if segment_id:
            _call_of(turn, event).segment("thinking", segment_id)
        case TextSegmentFinished(text=str(text)):
            _call_of(turn, event).segment("text", segment_id).text.replace(text)
        case ReasoningSegmentFinished(text=str(text)):
            _call_of(turn, event).segment("thinking", segment_id).text.replace(text)
        case ToolCallStarted(tool_call_id=call_id) | ToolCallArgumentsDelta(tool_call_id=call_id):
            _call_of(turn, event).tool_call(call_id, segment_id)
        case ToolCall(tool_call=asked):
            segment = _call_of(turn, event).tool_call(asked.id, segment_id)
            segment.name, segment.complete = asked.name, True
            segment.text.replace(asked.input)
        case ProviderBlock(block=dict()):
            _call_of(turn, event).keep_verbatim(event)
        case _:
            pass


def _grow(text: TextBuffer, event: Partial | PartialThinking) -> None:
    if event.completion:
        text.replace(event.completion)
    elif event.offset is None or event.offset >= len(text):
        text.append(event.delta)
    else:
        text.append(event.delta[len(text) - event.offset :])


def _keep_result(turn: _Turn, event: ToolCallExecutionResult | ToolResult) -> None:
    """Join by message and call id; by call id alone where the message is not said. A provider may reuse call ids."""
    call = turn.calls.get(event.meta.message_id)
    calls = [call] if call else reversed(turn.calls.values())
    asked = [s for c in calls for s in c.segments if s.kind == "tool-call" and s.call_id == event.tool_result.id]
    if asked:
        next((s for s in asked if s.result is None), asked[-1]).result = event.tool_result
