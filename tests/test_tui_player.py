"""The clock of a replay, with a clock that the test turns."""

from __future__ import annotations

import math

import pytest

from tui.player import Player


def near(one: float | None, other: float) -> bool:
    return one is not None and math.isclose(one, other, abs_tol=1e-9)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


TIMES = [1_000, 1_500, 1_500, 11_500]


def test_entries_come_when_they_came(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    assert list(player.take()) == [0]
    assert near(player.wait(), 0.5)
    clock.now += 0.5
    assert list(player.take()) == [1, 2]
    assert near(player.wait(), 10.0)
    clock.now += 20
    assert list(player.take()) == [3]
    assert player.ended
    assert player.wait() is None
    assert (player.elapsed, player.total) == (10.5, 10.5)


def test_long_pauses_are_cut(clock: Clock) -> None:
    player = Player(TIMES, idle_limit=2.0, clock=clock)
    assert near(player.total, 2.5)


def test_speed_counts_from_where_it_changed(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    player.take()
    clock.now += 0.25
    player.change_speed(2)
    assert player.speed == 2.0
    assert near(player.elapsed, 0.25)
    assert near(player.wait(), 0.125)
    player.change_speed(-100)
    assert player.speed == 0.25
    player.change_speed(100)
    assert player.speed == 32


def test_a_pause_stops_the_clock(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    player.take()
    clock.now += 0.2
    player.toggle()
    clock.now += 1_000
    assert (list(player.take()), player.wait()) == ([], None)
    assert near(player.elapsed, 0.2)
    player.toggle()
    assert near(player.wait(), 0.3)


def test_steps_go_one_by_one_even_within_one_moment(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    player.take()
    player.step()
    assert (list(player.take()), player.paused) == ([1], True)
    player.step()
    player.step()
    assert list(player.take()) == [2, 3]
    player.step()
    assert list(player.take()) == []
    assert player.ended


def test_playing_goes_on_after_a_step_from_there(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    player.take()
    player.step()
    player.take()
    player.toggle()
    assert list(player.take()) == [2]
    assert near(player.wait(), 10.0)


def test_the_end_is_shown_at_once(clock: Clock) -> None:
    player = Player(TIMES, clock=clock)
    player.toggle()
    player.show_end()
    assert list(player.take()) == [0, 1, 2, 3]
    assert list(Player(TIMES, speed=float("inf"), clock=clock).take()) == [0, 1, 2, 3]


def test_r24_a_clock_that_went_backwards_is_no_pause(clock: Clock) -> None:
    player = Player([5_000, 1_000, 2_000], clock=clock)
    assert near(player.total, 1.0)


def test_an_empty_recording_is_over(clock: Clock) -> None:
    player = Player([], clock=clock)
    assert (list(player.take()), player.ended, player.wait(), player.total) == ([], True, None, 0.0)
