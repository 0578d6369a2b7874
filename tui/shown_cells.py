"""What the terminal shows, cell by cell: of a frame only that is written which is other than before.

Rows that moved up or down are moved by the terminal itself (its margins, and lines deleted or inserted between them).
What is not understood is written as it came, and nothing is known of the screen any more until it is drawn again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

from tui.disputed_widths import steadied

Cell = tuple[str, str | int]
"""A character and the codes of its style; or a whole piece that has characters of a doubtful width, and which of its
cells this one is: such a piece is only ever written whole.
"""

_PIECE = re.compile(r"\x1b\[(\d+);(\d+)H((?:[^\x00-\x1f\x7f]++|\x1b\[[\d;]*m)*+)\n?")
_PLAIN = re.compile(r"(?:[^\x00-\x1f\x7f]++|\x1b\[[\d;]*m)*+")
_STYLED = re.compile(r"\x1b\[([\d;]*)m|[^\x1b]+")
_TOUCHES_NOTHING = re.compile(r"(?:\x1b\[\?(?:2026|25)[hl]|\x07|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\))*")

# Latin, Greek and Cyrillic letters, punctuation, arrows, signs, lines and blocks: one cell wherever the program is
# legible at all. What may be joined to a neighbour, or be an emoji, is not among them.
_NARROW = re.compile(
    "[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u03ff\u0400-\u0482\u048a-\u052f\u2010-\u2027"
    "\u2030-\u203b\u203d-\u2048\u204a-\u205e\u2190-\u2193\u2200-\u22ff\u2500-\u259f\u25cb\u25cf]*"
)

_NEAR = 8
"""So many equal cells between two others are written with them: to move the cursor is no shorter."""

_LONGEST_WORD = 16
_LEAST_MOVED = 3
"""Fewer rows are written, not moved."""


class Piece(NamedTuple):
    """What a frame writes at a place (from 0)."""

    y: int
    x: int
    raw: str


class Row:
    """The cells of a row (None: not known), and by column what was last written there in one piece and is whole."""

    __slots__ = ("cells", "pieces")

    def __init__(self, cells: list[Cell | None], pieces: dict[int, str]) -> None:
        self.cells = cells
        self.pieces = pieces

    def copy(self) -> Row:
        """Another one like this."""
        return Row(self.cells.copy(), self.pieces.copy())

    @property
    def is_known(self) -> bool:
        """Whether every cell is known."""
        return all(self.cells)

    @property
    def is_doubtful(self) -> bool:
        """Whether a terminal may show some of its characters elsewhere."""
        return any(_is_doubtful(raw) for raw in self.pieces.values())

    def put(self, x: int, raw: str) -> None:
        """Write a piece. What may only be written whole and stands there in part is not known any more."""
        cells = _cells(raw)
        end = x + len(cells)
        for at, other in list(self.pieces.items()):
            other_end = at + len(_cells(other))
            if at < end and x < other_end:
                del self.pieces[at]
                if _is_doubtful(other):
                    self.cells[at:other_end] = [None] * (other_end - at)
        self.pieces[x] = raw
        self.cells[x:end] = cells


class ShownCells:
    """The cells of a terminal's screen, as far as they are known."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._size = (0, 0)
        self._cursor = ""

    def forget(self) -> None:
        """Somebody else wrote to the terminal."""
        columns, rows = self._size
        self._rows = [Row([None] * columns, {}) for _ in range(rows)]
        self._cursor = ""

    def frame(self, written: str, size: tuple[int, int]) -> str:
        """What has the same effect as `written` on a screen of `size` (columns, rows)."""
        if size != self._size:
            self._size = size
            self.forget()
        pieces = self._read(written)
        if pieces is None:
            if not _TOUCHES_NOTHING.fullmatch(written):
                self.forget()
            return written
        drawn = [piece for piece in pieces if piece.raw]
        if self._covers_all(drawn):
            # All is drawn again: perhaps because the screen is not what it should be.
            self.forget()
        return self.change(drawn, (pieces[-1].x, pieces[-1].y), size)

    def change(self, drawn: Sequence[Piece], at: tuple[int, int], size: tuple[int, int]) -> str:
        """What writes plain pieces that lie side by side, and puts the cursor `at` (column, row, from 0)."""
        if size != self._size:
            self._size = size
            self.forget()
        cursor = f"\x1b[{at[1] + 1};{at[0] + 1}H"
        before = list(self._rows)
        parts = self._move(drawn)
        for y, row in _wanted(drawn, before, all_rows=bool(parts)).items():
            if row.cells != self._rows[y].cells:
                parts += _difference(y, self._rows[y], row)
            self._rows[y] = row
        if not parts and cursor == self._cursor:
            return ""
        self._cursor = cursor
        return "".join((*parts, cursor))

    def _read(self, written: str) -> list[Piece] | None:
        """The pieces of a frame, the last of which is the place of the cursor; None where that is not all there is."""
        columns, rows = self._size
        pieces: list[Piece] = []
        ends: dict[int, int] = {}
        end = 0
        for match in _PIECE.finditer(written):
            piece = Piece(int(match[1]) - 1, int(match[2]) - 1, match[3])
            piece_end = piece.x + len(_cells(piece.raw))
            # What is written over in the same frame may be needed to see what comes out.
            is_apart = piece.x >= ends.get(piece.y, 0) or not piece.raw
            if match.start() != end or not is_apart or piece.y >= rows or piece_end > columns:
                return None
            pieces.append(piece)
            ends[piece.y] = piece_end
            end = match.end()
        return pieces if pieces and end == len(written) and not pieces[-1].raw else None

    def _covers_all(self, pieces: Sequence[Piece]) -> bool:
        columns, rows = self._size
        return sum(len(_cells(piece.raw)) for piece in pieces) >= columns * rows

    def _move(self, pieces: Sequence[Piece]) -> list[str]:
        """Let the terminal move rows that stand elsewhere in this frame, if there are some; what does that."""
        found = self._moved(pieces)
        if found is None:
            return []
        top, bottom, by = found
        inside = self._rows[top : bottom + 1]
        fresh = [Row([None] * self._size[0], {}) for _ in range(abs(by))]
        self._rows[top : bottom + 1] = [*inside[by:], *fresh] if by > 0 else [*fresh, *inside[:by]]
        # By deleting and inserting lines: every terminal does, those that scroll by a command are fewer.
        return [f"\x1b[{top + 1};{bottom + 1}r\x1b[{top + 1};1H\x1b[{abs(by)}{'M' if by > 0 else 'L'}\x1b[r"]

    def _moved(self, pieces: Sequence[Piece]) -> tuple[int, int, int] | None:
        """The first and last row of what moves, and by how many rows up (down, if negative)."""
        stood: dict[tuple[int, str], int | None] = {}
        for y, x, _ in pieces:
            if raw := self._rows[y].pieces.get(x):
                # What stands there twice says nothing.
                stood[x, raw] = None if (x, raw) in stood else y
        moved = [(y, before - y) for y, x, raw in pieces if (before := stood.get((x, raw))) not in (None, y)]
        if not moved:
            return None
        by, count = Counter(distance for _, distance in moved).most_common(1)[0]
        rows = [row for y, distance in moved if distance == by for row in (y, y + by)]
        top, bottom = min(rows), max(rows)
        # What is moved and not known could not be put right again.
        if count < _LEAST_MOVED or not all(row.is_known for row in self._rows[top : bottom + 1]):
            return None
        return top, bottom, by


