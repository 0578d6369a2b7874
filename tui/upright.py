"""Nothing in italics, for GNU screen: it shows in reverse what is italic."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter


def is_in_screen(env: Mapping[str, str]) -> bool:
    """Whether GNU screen draws what we write."""
    return bool(env.get("STY")) and env.get("TERM", "").startswith("screen")


class UprightFilter(LineFilter):
    """Takes the italics out of every segment."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments, upright."""
        return [
            Segment(text, _upright(style), control)
            if style is not None and style.italic
            else Segment(text, style, control)
            for text, style, control in segments
        ]


@lru_cache(4096)
def _upright(style: Style) -> Style:
    return style + Style(italic=False)
