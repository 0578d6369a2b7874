"""Terse output shows what the long one showed, on a real terminal's screen, with fewer bytes."""

from __future__ import annotations

import random

import pyte
from rich.color import ColorSystem
from rich.style import Style

from tui.terse_output import terse

COLOURS = ("#d9dbe4", "#15171f", "#1d2029", "red", "color(120)", None)


def a_style(randomness: random.Random) -> Style:
    def is_on() -> bool | None:
        return randomness.random() < 0.2 or None

    return Style(
        color=randomness.choice(COLOURS),
        bgcolor=randomness.choice(COLOURS),
        bold=is_on(),
        italic=is_on(),
        underline=is_on(),
        reverse=is_on(),
        strike=is_on(),
    )


def a_frame(randomness: random.Random, styles: list[Style]) -> str:
    """Rows of pieces, as Textual writes them."""
    rows: list[str] = []
    for _ in range(randomness.randint(1, 8)):
        row = f"\x1b[{randomness.randint(1, 10)};{randomness.randint(1, 8)}H"
        for _ in range(randomness.randint(1, 5)):
            text = randomness.choice(("word", " ", "日本", "x" * 6))
            row += randomness.choice(styles).render(text, color_system=ColorSystem.TRUECOLOR)
        rows.append(row)
    return "\n".join(rows)


def test_the_screen_is_the_same_cell_by_cell() -> None:
    randomness = random.Random(1)
    styles = [a_style(randomness) for _ in range(40)]
    long, short = pyte.Screen(40, 10), pyte.Screen(40, 10)
    feed_long, feed_short = pyte.Stream(long), pyte.Stream(short)
    for _ in range(300):
        frame = a_frame(randomness, styles)
        feed_long.feed(frame)
        feed_short.feed(terse(frame))
        assert long.buffer == short.buffer
        assert long.cursor.attrs == short.cursor.attrs, "the next frame begins in the same style"


def test_a_row_in_two_colours_says_its_background_once() -> None:
    plain, word = Style(color="#d9dbe4", bgcolor="#15171f"), Style(color="#c9a0dc", bgcolor="#15171f")
    row = "".join(
        style.render(text, color_system=ColorSystem.TRUECOLOR) for style, text in ((plain, "a "), (word, "b"))
    )
    assert terse(row + row) == (
        "\x1b[38;2;217;219;228;48;2;21;23;31ma \x1b[38;2;201;160;220mb"
        "\x1b[38;2;217;219;228ma \x1b[38;2;201;160;220mb\x1b[0m"
    )


def test_what_is_no_style_passes_through() -> None:
    for data in ("\x1b[?2026h", "\x1b[0m text \x1b[1mb", "\x1b]52;c;YQ==\x07", "\x1b[?25l\x1b[2J", ""):
        assert terse(data) == data
