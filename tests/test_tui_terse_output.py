"""Terse output shows what the long one showed, on a real terminal's screen, with fewer bytes."""

from __future__ import annotations

import random
import re

import pyte
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from tests.support.captured import forbidden
from tui.disputed_widths import steadied
from tui.shown_cells import ShownCells
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


# -- only what changes ---------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 40, 12
VIEW = HEIGHT - 2
WORDS = ("word ", "longer ", "a", "      ", "• ", "├─┤", "é ")
DOUBTFUL = (*WORDS, "日本 ", "👩 ", "e\u0301")
PLAIN = Style(color="#d9dbe4", bgcolor="#15171f")


def rendered(style: Style, text: str) -> str:
    return style.render(text, color_system=ColorSystem.TRUECOLOR)


def a_row(randomness: random.Random, styles: list[Style], words: tuple[str, ...], width: int) -> str:
    pieces: list[str] = []
    while width:
        text = randomness.choice(words)
        if cell_len(text) > width:
            text = " "
        pieces.append(rendered(randomness.choice(styles), text))
        width -= cell_len(text)
    return "".join(pieces)


class Scrolling:
    """A document with a scrollbar beside it and a line below, drawn as Textual draws: whole rows, each at its place."""

    def __init__(self, seed: int) -> None:
        self.randomness = random.Random(seed)
        self.styles = [a_style(self.randomness) for _ in range(8)]
        self.rows = [self.row() for _ in range(VIEW)]
        self.top = 0

    def row(self) -> str:
        words = DOUBTFUL if self.randomness.random() < 0.2 else WORDS
        return a_row(self.randomness, self.styles, words, WIDTH - 1)

    def bar(self, y: int) -> str:
        return rendered(self.styles[y in (self.top % VIEW, (self.top + 1) % VIEW)], " ")

    def all(self) -> str:
        rows = [f"\x1b[{y + 1};1H{self.rows[self.top + y]}{self.bar(y)}" for y in range(VIEW)]
        rows += [f"\x1b[{y + 1};1H{' ' * WIDTH}" for y in range(VIEW, HEIGHT)]
        return "\n".join(rows) + "\x1b[1;1H"

    def next(self) -> str:
        """The next frame: text grows or changes somewhere, most often the view scrolls, now and then all is drawn."""
        chance, before = self.randomness.random(), self.top
        self.rows[self.top + VIEW - 1] = self.row()
        if chance < 0.7:
            self.top = max(self.top + self.randomness.choice((1, 1, 1, 2, 3, -1, -2)), 0)
            self.rows += [self.row() for _ in range(self.top + VIEW - len(self.rows))]
        if chance > 0.95:
            return self.all()
        drawn = range(VIEW) if self.top != before else (VIEW - 1,)
        pieces = [f"\x1b[{y + 1};1H{self.rows[self.top + y]}\x1b[{y + 1};{WIDTH}H{self.bar(y)}" for y in drawn]
        if chance < 0.3:
            pieces.append(f"\x1b[{HEIGHT};1H{a_row(self.randomness, self.styles, WORDS, WIDTH)}")
        return "\n".join(pieces) + f"\x1b[{HEIGHT};{self.randomness.randint(1, 9)}H"


def test_rows_that_move_are_moved_by_the_terminal_and_the_screen_is_the_same() -> None:
    long, short, shown = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT), ShownCells()
    feed_long, feed_short = pyte.Stream(long), pyte.Stream(short)
    for feed in (feed_long, feed_short):
        feed.feed("\x1b[?7l")  # as Textual does: what a terminal takes for wider is cut off
    document, moved, written, whole = Scrolling(7), 0, 0, 0
    for frame in (document.all(), *(document.next() for _ in range(60))):
        sent = terse(shown.frame(frame, (WIDTH, HEIGHT)))
        feed_long.feed(frame)
        feed_short.feed(sent)
        assert long.buffer == short.buffer
        assert (long.cursor.x, long.cursor.y, long.cursor.attrs) == (short.cursor.x, short.cursor.y, short.cursor.attrs)
        assert short.margins is None or short.margins == (0, HEIGHT - 1), "the margins are taken back"
        assert not forbidden(sent)
        moved += "M\x1b[r" in sent or "L\x1b[r" in sent
        written, whole = written + len(sent), whole + len(terse(frame))
    assert moved > 20
    assert written < whole / 2


