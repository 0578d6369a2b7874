"""The timeline widget: what a person can do in a conversation.

Move a cursor from block to block, open and close what is folded, follow links, select and copy text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import var
from textual.selection import Selection

from bus.entities import (
    Citations,
    CodeInterpreter,
    Entity,
    Failure,
    FileSearch,
    GapMarker,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    Thinking,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    WebSearch,
)
from tui.markdown.text import Link, Toggle
from tui.timeline.document import Position
from tui.timeline.feed import Feed
from tui.timeline.palette import GUTTER
from tui.timeline.section import Section
from tui.timeline.selection import block_selection, row_code, selected_text, word_at
from tui.timeline.styles import COMPONENT_CLASSES, DEFAULT_CSS

THINKING, TOOL, RETRY = "thinking", "tool", "retry"
"""Parts of cards that a click or a key toggles; `retry` asks instead."""

TOOL_ENTITIES = (ToolUse, CodeInterpreter, McpCall, WebSearch, FileSearch)

ASIDES = (Notice, ModeSwitch, Citations, TurnSummary, GapMarker, UnknownEvent)
"""What may stand behind the end of the last turn."""


class TimelineView(Feed, can_focus=True):
    """A conversation to look at: `show` changes, `following` its end, `plain_lines` of what is on the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENT_CLASSES
    DEFAULT_CSS = DEFAULT_CSS
    BINDING_GROUP_TITLE = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", "Previous block", show=False),
        Binding("down", "cursor_down", "Next block", show=False),
        Binding("left_square_bracket", "previous_entity", "Previous message", show=False),
        Binding("right_square_bracket", "next_entity", "Next message", show=False),
        Binding("enter", "toggle_at_cursor", "Open or close", show=False),
        Binding("r", "retry", "Retry", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "Beginning", show=False),
        Binding("end", "scroll_end", "Follow", show=False),
    ]

    @dataclass
    class LinkActivated(Message):
        """A link was clicked: open it only after asking."""

        url: str

    @dataclass
    class RetryRequested(Message):
        """The last answer, which was cut off at this entity, is to be asked for again."""

        entity: Entity

    can_retry: var[bool] = var(True, init=False)
    """An answer that was cut off may be asked for again from here."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._open_everywhere: frozenset[str] = frozenset()
        self._links: list[str] = []
        self._link_ids: dict[str, int] = {}

    # -- opening and closing -----------------------------------------------------------------------------------

    def action_of(self, action: Link | Toggle, section: int) -> str:
        """Clicks carry numbers alone: no text of a conversation is ever part of an action."""
        match action:
            case Link(url):
                if url not in self._link_ids:
                    self._link_ids[url] = len(self._links)
                    self._links.append(url)
                return f"open_link({self._link_ids[url]})"
            case Toggle(part):
                return f"toggle_part({section}, {part.encode().hex()!r})"

    def action_open_link(self, link: int) -> None:
        """Ask for a link to be opened."""
        self.post_message(self.LinkActivated(self._links[link]))

    def action_toggle_part(self, serial: int, part: str) -> None:
        """Open or close a part of the section with this serial number (`part` in hexadecimal)."""
        for index, section in enumerate(self.document.sections):
            if section.serial == serial:
                self._toggle(index, bytes.fromhex(part).decode())
                return

    def action_toggle_at_cursor(self) -> None:
        """Open or close what the cursor is on."""
        if self._settled_cursor() is None or self.cursor is None:
            return
        section, block = self.cursor
        part = self._part_at(section, block)
        if part is None:
            return
        self._toggle(section, part)
        if block >= len(self.document.sections[section].blocks):
            self._move_cursor((section, 0))

    def action_toggle_thinking(self) -> None:
        """Open or close all thinking."""
        self._toggle_all(THINKING, (Thinking,))

    def action_toggle_tools(self) -> None:
        """Open or close the output of all tools."""
        self._toggle_all(TOOL, TOOL_ENTITIES)

    def action_retry(self) -> None:
        """Ask for the last answer again, if it was cut off."""
        index = None if self.retry_at is None else self.document.index_of(self.retry_at)
        if index is not None:
            self.post_message(self.RetryRequested(self.document.sections[index].entity))

    def watch_can_retry(self) -> None:
        """Offer a retry, or none."""
        self.flush()

    def flush(self) -> None:
        """Show what has come, now; only the last turn's end offers a retry."""
        before, self.retry_at = self.retry_at, self._last_cut() if self.can_retry else None
        if before != self.retry_at:
            self._dirty.update((each, False) for each in (before, self.retry_at) if each is not None)
        super().flush()

    def _last_cut(self) -> str | None:
        """The entity at which the last turn was cut off, if it was."""
        for section in reversed(self.document.sections):
            if isinstance(section.entity, (Interruption, Failure)):
                return section.entity.id
            if not isinstance(section.entity, ASIDES):
                return None
        return None

    def opened_parts(self, section: Section) -> frozenset[str]:
        """The open parts of a card: what is open everywhere, but for what was toggled here."""
        return self._open_everywhere ^ section.toggled

    def _toggle(self, index: int, part: str) -> None:
        section = self.document.sections[index]
        if part == RETRY:
            # The row that was clicked may be older than what has come since.
            if section.entity.id == self.retry_at:
                self.action_retry()
            return
        section.toggled ^= {part}
        self.keep_place()
        self.document.update(index)
        self.sync()
        self.follow_if_at_end()

    def _toggle_all(self, part: str, kinds: tuple[type[Entity], ...]) -> None:
        self._open_everywhere ^= {part}
        was_following = self.following
        for index, section in enumerate(self.document.sections):
            if isinstance(section.entity, kinds):
                section.toggled -= {part}
                self.document.update(index)
        if was_following:
            self.follow()
        else:
            self.sync()

    def _part_at(self, section: int, block: int) -> str | None:
        """What Enter toggles at a block: what a click on it would, else the card's main part."""
        for line in self.document.lines(section, block):
            for run in line.runs:
                if isinstance(run.action, Toggle):
                    return run.action.part
        match self.document.sections[section].entity:
            case Thinking():
                return THINKING
            case ToolUse() | CodeInterpreter() | McpCall() | WebSearch() | FileSearch() | UnknownEvent():
                return TOOL
            case _:
                return None

    # -- the cursor --------------------------------------------------------------------------------------------

    def action_cursor_down(self) -> None:
        """The next block; a block higher than the screen is scrolled through first."""
        cursor = self._entered_cursor()
        if cursor is None:
            return
        section, block = cursor
        below = self._bottom_of(section, block) - self.size.height
        if below > 0:
            self.scroll_rows(min(below, self.size.height // 2))
            return
        self._move_cursor(next(self.document.blocks_after(section, block), None))

    def action_cursor_up(self) -> None:
        """The block before; a block higher than the screen is scrolled through first."""
        cursor = self._entered_cursor()
        if cursor is None:
            return
        section, block = cursor
        above = -self._top_of(section, block)
        if above > 0:
            self.scroll_rows(-min(above, self.size.height // 2))
            return
        self._move_cursor(next(self.document.blocks_before(section, block), None))

    def action_next_entity(self) -> None:
        """The first block of the next entity."""
        if cursor := self._entered_cursor():
            self._move_cursor(next(self.document.blocks_after(cursor[0] + 1, -1), None))

    def action_previous_entity(self) -> None:
        """The first block of this entity, or of the one before."""
        if cursor := self._entered_cursor():
            section, block = cursor
            before = next(self.document.blocks_before(section, 0 if block == 0 else 1), None)
            if before is not None:
                self._move_cursor(next(self.document.blocks_after(before[0], -1), None))

    def _entered_cursor(self) -> tuple[int, int] | None:
        """Where the cursor is; if there was none, it is put at the last block on the screen, and goes no further."""
        cursor = self._settled_cursor()
        if cursor is None and self.window.rows:
            last = self.window.rows[-1].position
            self._move_cursor((last.section, last.block))
        return cursor

    def _settled_cursor(self) -> tuple[int, int] | None:
        """Where the cursor is now: its block may have gone, with a card that was closed."""
        if self.cursor is None:
            return None
        position = self.document.settled(Position(*self.cursor))
        self.cursor = (position.section, position.block) if position.section < len(self.document.sections) else None
        return self.cursor

    def _move_cursor(self, block: tuple[int, int] | None) -> None:
        if block is None:
            return
        self.cursor = block
        top, bottom, height = self._top_of(*block), self._bottom_of(*block), self.size.height
        if top < 0:
            self.scroll_rows(top)
        elif bottom > height:
            self.scroll_rows(min(top, bottom - height))
        else:
            self.sync()

    def _top_of(self, section: int, block: int) -> int:
        """The screen row at which a block begins, below its gap."""
        gap = self.document.sections[section].blocks[block].gap
        self.document.lines(section, block)
        return self.document.row_of(Position(section, block, gap)) - self.document.row_of(self.top)

    def _bottom_of(self, section: int, block: int) -> int:
        rows = len(self.document.lines(section, block))
        return self.document.row_of(Position(section, block, rows)) - self.document.row_of(self.top)

    def on_focus(self) -> None:
        """Show the cursor."""
        self.sync()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.sync()

    def action_page_up(self) -> None:
        """A screen up, with one row in common."""
        self.scroll_rows(1 - self.size.height)

    def action_page_down(self) -> None:
        """A screen down, with one row in common."""
        self.scroll_rows(self.size.height - 1)

    # -- selecting ---------------------------------------------------------------------------------------------

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it was written."""
        return selected_text(self.document, selection), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection."""
        self.sync()

    async def _on_click(self, event: events.Click) -> None:
        # The toolkit's own handler selects the whole timeline at a double click.
        event.prevent_default()
        if event.y < len(self.window.rows):
            position = self.window.rows[event.y].position
            if event.chain == 1:
                self.cursor = (position.section, position.block)
                self.sync()
            elif event.chain == 2:
                self._select_word(event.y, event.x)
            else:
                self.screen.selections = {self: block_selection(self.document, position)}
        await self.broker_event("click", event)

    def _select_word(self, y: int, x: int) -> None:
        row = self.window.rows[y]
        character = len(set_cell_size(row.line.text, max(x - GUTTER, 0)))
        word = word_at(row.line, character)
        if word is not None:
            code = row_code(row.position)
            start, end = (Offset(character + GUTTER, code) for character in word)
            self.screen.selections = {self: Selection(start, end)}
