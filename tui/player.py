"""The clock of a replay: which entries of a recording should be on the screen now.

Pure: it reads the time from a function that it is given, and never waits.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

SPEEDS = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0)


class Player:
    """Plays entries whose writer's times are `times_ms`, in order.

    Positions count entries: 0 is before the first, `len(times_ms)` the end. Recording time is in seconds from the
    first entry; pauses longer than `idle_limit` seconds are cut down to it, and a clock that went backwards is a
    pause of 0. `speed` is recording seconds per second, `inf` shows the end at once.
    """

    def __init__(
        self,
        times_ms: Sequence[int],
        *,
        speed: float = 1.0,
        idle_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._due_at = _schedule(times_ms, idle_limit)
        self._clock = clock
        self.speed = speed
        self.paused = False
        self._time = 0.0
        self._since = clock()
        self._steps = 0
        self.position = 0
        """Entries that were handed out."""
        if speed == float("inf"):
            self.speed = 1.0
            self.show_end()

    @property
    def total(self) -> float:
        """Seconds of the whole recording at speed 1."""
        return self._due_at[-1] if self._due_at else 0.0

    @property
    def elapsed(self) -> float:
        """Where in the recording the clock stands, in seconds at speed 1."""
        if self.paused:
            return self._time
        return min(self.total, self._time + (self._clock() - self._since) * self.speed)

    @property
    def ended(self) -> bool:
        """Whether all entries were handed out."""
        return self.position >= len(self._due_at)

    def take(self) -> range:
        """The indexes of the entries that are due now and were not handed out yet."""
        if self.paused:
            due = min(len(self._due_at), self.position + self._steps)
        else:
            due = max(self.position, bisect_right(self._due_at, self.elapsed))
        self._steps = 0
        taken = range(self.position, due)
        self.position = due
        return taken

    def wait(self) -> float | None:
        """Seconds until the next entry is due; None while nothing will come by itself."""
        if self.paused or self.ended:
            return None
        return max(0.0, (self._due_at[self.position] - self.elapsed) / self.speed)

    def toggle(self) -> None:
        """Pause, or go on."""
        self._settle()
        self.paused = not self.paused

    def step(self) -> None:
        """Pause, with one more entry shown (one, even where many are of the same moment)."""
        self._settle()
        self.paused = True
        ahead = self.position + self._steps
        if ahead < len(self._due_at):
            self._steps += 1
            self._time = max(self._time, self._due_at[ahead])

    def change_speed(self, steps: int) -> None:
        """Go `steps` up (or down) in `SPEEDS`."""
        self._settle()
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - self.speed))
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, nearest + steps))]

    def show_end(self) -> None:
        """Make all entries due."""
        self._settle()
        self.paused = False
        self._time = self.total

    def _settle(self) -> None:
        """Fold the running time into `_time`, so that speed or pause can change from here on."""
        self._time = self.elapsed
        self._since = self._clock()


def _schedule(times_ms: Sequence[int], idle_limit: float | None) -> list[float]:
    due: list[float] = []
    at = 0.0
    for i, ms in enumerate(times_ms):
        pause = max(0.0, (ms - times_ms[i - 1]) / 1000) if i else 0.0
        at += pause if idle_limit is None else min(pause, idle_limit)
        due.append(at)
    return due
