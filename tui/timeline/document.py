"""The whole timeline as rows: which block and which of its lines stands at which row, without drawing all of it.

Only what comes near the screen is made and measured; everything else is an estimate. A `Position` names a row by what
is written there, so that it stays where it is when heights elsewhere turn out to be different.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bus.entities import Entity
from tui.markdown.blocks import Block
from tui.markdown.text import Line
from tui.timeline.cards import Look, is_line
from tui.timeline.heights import Heights
from tui.timeline.section import Section
from tui.timeline.sideways import unwrapped

KEPT_SECTIONS = 256
"""Sections that keep their blocks after they have left the screen."""

KEPT_BLOCKS = 1024
"""Blocks whose lines are kept."""

FAR = 1 << 40
"""So far apart are the serial numbers of what is put in from before and of what comes."""

SIZED_AT_ONCE = 256
"""Sections estimated between two looks at the clock."""


class Position(NamedTuple):
    """A row of the timeline: a section, a block in it, a row of that block (its gap counts)."""

    section: int = 0
    block: int = 0
    row: int = 0


class Document:
    """Sections in order, at one width. `look` gives the look of a section's card; `laid_out` counts layouts made.

    A long text is parsed as far as somebody looks; `hurried`: what is not parsed yet is left out.
    """

    def __init__(self, look: Callable[[Section, int], Look]) -> None:
        self.sections: list[Section] = []
        self.width = 80
        self.laid_out = 0
        self.hurried = False
        self.wraps_code = True
        self.code_left = 0
        """Where lines of code do not wrap, the column at which they begin on the screen."""
        self._look = look
        self._heights = Heights()
        self._indexes: dict[str, int] = {}
        self._built: OrderedDict[int, Section] = OrderedDict()
        self._lines: OrderedDict[tuple[int, int], tuple[Block, list[Line]]] = OrderedDict()
        self._serials = 0
        self._read: tuple[Position, int] = (Position(-1), 0)
        self._unsized = 0
        """Sections below this index are estimated for another width yet, from the last one down."""

    @property
    def total(self) -> int:
        """Rows of the whole timeline, measured or estimated."""
        return self._heights.total

    def index_of(self, entity_id: str) -> int | None:
        """Where the section of an entity is."""
        return self._indexes.get(entity_id)

    def clear(self) -> None:
        """Forget everything."""
        self.sections.clear()
        self._heights = Heights()
        self._indexes.clear()
        self._built.clear()
        self._lines.clear()
        self._read = (Position(-1), 0)
        self._unsized = 0

    def before(self) -> Document:
        """An empty document for what stands before this one's sections: see `put_before`."""
        document = Document(self._look)
        document.width, document._serials = self.width, self._serials + FAR
        return document

    def put_before(self, earlier: Document) -> None:
        """Put in all sections of a document from `before`, above all others. Costs O(sections that were here)."""
        count = len(earlier.sections)
        for index, section in enumerate(self.sections):
            earlier.sections.append(section)
            earlier._heights.append(self._heights[index])
            earlier._indexes[section.entity.id] = count + index
        self._unsized += count if self._unsized or earlier.width != self.width else 0
        self.sections, self._heights, self._indexes = earlier.sections, earlier._heights, earlier._indexes
        self._read = (Position(-1), 0)
        self._renumber(count)

    def insert(self, entity: Entity, before: str | None = None) -> int:
        """Put in a section for a new entity, at the end or before another entity's; return its index.

        Costs O(log n) at the end, else O(sections after it): few, for what belongs into the turn that runs.
        """
        self._serials += 1
        section = Section(entity, self._serials)
        place = len(self.sections) if before is None else self._indexes.get(before, len(self.sections))
        self.sections.insert(place, section)
        self._heights.insert(place, section.estimate(self.width))
        self._indexes[entity.id] = place
        self._unsized += place < self._unsized
        self._renumber(place + 1)
        return place

    def remove(self, index: int) -> None:
        """Take out a section. Costs O(sections after it): few, for a footer or the mark of a loss."""
        section = self.sections.pop(index)
        self._heights.remove(index)
        self._built.pop(section.serial, None)
        del self._indexes[section.entity.id]
        self._renumber(index)

    def _renumber(self, start: int) -> None:
        """The sections from `start` on have another index now, and the first of them another neighbour above."""
        for index in range(start, len(self.sections)):
            self._indexes[self.sections[index].entity.id] = index
        if start < len(self.sections) and self.sections[start].built:
            self._build(start)

    def update(self, index: int, *, grew: bool = False) -> None:
        """Bring a section up to date with its entity; one that is not built only gets a new estimate."""
        section = self.sections[index]
        if section.built:
            self._build(index, grew=grew)
        else:
            self._heights.set(index, section.estimate(self.width))

    def outdate(self, kinds: tuple[type[Entity], ...]) -> None:
        """Sections of these kinds look otherwise now: each is made anew when it comes near."""
        for serial, section in list(self._built.items()):
            if isinstance(section.entity, kinds):
                del self._built[serial]
                section.forget()

    def is_behind(self, sections: Iterable[int]) -> bool:
        """True if a part of a long text in these sections is not parsed yet."""
        return any(self.sections[index].is_due for index in sections)

    def read_on(self, sections: Iterable[int], seconds: float) -> None:
        """Parse more of these sections, for about so long."""
        end = time.monotonic() + seconds
        for index in sections:
            while time.monotonic() < end and self.sections[index].is_due:
                self._build(index, grew=True)

    def resize(self, width: int, top: Position) -> Position:
        """Lay everything out for another width, later, when it is seen; return where the text at `top` is then."""
        if width == self.width:
            return top
        # A window that is dragged is resized many times: what was read before the first of them counts.
        above = self._read[1] if top == self._read[0] else self._characters_above(top)
        self.width = width
        self._lines.clear()
        self._unsized = len(self.sections)
        self._read = (self._after_characters(top, above), above)
        return self._read[0]

    def show_code(self, *, wraps: bool, left: int) -> None:
        """Let long lines of code wrap, or be cut at the screen's edges, `left` columns of them out of sight."""
        self.wraps_code, self.code_left = wraps, left
        self._lines.clear()
        for section in self._built.values():
            section.unmeasure()

    @property
    def is_unsized(self) -> bool:
        """True while there are estimates for another width: `size_on`."""
        return self._unsized > 0

    def size_on(self, seconds: float) -> None:
        """Estimate more sections for the present width, for about so long: all of them at once would be felt."""
        end = time.monotonic() + seconds
        self._unsized = min(self._unsized, len(self.sections))
        while self._unsized and time.monotonic() < end:
            for index in range(max(self._unsized - SIZED_AT_ONCE, 0), self._unsized):
                section = self.sections[index]
                if not section.built or section.width != self.width:
                    self._heights.set(index, section.estimate(self.width))
            self._unsized = max(self._unsized - SIZED_AT_ONCE, 0)

    def _characters_above(self, top: Position) -> int:
        """How much of the text of its block stands above a position."""
        if top.section >= len(self.sections) or top.block >= len(self.sections[top.section].blocks):
            return 0
        lines = self.lines(top.section, top.block)
        return (
            sum(map(_length, lines[: top.row])) + len(lines[top.row].joint.strip("\n")) if top.row < len(lines) else 0
        )

    def _after_characters(self, top: Position, above: int) -> Position:
        """The row of its block that shows the text behind so many characters."""
        if top.section >= len(self.sections) or not above:
            return top
        if top.block >= len(self._ensure(top.section).blocks):
            return top
        for row, line in enumerate(self.lines(top.section, top.block)):
            above -= _length(line)
            if above < 0:
                return top._replace(row=row)
        return top

    def gap(self, index: int) -> int:
        """Empty rows above a section: none above the first, none between cards of one line each."""
        if index == 0:
            return 0
        return 0 if is_line(self.sections[index].entity) and is_line(self.sections[index - 1].entity) else 1

    def lines(self, section: int, block: int) -> list[Line]:
        """The rows of a block, its gap included; from here on its height is exact."""
        holder = self._ensure(section)
        found = holder.blocks[block]
        key = (id(found), self.width)
        kept = self._lines.get(key)
        if kept is None or kept[0] is not found:
            rows = found.lines(self.width) if self.wraps_code else unwrapped(found, self.width, self.code_left)
            kept = (found, [Line()] * found.gap + rows)
            self.laid_out += 1
            self._lines[key] = kept
            if len(self._lines) > KEPT_BLOCKS:
                self._lines.popitem(last=False)
        else:
            self._lines.move_to_end(key)
        if not holder.measured[block]:
            holder.measure(block, len(kept[1]))
            self._heights.set(section, holder.rows())
        return kept[1]

    def row_of(self, position: Position) -> int:
        """The row that a position has now, as far as what stands above it is known."""
        if position.section >= len(self.sections):
            return self.total
        section = self.sections[position.section]
        inner = section.heights.before(position.block) if section.built else 0
        return self._heights.before(position.section) + inner + position.row

    def at(self, row: int) -> Position:
        """The position that stands at a row now."""
        index, inner = self._heights.find(max(row, 0))
        if index >= len(self.sections):
            return self.end()
        section = self._ensure(index)
        while section.is_behind and inner >= section.heights.total:
            self._build(index, grew=True)
        block, rest = section.heights.find(min(inner, max(section.heights.total - 1, 0)))
        if block >= len(section.blocks):
            return self.settled(Position(index))
        return self.settled(Position(index, block, rest))

    def settled(self, position: Position) -> Position:
        """The position itself if there is such a row, else the nearest that there is."""
        if position.section >= len(self.sections):
            return self.end()
        section = self._reach(position.section, position.block)
        if position.block < len(section.blocks):
            rows = len(self.lines(position.section, position.block))
            if position.row < rows:
                return position
            if rows:
                return position._replace(row=rows - 1)
        for block in self.blocks_after(position.section, position.block - 1):
            return Position(*block)
        return self.end()

    def end(self) -> Position:
        """The last row that there is; behind the last section, if there is none."""
        for section, block in self.blocks_before(len(self.sections), 0):
            return Position(section, block, len(self.lines(section, block)) - 1)
        return Position(len(self.sections))

    def moved(self, position: Position, rows: int) -> Position:
        """The position `rows` further down (up, if negative), counted in true rows; stops at both ends."""
        section, block, row = position
        if section >= len(self.sections):
            return self.end() if rows < 0 else position
        if rows >= 0:
            left = len(self.lines(section, block)) - row if block < len(self.sections[section].blocks) else 0
            if rows < left:
                return Position(section, block, row + rows)
            rows -= left
            for below in self.blocks_after(section, block):
                height = len(self.lines(*below))
                if rows < height:
                    return Position(*below, rows)
                rows -= height
            return self.end()
        if -rows <= row:
            return Position(section, block, row + rows)
        rows += row
        for above in self.blocks_before(section, block):
            height = len(self.lines(*above))
            if -rows <= height:
                return Position(*above, height + rows)
            rows += height
        return self.settled(Position())

    def blocks_after(self, section: int, block: int) -> Iterator[tuple[int, int]]:
        """Every block with rows behind the one given, in order; each section is made when it is reached."""
        while section < len(self.sections):
            block += 1
            if block >= len(self._reach(section, block).blocks):
                section, block = section + 1, -1
            elif self.lines(section, block):
                yield section, block

    def blocks_before(self, section: int, block: int) -> Iterator[tuple[int, int]]:
        """Every block with rows before the one given, from the nearest on."""
        while section >= 0:
            if section < len(self.sections):
                for index in range(min(block, len(self._reach(section, block).blocks)) - 1, -1, -1):
                    if self.lines(section, index):
                        yield section, index
            section, block = section - 1, 1 << 60

    def next_block(self, section: int, block: int) -> int | None:
        """The block with rows behind the one given, in the same section; None: there is no further one."""
        for following in range(block + 1, 1 << 60):
            if following >= len(self._reach(section, following).blocks):
                return None
            if self.lines(section, following):
                return following
        return None

    def _ensure(self, index: int) -> Section:
        section = self.sections[index]
        if not section.built or section.width != self.width:
            self._build(index)
        self._built.move_to_end(section.serial)
        return section

    def _reach(self, index: int, block: int) -> Section:
        """The section, parsed until nothing can change its `block`, or to its end."""
        section = self._ensure(index)
        while section.is_behind and block >= len(section.blocks) - 1 and not self.hurried:
            self._build(index, grew=True)
        return section

    def _build(self, index: int, *, grew: bool = False) -> None:
        section = self.sections[index]
        section.build(self.width, self._look(section, index), grew=grew)
        self._heights.set(index, section.rows())
        self._built[section.serial] = section
        if len(self._built) > KEPT_SECTIONS:
            # Its height stays as it was measured.
            self._built.popitem(last=False)[1].forget()


def _length(line: Line) -> int:
    """Characters of a row, with the space at which the row before it was broken."""
    return len(line.text) - line.skip + len(line.joint.strip("\n"))
