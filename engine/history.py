"""The conversation, rebuilt from a session's events alone: what goes to the provider with the next call.

`History` is a fold: fed every event of the stream in order, it gives the same blocks whether the events came from
Redis after a restart or from the running engine one by one. Its rules:

- An answer that was interrupted stays, marked; one that failed does not. Its question stays, unless that is what
  the provider refused.
- A tool call without a result gets "interrupted" as its result.
- A turn that another one supersedes is left out, and so is all that followed it.
- What the provider needs back verbatim follows the segment that it belongs to.
- Turns that were compacted are told as their summary, until that is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bus.entities import TextBuffer
from bus.events import (
    Compaction,
    CompactionUndone,
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
    RunStarted,
    RunStopped,
    Start,
    TextSegmentFinished,
    ToolCall,
    ToolCallExecutionResult,
    ToolCallStarted,
    ToolResult,
    UserMessage,
)

from .ports import Block
from .turns import Call, Turn, segment_id_of

SUMMARY = "The conversation up to here was summed up, to save room. The summary:\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """A turn that has not ended. `message_id` is its newest call; `text` is None unless that call is still open.

    `answered`: all of the answer is there, only the turn's end is not.
    """

    turn_id: str
    inference_id: str | None
    message_id: str | None
    text: str | None
    answered: bool


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a compaction made of everything up to and with a turn; `id` is that of the turn that it was made in."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compactable:
    """What a compaction would sum up: `turns` turns, the last of which is `through`, as the model is told them now."""

    blocks: list[Block]
    through: str
    turns: int


class History:
    """The fold over a session's events. Events before the first user message belong to no turn and are left out."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}
        self._newest: Turn | None = None
        self._command: OpenTurn | None = None
        """A command that is being carried out: no turn of the conversation."""
        self._summaries: dict[str, list[_Summary]] = {}
        """By the last turn that they sum up. Of several the newest one counts, until it is taken back."""

    def apply(self, event: Event) -> None:
        """Take the next event of the session in."""
        if isinstance(event, UserMessage):
            self._open_turn(event)
        elif isinstance(event, RunStarted) and event.prompt_id:
            self._open_command(event)
        elif self._command is not None:
            self._apply_to_command(event)
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
                    if isinstance(event, Error):
                        turn.refuse(event.code)
                case _:
                    _apply_to_segment(turn, event)

    def blocks(self) -> list[Block]:
        """The conversation up to now, oldest first."""
        return self._blocks(*self._path())

    def compactable(self) -> Compactable | None:
        """What a compaction would sum up; None: there is nothing. Questions at the end that failed stay as they are."""
        summary, path = self._path()
        while path and path[-1].failed:
            path.pop()
        return Compactable(blocks=self._blocks(summary, path), through=path[-1].id, turns=len(path)) if path else None

    def compaction(self) -> str | None:
        """The id of the compaction whose summary the model is told now."""
        summary, _ = self._path()
        return summary.id if summary else None

    def _path(self) -> tuple[_Summary | None, list[Turn]]:
        """The summary that the model is told, and the turns that follow it, oldest first."""
        path: list[Turn] = []
        turn = self._newest
        while turn is not None and not self._summaries.get(turn.id):
            path.append(turn)
            turn = turn.parent
        return self._summaries[turn.id][-1] if turn else None, path[::-1]

    def _blocks(self, summary: _Summary | None, path: list[Turn]) -> list[Block]:
        told = [Block(kind="user", text=SUMMARY + summary.text)] if summary else []
        return told + [block for turn in path for block in turn.blocks()]

    def waiting_tool_calls(self) -> list[Block]:
        """The tool calls of the newest provider call that this engine has to run, in the model's order."""
        call = self._newest_call()
        return [segment.tool_call(call.message_id) for segment in call.waiting()] if call else []

    def open_turn(self) -> OpenTurn | None:
        """The newest turn, if it has not ended: it is being answered, or its engine died. A command counts as one."""
        if self._command is not None:
            return self._command
        turn = self._newest
        if turn is None or turn.ended:
            return None
        call = self._newest_call()
        return OpenTurn(
            turn_id=turn.id,
            inference_id=turn.inference_id,
            message_id=call.message_id if call else None,
            text=call.text() if call and call.state == "open" else None,
            answered=call is not None and call.ends_turn(),
        )

    def parent_of_next(self, supersedes: str | None) -> str | None:
        """The id of the turn that a new one follows: the newest, or what the superseded turn itself followed."""
        parent = self._parent(supersedes, None)
        return parent.id if parent else None

    def _newest_call(self) -> Call | None:
        if self._newest is None or not self._newest.calls:
            return None
        return next(reversed(self._newest.calls.values()))

    def _parent(self, supersedes: str | None, parent_id: str | None) -> Turn | None:
        if supersedes in self._turns:
            return self._turns[supersedes].parent
        if parent_id in self._turns:
            return self._turns[parent_id]
        return self._newest

    def _open_turn(self, event: UserMessage) -> None:
        turn_id = event.meta.turn_id or f"turn-{len(self._turns) + 1}"
        turn = Turn(
            id=turn_id,
            text=event.text,
            parent=self._parent(event.supersedes, event.parent_turn_id),
            attachments=event.attachments or (),
            inference_id=event.meta.inference_id,
        )
        self._end_open()
        self._turns[turn_id] = self._newest = turn

    def _open_command(self, event: RunStarted) -> None:
        self._end_open()
        self._command = OpenTurn(
            turn_id=event.meta.turn_id or "",
            inference_id=event.meta.inference_id,
            message_id=None,
            text=None,
            answered=False,
        )

    def _end_open(self) -> None:
        self._command = None
        if self._newest is not None and not self._newest.ended:
            self._newest.end("interrupted")

    def _apply_to_command(self, event: Event) -> None:
        match event:
            case Compaction():
                summary = _Summary(event.meta.turn_id or "", event.text)
                self._summaries.setdefault(event.through_turn_id, []).append(summary)
                self._command = self._command and replace(self._command, answered=True)
            case CompactionUndone():
                self._command = self._command and replace(self._command, answered=True)
                for summaries in self._summaries.values():
                    summaries[:] = [s for s in summaries if s.id != event.compaction_turn_id]
            case RunFinished() | RunStopped() | RunFailed():
                self._command = None
            case _:
                pass


