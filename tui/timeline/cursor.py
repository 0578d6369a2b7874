"""A cursor that goes from block to block, and jumps: from prompt to prompt, from tool to tool, from error to error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bus.entities import Entity, Failure, GapMarker, McpCall, ToolUse, UserText
from tui.timeline.document import Position
from tui.timeline.folding import TOOL_ENTITIES, FoldingView

Kind = Literal["message", "tool", "error"]
"""What one may jump to: what a person asked, what a tool did, what went wrong."""


class CursorView(FoldingView, can_focus=True):
    """A timeline with a cursor. It shows while the timeline has the focus, and where a jump went."""

    # -- block by block ----------------------------------------------------------------------------------------

    def action_cursor_down(self) -> None:
        """The next block; a block higher than the screen is scrolled through first."""
        cursor = self.entered_cursor(at_end=False)
        if cursor is None:
            return
        section, block = cursor
        below = self._bottom_of(section, block) - self.size.height
        if below > 0:
            self.scroll_rows(min(below, self.size.height // 2))
            return
        self.move_cursor(next(self.document.blocks_after(section, block), None))

    def action_cursor_up(self) -> None:
        """The block before; a block higher than the screen is scrolled through first."""
        cursor = self.entered_cursor()
        if cursor is None:
            return
        section, block = cursor
        above = -self._top_of(section, block)
        if above > 0:
            self.scroll_rows(-min(above, self.size.height // 2))
            return
        self.move_cursor(next(self.document.blocks_before(section, block), None))

    def action_toggle_at_cursor(self) -> bool:
        """Open or close what the cursor is on; false: there is nothing to open."""
        cursor = self.settled_cursor()
        part = self.part_at(*cursor) if cursor is not None else None
        if cursor is None or part is None:
            return False
        section, block = cursor
        self.toggle(section, part)
        if block >= len(self.document.sections[section].blocks):
            self.move_cursor((section, 0))
        return True

    def entered_cursor(self, *, at_end: bool = True) -> tuple[int, int] | None:
        """Where the cursor is. If it is out of sight, it is put on the screen (below or above), and goes no further."""
        cursor = self.settled_cursor()
        if cursor is not None and self._is_in_sight(cursor):
            return cursor
        if self.window.rows:
            rows = [row.position for row in self.window.rows if row.line.runs] or [self.window.rows[-1].position]
            self.move_cursor(rows[-1 if at_end or self.following else 0][:2])
        return None

    def settled_cursor(self) -> tuple[int, int] | None:
        """Where the cursor is now: its block may have gone, with a card that was closed."""
        if self.cursor is None:
            return None
        position = self.document.settled(Position(*self.cursor))
        self.cursor = position[:2] if position.section < len(self.document.sections) else None
        return self.cursor

    def move_cursor(self, block: tuple[int, int] | None) -> None:
        """Put the cursor on a block and bring it into sight."""
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

    def _is_in_sight(self, block: tuple[int, int]) -> bool:
        return any(row.position[:2] == block for row in self.window.rows)

    def _top_of(self, section: int, block: int) -> int:
        """The screen row at which a block begins, below its gap."""
        gap = self.document.sections[section].blocks[block].gap
        self.document.lines(section, block)
        return self.document.row_of(Position(section, block, gap)) - self.document.row_of(self.top)

    def _bottom_of(self, section: int, block: int) -> int:
        rows = len(self.document.lines(section, block))
        return self.document.row_of(Position(section, block, rows)) - self.document.row_of(self.top)

    # -- jumps -------------------------------------------------------------------------------------------------

    def action_jump(self, kind: Kind, step: int) -> None:
        """The next (`step` is 1) or the previous (-1) of its kind, to the top of the screen."""
        sections = self.document.sections
        start = self._place(step)
        places = range(start + 1, len(sections)) if step > 0 else range(start - 1, -1, -1)
        is_one = _KINDS[kind]
        found = next((index for index in places if is_one(sections[index].entity)), None)
        if found is None:
            self.notify(f"No {_NAMES[kind]} {'below' if step > 0 else 'above'}.", timeout=2)
            return
        self.cursor = next(self.document.blocks_after(found, -1), None)
        self.is_pointing = True
        self.go_to(Position(found))

    def _place(self, step: int) -> int:
        """The section from which a jump starts: the cursor's if it is in sight, else what is read."""
        if self.cursor is not None and self._is_in_sight(self.cursor) and (self.has_focus or self.is_pointing):
            return self.cursor[0]
        if self.following:
            return len(self.document.sections)
        is_begun = self.top[1:] > (0, 1)
        return self.top.section + (is_begun and step < 0)

    def action_scroll_home(self) -> None:
        """Show the beginning."""
        self.cursor = None
        super().action_scroll_home()

    def action_scroll_end(self) -> None:
        """Show the end and follow it."""
        self.cursor = None
        super().action_scroll_end()


def _is_error(entity: Entity) -> bool:
    match entity:
        case Failure() | GapMarker():
            return True
        case ToolUse():
            return entity.state == "failed"
        case McpCall():
            return entity.failed
        case _:
            return False


_KINDS: dict[Kind, Callable[[Entity], bool]] = {
    "message": lambda entity: isinstance(entity, UserText),
    "tool": lambda entity: isinstance(entity, TOOL_ENTITIES),
    "error": _is_error,
}

_NAMES: dict[Kind, str] = {"message": "prompt", "tool": "tool call", "error": "error"}
