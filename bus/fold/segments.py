"""Answer text and reasoning: deltas, checkpoints, whole texts and ends become `AssistantText` and `Thinking`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from ..dialects import REASONING_TEXT
from ..entities import AssistantText, GapMarker, TextBuffer, Thinking
from ..events import (
    Event,
    Partial,
    PartialThinking,
    ReasoningSegmentFinished,
    ReasoningSegmentStarted,
    TextSegmentFinished,
    TextSegmentStarted,
)
from ..meta import Correlation, Metadata
from ..slim import SlimDelta
from ..stream import Entry
from .board import Board, Message, Segment
from .pieces import Pieces, insert, missing, repaired

Delta = Partial | PartialThinking


def fold_delta(board: Board, event: Delta) -> None:
    """More text: to the segment of the delta before where nothing speaks against it, which costs least."""
    segment = board.current
    if (
        segment is not None
        and event.offset == segment.base + len(segment.entity.text)
        and not event.completion
        and event.correlation is not None
        and _belongs(segment, type(event), event.meta, event.correlation)
    ):
        segment.message.last_delta_ms = board.ts
        board.append(segment.entity, segment.entity.text, event.delta)
        return
    _fold_any_delta(board, event)


def _belongs(segment: Segment, model: type[Delta], meta: Metadata, correlation: Correlation) -> bool:
    """Whether it is a delta of this very segment, which is open and has no holes, and brings nothing but text."""
    return (
        model is segment.delta_type
        and correlation.segment_id == segment.key
        and meta.message_id == segment.message.id
        and meta.usage is None
        and not segment.entity.done
        and segment.pieces is None
    )


def fold_run(board: Board, entries: Sequence[Entry], begin: int) -> int:
    """Fold the entries from `begin` on that only make the text longer that grew last, all at once; says how many.

    They come to the same as one by one with `fold_delta`, except for one change instead of many. Nearly all entries of
    a long stream are such.
    """
    segment, first = board.current, entries[begin].content
    if segment is None or type(first) is not SlimDelta:
        return 0
    model, _, meta, correlation = frame = first.frame
    if not _belongs(segment, model, meta, correlation):
        return 0
    end = segment.base + len(segment.entity.text)
    texts: list[str] = []
    for entry in islice(entries, begin, None):
        content = entry.content
        # Deltas of one segment share their frame: these need no second look.
        if type(content) is not SlimDelta or content.frame is not frame or content.offset != end:
            break
        if not board.is_new(entry.id):
            break
        texts.append(content.text)
        end += len(content.text)
    if texts:
        last = entries[begin + len(texts) - 1]
        board.changes, board.entry_id, board.ts = [], last.id, last.ts
        segment.message.last_delta_ms = last.ts
        board.append(segment.entity, segment.entity.text, "".join(texts), entries=len(texts))
    return len(texts)


def _fold_any_delta(board: Board, event: Delta) -> None:
    message = board.message_of(event)
    if message.done or not (event.delta or event.completion):
        return
    if message.first_delta_ms is None:
        message.first_delta_ms = board.ts
    message.last_delta_ms = board.ts
    kind = AssistantText if isinstance(event, Partial) else Thinking
    correlation = event.correlation
    if correlation is not None and correlation.segment_id:
        _feed_keyed(board, message, kind, correlation.segment_id, event)
    else:
        _feed_open(board, message, kind, event)


def _feed_keyed(board: Board, message: Message, kind: type[AssistantText | Thinking], key: str, event: Delta) -> None:
    segment = find(message, kind, key) or open_segment(board, message, kind, key)
    completion = event.completion
    if completion and event.offset is not None:
        # It may repeat the whole call, for readers that know no segments: its end is this segment.
        length = event.offset + len(event.delta)
        completion = completion[-length:] if length else None
    _feed(board, segment, event.delta, completion, event.offset)


def _feed_open(board: Board, message: Message, kind: type[AssistantText | Thinking], event: Delta) -> None:
    """Without a segment id the text goes to the open segment; after that one's end, it is a new segment."""
    mine = [segment for segment in message.segments if type(segment.entity) is kind]
    segment = mine[-1] if mine and not mine[-1].entity.done else None
    source = event.correlation.source if event.correlation else None
    if mine and source == REASONING_TEXT and mine[-1].source != REASONING_TEXT:
        return
    completion = event.completion
    if completion:
        shown = "".join(str(earlier.entity.text) for earlier in mine if earlier not in _parts(segment))
        completion = _rest(completion, shown)
        if not completion:
            return
    elif mine and mine[-1].source != source:
        return
    if segment is None:
        segment = open_segment(board, message, kind, "")
    segment.source = source
    _feed(board, segment, event.delta, completion, event.offset)


