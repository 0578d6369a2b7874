"""What is right: everything that was reported as published, once and in order, or a gap in its very place.

Allowed are two kinds of gap. One with a count stands where records are missing, and counts them exactly: those that
the stream has lost for good, never one that is still there. One without a count says that Redis came back without its
newest events: once for each time that data were destroyed, whether or not something was lost that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bus.events import Gap
from bus.stream import Entry

from .engine import Ledger, Place
from .script import numbers
from .world import OVERTAKEN


class Truth:
    """What was published, known by its numbers, and what of it the stream holds in the end."""

    def __init__(
        self, ledger: Ledger, last: int, stream: Iterable[Entry], *, removed: set[int], replacements: int
    ) -> None:
        self.last = last
        self.replacements = replacements
        self.place: dict[int, Place] = {}
        """The record of each number that any writer has sent."""
        self.certain: set[int] = set()
        """The numbers that an engine knows to be published."""
        for place, event in ledger.records.items():
            for number in numbers(event):
                self.place[number] = place
                if ledger.has_acked(place):
                    self.certain.add(number)
        self.kept: set[Place] = {
            (entry.epoch or 0, entry.seq or 0)
            for entry in stream
            if not isinstance(entry.event, Gap) and entry.n not in removed
        }
        """The records that are there for everybody to see."""


@dataclass
class Verdict:
    """What one viewer showed, compared with the truth. `problems` says what is wrong, in words."""

    shown: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    overtaken: int = 0
    gaps: int = 0
    marks: int = 0
    missing: int = 0
    """Numbers that are behind a gap, rightly."""
    problems: list[str] = field(default_factory=list[str])

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.problems or self.lost or self.duplicated or self.reordered or self.overtaken)


class _Judge:
    def __init__(self, truth: Truth, first: int) -> None:
        self.truth = truth
        self.verdict = Verdict()
        self.seen: set[int] = set()
        self.newest = first - 1
        self.counts: list[int | None] = []

    def take(self, entry: Entry) -> None:
        verdict = self.verdict
        if isinstance(entry.event, Gap):
            self.counts.append(entry.event.count)
            return
        verdict.shown += 1
        for number in numbers(entry.event):
            if number >= OVERTAKEN:
                verdict.overtaken += 1
            elif number in self.seen:
                verdict.duplicated += 1
            elif not self.seen and number <= self.newest:
                # What was before the place where it began was lost, and written again behind that.
                self.newest = number
            elif number < self.newest:
                verdict.reordered += 1
            else:
                self.reach(number)
            self.seen.add(number)

    def reach(self, number: int) -> None:
        """All between the newest number and this one is missing; is a gap there, and is it right?"""
        counted = [count for count in self.counts if count is not None]
        self.verdict.gaps += len(counted)
        self.verdict.marks += len(self.counts) - len(counted)
        missing = range(self.newest + 1, number)
        if missing or counted:
            self.check(missing, counted)
        self.newest, self.counts = number, []

    def check(self, missing: Sequence[int], counted: Sequence[int]) -> None:
        truth, verdict = self.truth, self.verdict
        where = f"before number {missing.stop if isinstance(missing, range) else 0}"
        certain = [number for number in missing if number in truth.certain]
        records = {truth.place[number] for number in certain}
        # An engine that was replaced does not know of its last records whether they were written.
        maybe = {truth.place[number] for number in missing if number in truth.place} - records
        if counted and not len(records) <= sum(counted) <= len(records) + len(maybe):
            verdict.problems.append(f"gap of {sum(counted)} {where}, where {len(records)} records are missing")
        if records & truth.kept:
            kept = [number for number in certain if truth.place[number] in truth.kept]
            verdict.lost += len(kept)
            verdict.problems.append(f"{len(kept)} numbers not shown {where} that are still in the stream")
        elif certain and not self.counts:
            verdict.lost += len(certain)
            verdict.problems.append(f"{len(certain)} numbers are missing {where}, and no gap is there")
        else:
            verdict.missing += len(certain)


def judge(truth: Truth, shown: Iterable[Entry], *, first: int = 1) -> Verdict:
    """Compare what a viewer was shown, that had to show everything from the number `first` on."""
    judging = _Judge(truth, first)
    for entry in shown:
        judging.take(entry)
    judging.reach(truth.last + 1)
    verdict = judging.verdict
    if verdict.marks > truth.replacements:
        verdict.problems.append(
            f"Redis came back {verdict.marks} times, where data were destroyed {truth.replacements} times"
        )
    return verdict
