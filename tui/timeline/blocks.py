"""Blocks of cards, beside those of Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from tui.markdown.blocks import MEASURE, Block
from tui.markdown.text import Line, Run, Toggle, crop, indented, wrap


@dataclass(frozen=True, slots=True)
class Head(Block):
    """The one line of a card: what it is, and at the right how it stands. Too long a line loses its end."""

    runs: tuple[Run, ...]
    right: tuple[Run, ...] = ()

    def lines(self, width: int) -> list[Line]:
        """One row."""
        right = sum(len(run.text) for run in self.right)
        left = crop(self.runs, max(width - right - (2 if right else 0), 4))
        return [Line((*left, Run("  "), *self.right) if right else left)]


@dataclass(frozen=True, slots=True)
class Words(Block):
    """Plain text, wrapped, behind an indent of its own (`first` before the first row, `rest` before the others)."""

    runs: tuple[Run, ...]
    first: tuple[Run, ...] = ()
    rest: tuple[Run, ...] = ()
    fill: str = ""

    def lines(self, width: int) -> list[Line]:
        """Wrapped at words."""
        indent = sum(len(run.text) for run in self.rest)
        wrapped = wrap(self.runs, min(width, MEASURE) - indent)
        return [line._replace(fill=self.fill) for line in indented(wrapped, self.first, self.rest)]

    def estimate(self, width: int) -> int:
        """By characters and newlines."""
        text = "".join(run.text for run in self.runs)
        return 1 + len(text) // max(width, 1) + text.count("\n")


@dataclass(frozen=True, slots=True)
class Output(Block):
    """Lines of text as a tool wrote them: blanks count, long lines break anywhere.

    The rows whose numbers are in `going_on` go on with the line of the row before: it was too long for one.
    """

    rows: tuple[str, ...]
    style: str
    indent: int = 2
    going_on: frozenset[int] = frozenset()

    def lines(self, width: int) -> list[Line]:
        """Behind an indent."""
        before = (Run(" " * self.indent),)
        lines: list[Line] = []
        for number, row in enumerate(self.rows):
            first, *others = indented(wrap((Run(row, self.style),), width - self.indent, words=False), before, before)
            lines += [first._replace(joint="") if number in self.going_on else first, *others]
        return lines

    def estimate(self, width: int) -> int:
        """By characters of each line."""
        return sum(1 + len(row) // max(width - self.indent, 1) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Picture(Block):
    """Rows of cells that are a picture: no part of any copy."""

    rows: tuple[tuple[Run, ...], ...]

    def lines(self, width: int) -> list[Line]:
        """Behind an indent."""
        return [Line((Run("  "), *row), skip=2, copy="") for row in self.rows]

    def estimate(self, width: int) -> int:
        """All of them."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Tail(Block):
    """The last rows of a text that is being written."""

    text: str
    rows: int
    style: str
    before: tuple[Run, ...] = ()

    def lines(self, width: int) -> list[Line]:
        """At most `rows` rows."""
        indent = sum(len(run.text) for run in self.before)
        wrapped = wrap((Run(self.text, self.style),), min(width, MEASURE) - indent)[-self.rows :]
        return indented(wrapped, self.before, self.before)

    def estimate(self, width: int) -> int:
        """All of them."""
        return self.rows


@dataclass(frozen=True, slots=True)
class Beginning(Block):
    """The first rows of a text; a click shows more."""

    text: str
    rows: int
    style: str
    before: tuple[Run, ...] = ()
    action: Toggle | None = None

    def lines(self, width: int) -> list[Line]:
        """At most `rows` rows, the last of them with an ellipsis if there is more."""
        room = min(width, MEASURE) - sum(len(run.text) for run in self.before)
        wrapped = wrap((Run(self.text, self.style, self.action),), room)
        shown = wrapped[: self.rows]
        if len(wrapped) > self.rows:
            last = (*crop(shown[-1].runs, room - 2, ""), Run(" …", "more", self.action))
            shown[-1] = shown[-1]._replace(runs=last)
        return indented(shown, self.before, self.before)

    def estimate(self, width: int) -> int:
        """All of them."""
        return self.rows


@dataclass(frozen=True, slots=True)
class Beside(Block):
    """Another block behind a rail or an indent, in a style of its own."""

    block: Block
    before: tuple[Run, ...]
    style: str = ""

    def lines(self, width: int) -> list[Line]:
        """The other block's rows."""
        indent = sum(len(run.text) for run in self.before)
        lines = self.block.lines(max(width - indent, 8))
        if self.style:
            lines = [
                line._replace(runs=tuple(run._replace(style=f"{self.style} {run.style}") for run in line.runs))
                for line in lines
            ]
        return indented(lines, self.before, self.before)

    def estimate(self, width: int) -> int:
        """The other block's."""
        return self.block.estimate(width)
