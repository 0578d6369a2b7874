"""Changes of a conversation onto the screen: within a frame, and nothing that is read moves.

`show` takes the changes of a `Timeline`; one flush per frame brings the blocks up to date and redraws the rows that
are other than before. A long text is parsed over several frames, so that no key waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.timer import Timer

from bus.entities import Appended, Change, Created, Entity, Removed, Updated
from tui.markdown.warm import warm_up
from tui.timeline.document import Document, Position
from tui.timeline.pace import FAST_FRAME, Pace
from tui.timeline.painting import paint_now
from tui.timeline.selection import renumbered
from tui.timeline.viewport import Viewport

PARSE_TIME = 0.008
"""Seconds of a frame for what is not parsed yet, beside what the frame shows."""

SIZE_TIME = 0.008
"""Seconds of a frame for estimates at another width."""


class Feed(Viewport, can_focus=True):
    """A viewport that takes the changes of its conversation."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._dirty: dict[str, bool] = {}
        """What changed since the last frame; true: its text grew at the end, nothing else."""
        self._earlier: Document | None = None
        """What stands before all that is shown, while it is being read."""
        self._frame_timer: Timer | None = None
        self._pace = Pace()

    def on_mount(self) -> None:
        """Show what came before."""
        self.flush()
        self.run_worker(warm_up, thread=True, group="warm")

    def show(self, changes: Iterable[Change]) -> None:
        """Take in what changed; it is on the screen within a frame."""
        count = 0
        is_renumbered = False
        for change in changes:
            count += 1
            match change:
                case Created(entity, before):
                    is_renumbered |= self._remove(entity.id) | self._insert(entity, before)
                case Removed(entity):
                    is_renumbered |= self._remove(entity.id)
                    continue
                case Appended(entity):
                    self._dirty.setdefault(entity.id, True)
                case Updated(entity):
                    self._dirty[entity.id] = False
            if not self.following:
                self._fresh.add(entity.id)
        if is_renumbered:
            # The rows on the screen name sections by number.
            self.flush()
        elif count:
            self._schedule(count)

    def prepare(self, changes: Iterable[Change]) -> None:
        """Take in what changed in a timeline of which all that is shown is only the end: out of sight, until `join`."""
        if self._earlier is None:
            self._earlier = self.document.before()
        document, grown = self._earlier, dict[str, None]()
        for change in changes:
            match change:
                case Created(entity, before):
                    document.insert(entity, before)
                case Removed(entity):
                    document.remove(document.index_of(entity.id) or 0)
                    grown.pop(entity.id, None)
                case Appended(entity) | Updated(entity):
                    grown[entity.id] = None
        for entity_id in grown:
            document.update(document.index_of(entity_id) or 0)

    def join(self, entities: Sequence[Entity]) -> None:
        """Put what was prepared above what is shown, which stays where it is. All `entities` are one timeline now."""
        earlier, self._earlier = self._earlier, None
        if earlier is None:
            return
        shown, same = self.document.sections, 0
        while same < min(len(shown), len(entities)) and shown[-1 - same].entity.id == entities[-1 - same].id:
            same += 1
        for section in shown[: len(shown) - same]:
            self._remove(section.entity.id)
        while len(earlier.sections) > len(entities) - same:
            earlier.remove(len(earlier.sections) - 1)
        for section, entity in zip(self.document.sections, entities[len(entities) - same :], strict=True):
            if section.entity.revision != entity.revision:
                self._dirty[entity.id] = False
            section.entity = entity
        count = len(earlier.sections)
        self.document.put_before(earlier)
        self._renumber(0, count)
        self.top = self._below_gap(self.top, count)
        self.flush()

    def _below_gap(self, position: Position, first: int) -> Position:
        """A position after something was put above the section `first`, which was the first one and had no gap."""
        if position[:2] != (first, 0) or first >= len(self.document.sections):
            return position
        return position._replace(row=position.row + self.document.gap(first))

    def reset(self) -> None:
        """Forget everything that was shown."""
        self.document.clear()
        self.window.clear()
        self._earlier = None
        self._dirty.clear()
        self._fresh.clear()
        self.top = Position()
        self.cursor = None
        self._stale = True
        self.following = True
        self.sync()

    def _insert(self, entity: Entity, before: str | None) -> bool:
        """Put a new entity in; true if others have another number now."""
        index = self.document.insert(entity, before)
        if index == len(self.document.sections) - 1:
            return False
        self._renumber(index, 1)
        return True

    def _remove(self, entity_id: str) -> bool:
        """Take an entity out, if it is there; what stands below it on the screen stays where it is, if it can."""
        index = self.document.index_of(entity_id)
        if index is None:
            return False
        is_top = self.top.section == index and not self.following
        rest = self.document.row_of(Position(index + 1)) - self.document.row_of(self.top) if is_top else 0
        self.document.remove(index)
        self._dirty.pop(entity_id, None)
        self._fresh.discard(entity_id)
        self._renumber(index, -1)
        if rest:
            self.top = self.document.moved(Position(index), -min(rest, self.size.height))
        return True

    def _renumber(self, index: int, by: int) -> None:
        """A section came (`by` is 1) or went (-1) at `index`: what counts sections goes with those behind it."""
        gone = by < 0
        if self.top.section == index and gone:
            self.top = Position(index)
        elif self.top.section >= index:
            self.top = self.top._replace(section=self.top.section + by)
        if self.cursor is not None and self.cursor[0] >= index:
            self.cursor = (index, 0) if gone and self.cursor[0] == index else (self.cursor[0] + by, self.cursor[1])
        selection = self.text_selection if self.is_attached else None
        if selection is not None:
            moved = renumbered(selection, index, by)
            others = {widget: each for widget, each in self.screen.selections.items() if widget is not self}
            self.screen.selections = others if moved is None else {**others, self: moved}

    def _schedule(self, count: int) -> None:
        """Flush at once if the last frame is long enough ago, else when it is."""
        wait = self._pace.wait(count)
        if self._frame_timer is not None or not self.is_mounted:
            return
        if wait <= 0:
            self.flush()
        else:
            self._frame_timer = self.set_timer(wait, self.flush)

    def flush(self) -> None:
        """Show what has come, now."""
        if self._frame_timer is not None:
            self._frame_timer.stop()
            self._frame_timer = None
        self._pace.drawn()
        dirty, self._dirty = self._dirty, {}
        for entity_id, grew in dirty.items():
            index = self.document.index_of(entity_id)
            if index is not None:
                self.document.update(index, grew=grew)
        self.document.read_on(self._near(), PARSE_TIME)
        self.document.size_on(SIZE_TIME)
        self.sync()
        if self.window.rows and self.is_attached:
            paint_now(self, self.vertical_scrollbar)

    def sync(self, *, repaint: bool = True) -> None:
        """As in the base; a long text that is not whole yet goes on with the next frame."""
        super().sync(repaint=repaint)
        if self._frame_timer is None and self.is_catching_up:
            self._frame_timer = self.set_timer(FAST_FRAME, self.flush)

    @property
    def is_catching_up(self) -> bool:
        """Whether something on or next to the screen is still to be parsed, or the estimates are for another width."""
        return self.document.is_unsized or self.document.is_behind(self._near())

    def _near(self) -> range:
        """The sections on the screen, the one above and the one below: they are parsed to their end, bit by bit."""
        if not self.window.rows:
            return range(0)
        last = self.window.rows[-1].position.section
        return range(max(self.top.section - 1, 0), min(last + 2, len(self.document.sections)))
