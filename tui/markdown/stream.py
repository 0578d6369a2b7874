"""A Markdown document that grows by deltas; the cost of a delta does not depend on what came before it.

Only the open end is parsed again. A unit is settled when the one after it has two whole lines (one, for a fence; none
inside of a paragraph or code): until then the line could turn out to be something else, a table's header above all.
What is shown is always what parsing the whole text from its beginning would show.

One thing settled can change: a link definition that comes late gives a meaning to `[label]` above it. The blocks that
use the label are parsed again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

from tui.markdown.blocks import Block, Code, Heading, Paragraph
from tui.markdown.nesting import Inside
from tui.markdown.parse import Parsed, Place, References, Unit, parse
from tui.markdown.texts import Texts

CATCH_UP = 4096
"""Characters that are parsed again in one go because of a label (some 10 ms)."""

BLOCK = 256
"""As many characters as are parsed in the time that a block takes which has none."""

# The last line before a blank one could be a link definition that goes on, in whatever containers it stands.
_NOTE = r"\[\^[^\s\]]+\]:"
_DEFINITION = re.compile(rf"^(?:[ >*+\-\d.)]|{_NOTE})*\[(?!{_NOTE[2:]})[^\n]*\]:[^\n]*(?:\n[^\n]+)*\n?\Z", re.MULTILINE)
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.)+)\]")


FEWEST_DEFINITIONS = 4
"""In a row, before it is worth the work to settle some of them."""

NOTHING = Block(0)
"""Stands for what makes no block."""


class _Origin(NamedTuple):
    """Where settled blocks come from: source from one place where parsing can begin to the next one."""

    first: int
    source: str
    place: Place


class MarkdownStream:
    """Deltas in, blocks out.

    `blocks` is the document so far; `parsed` counts blocks that were made, for those who want to know the cost, and
    `read` the characters of texts in which the parser looked for more than words.
    `gap` empty rows stand above the first block.
    """

    def __init__(self, gap: int = 0) -> None:
        self.blocks: list[Block] = []
        self.parsed = 0
        self._settled = 0
        self._tail = ""
        self._place = Place(gap)
        self._texts = Texts()
        self._references: dict[str, Any] = {}
        self._open_references: dict[str, Any] = {}
        # By the index of their first block: those that have something like a label in them.
        self._origins: dict[int, _Origin] = {}
        self._labelled: dict[str, set[int]] = {}
        self._outdated: set[int] = set()
        # Where the long paragraph that is still open began: the line of its end may be a table's header.
        self._paragraph: _Origin | None = None

    @property
    def read(self) -> int:
        return self._texts.read

    @property
    def open_length(self) -> int:
        """Characters at the end that the next delta makes it parse again."""
        return len(self._tail)

    @property
    def is_behind(self) -> bool:
        """True while labels further up have a meaning that does not show yet: `catch_up`."""
        return bool(self._outdated)

    def append(self, delta: str) -> int:
        """Add clean text to the end; return the index of the first block that changed."""
        self._tail += delta
        first = min(len(self.blocks), self._settled)
        found: dict[str, Any] = {}
        parsed = parse(self._tail, self._place, References(found, self._references), self._texts)
        if parsed is None:
            self._take_paragraph_back()
            first = self._settled
            found.clear()
            parsed = parse(self._tail, self._place, References(found, self._references), self._texts) or Parsed([])
        units = parsed.units
        self.parsed += len(units)
        first = min(first, self._underline(parsed.heading))
        # What is settled now was read with these definitions.
        self._outdate(found)
        units, keep = self._cut_at_definition(units, self._first_open(units), found)
        self._settle(units[: keep + 1])
        still_open = [unit.block for unit in units[keep:] if unit.block is not NOTHING]
        self._replace_from(self._settled, still_open)
        del self.blocks[self._settled + len(still_open) :]
        if keep or (units and units[0].block is NOTHING):
            self._cut(units[keep])
        return min(first, self.catch_up())

    def _first_open(self, units: list[Unit]) -> int:
        """The index of the first unit that is not settled."""
        for index in range(len(units) - 1, 0, -1):
            unit = units[index]
            if unit.place is None or self._tail.count("\n", unit.start) < unit.lines:
                continue
            # A link definition makes no block: it must not be cut off from a title that may still come.
            if not _DEFINITION.search(self._tail[units[index - 1].start : unit.start]):
                return index
        return 0

    def _cut_at_definition(self, units: list[Unit], keep: int, found: dict[str, Any]) -> tuple[list[Unit], int]:
        """`units`, of which `keep` are settled, with one more for the last definition in `found` that is settled.

        Definitions make no blocks: nothing else could be settled in a long list of them.
        """
        prefix = self._place.prefix.count("\n")
        lines = [int(reference["map"][0]) - prefix for reference in found.values()]
        if len(lines) < FEWEST_DEFINITIONS:
            return units, keep
        starts = [0, *(match.end() for match in re.finditer("\n", self._tail))]
        for line in sorted(lines, reverse=True):
            start = starts[max(line, 0)]
            # In a container it would not stand at the beginning of its line.
            if line + 2 < len(starts) and self._tail[start] == "[":
                before = sum(unit.start < start for unit in units)
                if start == 0 or before < keep or not (before or self._place == Place(self._place.gap)):
                    break
                marker = Unit(NOTHING, start, Place(1 if before else self._place.gap))
                return [*units[:before], marker, *units[before:]], before
        return units, keep

    def _settle(self, units: list[Unit]) -> None:
        """Settle all of `units` but the last one."""
        begin = 0
        for number, following in enumerate(units[1:], 1):
            if following.place is not None or number == len(units) - 1:
                self._settle_group(units[begin:number], self._tail[units[begin].start : following.start])
                begin = number

    def _settle_group(self, units: list[Unit], source: str) -> None:
        index, place = self._settled, units[0].place
        self._replace_from(index, [unit.block for unit in units])
        self._settled += len(units)
        if place is None:
            # Only at the beginning of what is parsed, where the place is known.
            place = self._place
        if "[" in source and not all(isinstance(_innermost(unit.block), Code) for unit in units):
            self._origins[index] = _Origin(index, source, place)
            for label in _LABEL.findall(source):
                self._labelled.setdefault(_normal(label), set()).add(index)
        if place.joint is None:
            self._paragraph = _Origin(index, source, place)
        elif self._paragraph is not None:
            self._paragraph = self._paragraph._replace(source=self._paragraph.source + source)

    def _replace_from(self, index: int, blocks: list[Block]) -> None:
        """Put `blocks` at `index`, over what is there; equal ones stay the same objects, for the caches."""
        for offset, block in enumerate(blocks):
            at = index + offset
            if at < len(self.blocks):
                if self.blocks[at] != block:
                    self.blocks[at] = block
            else:
                self.blocks.append(block)

    def _cut(self, unit: Unit) -> None:
        """Let the tail begin at `unit`."""
        line = self._place.prefix.count("\n") + self._tail.count("\n", 0, unit.start)
        for label, reference in list(self._open_references.items()):
            if reference.get("map", (0,))[0] < line:
                self._references[label] = self._open_references.pop(label)
        self._tail = self._tail[unit.start :]
        self._place = unit.place or Place()
        if self._place.joint is None:
            self._paragraph = None

    def _underline(self, level: int) -> int:
        """Let the settled parts of the paragraph at the end be a heading of `level`, or a paragraph again if that is 0.

        Return the index of the first that changed.
        """
        if self._place.joint is None or self._place.heading or not self._settled:
            return len(self.blocks)
        first = self._settled - 1
        if _level(self.blocks[first]) == level:
            return len(self.blocks)
        while _goes_on(self.blocks[first]):
            first -= 1
        self.blocks[first : self._settled] = [_underlined(block, level) for block in self.blocks[first : self._settled]]
        return first

    def _take_paragraph_back(self) -> None:
        """What was settled as parts of a paragraph is a table: parse it again from its beginning."""
        assert self._paragraph is not None
        self._settled, source, self._place = self._paragraph
        self._tail = source + self._tail
        self._paragraph = None
        self._origins = {index: origin for index, origin in self._origins.items() if index < self._settled}

    def _outdate(self, found: dict[str, Any]) -> None:
        """Of what uses a label, what is to be parsed again, as the definitions at the end are now the ones `found`."""
        before, self._open_references = self._open_references, found
        if found or before:
            for label in found.keys() | before.keys():
                if _target(found.get(label)) != _target(before.get(label)):
                    self._outdated |= self._labelled.get(label, set())

    def catch_up(self) -> int:
        """Parse again some of what uses labels that were defined after it; return the first index that changed.

        Nearest to the end first: that is what is looked at. What a few thousand characters have is done at once.
        """
        first = len(self.blocks)
        left = CATCH_UP
        for index in sorted(self._outdated, reverse=True) if self._outdated else ():
            if left < 0:
                break
            self._outdated.remove(index)
            origin = self._origins.get(index)
            if origin is not None:
                left -= len(origin.source) + BLOCK
                self._resolve(origin)
                first = index
        return first

    def _resolve(self, origin: _Origin) -> None:
        """Parse settled blocks again."""
        references = References({}, self._open_references, self._references)
        units = (parse(origin.source, origin.place, references) or Parsed([])).units
        self.parsed += len(units)
        for index, unit in enumerate(units[: len(self.blocks) - origin.first], origin.first):
            old, new = self.blocks[index], unit.block
            # Code has no labels, and would end before the empty rows at the end of its part.
            if not isinstance(_innermost(old), Code):
                self._replace_from(index, [_underlined(new, _level(old))])


def _innermost(block: Block) -> Block:
    return block.block if isinstance(block, Inside) else block


def _goes_on(block: Block) -> bool:
    """True for a later part of a text."""
    block = _innermost(block)
    return isinstance(block, Paragraph | Heading) and block.joint != "\n"


def _level(block: Block) -> int:
    """The level of a heading; 0 for anything else."""
    block = _innermost(block)
    return block.level if isinstance(block, Heading) else 0


def _underlined(block: Block, level: int) -> Block:
    """A text as a heading of `level`, or as a paragraph if that is 0."""
    match block:
        case Inside():
            return replace(block, block=_underlined(block.block, level))
        case Heading(gap, _, runs, joint) | Paragraph(gap, runs, joint):
            return Heading(gap, level, runs, joint) if level else Paragraph(gap, runs, joint)
        case _:
            return block


def _target(reference: Any) -> tuple[str, str] | None:
    return None if reference is None else (reference["href"], reference["title"])


def _normal(label: str) -> str:
    # As the parser does it: lower, then upper, so that ẞ and ss meet.
    return " ".join(label.split()).lower().upper()
