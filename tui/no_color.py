"""NO_COLOR: nothing is sent in a color, and what only a color said is said in reverse.

The toolkit's own answer is shades of gray, which are colors too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme


class ColorlessFilter(LineFilter):
    """Takes the colors out of every segment. A ground that stands out from the theme's quiet ones becomes reverse.

    So a chosen row, a selection, the thumb of a scroll bar and the prompt's cursor can be told.
    """

    def __init__(self, theme: Callable[[], Theme]) -> None:
        super().__init__()
        self._theme = theme

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colors."""
        theme = self._theme()
        quiet = (str(theme.background), str(theme.surface))
        loud = (str(theme.panel), str(theme.primary), str(theme.accent), str(theme.warning))
        return [
            Segment(text, None if style is None else _colorless(style, quiet, loud), control)
            for text, style, control in segments
        ]


@lru_cache(4096)
def _colorless(style: Style, quiet: tuple[str, ...], loud: tuple[str, ...]) -> Style:
    ground = style.color if style.reverse else style.bgcolor
    return Style(
        bold=style.bold,
        italic=style.italic,
        underline=style.underline,
        strike=style.strike,
        reverse=True if ground is not None and _is_loud(ground, quiet, loud) else None,
        meta=style.meta or None,
    )


def _is_loud(ground: RichColor, quiet: tuple[str, ...], loud: tuple[str, ...]) -> bool:
    """Whether a ground is nearer to one of the loud colors than to all quiet ones."""
    return min(_distance(ground, name) for name in loud) < min(_distance(ground, name) for name in quiet)


def _distance(ground: RichColor, name: str) -> int:
    other = Color.parse(name)
    red, green, blue = ground.get_truecolor()
    return (red - other.r) ** 2 + (green - other.g) ** 2 + (blue - other.b) ** 2
