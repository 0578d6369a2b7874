"""The reducer: events in, entities out. Screens, printers, exports and tests all use this one fold.

Pure: no I/O, no clock, the same entities for the same events. It takes anything in any order; what each family of
events does is in the package `fold`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import events as ev
from .entities import Change, Entity, TimelineState, TurnSpan
from .events import Event
from .fold import context, notices, segments, tools, turns
from .fold import loss as losses
from .fold.board import Board, Turn
from .fold.cost import total, usage_of
from .stream import Entry


class Timeline:
    """What a stream adds up to, so far. Its entities are changed in place, by `apply` alone."""

    def __init__(self) -> None:
        self._board = Board()
        self._loss: losses.Loss | None = None

    @property
    def entities(self) -> Sequence[Entity]:
        """All entities, in the order in which they are shown."""
        return self._board.entities

    @property
    def turns(self) -> Mapping[str, TurnSpan]:
        """The turns by id, in the order in which they began."""
        return {turn.id: _span(turn) for turn in self._board.turns.values()}

    @property
    def state(self) -> TimelineState:
        """What is going on now."""
        return _state(self._board)

    def get(self, entity_id: str) -> Entity | None:
        """The entity of that id."""
        return self._board.get(entity_id)

    def apply(self, event: Event, id: str = "", ts: int | None = None) -> list[Change]:
        """Fold the event of entry `id`, written at `ts` (Unix ms), and say what changed.

        An entry is folded once: its repetition changes nothing, as long as some thousand entries lie between.
        """
        board = self._board
        if not board.begin(id, ts):
            return board.changes
        if self._loss is not None:
            self._reconsider_loss(event)
        if board.wait is not None:
            notices.end_wait(board, board.wait)
        if type(event) is ev.Partial or type(event) is ev.PartialThinking:
            segments.fold_delta(board, event)
        else:
            _fold(board, event)
        return board.changes

    def apply_all(self, entries: Sequence[Entry]) -> list[Change]:
        """Fold entries, oldest first. Deltas that follow one another become fewer changes than one by one."""
        board, changes, at = self._board, list[Change](), 0
        while at < len(entries):
            run = 0
            if self._loss is None and board.wait is None:
                run = segments.fold_run(board, entries, at)
            if not run:
                self.apply(entries[at].event, entries[at].id, entries[at].ts)
            changes += board.changes
            at += run or 1
        return changes

    def mark_engine_lost(self, ts: int | None = None) -> list[Change]:
        """Show the running answer as cut off, since its engine is gone.

        Nothing of it is in the stream: when the loss is written there it takes this one's place, and when the engine
        goes on after all, so does the answer.
        """
        self._board.begin("", ts)
        self._loss = losses.mark_lost(self._board) or self._loss
        return self._board.changes

    def _reconsider_loss(self, event: Event) -> None:
        match event:
            case ev.Interrupt() | ev.RunStopped() | ev.RunFailed() | ev.UserMessage() | ev.RunStarted():
                self._loss = None
            case ev.Gap() | ev.Unknown() | ev.Broken():
                pass
            case _:
                if self._loss is not None:
                    losses.undo(self._board, self._loss)
                self._loss = None


def _fold(board: Board, event: Event) -> None:
    match event:
        case ev.Start():
            turns.fold_start(board, event)
        case ev.Final():
            turns.fold_final(board, event)
        case ev.Interrupt():
            turns.fold_interrupt(board, event)
        case ev.Error():
            turns.fold_error(board, event)
        case ev.UserMessage():
            turns.fold_user_message(board, event)
        case ev.RunStarted():
            turns.fold_run_started(board, event)
        case ev.RunFinished() | ev.RunStopped() | ev.RunFailed():
            turns.fold_run_end(board, event)
        case _:
            _fold_content(board, event)


def _fold_content(board: Board, event: Event) -> None:
    match event:
        case (
            ev.TextSegmentStarted()
            | ev.TextSegmentFinished()
            | ev.ReasoningSegmentStarted()
            | ev.ReasoningSegmentFinished()
        ):
            segments.fold_segment(board, event)
        case ev.ToolCallStarted() | ev.ToolCallArgumentsDelta() | ev.ToolCall() | ev.ToolCallExecute():
            tools.fold_tool(board, event)
        case ev.ToolResult() | ev.ToolCallExecutionResult() | ev.ToolCallFinished():
            tools.fold_tool(board, event)
        case ev.ProviderBlock():
            notices.fold_provider_block(board, event)
        case ev.ProviderToolEvent():
            from .fold.provider_tools import fold_provider_tool  # comes with these models

            fold_provider_tool(board, event)
        case _:
            _fold_aside(board, event)


def _fold_aside(board: Board, event: Event) -> None:
    match event:
        case ev.Info():
            notices.fold_info(board, event)
        case ev.AgentModeSwitch():
            notices.fold_mode_switch(board, event)
        case ev.Gap():
            notices.fold_gap(board, event)
        case ev.Compaction():
            context.fold_compaction(board, event)
        case ev.CompactionUndone():
            context.fold_compaction_undone(board, event)
        case ev.Log() | ev.Status() | ev.Retry() | ev.DebuggerPause():
            notices.fold_notice(board, event)
        case _:
            # A registered type of another program ends here too: carried, and shown folded.
            notices.fold_unknown(board, event)


def _span(turn: Turn) -> TurnSpan:
    return TurnSpan(
        id=turn.id,
        first=turn.entities[0] if turn.entities else None,
        last=turn.entities[-1] if turn.entities else None,
        outcome=turn.outcome,
        parent_turn_id=turn.parent_turn_id,
        supersedes=turn.supersedes,
    )


def _state(board: Board) -> TimelineState:
    turn = board.turn
    if turn is None:
        return TimelineState(status="idle")
    messages = turn.messages
    return TimelineState(
        status="idle" if turn.over else "answering",
        turn_id=turn.id,
        since_ms=turn.seen_ms if turn.started_ms is None else turn.started_ms,
        next_try_ms=board.wait.until_ms if board.wait else None,
        model=next((message.model for message in reversed(messages) if message.model), None),
        input_tokens=total(message.input_tokens for message in messages),
        output_tokens=total(message.output_tokens for message in messages),
        stop_reason=messages[-1].stop_reason if messages else None,
        context_tokens=board.context_tokens,
        usage=usage_of(messages),
    )