def _rest(completion: str, shown: str) -> str:
    """What a call's whole text says beyond the segments before. Some producers begin anew with each segment."""
    if completion.startswith(shown):
        return completion[len(shown) :]
    return "" if shown.startswith(completion) else completion


def _feed(board: Board, segment: Segment, delta: str, completion: str | None, offset: int | None) -> None:
    """Put text where it belongs. The cumulative text is trusted where there is one."""
    if segment.sealed:
        return
    if segment.cut:
        segment = _go_on(board, segment, offset)
    if segment.key:
        board.current = segment
    if segment.before is None:
        _feed_part(board, segment, delta, completion, offset)
        return
    if completion:
        completion = _repair_before(board, segment, completion)
    if offset is not None and offset < segment.base:
        known = delta[: segment.base - offset]
        before = next((part for part in _parts(segment.before) if part.base <= offset), segment.before)
        _feed_part(board, before, known, None, offset - before.base)
        delta, offset = delta[len(known) :], segment.base
    _feed_part(board, segment, delta, completion, None if offset is None else offset - segment.base)


def _feed_part(board: Board, segment: Segment, delta: str, completion: str | None, offset: int | None) -> None:
    entity = segment.entity
    shown = len(entity.text)
    if isinstance(entity, Thinking):
        entity.redacted = False
    if segment.pieces is not None or (offset is not None and offset > shown and not completion):
        _feed_pieces(board, segment, completion or delta, 0 if completion else offset)
    elif completion:
        # A shorter one comes late, unless it came for its own sake: then it takes text back.
        if not (delta and str(entity.text).startswith(completion)):
            board.rewrite(entity, entity.text, completion)
    elif offset is not None and offset < shown:
        if len(delta) > shown - offset:
            board.append(entity, entity.text, delta[shown - offset :])
    elif delta:
        board.append(entity, entity.text, delta)


def cut(board: Board) -> None:
    """Entries are missing here: a text that is open goes on behind the mark."""
    board.current = None
    for segment in board.message.segments if board.message else ():
        segment.cut = segment.cut or (not segment.entity.done and len(segment.entity.text) > 0)


def _go_on(board: Board, segment: Segment, offset: int | None) -> Segment:
    """A further part of a text that was cut: from `offset` on, or from where it was cut."""
    segment.cut = False
    end = segment.base + (len(segment.entity.text) if segment.pieces is None else _end(segment.pieces))
    if offset is not None and offset <= end:
        return segment  # nothing of this text is missing
    part = open_segment(board, segment.message, type(segment.entity), segment.key, entity_id=segment.entity.id)
    part.base, part.before, part.source = end if offset is None else offset, segment, segment.source
    return part


def _repair_before(board: Board, segment: Segment, whole: str) -> str | None:
    """Fill the parts before `segment` from the text of all parts, and give its own."""
    if len(whole) < segment.base:
        return None
    own = whole[segment.base :]
    for part in _parts(segment)[1:]:
        board.rewrite(part.entity, part.entity.text, whole[part.base : segment.base])
        part.pieces, segment = None, part
    return own


def _parts(segment: Segment | None) -> list[Segment]:
    """The parts of a text that was cut, the last one first."""
    parts: list[Segment] = []
    while segment is not None:
        parts.append(segment)
        segment = segment.before
    return parts


def _end(pieces: Pieces) -> int:
    return pieces[-1][0] + len(pieces[-1][1]) if pieces else 0


def _feed_pieces(board: Board, segment: Segment, text: str, offset: int | None) -> None:
    """A delta is missing: show what is known, until a late delta, a checkpoint or the final text fills the hole."""
    entity = segment.entity
    known = str(entity.text)
    pieces = segment.pieces or ([(0, known)] if known else [])
    pieces = insert(pieces, _end(pieces) if offset is None else offset, text)
    segment.pieces = None if missing(pieces) == 0 else pieces
    board.rewrite(entity, entity.text, "".join(piece for _, piece in pieces))


def find(message: Message, kind: type[AssistantText | Thinking], key: str) -> Segment | None:
    """The segment of that id; an open one that began before anybody named it takes the name."""
    for segment in reversed(message.segments):
        if type(segment.entity) is kind:
            if segment.key == key:
                return segment
            if not segment.key and not segment.entity.done and not len(segment.entity.text):
                segment.key = key
                return segment
    return None


def open_segment(
    board: Board, message: Message, kind: type[AssistantText | Thinking], key: str, *, entity_id: str = ""
) -> Segment:
    """A new segment; what was written before it is done, though not sealed."""
    pause(board, message)
    name = key or str(len(message.segments))
    if kind is Thinking:
        entity = Thinking(id=entity_id or f"thinking:{message.id}:{name}")
        segment = Segment(entity, PartialThinking, message, key)
    else:
        entity = AssistantText(id=entity_id or f"text:{message.id}:{name}", model=message.model)
        segment = Segment(entity, Partial, message, key)
    message.segments.append(segment)
    board.create(segment.entity, message.turn, message)
    return segment


