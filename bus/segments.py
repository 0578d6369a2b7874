"""What a writer knows of the segments that are being streamed: their text so far, and when it is repeated whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from .events import Event, Partial, PartialThinking, ToolCallArgumentsDelta
from .meta import Correlation, Metadata, Usage

Delta = Partial | PartialThinking | ToolCallArgumentsDelta
"""The events that merge: a piece of text at an offset."""

CHECKPOINT_CHARS = 16 * 1024
CHECKPOINT_SECONDS = 2.0

KEPT_TEXTS, KEPT_CHARS = 1024, 1024 * 1024
"""So many texts are known at once, and so much of them is kept: those of messages that never end are forgotten."""

MAX_CHARS = 128 * 1024
"""How much text an entry holds at most: at six bytes for a character, JSON's worst, more would be over its limit."""

Segment = tuple[str, str, str | None]
"""What makes two deltas neighbours: type, message, and segment or tool call."""


def as_delta(event: Event) -> Delta | None:
    """`event` where it is a delta that may merge; None for all others, and for those that say more than ours do.

    What is too long for one entry must be split, so it is one of the former: its whole text is left out.
    """
    if not isinstance(event, Delta):
        return None
    whole = cumulative(event) or ""
    if len(event.delta) + len(whole) > MAX_CHARS:
        return event.model_copy(update={_whole_field(event): None})
    return None if whole or event.model_extra else event


def cumulative(event: Delta) -> str | None:
    """The whole text so far, where the delta has it."""
    return event.arguments if isinstance(event, ToolCallArgumentsDelta) else event.completion


def _whole_field(event: Delta) -> str:
    return "arguments" if isinstance(event, ToolCallArgumentsDelta) else "completion"


def segment_of(event: Delta) -> Segment:
    """The segment that the delta belongs to."""
    if isinstance(event, ToolCallArgumentsDelta):
        return (event.type, event.meta.message_id, event.tool_call_id)
    return (event.type, event.meta.message_id, event.correlation.segment_id if event.correlation else None)


@dataclass(slots=True)
class _Text:
    started: float
    parts: list[str] = field(default_factory=list[str])
    length: int = 0
    unrepeated: int = 0
    whole: bool = True


@dataclass(slots=True)
class Merge:
    """Adjacent deltas of one segment on their way to be one entry. `ts` is the writer's clock at the first."""

    first: Delta
    segment: Segment
    ts: int
    offset: int
    parts: list[str]
    usage: Usage | None
    length: int

    def takes(self, delta: Delta, limit: int) -> bool:
        """Whether `delta` goes on where this ends, and there is room for it."""
        end = self.offset + self.length
        fits = self.length + len(delta.delta) <= limit and delta.offset in (None, end)
        return fits and segment_of(delta) == self.segment

    def add(self, delta: Delta) -> None:
        """Put `delta` at the end."""
        self.parts.append(delta.delta)
        self.length += len(delta.delta)
        self.usage = delta.meta.usage or self.usage


class Segments:
    """Texts of the running turn by segment. `always` repeats the whole text in every delta, for Geppetto's readers."""

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._texts: dict[Segment, _Text] = {}
        self._usage: dict[str, Usage] = {}
        self._kept_chars = 0

    def merge(self, delta: Delta, *, ts: int, now: float) -> Merge:
        """The beginning of an entry with `delta`, whose offset is filled in where it has none."""
        segment = segment_of(delta)
        known = self._known(segment, now)
        offset = known.length if delta.offset is None else delta.offset
        return Merge(delta, segment, ts, offset, [delta.delta], delta.meta.usage, len(delta.delta))

    def seal(self, merge: Merge, *, now: float) -> Delta:
        """The delta to be written: slim, and with the whole text where a checkpoint is due."""
        delta = "".join(merge.parts)
        known = self._known(merge.segment, now)
        # A text whose beginning never came by, or that has a hole, is never repeated as if it were all.
        known.whole = known.whole and merge.offset == known.length
        known.length += len(delta)
        known.unrepeated += len(delta)
        self._keep(known, delta)
        update: dict[str, object] = {
            "delta": delta,
            "offset": merge.offset,
            "meta": self._slim_meta(merge),
            "correlation": _slim_correlation(merge.first),
        }
        if known.whole and known.length + len(delta) <= MAX_CHARS and self._due(known, now):
            known.parts = ["".join(known.parts)]
            known.unrepeated, known.started = 0, now
            update[_whole_field(merge.first)] = known.parts[0]
        return merge.first.model_copy(update=update)

    def know(self, event: Event, *, now: float) -> None:
        """Take the text of a delta that says all of it: what follows goes on from there."""
        if isinstance(event, Delta) and (text := cumulative(event)):
            segment = segment_of(event)
            self._drop(segment)
            known = self._known(segment, now)
            known.length = len(text)
            self._keep(known, text)

    def forget(self, message_id: str | None = None) -> None:
        """The message is complete (None: the turn is): its texts are needed no more."""
        if message_id is None:
            self._texts.clear()
            self._usage.clear()
            self._kept_chars = 0
        else:
            for segment in [segment for segment in self._texts if segment[1] == message_id]:
                self._drop(segment)
            self._usage.pop(message_id, None)

    def _known(self, segment: Segment, now: float) -> _Text:
        """What is known of the segment; those that were written to longest ago are forgotten first."""
        known = self._texts[segment] = self._texts.pop(segment, None) or _Text(now)
        if len(self._texts) > KEPT_TEXTS:
            oldest = next(iter(self._texts))
            self._drop(oldest)
            self._usage.pop(oldest[1], None)
        return known

    def _keep(self, known: _Text, delta: str) -> None:
        """Keep the text while it may still be repeated."""
        known.parts.append(delta)
        self._kept_chars += len(delta)
        if not known.whole or known.length >= MAX_CHARS:
            self._let_go(known)
        for text in self._texts.values():
            if self._kept_chars <= KEPT_CHARS:
                break
            self._let_go(text)

    def _let_go(self, text: _Text) -> None:
        self._kept_chars -= sum(map(len, text.parts))
        text.parts, text.whole = [], False

    def _drop(self, segment: Segment) -> None:
        if text := self._texts.pop(segment, None):
            self._let_go(text)

    def _due(self, text: _Text, now: float) -> bool:
        return self._always or text.unrepeated >= CHECKPOINT_CHARS or now - text.started >= CHECKPOINT_SECONDS

    def _slim_meta(self, merge: Merge) -> Metadata:
        """Only the message id, and usage where it changed: everything else stands on `start`."""
        message_id = merge.first.meta.message_id
        if merge.usage is None or merge.usage == self._usage.get(message_id):
            return Metadata(message_id=message_id)
        self._usage[message_id] = merge.usage
        return Metadata(message_id=message_id, usage=merge.usage)


def _slim_correlation(delta: Delta) -> Correlation | None:
    segment_id = delta.correlation.segment_id if delta.correlation else None
    return Correlation(segment_id=segment_id) if segment_id else None
