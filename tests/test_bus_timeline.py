"""The reducer: stories with their expected transcripts, and what holds for all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from bus.entities import (
    Appended,
    Created,
    Entity,
    Removed,
    Updated,
)
from bus.timeline import Timeline
from tests.support.stories import STREAMS, StoryEntry, load, transcript

STORIES = sorted(STREAMS.glob("*.jsonl"))
story = pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)


def fold(entries: Sequence[StoryEntry]) -> Timeline:
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
