"""Text selection: rows of the timeline as numbers that keep their order, and the text between two of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from textual.geometry import Offset
from textual.selection import Selection

from tui.timeline.document import Document, Position
from tui.timeline.palette import GUTTER

if TYPE_CHECKING:
    from tui.markdown.text import Line

_BITS = 20
_MASK = (1 << _BITS) - 1
_RULES = re.compile(" *│ *")
"""Between two cells of a table."""

_WORD = re.compile(r"\w+://[^\s<>\"')\]]*[\w/=&]|\w+(?:[-.'’/@:]\w+)*|\S")


def row_code(position: Position) -> int:
    """A number for a row that grows downwards and does not change when rows elsewhere come and go."""
    return (position.section << 2 * _BITS) | (min(position.block, _MASK) << _BITS) | min(position.row, _MASK)


def row_position(code: int) -> Position:
    """The row that has this number."""
    return Position(code >> 2 * _BITS, (code >> _BITS) & _MASK, code & _MASK)


def renumbered(selection: Selection, index: int, by: int) -> Selection | None:
    """The selection of the same text after a section came (`by` is 1) or went (-1) at `index`.

    None: one of its ends went too.
    """
    ends: list[Offset | None] = []
    for offset in (selection.start, selection.end):
        if offset is not None:
            position = row_position(offset.y)
            if by < 0 and position.section == index:
                return None
            if position.section >= index:
                offset = Offset(offset.x, row_code(position._replace(section=position.section + by)))
        ends.append(offset)
    return Selection(*ends)


def selected_text(document: Document, selection: Selection) -> str:
    """What a copy of the selection holds: text without rails, padding or the newlines of wrapping.

    Character positions in the selection count the gutter and the decoration.
    """
    start, end = selection.start, selection.end
    first = row_position(start.y) if start is not None else Position()
    pieces: list[str] = []
    for code, line in _rows(document, first, None if end is None else end.y):
        left = max(start.x - GUTTER, 0) if start is not None and code == start.y else 0
        right = max(end.x - GUTTER, 0) if end is not None and code == end.y else None
        piece = line_text(line, left, right)
        if piece is None:
            continue
        if pieces:
            pieces.append(line.joint)
        pieces.append(piece)
    return "".join(pieces)


def line_text(line: Line, left: int, right: int | None) -> str | None:
    """The copied text of a row between two characters; None if the row is not in a copy at all."""
    if line.copy == "":
        return None
    text = line.text
    whole = left <= line.skip and (right is None or right >= len(text.rstrip()))
    if whole and line.copy is not None:
        return line.copy
    shown = text[max(left, line.skip) : right].rstrip() if line.joint == "\n" else text[max(left, line.skip) : right]
    if line.copy is not None and any("table-rule" in run.style for run in line.runs):
        shown = _RULES.sub(" | ", shown).strip()
    lead = line.lead if left <= line.skip and line.joint == "\n" else ""
    return lead + shown if shown or lead.strip() else ""


def joined(lines: Sequence[Line]) -> tuple[str, list[int]]:
    """The text of rows without decoration, wrapped lines whole again, and where in it each row begins."""
    text, starts = "", list[int]()
    for line in lines:
        text += line.joint
        starts.append(len(text))
        text += line.text[line.skip :]
    return text, starts


def word_selection(document: Document, position: Position, character: int) -> Selection | None:
    """A selection of the word that holds a character of a row, even if it is broken over several."""
    lines = document.lines(position.section, position.block)
    text, starts = joined(lines)
    skip = lines[position.row].skip
    at = starts[position.row] + character - skip
    match = next((each for each in _WORD.finditer(text) if each.start() <= at < each.end()), None)
    if match is None or character < skip:
        return None
    ends: list[Offset] = []
    for end, inside in ((match.start(), match.start()), (match.end(), match.end() - 1)):
        row = bisect_right(starts, inside) - 1
        ends.append(Offset(end - starts[row] + lines[row].skip + GUTTER, row_code(position._replace(row=row))))
    return Selection(*ends)


def block_selection(document: Document, position: Position) -> Selection:
    """A selection of the whole block at a position, without the gap above it."""
    rows = len(document.lines(position.section, position.block))
    start = position._replace(row=document.sections[position.section].blocks[position.block].gap)
    return Selection(Offset(0, row_code(start)), Offset(1 << _BITS, row_code(start._replace(row=max(rows - 1, 0)))))


def _rows(document: Document, first: Position, last: int | None) -> Iterator[tuple[int, Line]]:
    position = document.settled(first)
    if position.section >= len(document.sections):
        return
    here = ((position.section, position.block),)
    for section, block in chain(here, document.blocks_after(position.section, position.block)):
        for row, line in enumerate(document.lines(section, block)):
            code = row_code(Position(section, block, row))
            if last is not None and code > last:
                return
            if code >= row_code(first):
                yield code, line
