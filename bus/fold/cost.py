"""What a turn cost: the tokens and times of all its calls, as its footer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from ..entities import CallUsage, Entity, TurnSummary
from .board import Board, Message, Turn

_SHORTEST_MS = 100
"""Below this time between the first and the last token a rate says nothing: a buffer was written, not a model heard."""


def total(counts: Iterable[int | None]) -> int | None:
    """The sum of what is known; None when nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def usage_of(messages: Iterable[Message]) -> tuple[CallUsage, ...]:
    """What was counted, call by call; nothing where an answer, or part of one, came that nobody has counted."""
    messages = list(messages)
    if any(each.done and (each.segments or each.tools) and each.input_tokens is None for each in messages):
        return ()
    return tuple(
        CallUsage(
            model=message.model or "",
            provider=message.provider or "",
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens or 0,
            cached_tokens=message.cached_tokens or 0,
            cache_write_tokens=message.cache_write_tokens or 0,
        )
        for message in messages
        if message.input_tokens is not None
    )


def summarise(board: Board, turn: Turn) -> None:
    """The footer, at the end of the turn; it moves down when the turn went on after all."""
    if not turn.messages:
        return
    summary = _summary(turn)
    known = turn.summary
    if known is not None and turn.entities[-1] is not known:
        board.remove(known)
        known = None
    if known is None:
        turn.summary = summary
        board.create(summary, turn)
    elif _figures(known) != _figures(summary):
        for name in _FIGURES:
            setattr(known, name, getattr(summary, name))
        board.update(known)


_FIGURES = tuple({field.name for field in fields(TurnSummary)} - {field.name for field in fields(Entity)})


def _figures(summary: TurnSummary) -> list[object]:
    return [getattr(summary, name) for name in _FIGURES]


def _summary(turn: Turn) -> TurnSummary:
    messages = turn.messages
    return TurnSummary(
        id=f"summary:{turn.id}",
        done=True,
        model=next((message.model for message in reversed(messages) if message.model), None),
        stop_reason=messages[-1].stop_reason,
        calls=len(messages),
        input_tokens=total(message.input_tokens for message in messages),
        output_tokens=total(message.output_tokens for message in messages),
        cached_tokens=total(message.cached_tokens for message in messages),
        reasoning_tokens=total(message.reasoning_tokens for message in messages),
        duration_ms=_elapsed(turn.started_ms, turn.ended_ms) or total(message.duration_ms for message in messages),
        first_token_ms=_first_token(turn),
        output_tokens_per_second=_rate(messages),
        usage=usage_of(messages),
    )


def _elapsed(start: int | None, end: int | None) -> int | None:
    return end - start if start is not None and end is not None and end >= start else None


def _first_token(turn: Turn) -> int | None:
    first = turn.messages[0]
    if first.first_token_after_ms is not None:
        return first.first_token_after_ms
    return _elapsed(turn.started_ms, first.first_delta_ms)


def _rate(messages: list[Message]) -> float | None:
    """Tools run between the calls, so only the time from first to last token of each counts."""
    whole = [message for message in messages if message.started]
    output = total(message.output_tokens for message in whole)
    writing = total(_elapsed(message.first_delta_ms, message.last_delta_ms) for message in whole)
    if not output or writing is None or writing < _SHORTEST_MS:
        return None
    return round(output * 1000 / writing, 1)
