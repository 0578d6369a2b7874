"""A Markdown document that grows by deltas; the cost of a delta does not depend on what came before it.

Only the open end is parsed again. A unit is settled when the one after it has two whole lines (one, for a fence; none
inside of a paragraph or code): until then the line could turn out to be something else, a table's header above all.
What is shown is always what parsing the whole text from its beginning would show.

One thing settled can change: a link definition that comes late gives a meaning to `[label]` above it. The blocks that
use the label are parsed again.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tui.markdown.blocks import Block, Code
from tui.markdown.nesting import Inside
from tui.markdown.parse import Place, Unit, parse

# The last line before a blank one could be a link definition that goes on, in whatever containers it stands.
_DEFINITION = re.compile(r"^[ >*+\-\d.)]*\[[^\n]*\]:[^\n]*(?:\n[^\n]+)*\n?\Z", re.MULTILINE)
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.)+)\]")


class _Origin(NamedTuple):
    """Where settled blocks come from: source from one place where parsing can begin to the next one."""

    first: int
    source: str
    place: Place


class MarkdownStream:
    """Deltas in, blocks out.

    `blocks` is the document so far; `parsed` counts blocks that were made, for those who want to know the cost.
    `gap` empty rows stand above the first block.
    """

    def __init__(self, gap: int = 0) -> None:
        self.blocks: list[Block] = []
        self.parsed = 0
        self._settled = 0
        self._tail = ""
        self._place = Place(gap)
        self._references: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._resolved: dict[str, Any] = {}
        # By the index of their first block: those that have something like a label in them.
        self._origins: dict[int, _Origin] = {}
        self._labelled: dict[str, set[int]] = {}
        # Where the long paragraph that is still open began: a heading's underline may yet follow.
        self._paragraph: _Origin | None = None

    @property
    def open_length(self) -> int:
        """Characters at the end that the next delta makes it parse again."""
        return len(self._tail)

    def append(self, delta: str) -> int:
        """Add clean text to the end; return the index of the first block that changed."""
        self._tail += delta
        first = min(len(self.blocks), self._settled)
        references = dict(self._references)
        units = parse(self._tail, self._place, references)
        if units is None:
            self._take_paragraph_back()
            first = self._settled
            references = dict(self._references)
            units = parse(self._tail, self._place, references) or []
        self._known = references
        self.parsed += len(units)
        keep = self._first_open(units)
        self._settle(units[: keep + 1])
        self._replace_from(self._settled, [unit.block for unit in units[keep:]])
        del self.blocks[self._settled + len(units) - keep :]
        if keep:
            self._cut(units[keep], references)
        return min(first, self._resolve_labels())

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
        if "[" in source and not all(_is_code(unit.block) for unit in units):
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

    def _cut(self, unit: Unit, references: dict[str, Any]) -> None:
        """Let the tail begin at `unit`."""
        line = self._place.prefix.count("\n") + self._tail.count("\n", 0, unit.start)
        for label, reference in references.items():
            if reference.get("map", (0,))[0] < line:
                self._references.setdefault(label, reference)
        self._tail = self._tail[unit.start :]
        self._place = unit.place or Place()
        if self._place.joint is None:
            self._paragraph = None

    def _take_paragraph_back(self) -> None:
        """What was settled as parts of a paragraph is a heading: parse it again from its beginning."""
        assert self._paragraph is not None
        self._settled, source, self._place = self._paragraph
        self._tail = source + self._tail
        self._paragraph = None

    def _resolve_labels(self) -> int:
        """Parse again what uses a label whose definition is new or other; return the first index that changed."""
        first = len(self.blocks)
        changed = {
            label
            for label in self._known.keys() | self._resolved.keys()
            if _target(self._known.get(label)) != _target(self._resolved.get(label))
        }
        if not changed:
            return first
        indexes = {index for label in changed for index in self._labelled.get(label, ()) if index < self._settled}
        for index in sorted(indexes):
            origin = self._origins[index]
            units = parse(origin.source, origin.place, dict(self._known)) or []
            self.parsed += len(units)
            # Code has no labels, and would end before the empty rows at the end of its part.
            there = self.blocks[index : index + len(units)]
            self._replace_from(
                index, [old if _is_code(old) else unit.block for old, unit in zip(there, units, strict=False)]
            )
            first = min(first, index)
        self._resolved = dict(self._known)
        return first


def _is_code(block: Block) -> bool:
    return isinstance(block.block if isinstance(block, Inside) else block, Code)


def _target(reference: Any) -> tuple[str, str] | None:
    return None if reference is None else (reference["href"], reference["title"])


def _normal(label: str) -> str:
    # As the parser does it: lower, then upper, so that ẞ and ss meet.
    return " ".join(label.split()).lower().upper()
