"""What a viewer sees of a lost engine before anybody has written it: local, and undone when the engine speaks again."""

from __future__ import annotations

from dataclasses import dataclass

from ..entities import AssistantText, Entity, Interruption, Thinking, ToolState, ToolUse
from .board import Board, Turn
from .turns import close_entities, show_interruption


@dataclass(slots=True, eq=False)
class Loss:
    """What was closed because the engine of `turn` seemed lost: each entity, with its state if it is a tool call."""

    turn: Turn
    interruption: Interruption
    closed: list[tuple[Entity, ToolState | None]]


def mark_lost(board: Board) -> Loss | None:
    """Close what is open in the running turn; None when none runs."""
    turn = board.turn
    if turn is None or turn.over:
        return None
    states: dict[str, ToolState] = {entity.id: entity.state for entity in turn.entities if isinstance(entity, ToolUse)}
    already = turn.interruption
    closed = close_entities(board, turn, interrupted=True)
    show_interruption(board, turn, None, "engine-lost", None)
    turn.over, turn.outcome, turn.ended_ms = True, "stopped", board.ts
    if turn.interruption is None or already is not None:
        return None
    return Loss(turn, turn.interruption, [(entity, states.get(entity.id)) for entity in closed])


def undo(board: Board, loss: Loss) -> None:
    """The engine was not lost after all: its answer goes on where it was."""
    turn = loss.turn
    turn.over, turn.outcome, turn.ended_ms = False, None, None
    turn.interruption = None
    board.remove(loss.interruption)
    for entity, state in loss.closed:
        entity.done, entity.ended_ms = False, None
        match entity:
            case AssistantText():
                entity.interrupted = False
            case Thinking():
                entity.redacted = False
            case ToolUse() if state is not None:
                entity.state = state
            case _:
                pass
        board.update(entity)