def _wanted(pieces: Sequence[Piece], before: Sequence[Row], *, all_rows: bool) -> dict[int, Row]:
    """By number, the rows as they are to be: those that are drawn, or with `all_rows` the others, too."""
    wanted = dict(enumerate(before)) if all_rows else {}
    for y, x, raw in pieces:
        row = wanted.get(y, before[y])
        if row.pieces.get(x) != raw:
            if row is before[y]:
                row = wanted[y] = row.copy()
            row.put(x, raw)
    return wanted


def _difference(y: int, old: Row, new: Row) -> list[str]:
    """What makes a row of `old` one of `new`."""
    if old.is_doubtful or new.is_doubtful:
        return [_written(y, 0, new.cells)]
    spans: list[list[int]] = []
    for x, (was, cell) in enumerate(zip(old.cells, new.cells, strict=True)):
        if cell is not was and cell != was:
            if spans and x - spans[-1][1] <= _NEAR:
                spans[-1][1] = x + 1
            else:
                spans.append([x, x + 1])
    found = (_whole_words(new.cells, *span) for span in spans)
    return [_written(y, start, new.cells[start:end]) for start, end in found]


def _whole_words(row: Sequence[Cell | None], start: int, end: int) -> tuple[int, int]:
    """Letters that a terminal draws as one sign are written as one."""
    least, most = max(start - _LONGEST_WORD, 0), min(end + _LONGEST_WORD, len(row))
    while start > least and _is_letter(row[start]) and _is_letter(row[start - 1]):
        start -= 1
    while end < most and _is_letter(row[end]) and _is_letter(row[end - 1]):
        end += 1
    return start, end


def _is_letter(cell: Cell | None) -> bool:
    return cell is not None and cell[0] != " "


@lru_cache(maxsize=2048)
def is_plain(raw: str) -> bool:
    """Whether `raw` is text and styles, and nothing else."""
    return _PLAIN.fullmatch(raw) is not None


@lru_cache(maxsize=2048)
def _is_doubtful(raw: str) -> bool:
    return any(isinstance(cell[1], int) for cell in _cells(raw))


def _written(y: int, x: int, cells: Sequence[Cell | None]) -> str:
    """What writes `cells` at a place, each style in full."""
    parts: list[str] = []
    codes, text, is_there = "", "", False
    for at, cell in enumerate([*cells, None], x):
        style = None if cell is None or isinstance(cell[1], int) else cell[1]
        if text and style != codes:
            parts.append(f"\x1b[{codes}m{text}\x1b[0m" if codes else text)
            text = ""
        if cell is None or (cell[1] != 0 and style is None):
            is_there = False
            continue
        if not is_there:
            parts.append(f"\x1b[{y + 1};{at + 1}H")
        is_there = style is not None
        if style is None:
            parts.append(steadied(cell[0], y, at))
        else:
            codes, text = style, text + cell[0]
    return "".join(parts)


@lru_cache(maxsize=1024)
def _cells(raw: str) -> tuple[Cell, ...]:
    """The cells of a piece."""
    cells: list[Cell] = []
    codes = ""
    for match in _STYLED.finditer(raw):
        text = match.group()
        if text[0] == "\x1b":
            given = match[1]
            codes = "" if given in ("", "0") else f"{codes};{given}" if codes else given
        elif _NARROW.fullmatch(text):
            cells += [(character, codes) for character in text]
        else:
            width = cell_len("".join(each.group() for each in _STYLED.finditer(raw) if each[1] is None))
            return tuple((raw, cell) for cell in range(width))
    return tuple(cells)
