"""How much memory a writer needs: for what waits to be written, and for the texts that it may repeat."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Generator

import pytest

from bus.events import Partial
from bus.journal import Journal
from bus.meta import Metadata
from bus.segments import MAX_CHARS, Segments
from bus.stream import Record

MIB = 2**20
PIECE = 4096


@pytest.fixture
def held() -> Generator[Callable[[], int]]:
    """How many bytes were taken since, and not given back."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    yield lambda: tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()


def test_what_waits_is_counted_with_all_that_it_takes(held: Callable[[], int]) -> None:
    journal = Journal(MIB)
    while journal.waiting_bytes < MIB:
        journal.add(Record(b"%060d" % journal.waiting_records, 1_700_000_000_000 + journal.waiting_records))
    assert held() < 1.1 * MIB


def seal(segments: Segments, message: str, number: int, *, now: float) -> Partial:
    delta = Partial(meta=Metadata(message_id=message), delta=f"{number:{PIECE}}")
    sealed = segments.seal(segments.merge(delta, ts=1, now=now), now=now)
    assert isinstance(sealed, Partial)
    return sealed


def test_a_text_that_is_too_long_to_be_repeated_is_not_kept(held: Callable[[], int]) -> None:
    segments = Segments()
    for number in range(2000):
        sealed = seal(segments, "m", number, now=3 * number)
        assert sealed.offset == number * PIECE
        assert (sealed.completion is not None) == (0 < number < MAX_CHARS // PIECE - 1)
    assert held() < MIB


def test_texts_that_never_end_are_forgotten_one_after_another(held: Callable[[], int]) -> None:
    segments = Segments()
    for number in range(700):
        seal(segments, f"m{number}", 0, now=0)
        assert seal(segments, f"m{number}", 1, now=9).completion
        assert seal(segments, "goes on", number, now=0).offset == number * PIECE
    assert held() < 4 * MIB