def test_a_word_at_the_end_of_a_row_is_all_that_is_written() -> None:
    shown = ShownCells()

    def frame(text: str) -> str:
        return f"\x1b[3;1H{rendered(PLAIN, text.ljust(WIDTH))}\x1b[{HEIGHT};1H"

    shown.frame(frame("A row"), (WIDTH, HEIGHT))
    assert shown.frame(frame("A row that"), (WIDTH, HEIGHT)) == f"\x1b[3;7H{rendered(PLAIN, 'that')}\x1b[{HEIGHT};1H"
    assert shown.frame(frame("A row that"), (WIDTH, HEIGHT)) == "", "nothing is written for nothing"


def test_what_may_have_been_written_over_is_written_again() -> None:
    document, shown = Scrolling(3), ShownCells()
    everything = document.all()
    assert terse(shown.frame(everything, (WIDTH, HEIGHT)))
    row = f"\x1b[1;1H{document.rows[0]}\x1b[1;1H"
    for sent in ("\x1b[?2026h", "\x07"):
        assert shown.frame(sent, (WIDTH, HEIGHT)) == sent
    assert not shown.frame(row, (WIDTH, HEIGHT))
    assert len(shown.frame(everything, (WIDTH, HEIGHT))) > WIDTH * HEIGHT, "the toolkit draws all of it on purpose"
    for foreign in ("\x1b[?1049h", "text", "\x1b[2J"):
        assert shown.frame(foreign, (WIDTH, HEIGHT)) == foreign
        assert len(shown.frame(row, (WIDTH, HEIGHT))) > WIDTH
    assert len(shown.frame(row, (WIDTH + 1, HEIGHT))) > WIDTH, "another size"


def test_columns_stand_where_they_should_whatever_a_terminal_takes_signs_for() -> None:
    """A terminal that knows of no joiners takes ⚠️ for one cell, where Unicode says two, and 👍🏽 for four."""
    shown, screen = ShownCells(), pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    cells = ("⚠️ ✅", "ok", "👍🏽", "🏴‍☠️", "1️⃣ 日本", "❤️", "🇨🇭")

    def feed(written: str) -> None:
        stream.feed(re.sub("[\ufe0f\u200d\u20e3]", "", written))

    def row(y: int, cell: str) -> str:
        gap, rest = " " * (9 - cell_len(cell)), " " * (WIDTH - 1 - 17)
        return f"\x1b[{y + 1};1H{rendered(PLAIN, f'{cell}{gap}│ behind{rest}')}"

    def frame(cells: tuple[str, ...]) -> str:
        return "\n".join(f"{row(y, cell)}{rendered(PLAIN, '█')}" for y, cell in enumerate(cells)) + f"\x1b[{HEIGHT};1H"

    def columns() -> set[tuple[int, ...]]:
        lines = [[screen.buffer[y][x].data for x in range(WIDTH)] for y in range(len(cells))]
        return {(line.index("│"), line.index("b"), line.index("█")) for line in lines}

    feed("\x1b[?7l" + frame(cells))
    assert len(columns()) > 1, "as it comes, it is shifted"
    screen.reset()
    feed("\x1b[?7l" + terse(sent := shown.frame(frame(cells), (WIDTH, HEIGHT))))
    assert columns() == {(9, 11, WIDTH - 1)}
    assert not forbidden(sent)
    feed(terse(shown.frame(frame(("☠", *cells[1:])), (WIDTH, HEIGHT))))
    assert screen.display[0].startswith("☠        │"), "nothing is left of a sign that is gone"


def test_letters_that_need_more_cells_get_them_of_the_gap_behind_them() -> None:
    row = "\x1b[1mहिन्दी  लिपि    │ ok  \x1b[2m \x1b[0m"
    # What is said apart from the places is the same, and no letter is written over by a blank.
    assert re.sub(r"\x1b\[\d+;\d+H", "", steadied(row, 3, 2)) == row
    at_the_gap, at_the_line = cell_len("  हिन्दी  "), cell_len("  हिन्दी  लिपि    ")
    assert [int(x) - 1 for x in re.findall(r"\x1b\[4;(\d+)H", steadied(row, 3, 2))] == [at_the_gap, at_the_line]
    assert steadied("日本 é │", 0, 0) == "日本 é │", "on these all terminals agree"
