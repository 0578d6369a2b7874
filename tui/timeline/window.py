"""What is on the screen now: a strip for each row, and which rows changed since the last look."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

from tui.markdown.text import Line
from tui.timeline.document import Document, Position
from tui.timeline.palette import GUTTER, Palette, highlighted
from tui.timeline.selection import row_code

KEPT_STRIPS = 4096


class Row(NamedTuple):
    """One row of the screen: what it shows and what stands there."""

    strip: Strip
    line: Line
    position: Position


class Mark(NamedTuple):
    """Characters `start` to `end` of a row's text, to be shown in a style of the palette."""

    start: int
    end: int
    style: str


Marks = Callable[[int, int], dict[int, tuple[Mark, ...]]]
"""For a section and a block: by row, what is marked in it."""


class Window:
    """Strips for the rows of a document, kept by line, place and look."""

    def __init__(self, document: Document) -> None:
        self.rows: list[Row] = []
        self.drawn = 0
        self._document = document
        self._strips: OrderedDict[tuple[Line, int, int, int, bool, tuple[Mark, ...]], Strip] = OrderedDict()

    def clear(self) -> None:
        """Forget all strips: the colours changed."""
        self._strips.clear()
        self.rows = []

    def fill(
        self,
        top: Position,
        size: tuple[int, int],
        palette: Palette,
        *,
        marks: Marks,
        cursor: tuple[int, int] | None = None,
        selection: tuple[Selection, Style] | None = None,
    ) -> list[int]:
        """Make the rows of a screen of `size` (width, height) from `top` on; return which of them changed."""
        width, height = size
        rows: list[Row] = []
        block, marked = (-1, -1), dict[int, tuple[Mark, ...]]()
        for position, line in self._lines(top, height):
            if position[:2] != block:
                block = position[:2]
                marked = marks(*block)
            is_cursor = cursor == block and bool(line.runs)
            strip = self._strip(line, position, width, palette, marked.get(position.row, ()), is_cursor=is_cursor)
            if selection is not None:
                strip = self._selected(strip, line, position, *selection)
            rows.append(Row(strip, line, position))
        before, self.rows = self.rows, rows
        changed = [y for y, row in enumerate(rows) if y >= len(before) or before[y].strip is not row.strip]
        return changed + list(range(len(rows), len(before)))

    def _lines(self, top: Position, height: int) -> list[tuple[Position, Line]]:
        document = self._document
        found: list[tuple[Position, Line]] = []
        top = document.settled(top)
        if top.section >= len(document.sections):
            return found
        lines = document.lines(top.section, top.block)
        found += [(top._replace(row=row), lines[row]) for row in range(top.row, len(lines))]
        if len(found) < height:
            for section, block in document.blocks_after(top.section, top.block):
                lines = document.lines(section, block)
                found += [(Position(section, block, row), line) for row, line in enumerate(lines)]
                if len(found) >= height:
                    break
        return found[:height]

    def _strip(
        self,
        line: Line,
        position: Position,
        width: int,
        palette: Palette,
        marks: tuple[Mark, ...],
        *,
        is_cursor: bool,
    ) -> Strip:
        code = row_code(position)
        serial = self._document.sections[position.section].serial
        key = (line, serial, code, width, is_cursor, marks)
        kept = self._strips.get(key)
        if kept is not None:
            self._strips.move_to_end(key)
            return kept
        strip = palette.strip(line, width, serial, cursor=is_cursor)
        for mark in marks:
            strip = highlighted(strip, GUTTER + mark.start, GUTTER + mark.end, palette.style(mark.style))
        strip = strip.apply_offsets(0, code)
        self.drawn += 1
        self._strips[key] = strip
        if len(self._strips) > KEPT_STRIPS:
            self._strips.popitem(last=False)
        return strip

    def _selected(self, strip: Strip, line: Line, position: Position, selection: Selection, style: Style) -> Strip:
        span = selection.get_span(row_code(position))
        if span is None or line.copy == "":
            return strip
        start, end = span
        start = max(start, GUTTER + line.skip)
        end = min(GUTTER + len(line.text), end) if end >= 0 else GUTTER + len(line.text)
        return highlighted(strip, start, end, style) if end > start else strip
