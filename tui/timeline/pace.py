"""How often the screen is brought up to date."""

from __future__ import annotations

import time

FAST_FRAME = 1 / 60
SLOW_FRAME = 1 / 30
SLOW_FROM = 200
"""Changes per second from which a frame may take longer: nobody reads that fast."""


class Pace:
    """The time between two frames, in seconds: short for few changes, longer for a flood."""

    def __init__(self) -> None:
        self._last_frame = 0.0
        self._began = 0.0
        self._count = 0

    def wait(self, count: int) -> float:
        """`count` changes came: how long until they may be drawn; zero or less is now."""
        now = time.monotonic()
        rate = self._count / max(now - self._began, 0.05)
        if now - self._began > 0.5:
            self._began, self._count = now, count
        else:
            self._count += count
        return self._last_frame + (SLOW_FRAME if rate > SLOW_FROM else FAST_FRAME) - now

    def drawn(self) -> None:
        """A frame is drawn now."""
        self._last_frame = time.monotonic()
