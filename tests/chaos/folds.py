"""Whether a viewer's timeline says what the published events say: the same fold, over what it showed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bus.entities import AssistantText, Entity, GapMarker, TextBuffer, Thinking
from bus.events import Event, Partial, PartialThinking, ToolCallArgumentsDelta
from bus.timeline import Timeline

from .engine import Ledger
from .script import WORD, numbers

Delta = Partial | PartialThinking | ToolCallArgumentsDelta

_OF_ENTRIES = frozenset({"id", "first_entry_id", "last_entry_id", "revision"})
_OF_CLOCKS = frozenset({"started_ms", "ended_ms", "duration_ms", "first_token_ms", "output_tokens_per_second"})


def expected(ledger: Ledger, shown: set[int], *, whole: bool) -> Timeline:
    """What a viewer that showed these numbers has to look like.

    `whole`: nothing is missing, so the deltas are taken as they were published, each by itself. Else as they were
    written: a checkpoint repeats text that is missing elsewhere.
    """
    timeline = Timeline()
    for event in _as_published(ledger, shown) if whole else _as_written(ledger, shown):
        timeline.apply(event)
    return timeline


def _as_published(ledger: Ledger, shown: set[int]) -> Iterator[Event]:
    # What is not a delta may have been cut on its way into an entry: the limit of 1 MiB is not in question here.
    written = {said[0]: event for event in ledger.records.values() if (said := numbers(event))}
    for event in ledger.events:
        said = [number for number in numbers(event) if number in shown]
        if not said:
            continue
        if isinstance(event, Delta):
            yield event.model_copy(update={"delta": "".join(f"{number:0{WORD - 1}d} " for number in said)})
        else:
            yield written[said[0]]


def _as_written(ledger: Ledger, shown: set[int]) -> Iterator[Event]:
    return (event for event in ledger.records.values() if shown.issuperset(said := numbers(event)) and said)


def described(timeline: Timeline) -> list[dict[str, object]]:
    """All that a timeline shows, but for gaps, clocks, and where in the stream it stood.

    The parts of a text that a gap has cut are one text here.
    """
    found: dict[str, dict[str, object]] = {}
    for entity in timeline.entities:
        if isinstance(entity, GapMarker):
            continue
        fields, name = _fields(entity), entity.id
        if isinstance(entity, AssistantText | Thinking):
            name = entity.id.partition("#")[0]
            fields["text"] = f"{found[name]['text'] if name in found else ''}{fields['text']}"
        found[name] = fields
    return list(found.values())


def difference(one: Timeline, other: Timeline) -> str:
    """Where two timelines differ first; empty: nowhere."""
    mine, theirs = described(one), described(other)
    for index, (a, b) in enumerate(zip(mine, theirs, strict=False)):
        if a != b:
            fields = [f"{name}={_short(a[name])}/{_short(b.get(name))}" for name in a if a[name] != b.get(name)]
            return f"entity {index} ({a['kind']}): {', '.join(fields)}"
    return "" if len(mine) == len(theirs) else f"{len(mine)} entities, not {len(theirs)}"


def _fields(entity: Entity) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(entity)]
    found: dict[str, object] = {"kind": type(entity).__name__}
    for name in names:
        if name not in _OF_ENTRIES | _OF_CLOCKS:
            value = getattr(entity, name)
            found[name] = str(value) if isinstance(value, TextBuffer) else value
    return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:38]}…{text[-38:]}"
