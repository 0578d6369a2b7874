"""How much the model is told: the size of the context in tokens, as the last call counted it and as it has grown since.

And the compactions, which make it smaller.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..attachment import Attachment
from ..entities import CompactedTurns, Notice, TextBuffer
from ..events import Compaction, CompactionUndone
from ..meta import Usage
from .board import Board

CHARACTERS_PER_TOKEN = 4
"""A rough mean over models and languages; the next call counts exactly."""

TOKENS_OF_A_PICTURE = 1_500
"""About what a provider makes of one: they scale large ones down. Of a page of a PDF too."""


def count(board: Board, usage: Usage) -> None:
    """A call has ended: all that it was told, and what it said."""
    board.context_tokens = usage.told_tokens + usage.output_tokens


def grow(board: Board, text: str, attachments: Iterable[Attachment] = ()) -> None:
    """More that the next call is told, and that no call has counted yet."""
    board.context_tokens += len(text) // CHARACTERS_PER_TOKEN
    for file in attachments:
        is_text = file.media_type.startswith("text/")
        board.context_tokens += file.size // CHARACTERS_PER_TOKEN if is_text else TOKENS_OF_A_PICTURE


def fold_compaction(board: Board, event: Compaction) -> None:
    """From here on a summary stands for what came before."""
    turn = board.turn_of(event)
    card = CompactedTurns(
        id=f"compaction:{turn.id}",
        text=TextBuffer(event.text),
        turns=event.turns,
        tokens_before=event.tokens_before,
        tokens_after=event.tokens_after,
        author=event.author,
        done=True,
    )
    board.create(card, turn)
    board.context_tokens = event.tokens_after or len(event.text) // CHARACTERS_PER_TOKEN


def fold_compaction_undone(board: Board, event: CompactionUndone) -> None:
    """A compaction was taken back."""
    card = board.get(f"compaction:{event.compaction_turn_id}")
    if isinstance(card, CompactedTurns) and not card.undone:
        card.undone = True
        board.update(card)
        board.context_tokens += (card.tokens_before or 0) - (card.tokens_after or 0)
    words = "The compaction was taken back: the model is told everything again."
    board.create(Notice(id=board.position_id("info"), message=words, done=True), board.turn_of(event))
