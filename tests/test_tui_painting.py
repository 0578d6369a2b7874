"""What is drawn bit by bit, past the toolkit's compositor, is what a drawing of the whole screen would show."""

from __future__ import annotations

import random
from typing import Any, cast

import pyte
import pytest
from textual._compositor import Compositor
from textual.app import ComposeResult
from textual.drivers import headless_driver
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.widgets import Static

from tests.support.timeline import TimelineApp, answer, appended, created, numbered
from tui.terse_output import TerseDriver

WIDTH, HEIGHT = 60, 16
WORDS = ("word", "**bold**", "`code`", "日本", "\n\n", "\n- item", "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "x" * 70)


class Recorder(TerseDriver, HeadlessDriver):
    """A driver whose terminal is a screen in memory. `painted`: how many rows were painted past the compositor."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("\x1b[?7l")
        self.painted: list[int] = []

    @property
    def is_headless(self) -> bool:
        return False

    def paint(self, pieces: Any, cursor: Any) -> None:
        self.painted.append(len(pieces))
        super().paint(pieces, cursor)


class Crowded(TimelineApp):
    """A timeline with something below it, and something in front of it that is hidden at first."""

    CSS = "#front { layer: front; width: 20; height: 3; offset: 10 4; display: none; } Screen { layers: base front; }"

    def compose(self) -> ComposeResult:
        yield self.view
        yield Static("below")
        yield Static("in front", id="front")


@pytest.fixture(autouse=True)
def _real_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: HeadlessDriver, data: str) -> None:
        cast("Recorder", self).stream.feed(data)

    monkeypatch.setattr(HeadlessDriver, "write", write)
    monkeypatch.setattr(headless_driver, "HeadlessDriver", Recorder)


def shown_whole(app: TimelineApp) -> pyte.Screen:
    """What a drawing of everything would show."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[?7l")
    for widget in app.screen._compositor.visible_widgets:  # pyright: ignore[reportPrivateUsage]
        widget._styles_cache.clear()  # pyright: ignore[reportPrivateUsage]
    update = app.screen._compositor.render_full_update()  # pyright: ignore[reportPrivateUsage]
    stream.feed(update.render_segments(app.console))
    return screen


async def test_a_growing_answer_that_scrolls_and_is_covered_for_a_while() -> None:
    randomness = random.Random(5)
    app = Crowded()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        driver = cast("Recorder", app._driver)  # pyright: ignore[reportPrivateUsage]
        entity = answer("a", numbered(30))
        app.view.show(created(entity))
        front = app.query_one("#front")
        await pilot.pause()
        for step in range(60):
            app.view.show([appended(entity, f" {randomness.choice(WORDS)}")])
            app.view.flush()
            match randomness.random():
                case chance if chance < 0.05:
                    app.view.action_scroll_home()
                case chance if chance < 0.1:
                    app.view.scroll_rows(-3)
                case chance if chance < 0.3:
                    app.view.follow()
                case chance if chance < 0.4 or step == 30:
                    front.display = not front.display
                    await pilot.pause()
                case _:
                    pass
            app.view.flush()
            assert driver.screen.buffer == shown_whole(app).buffer
        assert len(driver.painted) > 20


async def test_a_delta_asks_nothing_but_the_rows_that_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Crowded()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        driver = cast("Recorder", app._driver)  # pyright: ignore[reportPrivateUsage]
        entity = answer("a", "One")
        app.view.show(created(entity))
        app.view.flush()
        await pilot.pause()
        asked: list[object] = []
        monkeypatch.setattr(Compositor, "render_update", asked.append)
        driver.painted.clear()
        for _ in range(5):
            app.view.show([appended(entity, " two")])
            app.view.flush()
        assert (driver.painted, asked) == ([1] * 5, [])
        assert "One two two two two two" in driver.screen.display[0] + driver.screen.display[1]


async def test_nothing_is_painted_between_another_size_and_its_layout() -> None:
    app = Crowded()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        driver = cast("Recorder", app._driver)  # pyright: ignore[reportPrivateUsage]
        entity = answer("a", numbered(30))
        app.view.show(created(entity))
        await pilot.pause()
        app._size = Size(WIDTH - 20, HEIGHT - 6)  # pyright: ignore[reportPrivateUsage] (as a resize does at once)
        driver.painted.clear()
        app.view.show([appended(entity, "\n\nmore")])
        app.view.flush()
        assert not driver.painted
