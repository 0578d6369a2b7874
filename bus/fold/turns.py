"""Turns and calls: who asked, when an answer begins and ends, how it ended, and what it cost."""

from __future__ import annotations

from ..entities import (
    AssistantText,
    CodeInterpreter,
    Entity,
    Failure,
    Interruption,
    TextBuffer,
    Thinking,
    ToolUse,
    UserText,
)
from ..events import Error, Event, Final, Interrupt, RunFailed, RunFinished, RunStarted, RunStopped, Start, UserMessage
from ..meta import ZERO_ID
from .board import Board, Message, Outcome, Turn
from .context import count, grow
from .cost import summarise
from .segments import insert_thinking, repair, seal

TOOL_STOPS = frozenset({"tool_calls", "tool_use", "function_call", "tool_calls_pending", "pause_turn"})
"""Stop reasons after which the same turn goes on with another call."""

_NO_REASON = "The call failed. Its producer gave no reason."


# -- a turn begins -------------------------------------------------------------------------------------------------


def fold_user_message(board: Board, event: UserMessage) -> None:
    """A person asked: a turn begins."""
    turn = _begin_turn(board, event)
    turn.has_run_events = True
    turn.parent_turn_id = event.parent_turn_id
    turn.supersedes = event.supersedes
    user = UserText(
        id=f"user:{turn.id}",
        text=event.text,
        author=event.author,
        prompt_id=event.prompt_id,
        profile=event.profile,
        attachments=tuple(event.attachments or ()),
        done=True,
    )
    _show_prompt(board, turn, user)


def fold_run_started(board: Board, event: RunStarted) -> None:
    """Work on a turn begins; some producers say the prompt only here."""
    turn = _begin_turn(board, event)
    turn.has_run_events = True
    if event.prompt and not any(isinstance(entity, UserText) for entity in turn.entities):
        _show_prompt(board, turn, UserText(id=f"user:{turn.id}", text=event.prompt, done=True))


def _begin_turn(board: Board, event: Event) -> Turn:
    if not event.meta.turn_id and not (event.correlation and event.correlation.turn_id) and board.turn is not None:
        # A turn that nobody names begins where it says so.
        board.turn.over = board.turn.over or bool(board.turn.messages)
    turn = board.turn_of(event)
    board.turn = turn
    # An event that comes again does not begin the turn again.
    turn.over = turn.outcome is not None
    if turn.started_ms is None:
        turn.started_ms = board.ts
    return turn


def _show_prompt(board: Board, turn: Turn, user: UserText) -> None:
    known = next((entity for entity in turn.entities if isinstance(entity, UserText)), None)
    if known is None:
        board.create(user, turn, before=turn.entities[0] if turn.entities else None)
        grow(board, user.text, user.attachments)
    elif any(getattr(known, name) != getattr(user, name) for name in _OF_A_PROMPT):
        for name in _OF_A_PROMPT:
            setattr(known, name, getattr(user, name))
        board.update(known)


_OF_A_PROMPT = ("text", "author", "prompt_id", "profile", "attachments")


# -- one call of a provider ----------------------------------------------------------------------------------------


def fold_start(board: Board, event: Start) -> None:
    """A call begins. Its entities wait for their first text."""
    if event.meta.message_id == ZERO_ID and (board.message is None or board.message.done or board.message.segments):
        message = board.new_anonymous_message(event)
        message.take(event.meta)
    else:
        message = board.message_of(event)
    turn = message.turn
    if message.done:
        return
    board.turn, board.message = turn, message
    if turn.messages[-1] is message and len(turn.messages) > 1:
        # What stopped an earlier call of this turn is no end of this one.
        turn.interruption = turn.failure = None
    message.started = True
    if turn.started_ms is None:
        turn.started_ms = board.ts
    _name_model(board, message)
    if event.text:
        repair(board, message, event.text, only_more=True)


def _name_model(board: Board, message: Message) -> None:
    """A viewer that came late learns the model after the text."""
    for segment in message.segments:
        if isinstance(segment.entity, AssistantText) and segment.entity.model != message.model:
            segment.entity.model = message.model
            board.update(segment.entity)


def fold_final(board: Board, event: Final) -> None:
    """A call has ended; the turn too, unless it goes on with tools or says itself when it ends."""
    if event.meta.message_id == ZERO_ID and not event.text and (board.message is None or board.message.done):
        return
    message = board.message_of(event)
    if not message.done:
        repair(board, message, event.text)
        _count(board, message, event)
        _name_model(board, message)
        _redact(board, message)
        _close_message(board, message)
        for tool in message.tools:
            if tool.state == "writing":
                tool.state = "waiting"
                board.update(tool)
    turn = message.turn
    goes_on = message.stop_reason in TOOL_STOPS or any(not tool.done and not tool.source for tool in message.tools)
    if not turn.has_run_events and not goes_on:
        _end_turn(board, turn, "finished")
    elif turn.summary is not None:
        summarise(board, turn)


