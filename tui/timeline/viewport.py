"""The rows of a conversation on the screen: drawn, scrolled, followed.

What is being read never moves: at the end the view follows, elsewhere it stays. `feed` adds how changes come in,
`view` what a person can do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from engine.prices import Prices
from tui.markdown.text import Link, Toggle
from tui.timeline.cards import Look, is_live
from tui.timeline.cards.base import INDENT
from tui.timeline.document import Document, Position
from tui.timeline.palette import GUTTER, MARGIN, Palette
from tui.timeline.scrollbar import show_place
from tui.timeline.section import Section
from tui.timeline.window import Mark, Window

if TYPE_CHECKING:
    from textual.app import App

    from tui.timeline.pictures import Pictures

TICK = 1 / 8
"""Seconds between two frames of a spinner."""


class Viewport(ScrollView, can_focus=True):
    """A conversation, followed at its end or read anywhere.

    `me` is the author at this terminal; `clock` gives the time in Unix ms for what still runs (a replay sets its own);
    `animated` false keeps everything still. `retry_at` is the id of the entity whose card offers to ask again. `prices`
    say what answers cost, `pictures` what pictures look like.
    """

    if TYPE_CHECKING:
        # The base class leaves the type of what an app returns open.
        @property
        def app(self) -> App[object]: ...

    following: var[bool] = var(True)
    """At the end, and staying there."""

    new_below: var[int] = var(0)
    """Entities that came or grew below the screen since the reader left the end."""

    animated: var[bool] = var(True)

    @dataclass
    class FollowChanged(Message, namespace="timeline_view"):
        """The view began or stopped to follow, or what is new below changed."""

        following: bool
        new_below: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.me: str | None = None
        self.cursor: tuple[int, int] | None = None
        self.is_pointing = False
        """The cursor shows although the focus is elsewhere: a jump put it there."""
        self.clock: Callable[[], int] = _now_ms
        self.prices: Prices | None = None
        self.pictures: Pictures | None = None
        self.document = Document(self._look)
        self.window = Window(self.document)
        self.top = Position()
        self._palette: Palette | None = None
        self.retry_at: str | None = None
        self._fresh: set[str] = set()
        self._ticker: Timer | None = None
        self._ticks = 0
        self._stale = True
        self._syncing = False

    def opened_parts(self, section: Section) -> frozenset[str]:
        """The open parts of a section's card."""
        return section.toggled

    def _look(self, section: Section, index: int) -> Look:
        return Look(
            self.opened_parts(section),
            self.clock(),
            self._ticks if self.animated and self.app.animation_level != "none" else -1,
            self.me,
            self.document.gap(index),
            section.entity.id == self.retry_at,
            self.prices,
            self.pictures.find(section.entity, self.document.width - len(INDENT)) if self.pictures else None,
        )

    # -- rows -------------------------------------------------------------------------------------------

    def sync(self, *, repaint: bool = True) -> None:
        """Bring the screen up to date with the document, keeping what is being read where it is."""
        size = self.scrollable_content_region.size
        if not size.width or not size.height or not self.is_mounted:
            self.window.rows = []
            return
        document = self.document
        self.top = document.resize(max(size.width - GUTTER - MARGIN, 8), self.top)
        # While the end is followed it may come nearer from frame to frame; elsewhere what is above must be whole.
        document.hurried = self.following
        last = document.moved(document.end(), 1 - size.height) if self.following else None
        self.top = document.settled(last if last is not None else self.top)
        changed = self._fill()
        if not self.following and len(self.window.rows) < size.height:
            # Something below went away: the end is not in the middle of the screen.
            self.top = document.moved(document.end(), 1 - size.height)
            changed = sorted({*changed, *self._fill()})
        document.hurried = False
        self._stale = False
        row = document.row_of(self.top)
        self._syncing = True
        show_place(self, row, max(document.total, row + len(self.window.rows)), size)
        self._syncing = False
        if repaint and len(changed) >= size.height:
            self.refresh(size.region)
        elif repaint and changed:
            self.refresh(*(Region(0, y, size.width, 1) for y in changed))
        self._count_new()
        self._sync_ticker()

    def _fill(self) -> list[int]:
        selection = self.text_selection
        return self.window.fill(
            self.top,
            self.scrollable_content_region.size,
            self.palette,
            marks=self.marks_of,
            cursor=self.cursor if self.has_focus or self.is_pointing else None,
            selection=None if selection is None else (selection, self.selection_style),
        )

    def marks_of(self, section: int, block: int) -> dict[int, tuple[Mark, ...]]:
        """By row of a block, what is to be marked."""
        return {}

    @property
    def palette(self) -> Palette:
        """The styles of the theme in use."""
        if self._palette is None:
            self._palette = Palette(self._combined, self.action_of)
        return self._palette

    def action_of(self, action: Link | Toggle, section: int) -> str:
        """The action string for a click on something in the section with this serial number."""
        raise TypeError("a viewport has no actions")

    def _combined(self, classes: list[str]) -> Style:
        return self.get_visual_style(*classes).rich_style

    def render_line(self, y: int) -> Strip:
        """The row `y` of the screen."""
        if self._stale:
            self.sync(repaint=False)
        if y < len(self.window.rows):
            return self.window.rows[y].strip
        return Strip.blank(self.scrollable_content_region.width, self.palette.style(""))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows as they are: the toolkit would make each that moved anew, and all that is kept with a strip with it."""
        if self.styles.gutter or "@click" in self.hover_style.meta:
            return super().render_lines(crop)
        width, background = self.content_size.width, self.background_colors[1]
        filters, blank = self.get_line_filters(), self.palette.style("")
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = self.render_line(y).adjust_cell_length(width, blank)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip.crop(crop.x, crop.right))
        return strips

    def plain_lines(self) -> list[str]:
        """What the screen shows, as text without trailing blanks."""
        return [self.render_line(y).text.rstrip() for y in range(self.size.height)]

    # -- scrolling ---------------------------------------------------------------------------------------------

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Somebody scrolled: by true rows where it is near, by the estimate where it is far."""
        super().watch_scroll_y(old_value, new_value)
        rows = round(new_value) - round(old_value)
        if self._syncing or not rows or not self.size.height:
            return
        document = self.document
        is_near = abs(rows) <= 2 * self.size.height
        top = document.moved(self.top, rows) if is_near else document.at(round(new_value))
        if round(new_value) <= 0:
            top = document.settled(Position())
        last = document.moved(document.end(), 1 - self.size.height)
        self.following = (top >= last and rows > 0) or round(new_value) >= self.max_scroll_y
        self.top = min(top, last)
        self.sync()

    def scroll_to(
        self, x: float | None = None, y: float | None = None, *, animate: bool = True, **options: object
    ) -> None:
        """Scroll at once: an animation would fight with rows that are measured on the way."""
        super().scroll_to(x, y, animate=False)

    def scroll_rows(self, rows: int) -> None:
        """Scroll by true rows; reaching the end follows again."""
        document = self.document
        last = document.moved(document.end(), 1 - self.size.height)
        top = document.moved(self.top, rows)
        self.following = top >= last
        self.top = min(top, last)
        self.sync()

    def go_to(self, position: Position) -> None:
        """Put a position at the top of the screen."""
        last = self.document.moved(self.document.end(), 1 - self.size.height)
        self.following = position >= last
        self.top = min(self.document.settled(position), last)
        self.sync()

    def action_scroll_home(self) -> None:
        """Show the beginning."""
        self.go_to(Position())

    def action_scroll_end(self) -> None:
        """Show the end and follow it."""
        self.follow()

    def keep_place(self) -> None:
        """Let the rows on the screen stay where they are, whatever grows below them."""
        self.following = False

    def follow_if_at_end(self) -> None:
        """Follow again if the end is on the screen."""
        if self.top >= self.document.moved(self.document.end(), 1 - self.size.height):
            self.follow()

    def follow(self) -> None:
        """Go to the end and stay there."""
        self.following = True
        self.sync()

    def _count_new(self) -> None:
        """Say how much is new below what the reader sees."""
        if self.following:
            self._fresh.clear()
        elif self.window.rows:
            bottom = self.window.rows[-1].position
            gone = [name for name in self._fresh if self._is_seen(name, bottom)]
            self._fresh.difference_update(gone)
        new_below = len(self._fresh)
        if (self.following, new_below) != self._told:
            self.new_below = new_below
            self._told = (self.following, new_below)
            self.post_message(self.FollowChanged(self.following, new_below))

    _told: tuple[bool, int] = (True, 0)

    def _is_seen(self, entity_id: str, bottom: Position) -> bool:
        index = self.document.index_of(entity_id)
        return index is None or index < bottom.section

    # -- time, size and theme ----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Start what needs a running app."""
        self._ticker = self.set_interval(TICK, self._tick, pause=True)
        self.app.theme_changed_signal.subscribe(self, self._theme_changed)
        self.sync()

    @property
    def is_ticking(self) -> bool:
        """True while something on the screen moves by itself."""
        return bool(self._live_sections())

    def _sync_ticker(self) -> None:
        if self._ticker is not None:
            (self._ticker.resume if self._live_sections() else self._ticker.pause)()

    def _live_sections(self) -> list[int]:
        """Sections on the screen in which something moves."""
        if not self.animated:
            return []
        sections = self.document.sections
        return [
            index for index in {row.position.section for row in self.window.rows} if is_live(sections[index].entity)
        ]

    def _tick(self) -> None:
        self._ticks += 1
        for index in self._live_sections():
            self.document.update(index)
        self.sync()

    def _theme_changed(self, _: object) -> None:
        self.notify_style_update()

    def notify_style_update(self) -> None:
        """Colours changed: make all strips anew."""
        super().notify_style_update()
        self._palette = None
        self.window.clear()
        self._stale = True

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for another width, with the row that is read staying at the top."""
        if self.text_selection is not None:
            self.screen.clear_selection()
        self.sync()
        self.refresh()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
