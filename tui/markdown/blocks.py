"""The blocks of a Markdown document, each immutable, each able to lay itself out for a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.markdown.highlight import highlighted
from tui.markdown.table import Shape, column_widths, row_lines, rule_line
from tui.markdown.text import Line, Run, crop, indented, wrap

MEASURE = 100
"""Prose wider than this is hard to read: wide terminals leave the rest empty."""

LONGEST_ROW = 4096
"""Characters of one line of code that are drawn; how many more there are is said below."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the view scrolls over. `gap` blank rows stand above it."""

    gap: int

    def lines(self, width: int) -> list[Line]:
        """The rows at `width` cells, without the gap."""
        raise TypeError(f"{type(self).__name__} has no layout")

    def estimate(self, width: int) -> int:
        """About how many rows there will be, without laying them out."""
        return 1


def _rows(runs: Sequence[Run], width: int) -> int:
    return 1 + sum(len(run.text) for run in runs) // max(width, 1)


@dataclass(frozen=True, slots=True)
class Paragraph(Block):
    """Prose. `joint` is what stands between it and the block before in a copy: a space, where it goes on from there."""

    runs: tuple[Run, ...]
    joint: str = "\n"

    def lines(self, width: int) -> list[Line]:
        """Wrapped at words, at most `MEASURE` wide."""
        first, *others = wrap(self.runs, min(width, MEASURE))
        return [first._replace(joint=self.joint), *others]

    def estimate(self, width: int) -> int:
        """By characters."""
        return _rows(self.runs, min(width, MEASURE))


@dataclass(frozen=True, slots=True)
class Heading(Block):
    """A heading of level 1 to 6. `joint` is as in a paragraph: a very long one goes on in further blocks."""

    level: int
    runs: tuple[Run, ...]
    joint: str = "\n"

    def lines(self, width: int) -> list[Line]:
        """Wrapped; the first two levels are told apart by their style alone."""
        style = f"h{min(self.level, 4)}"
        styled = [run._replace(style=f"{style} {run.style}") for run in self.runs]
        first, *others = wrap(styled, min(width, MEASURE))
        lead = "#" * self.level + " " if self.joint == "\n" else ""
        return indented([first._replace(joint=self.joint), *others], (), (), lead)

    def estimate(self, width: int) -> int:
        """By characters."""
        return _rows(self.runs, min(width, MEASURE))


@dataclass(frozen=True, slots=True)
class Rule(Block):
    """A thematic break."""

    def lines(self, width: int) -> list[Line]:
        """A thin line."""
        return [Line((Run("─" * min(width, MEASURE), "rule"),), copy="---")]


@dataclass(frozen=True, slots=True)
class Code(Block):
    """Some whole lines of a code block; highlighted when drawn. Only the first part of a block is labelled."""

    language: str
    rows: tuple[str, ...]
    labelled: bool = True

    def lines(self, width: int) -> list[Line]:
        """On a band of their own; long lines wrap anywhere."""
        lines: list[Line] = []
        if self.labelled and self.language:
            lines.append(Line((Run(f" {self.language}", "code-block code-label"),), copy="", fill="code-block"))
        pad = (Run(" ", "code-block"),)
        for number, row in enumerate(highlighted([row[:LONGEST_ROW] for row in self.rows], self.language)):
            wrapped = wrap(row, width - 2, words=False)
            if hidden := "".join(self.rows[number : number + 1])[LONGEST_ROW:]:
                said = f"… {len(hidden):,} more characters; a copy has them"
                notice = Line(crop((Run(said, "code-block more"),), width - 2), joint="", copy=hidden)
                wrapped.append(notice._replace(skip=len(notice.text)))
            lines += [line._replace(fill="code-block") for line in indented(wrapped, pad, pad)]
        return lines

    def estimate(self, width: int) -> int:
        """By characters of each line."""
        return sum(1 + min(len(row), LONGEST_ROW) // max(width - 2, 1) for row in self.rows) + self.labelled


@dataclass(frozen=True, slots=True)
class Table(Block):
    """Some rows of a table; `head` is the header row, on the first part only."""

    shape: Shape
    head: tuple[tuple[Run, ...], ...] | None
    rows: tuple[tuple[tuple[Run, ...], ...], ...]

    def lines(self, width: int) -> list[Line]:
        """Aligned columns; cells wrap where the table is wider than the screen."""
        widths = column_widths(self.shape, width)
        lines: list[Line] = []
        if self.head is not None:
            head = tuple(tuple(run._replace(style=f"table-head {run.style}") for run in cell) for cell in self.head)
            lines += row_lines(head, self.shape, widths)
            lines.append(rule_line(self.shape, widths))
        for row in self.rows:
            lines += row_lines(row, self.shape, widths)
        return lines

    def estimate(self, width: int) -> int:
        """As if no cell wrapped."""
        return len(self.rows) + (0 if self.head is None else 2)


def stacked(blocks: Sequence[Block], width: int) -> list[Line]:
    """The rows of `blocks`, one below the other, with their gaps (but the first one's)."""
    lines: list[Line] = []
    for number, block in enumerate(blocks):
        lines += [Line()] * (block.gap if number else 0)
        lines += block.lines(width)
    return lines