def _count(board: Board, message: Message, event: Event) -> None:
    if event.meta.usage is not None:
        count(board, event.meta.usage)
    else:
        for segment in message.segments:
            grow(board, str(segment.entity.text))


def _redact(board: Board, message: Message) -> None:
    """There was reasoning, but the provider showed none of it: say so."""
    shown = any(isinstance(segment.entity, Thinking) for segment in message.segments)
    if not shown and (message.reasoned or message.reasoning_tokens):
        insert_thinking(board, message, TextBuffer())


def _close_message(board: Board, message: Message) -> None:
    for segment in message.segments:
        seal(board, segment)
    message.done = True


def fold_interrupt(board: Board, event: Interrupt) -> None:
    """Somebody stopped the answer, maybe between two calls."""
    message = board.message_of(event) if event.text else board.open_message_of(event)
    turn = message.turn if message else board.turn_of(event)
    if message is not None and not message.done:
        repair(board, message, event.text, only_more=True)
        _count(board, message, event)
        text = _last_text(message)
        if text is not None and not text.interrupted:
            text.interrupted = True
            board.update(text)
        _close_message(board, message)
    close_entities(board, turn)
    show_interruption(board, turn, event.author, "interrupt", message)
    _end_without_run_events(board, turn, "stopped")


def fold_error(board: Board, event: Error) -> None:
    """The call failed, or what came before it."""
    message = board.open_message_of(event)
    turn = message.turn if message else board.turn_of(event)
    if message is not None and not message.done:
        text = _last_text(message)
        if text is not None and not text.failed:
            text.failed = True
            board.update(text)
        _close_message(board, message)
    close_entities(board, turn)
    _show_failure(board, turn, event.message, event.code, event.hint, from_call=True)
    _end_without_run_events(board, turn, "failed")


def _end_without_run_events(board: Board, turn: Turn, outcome: Outcome) -> None:
    if not turn.has_run_events:
        turn.over, turn.outcome, turn.ended_ms = True, outcome, board.ts


def _last_text(message: Message) -> AssistantText | None:
    texts = [segment.entity for segment in message.segments if isinstance(segment.entity, AssistantText)]
    return texts[-1] if texts else None


# -- a turn ends ---------------------------------------------------------------------------------------------------


def fold_run_end(board: Board, event: Event) -> None:
    """A turn is answered, was stopped, or failed."""
    turn = board.turn_of(event)
    turn.has_run_events = True
    match event:
        case RunFinished():
            _end_turn(board, turn, "finished")
        case RunStopped(reason=reason):
            close_entities(board, turn, interrupted=True)
            show_interruption(board, turn, None, reason or "interrupt", None)
            _end_turn(board, turn, "stopped")
        case RunFailed(error_string=message):
            close_entities(board, turn, failed=True)
            _show_failure(board, turn, message or "", None, None, from_call=False)
            _end_turn(board, turn, "failed")
        case _:
            pass


def _end_turn(board: Board, turn: Turn, outcome: Outcome) -> None:
    close_entities(board, turn)
    for message in turn.messages:
        _close_message(board, message)
    turn.over = True
    turn.ended_ms = board.ts
    turn.outcome = outcome
    summarise(board, turn)


def close_entities(board: Board, turn: Turn, *, interrupted: bool = False, failed: bool = False) -> list[Entity]:
    """End what is open in `turn`, and give what was. A tool call without a result never ran to its end."""
    closed = [entity for entity in turn.entities if not entity.done]
    for entity in closed:
        match entity:
            case AssistantText():
                entity.interrupted = entity.interrupted or interrupted
                entity.failed = entity.failed or failed
            case ToolUse():
                entity.state = "done" if entity.source == "provider" and not (interrupted or failed) else "interrupted"
            case CodeInterpreter():
                entity.running = False
            case _:
                pass
        board.end(entity)
    return closed


def show_interruption(board: Board, turn: Turn, author: str | None, reason: str, message: Message | None) -> None:
    """Say once that `turn` was stopped; later events may add by whom and why."""
    known = turn.interruption
    if known is None:
        known = Interruption(id=f"interruption:{turn.id}", author=author, reason=reason, done=True)
        turn.interruption = known
        board.create(known, turn, message)
        return
    merged = (author or known.author, reason if reason != "interrupt" else known.reason)
    # One without an entry was made here, when the engine's lease ended.
    if merged != (known.author, known.reason) or not known.first_entry_id:
        known.author, known.reason = merged
        known.first_entry_id = board.entry_id
        board.update(known)


def _show_failure(board: Board, turn: Turn, text: str, code: str | None, hint: str | None, *, from_call: bool) -> None:
    """Say once that `turn` failed: some producers say it twice, and some say why only the second time."""
    known = turn.failure
    if known is not None and known.message == _NO_REASON and text:
        known.message, known.code, known.hint = text, code, hint
        board.update(known)
    elif known is None or (from_call and text not in ("", known.message)):
        turn.failure = Failure(id=f"failure:{turn.id}", message=text or _NO_REASON, code=code, hint=hint, done=True)
        board.create(turn.failure, turn)
