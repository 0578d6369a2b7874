"""When Python looks for garbage: not while it starts, and seldom afterwards."""

from __future__ import annotations

import gc


def rest() -> None:
    """Look for none: what imports make lives as long as the program, and to go through it again and again takes a
    sixth of the start.
    """
    gc.disable()


def resume() -> None:
    """Look for some from now on, but never among what is there by now: that would take 25 ms each time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
