"""The reducer: stories with their expected transcripts, and what holds for all of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bus.codec import encode, read
from bus.entities import (
    Appended,
    Change,
    Created,
    Entity,
    Removed,
    Updated,
)
from bus.events import Event, Final, Gap, Partial, PartialThinking, Retry, RunStarted, Start
from bus.meta import Correlation, Metadata, Usage
from bus.slim import SlimDelta
from bus.stream import Entry
from bus.timeline import Timeline
from tests.support.stories import STREAMS, everything, load, transcript

STORIES = sorted(STREAMS.glob("*.jsonl"))
story = pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)


def fold(entries: Sequence[Entry]) -> Timeline:
    timeline = Timeline()
    timeline.apply_all(entries)
    return timeline


@story
def test_story(path: Path):
    expected = path.with_suffix(".expected.txt").read_text(encoding="utf-8")
    assert transcript(fold(load(path))) == expected


@story
def test_changes_tell_the_whole_story(path: Path):
    """A viewer that only listens to changes has the same entities in the same order."""
    timeline = Timeline()
    listed: list[Entity] = []
    for entry in load(path):
        for change in timeline.apply(entry.event, entry.id, entry.ts):
            match change:
                case Created(entity, before):
                    ids = [known.id for known in listed]
                    listed.insert(ids.index(before) if before else len(ids), entity)
                case Removed(entity):
                    listed = [known for known in listed if known is not entity]
                case Appended(entity) | Updated(entity):
                    assert any(known is entity for known in listed)
    assert [entity.id for entity in listed] == [entity.id for entity in timeline.entities]
    assert all(timeline.get(entity.id) is entity for entity in listed)


@story
def test_v02_every_beginning_and_every_end_folds(path: Path):
    entries = load(path)
    for cut in range(len(entries)):
        assert transcript(fold(entries[:cut]))
        assert transcript(fold(entries[cut:]))


@story
def test_repeated_entries_change_nothing(path: Path):
    entries = load(path)
    expected = transcript(fold(entries))
    chance = random.Random(path.stem)
    for _ in range(5):
        repeated = list(entries)
        for _ in entries:
            position = chance.randrange(1, len(repeated) + 1)
            repeated.insert(position, chance.choice(repeated[:position]))
        assert transcript(fold(repeated)) == expected


@story
def test_any_order_folds(path: Path):
    entries = load(path)
    chance = random.Random(path.stem)
    for _ in range(10):
        chance.shuffle(entries)
        timeline = fold(entries)
        assert transcript(timeline)
        assert len({entity.id for entity in timeline.entities}) == len(timeline.entities)


@pytest.mark.parametrize("seed", range(30))
def test_many_at_once_are_the_same_as_one_by_one(seed: int):
    """Also where a run of deltas is broken by whatever it may be, and wherever the reader's pages end."""
    chance = random.Random(seed)
    entries = _mixed(chance)
    one_by_one, at_once, told, told_at_once = Timeline(), Timeline(), list[Change](), list[Change]()
    while entries:
        count = chance.choice((1, 2, 7, 40))
        page, entries = entries[:count], entries[count:]
        for entry in page:
            told += one_by_one.apply(entry.event, entry.id, entry.ts)
        told_at_once += at_once.apply_all(page)
        assert len(page) < 7 or everything(at_once) == everything(one_by_one)
        if chance.random() < 0.1:
            told += one_by_one.mark_engine_lost(page[-1].ts)
            told_at_once += at_once.mark_engine_lost(page[-1].ts)
            entries = [page[-1], *entries]
    assert everything(at_once) == everything(one_by_one)
    assert _joined(told_at_once) == _joined(told)
    assert len(told_at_once) < len(told)


def _mixed(chance: random.Random) -> list[Entry]:
    """Runs of deltas as they come from a stream, with all that may break them in between."""
    said, entries, message, key = dict[str, int](), list[Entry](), 1, "m1:a"
    for number in range(1, 200):
        if chance.random() < 0.2:
            key = f"m{message}:{chance.choice('aaaaaaab')}"
        delta = chance.choice(("x", "yz", "é\n", ""))
        content = _delta(key, delta, said.get(key, 0))
        said[key] = said.get(key, 0) + len(delta)
        if chance.random() < 0.15:
            content = chance.choice(list(_odd(content.event, said[key], chance)))
            message += chance.random() < 0.3
        entries.append(Entry("" if isinstance(content, Gap) else f"{number}-0", content, 1000 + number))
        if isinstance(content, Retry) or chance.random() < 0.1:
            entries.append(chance.choice(entries[-5:]))
        if chance.random() < 0.03:
            del entries[chance.randrange(len(entries))]
    return entries


def _delta(key: str, delta: str, offset: int) -> SlimDelta:
    meta, correlation = Metadata(message_id=key.partition(":")[0]), Correlation(segment_id=key)
    content = read(encode(Partial(meta=meta, correlation=correlation, delta=delta, offset=offset)))
    assert isinstance(content, SlimDelta)
    return content


def _odd(event: Event, said: int, chance: random.Random) -> Iterable[Event]:
    meta, correlation = event.meta, event.correlation
    yield event.model_copy(update={"completion": "whole"})
    yield event.model_copy(update={"offset": None})
    yield event.model_copy(update={"offset": chance.randrange(said + 1)})
    yield event.model_copy(update={"offset": said + 3})
    yield event.model_copy(update={"correlation": None})
    yield event.model_copy(update={"meta": Metadata(message_id=meta.message_id, usage=Usage(output_tokens=said))})
    yield event.model_copy(update={"meta": Metadata(message_id="another")})
    yield PartialThinking(meta=meta, delta="hm", correlation=correlation, offset=said)
    yield from (Retry(meta=meta, reason="Overloaded.", attempt=1, delay_ms=9),) * 3
    yield from (Start(meta=meta), Final(meta=meta), RunStarted(meta=Metadata(turn_id=f"t{said}")), Gap(count=3))


def _joined(changes: Iterable[Change]) -> list[tuple[type[Change], str, str]]:
    """Changes with texts that were added one after the other as one."""
    joined: list[tuple[type[Change], str, str]] = []
    for change in changes:
        told = (type(change), change.entity.id, change.delta if isinstance(change, Appended) else "")
        if joined and isinstance(change, Appended) and joined[-1][:2] == told[:2]:
            told = (*told[:2], joined.pop()[2] + told[2])
        joined.append(told)
    return joined
