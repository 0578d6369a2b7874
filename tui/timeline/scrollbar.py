"""Telling a scroll view where it is, without the layout of the whole screen that its own attributes ask for."""

from __future__ import annotations

import math
from typing import cast

from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.widget import Widget

_VIRTUAL_SIZE = cast("Reactive[Size]", Widget.virtual_size)
_SCROLL_Y = Widget.scroll_y
_SCROLL_TARGET_Y = cast("Reactive[float]", Widget.scroll_target_y)

_STEPS = 8
"""Places that an end of the bar may have in a cell."""


def show_place(view: ScrollView, row: int, total: int, size: Size) -> None:
    """Say that `row` of `total` rows stands at the top of `view`, `size` cells of which show rows.

    The bar is drawn again only where it then looks otherwise: of a long text, it seldom does.
    """
    bar = view.vertical_scrollbar
    before = _ends(bar)
    if view.virtual_size != Size(size.width, total):
        view.set_reactive(_VIRTUAL_SIZE, Size(size.width, total))
        bar.set_reactive(ScrollBar.window_virtual_size, total)
    bar.set_reactive(ScrollBar.window_size, size.height)
    if round(view.scroll_y) != row:
        view.set_reactive(_SCROLL_Y, row)
        view.set_reactive(_SCROLL_TARGET_Y, row)
        bar.set_reactive(ScrollBar.position, row)
    after = _ends(bar)
    if before is None or after is None:
        if before != after:
            bar.refresh()
        return
    for was, now in zip(before, after, strict=True):
        if was != now:
            first, last = min(was, now) // _STEPS, max(was, now) // _STEPS
            bar.refresh(Region(0, first, bar.size.width, last - first + 1).intersection(bar.size.region))


def _ends(bar: ScrollBar) -> tuple[int, int] | None:
    """Where the bar begins and ends, in parts of a cell, as the toolkit draws it; None where there is none."""
    height, total, shown = bar.size.height, bar.window_virtual_size, bar.window_size
    if not height or total == height or shown >= total:
        return None
    length = max(1, shown * height / total)
    start = int((height - length) * bar.position / (total - shown) * _STEPS)
    return start, start + math.ceil(length * _STEPS)
