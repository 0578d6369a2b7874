"""A Markdown document that grows by deltas; the cost of a delta does not depend on what came before it.

Only the open end is parsed again. A unit is settled when the one after it has two whole lines (one, for a fence):
until then the line could turn out to be something else, a table's header above all. What is shown is always what
parsing the whole text from its beginning would show.

One thing settled can change: a link definition that comes late gives a meaning to `[label]` above it. The blocks that
use the label are parsed again.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, NamedTuple

from tui.markdown.blocks import Block
from tui.markdown.code import CodeRows, language_of
from tui.markdown.parse import Place, Unit, parse

# A line with a bar in it may be the header of a table, whatever it begins with.
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(?:([^\n|]*)\n|([^\n]*)\n[^\n]*\n)")
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.)+)\]")


class _Origin(NamedTuple):
    """Where a settled block that has something like a label in it came from, so that it can be parsed again."""

    source: str
    place: Place


class _Fence(NamedTuple):
    """An open fence: `closing` matches the line that ends it, `indent` spaces are taken from each line."""

    rows: CodeRows
    first: int
    closing: re.Pattern[str]
    indent: int


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
        self._fence: _Fence | None = None
        self._references: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._resolved: dict[str, Any] = {}
        self._origins: dict[int, _Origin] = {}
        self._labelled: dict[str, set[int]] = {}
        # Where the long paragraph that is still open began: a heading's underline may yet follow.
        self._paragraph: tuple[int, str, Place] | None = None

    @property
    def open_length(self) -> int:
        """Characters at the end that the next delta makes it parse again."""
        return len(self._tail)

    def append(self, delta: str) -> int:
        """Add clean text to the end; return the index of the first block that changed."""
        first = len(self.blocks)
        self._tail += delta
        while True:
            first = min(first, self._settled)
            more = self._read_blocks() if self._fence is None else self._read_fence(self._fence)
            if not more:
                return min(first, self._resolve_labels())

    def _read_blocks(self) -> bool:
        """Parse the tail and settle what can be; true if a fence is open now and is to be read."""
        references = dict(self._references)
        units = parse(self._tail, self._place, references)
        if units is None:
            self._take_paragraph_back()
            return True
        self._known = references
        self.parsed += len(units)
        keep = self._first_open(units)
        for unit, following in pairwise(units[: keep + 1]):
            self._settle(unit, self._tail[unit.start : following.start])
        self._show(units[keep:])
        opening = _FENCE.match(self._tail, units[keep].start) if units and units[keep].fence else None
        if keep or opening is not None:
            self._cut(units[keep], references)
        if opening is not None:
            self._open_fence(opening, units[keep])
        return opening is not None

    def _first_open(self, units: list[Unit]) -> int:
        """The index of the first unit that is not settled."""
        for index in range(len(units) - 1, 0, -1):
            unit = units[index]
            if unit.place is None:
                continue
            lines_needed = 0 if unit.place.paragraph else 2
            is_certain = self._tail.count("\n", unit.start) >= lines_needed or (
                unit.fence and _FENCE.match(self._tail, unit.start) is not None
            )
            gap = self._tail[units[index - 1].start : unit.start]
            # A link definition makes no block: it must not be cut off from a title that may still come.
            if is_certain and not _ends_with_definition(gap):
                return index
        return 0

    def _settle(self, unit: Unit, source: str) -> None:
        place = unit.place
        if place is not None and "[" in source:
            self._origins[self._settled] = _Origin(source, place)
            for label in _LABEL.findall(source):
                self._labelled.setdefault(_normal(label), set()).add(self._settled)
        if place is not None and not place.paragraph:
            self._paragraph = (self._settled, "", place)
        if self._paragraph is not None:
            index, before, start = self._paragraph
            self._paragraph = (index, before + source, start)
        self._replace_from(self._settled, [unit.block])
        self._settled += 1

    def _show(self, units: list[Unit]) -> None:
        self._replace_from(self._settled, [unit.block for unit in units])

    def _replace_from(self, index: int, blocks: list[Block]) -> None:
        """Put `blocks` at the end from `index` on; equal ones stay the same objects, for the caches."""
        for offset, block in enumerate(blocks):
            at = index + offset
            if at < len(self.blocks):
                if self.blocks[at] != block:
                    self.blocks[at] = block
            else:
                self.blocks.append(block)
        del self.blocks[index + len(blocks) :]

    def _cut(self, unit: Unit, references: dict[str, Any]) -> None:
        """Let the tail begin at `unit`."""
        line = self._tail.count("\n", 0, unit.start) + self._prefix_lines()
        for label, reference in references.items():
            if reference.get("map", (0,))[0] < line:
                self._references.setdefault(label, reference)
        self._tail = self._tail[unit.start :]
        self._place = unit.place or Place()
        if not self._place.paragraph:
            self._paragraph = None

    def _prefix_lines(self) -> int:
        return self._place.table[0].count("\n") if self._place.table else 0

    def _take_paragraph_back(self) -> None:
        """What was settled as parts of a paragraph is a heading: parse it again from its beginning."""
        assert self._paragraph is not None
        self._settled, source, self._place = self._paragraph
        self._tail = source + self._tail
        self._paragraph = None

    def _open_fence(self, opening: re.Match[str], unit: Unit) -> None:
        marks = opening.group(1)
        info = opening.group(2) or opening.group(3) or ""
        closing = re.compile(rf" {{0,3}}{re.escape(marks[0])}{{{len(marks)},}}[ \t]*")
        rows = CodeRows(language_of(info), unit.block.gap)
        self._fence = _Fence(rows, self._settled, closing, opening.group().index(marks))
        self._tail = self._tail.partition("\n")[2]

    def _read_fence(self, fence: _Fence) -> bool:
        """Take whole lines from the tail; true if the fence is closed and there is more to read."""
        *lines, partial = self._tail.split("\n")
        for number, line in enumerate(lines):
            if fence.closing.fullmatch(line):
                self._show_code(fence, None)
                self._settled = len(self.blocks)
                self._fence, self._place = None, Place(gap=1)
                self._tail = "\n".join([*lines[number + 1 :], partial])
                return True
            fence.rows.add(_unindented(line, fence.indent))
        self._tail = partial
        # The parser does not see a last line of blanks alone.
        is_shown = partial.strip(" \t") and not fence.closing.fullmatch(partial)
        self._show_code(fence, _unindented(partial, fence.indent) if is_shown else None)
        return False

    def _show_code(self, fence: _Fence, partial: str | None) -> None:
        closed = fence.rows.closed
        done = self._settled - fence.first
        self.parsed += len(closed) - done + 1
        self._replace_from(self._settled, [*closed[done:], *fence.rows.open(partial)])
        self._settled = fence.first + len(closed)

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
            units = parse(origin.source, origin.place, dict(self._known))
            if units:
                self.blocks[index] = units[0].block
                self.parsed += 1
                first = min(first, index)
        self._resolved = dict(self._known)
        return first


def _target(reference: Any) -> tuple[str, str] | None:
    return None if reference is None else (reference["href"], reference["title"])


def _normal(label: str) -> str:
    # As the parser does it: lower, then upper, so that ẞ and ss meet.
    return " ".join(label.split()).lower().upper()


def _unindented(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip(" "))) :] if indent else line


def _ends_with_definition(source: str) -> bool:
    """True if the last line before a blank one could be a link definition that goes on."""
    return bool(re.search(r"^ {0,3}\[[^\n]*\]:[^\n]*(?:\n[^\n]+)*\n?\Z", source, re.MULTILINE))