def insert_thinking(board: Board, message: Message, text: TextBuffer) -> None:
    """Reasoning that is known only now stands before the rest of its message. Without a text it is redacted."""
    thinking = Thinking(id=f"thinking:{message.id}", text=text, redacted=not len(text), done=True)
    message.segments.insert(0, Segment(thinking, PartialThinking, message, "", sealed=True))
    first = next((entity for entity in message.turn.entities if entity.message_id == message.id), None)
    board.create(thinking, message.turn, message, before=first)
    # Nobody says how long it took.
    thinking.started_ms = thinking.ended_ms = None


def pause(board: Board, message: Message) -> None:
    """Something else begins in `message`: end what is open. Deltas with a segment id may still add to it."""
    for segment in message.segments:
        board.end(segment.entity)


def end_thinking(board: Board, message: Message, event: Event) -> None:
    """The reasoning so far has ended, or the one segment of it that `event` names."""
    key = _key(event)
    for segment in message.segments:
        if isinstance(segment.entity, Thinking) and key in ("", segment.key):
            board.end(segment.entity)


def seal(board: Board, segment: Segment) -> None:
    """Nothing can be added to `segment` any more; holes that are left are shown."""
    if segment.sealed:
        return
    segment.sealed = True
    board.end(segment.entity)
    if segment.pieces:
        count = missing(segment.pieces)
        gap = GapMarker(id=f"gap:{segment.entity.id}", reason=f"{count} characters of this text are missing", done=True)
        board.create(gap, segment.message.turn, segment.message, before=board.after(segment.entity))


def repair(board: Board, message: Message, whole: str | None, *, only_more: bool = False) -> None:
    """Make the text segments of `message` say `whole`; with `only_more`, if they say less so far."""
    texts = _texts(message)
    said = ["".join(str(part.entity.text) for part in reversed(_parts(segment))) for segment in texts]
    if not whole or (only_more and len(whole) <= sum(map(len, said))):
        return
    if not texts:
        segment = open_segment(board, message, AssistantText, "")
        board.append(segment.entity, segment.entity.text, whole)
        return
    change = repaired(said, whole)
    if change is not None:
        index, text = change
        _rewrite(board, texts[index], text)


def _texts(message: Message) -> list[Segment]:
    """The texts of a message in the order in which they begin, of each that was cut its last part."""
    following = {id(segment.before): segment for segment in message.segments if segment.before is not None}
    texts: list[Segment] = []
    for segment in message.segments:
        if isinstance(segment.entity, AssistantText) and segment.before is None:
            while id(segment) in following:
                segment = following[id(segment)]
            texts.append(segment)
    return texts


def _rewrite(board: Board, segment: Segment, whole: str) -> None:
    """Make a text and all its parts say `whole`."""
    own = _repair_before(board, segment, whole)
    if own is not None:
        board.rewrite(segment.entity, segment.entity.text, own)
        segment.pieces = None


# -- segments that say when they begin and end ---------------------------------------------------------------------


def fold_segment(board: Board, event: Event) -> None:
    """A segment begins or is complete."""
    message = board.message_of(event)
    if message.done:
        return
    match event:
        case TextSegmentStarted():
            # The entity waits for the first text: an empty bubble helps nobody.
            pause(board, message)
        case ReasoningSegmentStarted():
            start_thinking(board, message, event)
        case TextSegmentFinished():
            _finish(board, message, AssistantText, event, event.text)
        case ReasoningSegmentFinished():
            _finish(board, message, Thinking, event, event.text)
        case _:
            pass


def start_thinking(board: Board, message: Message, event: Event) -> None:
    """Reasoning begins: shown at once, as there may be no text to come."""
    key = _key(event)
    thoughts = [segment for segment in message.segments if isinstance(segment.entity, Thinking)]
    known = find(message, Thinking, key) if key else next((one for one in thoughts if not one.entity.done), None)
    if known is None and not message.done:
        open_segment(board, message, Thinking, key)


def _finish(
    board: Board, message: Message, kind: type[AssistantText | Thinking], event: Event, text: str | None
) -> None:
    key = _key(event)
    mine = [segment for segment in message.segments if type(segment.entity) is kind]
    doubled = event.correlation is not None and event.correlation.source == REASONING_TEXT
    segment = find(message, kind, key) if key else (mine[-1] if mine else None)
    if segment is None:
        if not text:
            return
        segment = open_segment(board, message, kind, key)
    if doubled and segment.source != REASONING_TEXT and len(segment.entity.text):
        board.end(segment.entity)
        return
    if text and not segment.sealed:
        _rewrite(board, segment, text)
    for part in _parts(segment):
        seal(board, part)


def _key(event: Event) -> str:
    return (event.correlation.segment_id or "") if event.correlation else ""
