"""Fewer bytes for the same screen: only cells that change, and of a style what differs from the one before it.

Rich says each piece's style in full and takes it back behind it: two thirds of what a frame writes, which a slow line
has to carry. Where one style directly follows another, only the difference is written here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from textual.driver import Driver
from textual.geometry import Offset

from tui.shown_cells import Piece, ShownCells

# A style is taken back, perhaps the cursor moves, and another one begins; or any other change of style.
_STYLES = re.compile(r"\x1b\[0m(\n?(?:\x1b\[\d+;\d+H)?)\x1b\[([1-9][\d;]*)m|\x1b\[([\d;]*)m")
_PART = re.compile(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+")


class _Style(NamedTuple):
    """A style as a terminal knows it; the colours are empty where they are the terminal's own."""

    front: str
    back: str
    others: frozenset[str]


def terse(written: str) -> str:
    """`written`, with differences between styles in the place of whole ones."""
    before = ""

    def change(match: re.Match[str]) -> str:
        nonlocal before
        between, following, alone = match.groups()
        if following is None:
            before = alone
            return match.group()
        found = between + _difference(before, following)
        before = following
        return found

    return _STYLES.sub(change, written)


class TerseDriver(Driver):
    """A driver that writes tersely: `terse_driver` makes one."""

    _shown = ShownCells()

    def write(self, data: str) -> None:
        """Write what changes the screen as `data` does."""
        if sys.platform != "win32":  # there a frame comes in several pieces, cut anywhere
            data = self._shown.frame(data, self._app.size)
        if data:
            super().write(terse(data))  # pyright: ignore[reportAbstractUsage]

    def paint(self, pieces: Sequence[Piece], cursor: Offset) -> None:
        """Write `pieces`, which lie side by side on the screen, and put the cursor there."""
        data = self._shown.change(pieces, cursor, self._app.size)
        if data:
            super().write(terse(data))  # pyright: ignore[reportAbstractUsage]


def terse_driver(driver: type[Driver]) -> type[Driver]:
    """`driver`, as one that writes tersely."""

    class Terse(TerseDriver, driver):
        pass

    return Terse


@lru_cache(maxsize=4096)
def _difference(before: str, following: str) -> str:
    """What makes a terminal that writes in one style write in another."""
    was, new = _style(before), _style(following)
    if was is None or new is None or not was.others <= new.others:
        return f"\x1b[0;{following}m"
    parts = sorted(new.others - was.others)
    if new.front != was.front:
        parts.append(new.front or "39")
    if new.back != was.back:
        parts.append(new.back or "49")
    return f"\x1b[{';'.join(parts)}m" if parts else ""


def _style(codes: str) -> _Style | None:
    """The style that `codes` make out of nothing; None where that is not clear."""
    front, back = "", ""
    others: set[str] = set()
    for part in _PART.findall(codes):
        number = int(part.partition(";")[0])
        if 30 <= number <= 38 or 90 <= number <= 97:
            front = part
        elif 40 <= number <= 48 or 100 <= number <= 107:
            back = part
        elif 1 <= number <= 9:
            others.add(part)
        else:
            return None
    return _Style(front, back, frozenset(others))
