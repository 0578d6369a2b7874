"""What `riffle tail` prints of a text in which entries are missing: the mark at the hole, and nothing twice."""

from __future__ import annotations

import io

import pytest

from bus.events import Event, Final, Gap, Partial, RunFinished, RunStarted, Start
from bus.meta import Correlation, Metadata
from bus.stream import Entry
from bus.timeline import Timeline
from tui.cli.transcript import Transcript

META = Metadata(message_id="m1", turn_id="t1")
BEFORE: list[Event] = [RunStarted(meta=META), Start(meta=META)]
GAP = Gap(count=1, reason="They are no longer in the stream.")
AFTER: list[Event] = [Final(meta=META, text="One two three four five six."), RunFinished(meta=META)]
HOLE = "[gap] 1 entry is missing here. They are no longer in the stream."


def say(delta: str, offset: int) -> Partial:
    where = Correlation(segment_id="m1:1")
    return Partial(meta=Metadata(message_id="m1"), correlation=where, delta=delta, offset=offset)


BEFORE.append(say("One two ", 0))
BEHIND: list[Event] = [say("five ", 19), say("six.", 24)]


@pytest.mark.parametrize(
    ("chunks", "printed"),
    [
        # Read at once, what the end of the answer says of the hole is known before it is printed.
        ([[*BEFORE, GAP, *BEHIND, *AFTER]], ["One two three four ", HOLE, "five six."]),
        (
            [BEFORE, [GAP], BEHIND, AFTER],
            ["One two ", HOLE, "five six.", "[This was missing above:]", "three four "],
        ),
    ],
    ids=["at once", "live"],
)
def test_the_mark_is_printed_at_the_hole_and_nothing_twice(chunks: list[list[Event]], printed: list[str]) -> None:
    timeline, place, number = Timeline(), io.StringIO(), 0
    transcript = Transcript(place, place)
    for chunk in chunks:
        entries = [Entry(f"{(number := number + 1)}-0", event, number) for event in chunk]
        transcript.show(timeline.apply_all(entries))
        transcript.flush()
    transcript.finish()
    transcript.flush()
    assert [line for line in place.getvalue().split("\n") if line] == printed
