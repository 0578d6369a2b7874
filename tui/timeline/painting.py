"""A frame at once: by the toolkit's own way it goes through three queues first, and then waits for a clock.

For any change the toolkit asks everything on the screen for all its rows. Where nothing lies in front of what changed,
only that is asked, for the rows that changed.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from textual.geometry import Region
from textual.widget import Widget

from tui.shown_cells import Piece, is_plain
from tui.terse_output import TerseDriver

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen


def paint_now(*widgets: Widget) -> None:
    """Draw what is to be drawn of `widgets`, and what else waits for the next frame.

    Where the screen must be laid out first, or is not to be seen, the toolkit comes to it by itself.
    """
    # The toolkit has no public way: this is what its timer does, and what a widget tells its screen.
    screen = widgets[0].screen
    if screen._layout_required or not screen.is_current or any(widget._layout_required for widget in widgets):
        return
    for widget in widgets:
        if widget._repaint_required:
            widget._repaint_required = False
            screen._dirty_widgets.add(widget)
    if screen._dirty_widgets:
        _paint_apart(screen)
        screen._on_timer_update()


def _paint_apart(screen: Screen[object]) -> None:
    """Draw what is dirty, and nothing else, where that is possible; then nothing is dirty any more."""
    app = cast("App[object]", screen.app)  # pyright: ignore[reportUnknownMemberType]
    driver = app._driver
    if (
        not isinstance(driver, TerseDriver)
        or not app._running
        or app._batch_count
        or screen._scroll_required
        or screen._repaint_required
        or screen._compositor._dirty_regions
        or screen._compositor.size != app.size  # another size, and not laid out for it yet
        or len(app.screen_stack) > 1
    ):
        return
    areas = {widget: _dirty_area(screen, widget) for widget in screen._dirty_widgets}
    if not all(areas.values()):
        return
    pieces = [piece for widget, area in areas.items() if area for piece in _pieces(widget, area)]
    if not all(is_plain(piece.raw) for piece in pieces):
        return
    for widget in areas:
        widget._exchange_repaint_regions()
    screen._dirty_widgets.clear()
    cursor = app._previous_cursor_position = screen.outer_size.clamp_offset(app.cursor_position)
    app._begin_update()
    try:
        driver.paint(pieces, cursor)
    finally:
        app._end_update()
    driver.flush()


def _dirty_area(screen: Screen[object], widget: Widget) -> Region | None:
    """The part of the screen in which `widget` is to be drawn again, if it is to be seen and nothing lies in front."""
    visible = screen._compositor.visible_widgets
    if widget not in visible or not widget._repaint_regions:
        return None
    region, clip = visible[widget]
    area = Region.from_union(list(widget._repaint_regions)).translate(region.offset)
    if not clip.intersection(region).contains_region(area):
        return None
    in_front = takewhile(lambda other: other is not widget, visible)
    places = (visible[other] for other in in_front)
    return None if any(area.overlaps(region.intersection(clip)) for region, clip in places) else area


def _pieces(widget: Widget, area: Region) -> Iterator[Piece]:
    """The rows of `widget` that changed, as they are to be written into `area`."""
    console = widget.app.console  # pyright: ignore[reportUnknownMemberType]
    changed = {y for each in widget._repaint_regions for y in each.line_range}
    own = area.translate(-widget.region.offset)
    for y, strip in zip(own.line_range, widget.render_lines(own), strict=True):
        if y in changed:
            yield Piece(area.y + y - own.y, area.x, strip.render(console))
