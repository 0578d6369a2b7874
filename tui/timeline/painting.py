"""A frame at once: by the toolkit's own way it goes through three queues first, and then waits for a clock."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from textual.widget import Widget


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
        screen._on_timer_update()
