"""Telling a scroll view where it is, without the layout of the whole screen that its own attributes ask for."""

from __future__ import annotations

from typing import cast

from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.widget import Widget

_VIRTUAL_SIZE = cast("Reactive[Size]", Widget.virtual_size)
_SCROLL_Y = Widget.scroll_y
_SCROLL_TARGET_Y = cast("Reactive[float]", Widget.scroll_target_y)


def show_place(view: ScrollView, row: int, total: int, size: Size) -> None:
    """Say that `row` of `total` rows stands at the top of `view`, `size` cells of which show rows."""
    bar = view.vertical_scrollbar
    if view.virtual_size != Size(size.width, total):
        view.set_reactive(_VIRTUAL_SIZE, Size(size.width, total))
        bar.window_virtual_size = total
    bar.window_size = size.height
    if round(view.scroll_y) != row:
        view.set_reactive(_SCROLL_Y, row)
        view.set_reactive(_SCROLL_TARGET_Y, row)
        bar.position = row
