"""Search in a conversation: from hit to hit, into what is folded, without holding up a key.

What was said is counted in slices, the screen's end first and upwards, then what is below. A count is that of the
source until a hit is visited: then what is drawn decides.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from textual.message import Message
from textual.timer import Timer

from bus.entities import Entity
from tui.timeline.cursor import CursorView
from tui.timeline.document import Position
from tui.timeline.folding import main_part
from tui.timeline.search import Hit, Search
from tui.timeline.window import Mark

SLICE_SECONDS = 0.01
"""How long counting or looking may go on before keys have their turn."""

PAUSE_SECONDS = 0.005

TELL_SECONDS = 0.1
"""How often a count that still grows is told."""


class Place(NamedTuple):
    """The hit that is looked at: its section, which of the section's hits it is, its block, which of that block's."""

    section: int
    number: int
    block: int
    at: int
    hit: Hit


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the reader was when the search began."""

    top: Position
    following: bool
    cursor: tuple[int, int] | None

    def moved(self, index: int, by: int) -> Origin:
        """The same place after sections came or went at `index`."""
        top, cursor = self.top, self.cursor
        if top.section >= index:
            top = top._replace(section=max(top.section + by, 0))
        if cursor is not None and cursor[0] >= index:
            cursor = (max(cursor[0] + by, 0), cursor[1])
        return replace(self, top=top, cursor=cursor)


