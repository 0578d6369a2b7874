"""The order of what is read: duplicates dropped, conflicts told, a gap in the place of what is missing.

The entries' numbers `n` show what is missing or came again; writer, epoch and sequence say which event an entry is, and
so what was shown before Redis lost its data. Nothing is asked here: the reader brings entries, and gets what to show.
"""

from __future__ import annotations

import time
from collections import deque

from .codec import encode
from .entry import position
from .events import Broken, Gap
from .stream import Entry, StreamInfo

RECENT = 64
"""Among so many entries an exact copy of one is known again."""

CAME_BACK = "Redis came back without its newest events."
_TRIMMED = "What came before this is no longer stored."
_DELETED = "They are no longer in the stream."

_Writer = tuple[str | None, int | None]


class Order:
    """What was shown of a stream, and what is to be shown next. `n` is the last number; None: not known."""

    def __init__(self, n: int | None) -> None:
        self.n: int | None = n
        self.trimmed = False
        """What stood behind the start is gone, and nobody knows how much that was."""
        self.anchor: Entry | None = None
        """The last entry with a number: where it is gone, or has another number, this is another stream."""
        self.uncertain = False
        """The stream was replaced, and nothing has told yet whether something of it was lost before it was shown."""
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._again = False
        self._newest: dict[_Writer, int] = {}
        self._shown: dict[_Writer, int] = {}

    def begin_behind(self, entry: Entry) -> None:
        """Reading begins behind this entry."""
        self.n = entry.n
        self.anchor = entry if entry.n is not None else None
        self._remember(entry)

    def begin_again(self) -> None:
        """The stream was replaced and is read from its start: nothing is shown twice.

        Writers that know the numbers of their entries number them as before, so that the last one still tells what is
        missing. Those that do not begin anew.
        """
        self.anchor, self.trimmed, self.uncertain = None, False, True
        self._recent.clear()
        self._shown_was_all()

    def doubts(self, raw: list[Entry]) -> bool:
        """Whether these can be put in order only when it is known that the anchor still stands."""
        if self._again or self.anchor is None or self.n is None:
            return False
        first = next((entry.n for entry in raw if entry.n is not None), None)
        return first is not None and first <= self.n

    def has_hole(self, raw: list[Entry]) -> bool:
        """Whether numbers are missing in front of one of these."""
        n = self.n
        if _follows(n, raw):
            return False
        for entry in raw:
            if entry.n is not None:
                if n is not None and entry.n > n + 1:
                    return True
                n = entry.n
        return False

    def take(self, raw: list[Entry]) -> list[Entry]:
        """What to show of the next entries."""
        if not self._again and _follows(self.n, raw):
            self._recent.extend(raw)
            self._remember_all(raw)
            self.n, self.anchor = raw[-1].n, raw[-1]
            return raw
        shown = [gap(raw[0].ts, None, _TRIMMED)] if raw and self.trimmed else []
        for entry in raw:
            shown += self._place(entry)
        if raw:
            self.trimmed = False
        return shown

    def missing(self, end: StreamInfo, cursor: str) -> list[Entry]:
        """All was read up to `cursor`, of a stream that said before to end there: a gap if that was not all."""
        count = end.n - self.n if self.n is not None and end.n > self.n else None
        if count is None and position(end.last_id) <= position(cursor):
            return []
        return [gap(time.time_ns() // 1_000_000, count, self._reason(_DELETED))]

    def end(self, end: StreamInfo, cursor: str) -> list[Entry]:
        """As `missing`, and what comes next comes behind that."""
        missing = self.missing(end, cursor)
        if self.n is not None:
            self.uncertain = self.uncertain and end.n < self.n
            self.n = max(self.n, end.n)
        return missing

    def up_to(self, entry: Entry) -> list[Entry]:
        """A gap where something is missing right before `entry`, which is not taken."""
        if entry.n is None or self.n is None or entry.n <= self.n + 1:
            return []
        return [gap(entry.ts, entry.n - self.n - 1, _TRIMMED if self.n == 0 else _DELETED)]

    def admit(self, ts: int) -> list[Entry]:
        """A gap where nobody can know any more whether something was lost."""
        uncertain, self.uncertain = self.uncertain, False
        return [gap(ts, None, CAME_BACK)] if uncertain else []

    def _place(self, entry: Entry) -> list[Entry]:
        before: list[Entry] = []
        if self._again and self._was_shown(entry, self._shown):
            return self._skip(entry)
        if entry.n is None or self.n is None or self._is_of_a_new_writer(entry):
            before = self.admit(entry.ts)
        elif entry.n != self.n + 1:
            if entry.n > self.n:
                reason = self._reason(_TRIMMED if self.n == 0 else _DELETED)
                before = [gap(entry.ts, entry.n - self.n - 1, reason)]
            elif self._again:
                before = self.admit(entry.ts)
            else:
                if not self._is_of_a_newer_epoch(entry):
                    return [] if self._came_before(entry) else [_conflict(entry)]
                # Redis had lost its fence too, and an engine from before has written meanwhile.
                before = [gap(entry.ts, None, CAME_BACK)]
                self._shown_was_all()
                if self._was_shown(entry, self._shown):
                    return [*before, *self._skip(entry)]
        self.uncertain = False  # the numbers go on, or a gap says how much is missing
        self._recent.append(entry)
        self._remember(entry)
        if entry.n is not None:
            self.n, self.anchor, self._again = entry.n, entry, False
        return [*before, entry]

    def _skip(self, entry: Entry) -> list[Entry]:
        if entry.n is not None and self.n is not None:
            self.n, self.anchor = max(self.n, entry.n), entry
        return []

    def _reason(self, otherwise: str) -> str:
        return CAME_BACK if self.uncertain else otherwise

    def _shown_was_all(self) -> None:
        self._shown, self._again = dict(self._newest), True

    def _is_of_a_new_writer(self, entry: Entry) -> bool:
        """Whether it numbers from what Redis came back with, and so says nothing of what was lost before."""
        return self.uncertain and entry.seq is not None and (entry.writer, entry.epoch) not in self._newest

    def _is_of_a_newer_epoch(self, entry: Entry) -> bool:
        last = self.anchor.epoch if self.anchor else None
        return last is not None and entry.epoch is not None and entry.epoch > last

    def _came_before(self, entry: Entry) -> bool:
        """Whether it is one that was shown: among the last ones, with this very event, else by who wrote it."""
        same = [other for other in self._recent if other.n == entry.n]
        return any(other.payload == entry.payload for other in same) if same else self._was_shown(entry, self._newest)

    @staticmethod
    def _was_shown(entry: Entry, newest: dict[_Writer, int]) -> bool:
        """Foreign entries cannot be told apart: for all that is known they are new."""
        return entry.seq is not None and entry.seq <= newest.get((entry.writer, entry.epoch), 0)

    def _remember_all(self, entries: list[Entry]) -> None:
        first, last = entries[0], entries[-1]
        if (first.writer, first.epoch) == (last.writer, last.epoch):  # nearly always
            entries = [last]
        for entry in entries:
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        if entry.seq is not None:
            self._newest[entry.writer, entry.epoch] = entry.seq


def gap(ts: int, count: int | None, reason: str) -> Entry:
    """What stands where so many entries are missing; None: nobody knows how many."""
    event = Gap(count=count, reason=reason)
    return Entry("", event, ts, encode(event))


def _follows(n: int | None, raw: list[Entry]) -> bool:
    """Whether the entries are numbered without a break behind `n`."""
    return n is not None and bool(raw) and [entry.n for entry in raw] == list(range(n + 1, n + 1 + len(raw)))


def _conflict(entry: Entry) -> Entry:
    """An entry whose number another one had before: that one counts, and this one is not hidden."""
    reason = f"Its number, {entry.n}, was given to an earlier entry, which counts."
    event = Broken(reason=reason, raw=entry.payload.decode(errors="replace"))
    return Entry(entry.id, event, entry.ts, entry.payload)
