"""The second wall against hostile text: nothing that is drawn, whoever made it, sends a control to the terminal.

Markdown can decode an escape character out of a harmless `%1b`, and a toolkit can be wrong: so this looks at what is
about to be written. Return it last from `App.get_line_filters()`.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.clean import clean_line, is_clean_line, without_towers


class ControlFilter(LineFilter):
    """Replaces control characters in every drawn segment, and takes away terminal links and towers of accents."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without controls; a segment that was clean is the same object."""
        return [segment if _is_safe(segment) else _made_safe(segment) for segment in segments]


def _is_safe(segment: Segment) -> bool:
    # Control segments are made by the toolkit to move the cursor; no text of ours ever is one.
    if segment.control:
        return True
    text = segment.text
    return (
        is_clean_line(text)
        and (segment.style is None or segment.style.link is None)
        and (text.isascii() or without_towers(text) == text)
    )


def _made_safe(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(without_towers(clean_line(segment.text)), style)
