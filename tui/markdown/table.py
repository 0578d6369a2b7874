"""The columns of a table.

Widths are a function of the header and the first rows, so that a table that grows keeps its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from rich.cells import cell_len

from tui.markdown.text import Line, Run, wrap

Align = Literal["left", "center", "right"]
Cell = tuple[Run, ...]
Row = tuple[Cell, ...]

SEPARATOR = " │ "
NARROWEST = 4


class Shape(NamedTuple):
    """How a table's columns are aligned, and how many cells each would like to have."""

    aligns: tuple[Align, ...]
    natural: tuple[int, ...]


def natural_widths(rows: Sequence[Row], columns: int) -> tuple[int, ...]:
    """The widest cell of each column."""
    return tuple(max((_cells(row[column]) for row in rows), default=1) or 1 for column in range(columns))


def column_widths(shape: Shape, width: int) -> tuple[int, ...]:
    """The cells of each column in a table of at most `width`: the widest columns give way first."""
    available = width - len(SEPARATOR) * (len(shape.natural) - 1)
    if sum(shape.natural) <= available:
        return shape.natural
    widths = list(shape.natural)
    left = available
    order = sorted(range(len(widths)), key=lambda column: shape.natural[column])
    for done, column in enumerate(order):
        share = max(left // (len(order) - done), NARROWEST)
        widths[column] = min(shape.natural[column], share)
        left -= widths[column]
    return tuple(widths)


@lru_cache(maxsize=128)
def row_lines(row: Row, shape: Shape, widths: Sequence[int]) -> Sequence[Line]:
    """A row of the table, as many lines high as its highest cell; a copy has it as one Markdown row.

    Of the rows at the end of a table that grows all but one are as they were.
    """
    cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    source = "| " + " | ".join("".join(run.text for run in cell).replace("\n", " ") for cell in row) + " |"
    lines: list[Line] = []
    for number in range(max((len(cell) for cell in cells), default=0)):
        runs: list[Run] = []
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            if column:
                runs.append(Run(SEPARATOR, "table-rule"))
            line = cell[number] if number < len(cell) else Line()
            runs += _aligned(line, width, shape.aligns[column])
        lines.append(Line(tuple(runs), copy=source if number == 0 else ""))
    return lines


def rule_line(shape: Shape, widths: Sequence[int]) -> Line:
    """The line below the header."""
    marks = {"left": "---", "center": ":-:", "right": "--:"}
    source = "| " + " | ".join(marks[align] for align in shape.aligns) + " |"
    return Line((Run("─┼─".join("─" * width for width in widths), "table-rule"),), copy=source)


def _aligned(line: Line, width: int, align: Align) -> list[Run]:
    space = max(width - line.cells, 0)
    left = {"left": 0, "center": space // 2, "right": space}[align]
    before = [Run(" " * left)] if left else []
    after = [Run(" " * (space - left))] if space > left else []
    return [*before, *line.runs, *after]


def _cells(cell: Cell) -> int:
    return max(cell_len(line) for line in "".join(run.text for run in cell).split("\n"))
