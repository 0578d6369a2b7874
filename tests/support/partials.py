"""Pieces of an answer, and the text that entries of them add up to."""

from __future__ import annotations

from bus.events import Partial
from bus.meta import Correlation, Metadata, Usage
from bus.stream import Entry


def partial(text: str, *, offset: int | None = None, segment: str = "m1:1", usage: Usage | None = None) -> Partial:
    """A delta of a turn in which everything is named."""
    meta = Metadata(message_id="m1", session_id="s", inference_id="i", turn_id="t", model="x", usage=usage)
    return Partial(meta=meta, correlation=Correlation(segment_id=segment, turn_id="t"), delta=text, offset=offset)


def text_of(entries: list[Entry]) -> str:
    """The text of all deltas."""
    return "".join(entry.event.delta for entry in entries if isinstance(entry.event, Partial))
