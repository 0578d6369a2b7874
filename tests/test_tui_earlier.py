"""A long session opens with its last turns; what stands before them is put above without anything moving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.entities import ToolUse
from bus.feed import BeganLate, EntriesRead, LeaseChanged
from bus.stream import Entry
from bus.timeline import Timeline
from tests.support.riffle_app import Screen, screen
from tests.support.scripted_source import Story
from tests.support.waiting import wait_until
from tui.timeline.document import Position


def story(turns: int) -> Story:
    told = Story()
    for number in range(turns):
        told.ask(f"Question {number}?").say("Let me look.").tool("read", '{"path": "a"}', "one\ntwo\nthree")
        told.say(f"Answer {number}. ", *[f"Line {i} of {number}.\n\n" for i in range(4)], segment=2).finish()
    return told


def split(turns: int, last_turns: int) -> tuple[list[Entry], list[Entry], Story]:
    """The entries of a story before its last turns, those, and the story, to go on with."""
    told = story(turns - last_turns)
    before = told.take().entries
    for number in range(last_turns):
        told.ask(f"Late {number}?").say("Well. ").tool("read", '{"path": "b"}', "four\nfive").finish()
    return before, told.take().entries, told


def opened(own_home: Path, before: list[Entry], last: list[Entry]) -> Screen:
    app = screen(own_home, BeganLate(34_000), EntriesRead(list(last), caught_up=True))
    app.source.before = [before[at : at + 50] for at in range(0, len(before), 50)]
    return app


async def test_what_comes_above_moves_nothing_and_closes_nothing(own_home: Path) -> None:
    before, last, told = split(30, 12)
    app = opened(own_home, before, last)
    async with app.run_test(size=(80, 16)) as pilot:
        await app.read(12)
        view = app.session_screen.view
        assert view is not None
        await wait_until(lambda: "Late 11?" in app.timeline)
        assert "30,000 earlier ↑" in app.status
        sections = view.document.sections
        tool = next(i for i, section in enumerate(sections) if i > 10 and isinstance(section.entity, ToolUse))
        view.toggle(tool, "tool")
        view.go_to(Position(tool))
        await pilot.pause()
        shown, entity = view.plain_lines(), sections[tool].entity.id
        app.source.push(told.ask("Meanwhile?").say("Yes").take())
        await wait_until(lambda: app.folded.answering)
        app.source.go_on.set()
        await wait_until(lambda: len(view.document.sections) == len(app.folded.timeline.entities) > 60)
        await pilot.pause()
        assert view.plain_lines() == shown
        assert "earlier ↑" not in app.status
        assert view.document.sections[view.top.section].entity.id == entity
        # It goes on as if it had been read from the beginning.
        app.source.push(told.say(", it does.").finish().take())
        await wait_until(lambda: not app.folded.answering)
        whole = Timeline()
        whole.apply_all([*before, *last])
        kept = [entity.id for entity in app.folded.timeline.entities]
        assert kept[: len(whole.entities)] == [entity.id for entity in whole.entities]
        assert [section.entity.id for section in view.document.sections] == kept
        await pilot.press("ctrl+end")
        await wait_until(lambda: "Yes, it does." in app.timeline)
        await pilot.press("ctrl+home")
        await wait_until(lambda: "Question 0?" in app.timeline)


async def test_an_answer_whose_beginning_is_not_read_yet_is_whole_in_the_end(own_home: Path) -> None:
    told = Story().ask("Why?").say("One ", "two ")
    before = told.take().entries
    last = told.say("three ", "four").take().entries
    app = opened(own_home, before, last)
    async with app.run_test(size=(80, 16)):
        await wait_until(lambda: "three four" in app.timeline)
        app.source.push(LeaseChanged(None))
        await wait_until(lambda: "engine lost" in app.status)
        app.source.go_on.set()
        await wait_until(lambda: "One two three four" in app.timeline)
        assert "Why?" in app.timeline and "engine lost" in app.status
        assert app.timeline.count("three") == 1


async def test_the_last_turns_are_on_the_screen_before_others_are_asked_for(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, last, _ = split(30, 12)
    app = opened(own_home, before, last)
    earlier, shown = app.source.earlier, list[str]()

    def asked() -> AsyncIterator[list[Entry]]:
        shown.append(app.timeline)
        return earlier()

    monkeypatch.setattr(app.source, "earlier", asked)
    async with app.run_test(size=(80, 16)):
        await wait_until(lambda: shown)
    assert "Late 11?" in shown[0]
