"""The order of what is read, without a stream: what is dropped, what is shown, what is said to be missing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bus.events import Broken, Gap, Info
from bus.order import RECENT, Order
from bus.stream import START, Entry, StreamInfo

Shown = list[str | int | None]


def entry(message: str, n: int | None, epoch: int = 1, seq: int | None = None) -> Entry:
    if n is None:
        return Entry("9-0", Info(message=message), 1, message.encode())
    at = f"{n}-{epoch}"
    return Entry(at, Info(message=message), 1, message.encode(), n, f"w{epoch}", epoch, n if seq is None else seq)


def entries(first: int, last: int, epoch: int = 1) -> list[Entry]:
    return [entry(str(n), n, epoch) for n in range(first, last + 1)]


def said(shown: Sequence[Entry]) -> Shown:
    """Messages, and of gaps their counts."""
    found: Shown = []
    for item in shown:
        match item.event:
            case Info(message=message):
                found.append(message)
            case Gap(count=count):
                found.append(count)
            case Broken():
                found.append("broken")
            case _:
                raise AssertionError(item)
    return found


def test_a_newer_epoch_goes_on_with_lower_numbers_behind_one_marker() -> None:
    order = Order(0)
    page = [*entries(1, 4), entry("b0", 4, 2, 1), entry("b1", 5, 2, 2), entry("b2", 6, 2, 3)]
    assert not order.doubts(page)
    assert said(order.take(page)) == ["1", "2", "3", "4", None, "b0", "b1", "b2"]
    assert order.n == 6


def test_of_a_newer_epoch_that_comes_again_only_what_is_new_is_shown() -> None:
    order = Order(0)
    order.take([entry("old", 1), entry("b0", 2, 2, 1), entry("b1", 3, 2, 2)])
    order.begin_again()
    assert said(order.take([entry("old", 1), *[entry(f"late {n}", n) for n in range(2, 6)]])) == [
        None, "late 2", "late 3", "late 4", "late 5"
    ]  # fmt: skip
    assert said(order.take([entry("b0", 2, 2, 1), entry("b1", 3, 2, 2), entry("b2", 4, 2, 3)])) == [None, "b2"]


def test_after_a_loss_only_who_wrote_before_tells_by_numbers_what_is_missing() -> None:
    for order, next_one, said_of_it in (
        (Order(0), entry("4", 4), ["4"]),
        (Order(0), entry("7", 7), [3, "7"]),
        # A new engine numbers from what Redis came back with.
        (Order(0), entry("new", 4, 2, 1), [None, "new"]),
        (Order(0), entry("new", 7, 2, 1), [None, "new"]),
    ):
        order.take(entries(1, 3))
        order.begin_again()
        assert said(order.take([*entries(1, 3), next_one])) == said_of_it


def test_behind_what_was_shown_already_the_numbers_go_on() -> None:
    order = Order(0)
    order.take([*entries(1, 2), entry("b0", 3, 2, 1), entry("b1", 4, 2, 2)])
    order.begin_again()
    page = [*entries(1, 2), entry("late", 3), entry("b0", 3, 2, 1), entry("b1", 4, 2, 2), entry("b2", 5, 2, 3)]
    assert said(order.take(page)) == [None, "late", None, "b2"]


def test_what_an_engine_from_before_says_again_is_dropped_however_long_ago_it_was() -> None:
    order = Order(0)
    order.take([*entries(1, 3), *[entry(f"b{n}", n, 2) for n in range(4, 4 + 2 * RECENT)]])
    assert said(order.take([*entries(1, 3), entry("zombie", 4)])) == ["broken"]


@pytest.mark.parametrize(("n", "doubts"), [(3, True), (4, False), (9, False), (None, False)])
def test_who_comes_with_a_number_that_was_there_may_be_another_stream(n: int | None, doubts: bool) -> None:
    order = Order(0)
    order.take(entries(1, 3))
    assert order.doubts([entry("x", n)]) == doubts
    order.begin_again()
    assert not order.doubts([entry("x", n)])  # it is known already


def test_what_the_stream_said_to_hold_and_does_not_is_missing_once() -> None:
    order = Order(0)
    order.take(entries(1, 3))
    assert said(order.end(StreamInfo(3, "1-1", "3-1", 3), "3-1")) == []
    assert said(order.end(StreamInfo(3, "1-1", "8-1", 8), "3-1")) == [5]
    assert said(order.take([entry("9", 9)])) == ["9"]
    assert said(order.end(StreamInfo(0, START, START, 9), "9-1")) == []


def test_without_numbers_only_the_last_id_tells_that_something_is_missing() -> None:
    order = Order(None)
    order.take([entry("x", None)])
    assert said(order.end(StreamInfo(1, "9-0", "9-0", 0), "9-0")) == []
    assert said(order.end(StreamInfo(1, "9-0", "9-1", 0), "9-0")) == [None]
