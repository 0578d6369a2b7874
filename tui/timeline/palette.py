"""Lines with style names to strips with colours."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.markdown.text import Line, Link, Run, Toggle
from tui.timeline.styles import PREFIX, STYLE_NAMES

GUTTER = 2
"""Columns at the left: one for the cursor, one empty."""

MARGIN = 1
"""Empty columns at the right."""


class Palette:
    """The styles of one theme, resolved once.

    `combine` gives the style of component classes, one above the other; `action` the action string of a click in a
    section.
    """

    def __init__(self, combine: Callable[[list[str]], Style], action: Callable[[Link | Toggle, int], str]) -> None:
        self._combine = combine
        self._action = action
        self._styles: dict[str, Style] = {}

    def style(self, names: str) -> Style:
        """The style for names separated by spaces, the later ones above the earlier; or for `#rrggbb on #rrggbb`."""
        if names.startswith("#"):
            # Of a picture, which has hundreds that no other has.
            front, _, back = names.partition(" on ")
            return Style(color=front, bgcolor=back or self.style("").bgcolor)
        style = self._styles.get(names)
        if style is None:
            style = self._combine([PREFIX + name for name in names.split() if name in STYLE_NAMES])
            self._styles[names] = style
        return style

    def strip(self, line: Line, width: int, section: int, *, cursor: bool = False) -> Strip:
        """One row of the screen, `width` cells wide, gutter and margin included."""
        segments = [Segment("▌ ", self.style("cursor")) if cursor else Segment(" " * GUTTER, self.style(""))]
        segments += [self._segment(run, section) for run in line.runs if run.text]
        used = GUTTER + line.cells
        inner = width - MARGIN
        if line.fill and used < inner:
            segments.append(Segment(" " * (inner - used), self.style(line.fill)))
            used = inner
        if used < width:
            segments.append(Segment(" " * (width - used), self.style("")))
        strip = Strip(segments, max(used, width))
        return strip if used <= width else strip.crop(0, width)

    def _segment(self, run: Run, section: int) -> Segment:
        style = self.style(run.style)
        if run.action is not None:
            style += Style.from_meta({"@click": self._action(run.action, section)})
        return Segment(run.text, style)


def highlighted(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """`strip` with the characters from `start` to `end` (-1: all the rest) in `style`."""
    segments: list[Segment] = []
    position = 0
    for text, own, _ in strip:
        left = min(max(start - position, 0), len(text))
        right = len(text) if end < 0 else min(max(end - position, left), len(text))
        position += len(text)
        over = own + style if own else style
        pieces = ((text[:left], own), (text[left:right], over), (text[right:], own))
        segments += [Segment(piece, piece_style) for piece, piece_style in pieces if piece]
    return Strip(segments, strip.cell_length)
