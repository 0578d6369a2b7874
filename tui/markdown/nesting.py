"""Blocks in quotes, list items and footnotes: what stands beside their rows, and what their source begins with.

Nesting is flat: each block in a container is a block of its own that knows its layers. So a container that never ends
is drawn, and parsed, in parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from rich.cells import cell_len

from tui.markdown.blocks import Block
from tui.markdown.text import Line, Run, indented

NARROWEST = 8
"""Cells that are left for a block, however deep it stands."""

_QUOTE = re.compile(r" {0,3}> ?(?!\t)")
# Up to four blanks belong to a marker; before more of them, or nothing, it is one.
_ITEM = re.compile(r" *(?:[-+*]|\d{1,9}[.)])(?: {1,4}(?=[^ \t])| |$)(?!\t)")


class Mark(NamedTuple):
    """What a container shows: `marker` before the first row in it, a rail or blanks before the others.

    `lead` and `later_lead` are what a copy has in its place, in the first row and below.
    """

    marker: str
    style: str
    lead: str
    later_lead: str

    @property
    def is_quote(self) -> bool:
        """True for a block quote."""
        return self.style == "rail"

    @property
    def cells(self) -> int:
        """The width of the marker."""
        return cell_len(self.marker)

    def beside(self, lines: Sequence[Line], *, opens: bool) -> list[Line]:
        """`lines` with the marker before the first one, if the container `opens` there, and what it leaves below."""
        marker = (Run(self.marker, self.style),)
        leads = self.lead if opens else self.later_lead, self.later_lead
        if not self.is_quote:
            blank = (Run(" " * self.cells),)
            return indented(lines, marker if opens else blank, blank, *leads)
        quoted = [
            line._replace(runs=tuple(run._replace(style=f"quote {run.style}") for run in line.runs)) for line in lines
        ]
        return indented(quoted, marker, marker, *leads)


class Layer(NamedTuple):
    """A container in the source. `opening` opens it, None where only the parser knows; `ordinal` numbers an item."""

    mark: Mark
    opening: str | None
    ordinal: int = 0

    @property
    def later(self) -> str:
        """What each line but the first begins with."""
        opening = self.opening or ""
        if self.mark.style == "note":
            return "    "
        return opening if self.mark.is_quote else " " * len(opening)


QUOTE = Layer(Mark("│ ", "rail", "> ", "> "), "> ")


def note_layer(label: str) -> Layer:
    """A footnote."""
    return Layer(Mark(f"[{label}] ", "note", f"[^{label}]: ", "    "), "[^x]: ")


def item_layer(content: str | None, ordinal: int | None, task: bool | None) -> Layer:
    """A list item whose first line is `content` (None: unknown); `ordinal` is None in a bullet list."""
    number = "" if ordinal is None else f"{ordinal}. "
    lead = number or "- "
    mark = Mark(number or "• ", "marker", lead, " " * len(lead))
    if task is not None:
        box, style = ("☑ ", "task-done") if task else ("☐ ", "task-open")
        mark = mark._replace(marker=box, style=style, lead=lead + ("[x] " if task else "[ ] "))
    return Layer(mark, item_opening(content), ordinal or 0)


def item_opening(content: str | None) -> str | None:
    """The marker at the beginning of a line, with the blanks up to its text; None if there is none to be sure of."""
    match = _ITEM.match(content) if content is not None else None
    return match.group().rstrip(" ") + " " * max(_blanks(match.group()), 1) if match else None


def content_of(line: str, layers: Sequence[Layer], opened: int) -> str | None:
    """What stands in a line inside of `layers`, of which the last `opened` begin on it; None if that is unsure."""
    for number, layer in enumerate(layers):
        if layer.mark.is_quote:
            match = _QUOTE.match(line)
            if match is None:
                return None
            line = line[match.end() :]
        else:
            opens = number >= len(layers) - opened
            before = layer.opening if opens else layer.later
            # An item's marker at the end of a line has no blank behind it, and a footnote's line is read otherwise.
            is_sure = layer.opening is not None and not (opens and layer.mark.style == "note")
            if not is_sure or not before or not line.ljust(len(before)).startswith(before):
                return None
            line = line[len(before) :]
    return line


def _blanks(marker: str) -> int:
    return len(marker) - len(marker.rstrip(" "))


@dataclass(frozen=True, slots=True)
class Inside(Block):
    """A block in containers, outermost first; the last `opened` of them begin with it.

    `blank` empty rows stand above it inside of the containers that go on, `gap` ones above all of them.
    """

    block: Block
    marks: tuple[Mark, ...]
    opened: int
    blank: int = 0

    def lines(self, width: int) -> list[Line]:
        """The block's rows beside the marks."""
        lines = self.block.lines(self._left(width))
        going_on = len(self.marks) - self.opened
        for number in range(len(self.marks) - 1, -1, -1):
            lines = self.marks[number].beside(lines, opens=number >= going_on)
        return [self._blank_line()] * self.blank + lines

    def estimate(self, width: int) -> int:
        """The block's own, and the empty rows."""
        return self.blank + self.block.estimate(self._left(width))

    def _left(self, width: int) -> int:
        return reduce(lambda left, mark: max(left - mark.cells, NARROWEST), self.marks, width)

    def _blank_line(self) -> Line:
        going_on = self.marks[: len(self.marks) - self.opened]
        line = Line()
        # The rails go on in an empty row, and what stands left of them.
        while going_on and not going_on[-1].is_quote:
            going_on = going_on[:-1]
        for mark in reversed(going_on):
            (line,) = mark.beside([line], opens=False)
        return line


def inside(block: Block, layers: tuple[Layer, ...], opened: int, gap: int) -> Block:
    """`block`, which has no gap of its own, in `layers`, `gap` rows below what stands before it."""
    marks = tuple(layer.mark for layer in layers)
    if opened == len(layers):
        return Inside(gap, block, marks, opened)
    return Inside(0, block, marks, opened, gap)
