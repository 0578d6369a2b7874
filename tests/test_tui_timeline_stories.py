"""The timeline shows what the fold says, whatever comes, goes or comes higher up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bus.entities import Change, Created, Entity, GapMarker, Notice, Removed
from bus.timeline import Timeline
from tests.support.stories import STREAMS, load
from tests.support.timeline import NOW_MS, TimelineApp, answer, lines, numbered, rows_of, show, timeline, user
from tui.timeline.cards import Look
from tui.timeline.document import Document
from tui.timeline.view import TimelineView


def fresh_rows(view: TimelineView, entities: Iterable[Entity]) -> list[str]:
    """What a view would show that saw these entities only now."""
    document = Document(
        lambda section, index: Look(
            now_ms=NOW_MS, frame=-1, gap=document.gap(index), can_retry=section.entity.id == view.retry_at
        )
    )
    for entity in entities:
        document.insert(entity)
    document.resize(view.document.width, view.top)
    return rows_of(document)


@pytest.mark.parametrize("is_lost", [False, True], ids=["", "lost"])
@pytest.mark.parametrize("story", sorted(STREAMS.glob("*.jsonl")), ids=lambda path: path.stem)
async def test_after_each_entry_the_view_shows_the_entities_in_order(story: Path, is_lost: bool) -> None:
    """`lost`: before each entry the engine seems to be gone, and the entry says that it is not."""
    fold = Timeline()
    app = TimelineApp()
    async with app.run_test(size=(60, 20)):
        view = app.view
        view.animated = False

        def take(changes: Iterable[Change]) -> None:
            show(view, *changes)
            shown = [section.entity for section in view.document.sections]
            assert len(shown) == len(fold.entities)
            assert all(one is other for one, other in zip(shown, fold.entities, strict=True))
            assert [view.document.index_of(entity.id) for entity in shown] == list(range(len(shown)))
            assert rows_of(view.document) == fresh_rows(view, fold.entities)

        for entry in load(story):
            if is_lost:
                take(fold.mark_engine_lost(entry.ts))
            take(fold.apply(entry.event, entry.id, entry.ts))


async def test_what_goes_above_or_at_the_top_does_not_move_what_is_read() -> None:
    gap, note = GapMarker(id="g", count=3), Notice(id="n", message="noted")
    async with timeline(user("u", "first"), gap, answer("a", numbered(40)), note, answer("b", numbered(9))) as (
        view,
        pilot,
        _,
    ):
        view.go_to(view.document.at(30))
        before = view.plain_lines()
        show(view, Removed(gap))
        assert view.plain_lines() == before
        # The rows of what goes at the top are those that go.
        await pilot.press("end")
        index = view.document.index_of("n")
        assert index is not None
        view.go_to(view.document.settled(view.top._replace(section=index, block=0, row=1)))
        assert lines(view)[0] == "· noted"
        before = view.plain_lines()
        show(view, Removed(note))
        assert view.plain_lines()[1:] == before[1:]


async def test_what_goes_below_is_new_no_more() -> None:
    async with timeline(answer("a", numbered(40))) as (view, pilot, _):
        await pilot.press("home")
        note = Notice(id="n", message="noted")
        show(view, Created(note))
        assert view.new_below == 1
        show(view, Removed(note))
        assert view.new_below == 0


async def test_an_entity_that_is_made_again_stands_where_it_is_now() -> None:
    note = Notice(id="n", message="noted")
    async with timeline(note, user("u", "first")) as (view, _, _):
        show(view, Removed(note), Created(note))
        assert lines(view) == ["▍ first", "· noted"]


async def test_cursor_and_selection_stay_with_their_text() -> None:
    gap = GapMarker(id="g", count=3)
    async with timeline(user("u", "first"), gap, answer("a", "alpha beta")) as (view, pilot, app):
        await pilot.click(TimelineView, offset=(9, 4), times=2)
        assert app.screen.get_selected_text() == "beta"
        view.cursor = (2, 0)
        show(view, Removed(gap))
        assert app.screen.get_selected_text() == "beta"
        assert [line for line in view.plain_lines() if line.startswith("▌")] == ["▌ alpha beta"]
        show(view, Created(gap, before="a"))
        assert app.screen.get_selected_text() == "beta"
        assert [line for line in view.plain_lines() if line.startswith("▌")] == ["▌ alpha beta"]
        show(view, Removed(view.document.sections[2].entity))
        assert app.screen.get_selected_text() is None
        await pilot.press("up")
        assert [line for line in view.plain_lines() if line.startswith("▌")]


async def test_nothing_breaks_when_the_last_entity_goes() -> None:
    only = user("u", "first")
    async with timeline(only) as (view, pilot, _):
        await pilot.press("up", "enter")
        show(view, Removed(only))
        assert lines(view) == []
        await pilot.press("up", "down", "enter", "r", "pageup", "home", "end")
        show(view, Created(only))
        assert lines(view) == ["▍ first"]
