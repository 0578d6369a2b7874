"""Everything that is said beside the answer: logs, infos, waits, mode switches, gaps, and what nobody can read."""

from __future__ import annotations

from typing import Any

from ..codec import encode
from ..entities import GapMarker, ModeSwitch, Notice, TextBuffer, Thinking, UnknownEvent
from ..events import (
    AgentModeSwitch,
    Broken,
    DebuggerPause,
    Event,
    Gap,
    Info,
    Log,
    ProviderBlock,
    Retry,
    Status,
)
from .board import Board, Message, Turn, Wait
from .segments import cut, end_thinking, insert_thinking, pause, start_thinking

_MARKERS = frozenset(
    {
        "output-started",
        "output-ended",
        "reasoning-summary-started",
        "reasoning-summary-ended",
        # Its text comes as partial-thinking too, and whole in reasoning-summary.
        "reasoning-summary-delta",
    }
)


def fold_info(board: Board, event: Info) -> None:
    """A marker of a phase, or a note to show."""
    match event.message:
        case "thinking-started":
            start_thinking(board, board.message_of(event), event)
        case "thinking-ended":
            end_thinking(board, board.message_of(event), event)
        case "reasoning-summary":
            _show_reasoning_summary(board, board.message_of(event), event.data or {})
        case marker if marker in _MARKERS:
            board.message_of(event)
        case _:
            _notice(board, event, Notice(id="", kind="info", message=event.message, fields=event.data))


def _show_reasoning_summary(board: Board, message: Message, data: dict[str, Any]) -> None:
    """The whole summary comes last, after the answer; it is news only where no reasoning was shown."""
    text: object = data.get("text")
    thoughts = [segment for segment in message.segments if isinstance(segment.entity, Thinking)]
    if not isinstance(text, str) or not text or any(len(segment.entity.text) for segment in thoughts):
        return
    if thoughts:
        thought = thoughts[0].entity
        if isinstance(thought, Thinking):
            thought.redacted = False
        board.rewrite(thought, thought.text, text)
        return
    insert_thinking(board, message, TextBuffer(text))


def fold_provider_block(board: Board, event: ProviderBlock) -> None:
    """A block only for the provider; one of reasoning tells that there was some."""
    message = board.message_of(event)
    kind: object = (event.block or {}).get("type")
    if kind in _REASONING_BLOCKS:
        message.reasoned = True


_REASONING_BLOCKS = frozenset({"reasoning", "thinking", "redacted_thinking", "reasoning.encrypted"})


def fold_notice(board: Board, event: Event) -> None:
    """One line beside the answer."""
    match event:
        case Log():
            notice = Notice(id="", kind="log", level=event.level, message=event.message, fields=event.fields)
        case Status():
            if not event.message and not event.model_extra:
                return
            notice = Notice(id="", kind="status", message=event.message or "", fields=event.model_extra or None)
            board.wait = Wait(notice) if event.passing else None
        case Retry():
            _give_up(board, event)
            notice = Notice(id="", kind="retry", message=_next_try(event))
            board.wait = None if board.ts is None else Wait(until_ms=board.ts + event.delay_ms)
        case DebuggerPause():
            details = {"phase": event.phase, "deadline_ms": event.deadline_ms, "extra": event.extra}
            notice = Notice(id="", kind="pause", message=event.summary, fields=details)
        case _:
            return
    _notice(board, event, notice)


def end_wait(board: Board, wait: Wait) -> None:
    """Something came: what told of the silence goes away."""
    board.wait = None
    if wait.notice is not None:
        board.remove(wait.notice)


def _next_try(event: Retry) -> str:
    """Why, when, and which of how many."""
    seconds = event.delay_ms / 1000
    count = f"{event.attempt} of {event.attempts}" if event.attempts else f"{event.attempt}"
    when = f"next try in {seconds:.0f} s" if seconds >= 10 else f"next try in {seconds:.1f} s"
    return f"{event.reason.rstrip('.') or 'The call failed'}; {when} (retry {count})"


def _give_up(board: Board, event: Retry) -> None:
    """A call that has said nothing so far says nothing more: the next one has another message id."""
    message = board.messages.get(event.meta.message_id)
    if message is not None and not any(len(segment.entity.text) for segment in message.segments):
        pause(board, message)
        message.done = True


def _notice(board: Board, event: Event, notice: Notice) -> None:
    notice.id = board.position_id(notice.kind)
    notice.done = True
    board.create(notice, _turn(board, event))


def fold_mode_switch(board: Board, event: AgentModeSwitch) -> None:
    """The agent works in another mode now."""
    data = event.data or {}
    switch = ModeSwitch(
        id=board.position_id("mode"),
        from_mode=_word(data, "from"),
        to_mode=_word(data, "to"),
        analysis=_word(data, "analysis"),
        done=True,
    )
    board.create(switch, _turn(board, event))


def _word(data: dict[str, Any], name: str) -> str:
    value: object = data.get(name)
    return "" if value is None else str(value)


def fold_gap(board: Board, event: Gap) -> None:
    """Events are missing here."""
    gap = GapMarker(id=board.position_id("gap"), count=event.count, reason=event.reason, done=True)
    board.create(gap, _turn(board, event))
    cut(board)


def fold_unknown(board: Board, event: Event) -> None:
    """An event that nobody here understands, or an entry that cannot be read."""
    entity_id = board.position_id("unknown")
    if isinstance(event, Broken):
        entity = UnknownEvent(id=entity_id, payload=event.raw, broken=event.reason, done=True)
    else:
        entity = UnknownEvent(id=entity_id, type=event.type, payload=encode(event).decode(), done=True)
    board.create(entity, _turn(board, event))


def _turn(board: Board, event: Event) -> Turn | None:
    """The turn that `event` names or that runs. What is said beside the answers begins no turn."""
    turn = board.turns.get(event.meta.turn_id or "")
    if turn is None and board.turn is not None and not board.turn.over:
        turn = board.turn
    return turn