class FindingView(CursorView, can_focus=True):
    """A timeline in which a text can be found."""

    @dataclass
    class Found(Message, namespace="timeline_view"):
        """How the search stands: hit `number` (from 1; 0: none yet) of `total`; `counting`: there may be more."""

        number: int
        total: int
        counting: bool

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.search: Search | None = None
        self.place: Place | None = None
        """The hit that was gone to last."""
        self._origin: Origin | None = None
        self._counts: dict[int, int] = {}
        self._order: list[int] | None = []
        """The sections with hits, in order; None: to be sorted anew."""
        self._uncounted: Iterator[int] = iter(())
        self._is_counting = False
        self._opened: tuple[int, frozenset[str]] | None = None
        """The serial number of the section that was opened for a hit, and what was open in it before."""
        self._walk: Iterator[None] = iter(())
        self._slice_timer: Timer | None = None
        self._told_at = 0.0

    # -- looking for another text ------------------------------------------------------------------------------

    def find(self, text: str) -> None:
        """Look for a text, from where the reader was; the nearest hit above the screen's end comes into sight."""
        if self._origin is None:
            self._origin = Origin(self.top, self.following, self.cursor)
        if self.search is not None and self.search.text == text:
            return
        if not self.document.wraps_code:
            # What lies beyond the edges of the screen is looked for too.
            self.document.show_code(wraps=True, left=0)
        before = self.search
        self._back_to(self._origin)
        self.search = Search(text) if text.strip() else None
        self.sync()
        count = len(self.document.sections)
        last = self.window.rows[-1].position.section if self.window.rows else count - 1
        self._uncounted = chain(range(last, -1, -1), range(last + 1, count))
        if before is not None and not self._is_counting and text.startswith(before.text):
            # Who goes on typing finds nothing that was not found before.
            self._uncounted = filter(self._counts.__contains__, self._uncounted)
        self._counts, self._order, self._walk = {}, [], iter(())
        self._is_counting = self.search is not None
        self._go_on()

    def end_search(self, *, stay: bool) -> None:
        """Look no further; `stay` here, or go back to where the reader was."""
        origin, self._origin = self._origin, None
        self.search, self._is_counting, self._walk = None, False, iter(())
        if not stay and origin is not None:
            self._back_to(origin)
        self.place = self._opened = None
        self.sync()

    def _back_to(self, origin: Origin) -> None:
        self._close()
        self.place = None
        self.top, self.cursor, self.following = origin.top, origin.cursor, origin.following

    def action_find_next(self, step: int = 1) -> None:
        """The next hit (the previous one, if `step` is -1); behind the last comes the first."""
        order = self._sorted()
        if self.search is None or not order:
            return
        if self.place is None:
            section, number = order[-1], self._counts[order[-1]] - 1
        else:
            section, number = self._beside(self.place, step)
        self._walk = self._visit(section, number, step)
        self._go_on()

    def _beside(self, place: Place, step: int) -> tuple[int, int]:
        number = place.number + step
        if 0 <= number < self._counts.get(place.section, 0):
            return place.section, number
        order = self._sorted()
        at = bisect_left(order, place.section) + (step if step < 0 else place.section in self._counts)
        section = order[at % len(order)]
        return section, 0 if step > 0 else self._counts[section] - 1

    # -- slices ------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Count and look for a moment, and again later if there is more to do."""
        if self._slice_timer is not None:
            self._slice_timer.stop()
            self._slice_timer = None
        end = time.monotonic() + SLICE_SECONDS
        while is_walking := next(self._walk, self) is None:
            if time.monotonic() > end:
                break
        if self._is_counting:
            self._count(end)
        if self.search is not None and self.place is None and self._counts and not is_walking:
            section = next(iter(self._counts))
            self._walk = self._visit(section, self._counts[section] - 1, -1)
            is_walking = True
        self._tell()
        if is_walking or self._is_counting:
            self._slice_timer = self.set_timer(PAUSE_SECONDS, self._go_on)

    def _count(self, end: float) -> None:
        assert self.search is not None
        sections, counts = self.document.sections, self._counts
        for number, index in enumerate(self._uncounted):
            if index < len(sections) and (found := self.search.count(sections[index].entity)):
                counts[index] = found
                self._order = None
            if number % 16 == 15 and time.monotonic() > end:
                return
        self._is_counting = False

    def _tell(self) -> None:
        if self._is_counting and time.monotonic() - self._told_at < TELL_SECONDS:
            return
        self._told_at = time.monotonic()
        number = 0
        if self.place is not None:
            order = self._sorted()
            before = order[: bisect_left(order, self.place.section)]
            number = sum(map(self._counts.__getitem__, before)) + self.place.number + 1
        self.post_message(self.Found(number, sum(self._counts.values()), self._is_counting))

    def _sorted(self) -> list[int]:
        if self._order is None:
            self._order = sorted(self._counts)
        return self._order

    # -- going to a hit ----------------------------------------------------------------------------------------

    def _visit(self, section: int, number: int, step: int) -> Generator[None]:
        """Go to a hit, opening its section where it hides it. Where nothing is drawn that fits, go on to the next."""
        while self.search is not None and self._counts:
            found = yield from self._find_in(section, number)
            if found is not None:
                self._show_hit(found)
                return
            self._set_count(section, 0)
            if not self._counts:
                self._close()
                return
            section, number = self._beside(Place(section, 0, 0, 0, ()), step)

    def _find_in(self, section: int, number: int) -> Generator[None, None, Place | None]:
        """The place of a hit in a section, if there is one: first as it stands, then with ever more of it open."""
        serial = self.document.sections[section].serial
        if self._opened is not None and self._opened[0] != serial:
            self._close()
        found: list[Place] = []
        for _ in range(4):
            found = yield from self._hits(section, number)
            if len(found) > number or not self._open_more(section):
                break
        if not found:
            return None
        if len(found) <= number:
            self._set_count(section, len(found))
        return found[min(number, len(found) - 1)]

    def _hits(self, section: int, number: int) -> Generator[None, None, list[Place]]:
        """The hits of a section up to `number`, block by block; a long text is parsed on the way."""
        found: list[Place] = []
        block = -1
        while len(found) <= number and self.search is not None and section < len(self.document.sections):
            yield
            following = self.document.next_block(section, block)
            if following is None:
                break
            block = following
            hits = self.search.hits(self.document.lines(section, block))
            found += [Place(section, len(found) + at, block, at, hit) for at, hit in enumerate(hits)]
        return found

    def _open_more(self, index: int) -> bool:
        """Open what may hide a hit: the card's main part, then what was clipped. False: all of it is open."""
        section = self.document.sections[index]
        opened = self.opened_parts(section)
        part = main_part(section.entity)
        more = {part} - opened if part is not None else set[str]()
        if not more:
            more = self.clipped_parts(index) - opened
        if not more:
            return False
        if self._opened is None:
            self._opened = (section.serial, opened)
        self.open_only(index, opened | more)
        return True

    def _close(self) -> None:
        """Fold again what was opened for a hit."""
        opened, self._opened = self._opened, None
        if opened is not None:
            for index, section in enumerate(self.document.sections):
                if section.serial == opened[0]:
                    self.open_only(index, opened[1])
                    return

    def _show_hit(self, place: Place) -> None:
        self.place = place
        self.cursor = (place.section, place.block)
        self.keep_place()
        position = Position(place.section, place.block, place.hit[0].row)
        if not any(row.position == position for row in self.window.rows[:-1]):
            self.top = self.document.moved(position, -(self.size.height // 3))
        self.sync()

    # -- what is on the screen ---------------------------------------------------------------------------------

    def marks_of(self, section: int, block: int) -> dict[int, tuple[Mark, ...]]:
        """By row of a block, what is to be marked."""
        if self.search is None:
            return {}
        marks: dict[int, tuple[Mark, ...]] = {}
        place = self.place
        # By number: the rows of a block move where one comes above it.
        here = place.at if place is not None and (place.section, place.block) == (section, block) else -1
        for at, hit in enumerate(self.search.hits(self.document.lines(section, block))):
            style = "found-here" if at == here else "found"
            for span in hit:
                marks[span.row] = (*marks.get(span.row, ()), Mark(span.start, span.end, style))
        return marks

    # -- what changes ------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Show what has come, now, and count in it."""
        changed = list(self._dirty) if self.search is not None else []
        super().flush()
        for entity_id in changed:
            index = self.document.index_of(entity_id)
            if index is not None and self.search is not None:
                self._set_count(index, self.search.count(self.document.sections[index].entity))
        if changed:
            self._tell()

    def reset(self) -> None:
        """Forget everything that was shown."""
        self.end_search(stay=True)
        super().reset()

    def join(self, entities: Sequence[Entity]) -> None:
        """Put what was prepared above what is shown, and count in it, from what is shown upwards."""
        shown = len(self.document.sections)
        left = list(self._uncounted)
        super().join(entities)
        count = len(self.document.sections) - shown
        if self.search is not None:
            self._uncounted = chain(range(count - 1, -1, -1), (index + count for index in left))
            self._is_counting, self._walk = True, iter(())
            self._go_on()
        if self._origin is not None:
            self._origin = replace(self._origin, top=self._below_gap(self._origin.top, count))

    def _insert(self, entity: Entity, before: str | None) -> bool:
        is_renumbered = super()._insert(entity, before)
        if self.search is not None and (found := self.search.count(entity)):
            index = self.document.index_of(entity.id)
            self._set_count(0 if index is None else index, found)
        return is_renumbered

    def _renumber(self, index: int, by: int) -> None:
        super()._renumber(index, by)
        if self._counts:
            gone = index if by < 0 else -1
            self._counts = {at + by * (at >= index): n for at, n in self._counts.items() if at != gone}
            self._order = None
        if self.place is not None and self.place.section >= index:
            is_gone = by < 0 and self.place.section == index
            self.place = None if is_gone else self.place._replace(section=self.place.section + by)
        if self._origin is not None:
            self._origin = self._origin.moved(index, by)

    def _set_count(self, section: int, count: int) -> None:
        if count:
            self._counts[section] = count
        else:
            self._counts.pop(section, None)
        self._order = None