def _runs_at_provider(event: Event) -> bool:
    return event.correlation is not None and event.correlation.source == "provider"


def _call_of(turn: Turn, event: Event) -> Call:
    message_id = event.meta.message_id
    if message_id not in turn.calls:
        turn.calls[message_id] = Call(message_id)
    return turn.calls[message_id]


def _apply_to_answer(call: Call, event: Event) -> None:
    """Events that make up or end the text of a call. A closed call is never reopened by a late delta."""
    match event:
        case Partial() | PartialThinking() if call.state == "open":
            kind = "text" if isinstance(event, Partial) else "thinking"
            _grow(call.segment(kind, segment_id_of(event)).text, event)
        case Final():
            call.end("complete", event.text)
            call.stop_reason = event.meta.stop_reason
        case Interrupt():
            call.end("interrupted", event.text)
        case Error() | Retry():
            call.end("failed")
        case _:
            pass


def _apply_to_segment(turn: Turn, event: Event) -> None:
    """Events that place or complete a segment."""
    segment_id = segment_id_of(event)
    match event:
        case ToolCallStarted() | ToolCall() if _runs_at_provider(event):
            pass  # the call and its result go back in the provider's own words
        case Info(message="thinking-started") if segment_id:
            _call_of(turn, event).segment("thinking", segment_id)
        case TextSegmentFinished(text=str(text)):
            _call_of(turn, event).segment("text", segment_id).text.replace(text)
        case ReasoningSegmentFinished(text=str(text)):
            _call_of(turn, event).segment("thinking", segment_id).text.replace(text)
        case ToolCallStarted(tool_call_id=call_id):
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


def _keep_result(turn: Turn, event: ToolCallExecutionResult | ToolResult) -> None:
    """Join by message and call id; by call id alone where the message is not said. A provider may reuse call ids."""
    call = turn.calls.get(event.meta.message_id)
    calls = [call] if call else reversed(turn.calls.values())
    asked = [s for c in calls for s in c.segments if s.kind == "tool-call" and s.call_id == event.tool_result.id]
    if asked:
        next((s for s in asked if s.result is None), asked[-1]).result = event.tool_result
