"""The timeline widget: what a person can do in a conversation.

Move a cursor from block to block, open and close what is folded, find a text, follow links, select and copy text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import var
from textual.selection import Selection

from bus.entities import (
    Citations,
    Entity,
    Failure,
    GapMarker,
    Interruption,
    ModeSwitch,
    Notice,
    TurnSummary,
    UnknownEvent,
)
from tui.bindings import bind
from tui.markdown.text import Link, Toggle
from tui.timeline.copying import block_text, code_at, links_of, message_text
from tui.timeline.finding import FindingView
from tui.timeline.palette import GUTTER
from tui.timeline.selection import block_selection, selected_text, word_selection
from tui.timeline.styles import COMPONENT_CLASSES, DEFAULT_CSS

RETRY = "retry"
"""The part of a card that asks instead of opening."""

ASIDES = (Notice, ModeSwitch, Citations, TurnSummary, GapMarker, UnknownEvent)
"""What may stand behind the end of the last turn."""

RIGHT_BUTTON = 3


class TimelineView(FindingView, can_focus=True):
    """A conversation to look at: `show` changes, `following` its end, `plain_lines` of what is on the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENT_CLASSES
    DEFAULT_CSS = DEFAULT_CSS
    BINDING_GROUP_TITLE = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("block_up", "cursor_up"),
        bind("block_down", "cursor_down"),
        bind("open", "open_at_cursor"),
        bind("menu", "ask_at_cursor('')"),
        bind("copy_block", "ask_at_cursor('copy_block')"),
        bind("copy_message", "ask_at_cursor('copy_message')"),
        bind("edit_message", "ask_at_cursor('edit')"),
        bind("details", "ask_at_cursor('details')"),
        bind("message_up", "jump('message', -1)"),
        bind("message_down", "jump('message', 1)"),
        bind("tool_up", "jump('tool', -1)"),
        bind("tool_down", "jump('tool', 1)"),
        bind("error_up", "jump('error', -1)"),
        bind("error_down", "jump('error', 1)"),
        bind("timeline_top", "scroll_home"),
        bind("timeline_end", "scroll_end"),
        bind("everything", "toggle_everything"),
        bind("wrap", "toggle_wrap"),
        bind("code_left", "scroll_code(-1)"),
        bind("code_right", "scroll_code(1)"),
        bind("search", "search"),
        bind("hit_down", "find_next(1)"),
        bind("hit_up", "find_next(-1)"),
        bind("end_search", "end_search"),
        bind("ask_again", "retry"),
        bind("timeline_page_up", "page_up"),
        bind("timeline_page_down", "page_down"),
    ]

    @dataclass
    class LinkActivated(Message):
        """A link was clicked: open it only after asking."""

        url: str

    @dataclass
    class RetryRequested(Message):
        """The last answer, which was cut off at this entity, is to be asked for again."""

        entity: Entity

    @dataclass
    class BlockChosen(Message):
        """Something is to be done with a block of `entity`: `what` names it, empty: ask.

        `text` is the block as it was written, `code` if it is code; `message` is all of the entity; `links` are the
        true targets of the block's links.
        """

        entity: Entity
        what: str
        text: str
        message: str
        code: bool
        links: tuple[str, ...]

    class SearchWanted(Message):
        """Somebody wants to look for a text."""

    class SearchEnded(Message):
        """Nothing is looked for any more."""

    can_retry: var[bool] = var(True, init=False)
    """An answer that was cut off may be asked for again from here."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._links: list[str] = []
        self._link_ids: dict[str, int] = {}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of a search are free while there is none."""
        if action in ("find_next", "end_search"):
            return self.search is not None
        if action == "scroll_code":
            return not self.document.wraps_code
        if action == "toggle_wrap":
            return self.search is None
        return True

    # -- links and clicks --------------------------------------------------------------------------------------

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

    def toggle(self, index: int, part: str) -> None:
        """Open or close a part of a section, or ask again."""
        if part != RETRY:
            super().toggle(index, part)
        # The row that was clicked may be older than what has come since.
        elif self.document.sections[index].entity.id == self.retry_at:
            self.action_retry()

    # -- retry -------------------------------------------------------------------------------------------------

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

    # -- what is done with a block -----------------------------------------------------------------------------

    def action_open_at_cursor(self) -> None:
        """Open or close what the cursor is on; where there is nothing to open, ask what to do with it."""
        if not self.action_toggle_at_cursor():
            self.action_ask_at_cursor("")

    def action_ask_at_cursor(self, what: str) -> None:
        """Have something done with the block that the cursor is on; without a cursor, put it on the screen."""
        cursor = self.entered_cursor()
        if cursor is not None:
            entity = self.document.sections[cursor[0]].entity
            text, is_code = block_text(self.document, *cursor), bool(code_at(self.document, *cursor))
            links = links_of(self.document, *cursor)
            self.post_message(self.BlockChosen(entity, what, text, message_text(entity), is_code, links))

    def action_search(self) -> None:
        """Ask for a text to look for."""
        self.post_message(self.SearchWanted())

    def action_end_search(self) -> None:
        """Look no further, and stay here."""
        self.end_search(stay=True)

    def end_search(self, *, stay: bool) -> None:
        """Look no further; `stay` here, or go back to where the reader was."""
        super().end_search(stay=stay)
        self.post_message(self.SearchEnded())

    def action_toggle_wrap(self) -> None:
        """Long lines of code wrap, or are scrolled sideways."""
        self.document.show_code(wraps=not self.document.wraps_code, left=0)
        self.sync()
        how = "wrap" if self.document.wraps_code else "scroll: ← and →"
        self.notify(f"Long lines of code {how}.", timeout=3)

    def action_scroll_code(self, step: int) -> None:
        """Scroll long lines of code sideways, by a quarter of the screen."""
        left = max(self.document.code_left + step * max(self.size.width // 4, 8), 0)
        self.document.show_code(wraps=False, left=left)
        self.sync()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.sync()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.is_pointing = False
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
            if event.chain == 1 or event.button == RIGHT_BUTTON:
                self.cursor = (position.section, position.block)
                self.sync()
                if event.button == RIGHT_BUTTON:
                    self.action_ask_at_cursor("")
                    return
            elif event.chain == 2:
                self._select_word(event.y, event.x)
            else:
                self.screen.selections = {self: block_selection(self.document, position)}
        await self.broker_event("click", event)

    def _select_word(self, y: int, x: int) -> None:
        row = self.window.rows[y]
        character = len(set_cell_size(row.line.text, max(x - GUTTER, 0)))
        selection = word_selection(self.document, row.position, character)
        if selection is not None:
            self.screen.selections = {self: selection}
