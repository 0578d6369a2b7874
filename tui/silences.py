"""The long pauses of a recording, in words: who has it read out sees no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bus.feed import EntriesRead, FeedItem
from tui.player import Player

LONG_SECONDS = 10
"""A shorter pause is a pause."""


class Silences:
    """What to say between the entries of a recording, each pause once; nothing where nothing is played."""

    def __init__(self, player: Player | None) -> None:
        self._player = player
        self._seen = 0
        self._last_ms: int | None = None
        self._is_told = False

    def between(self, item: FeedItem) -> Iterator[tuple[str, FeedItem]]:
        """The item in parts, each with what is to be said before it."""
        if self._player is None or not isinstance(item, EntriesRead):
            yield "", item
            return
        self._seen += len(item.entries)
        said, begin = "", 0
        for at, entry in enumerate(item.entries):
            pause = 0 if self._last_ms is None else (entry.ts - self._last_ms) // 1000
            self._last_ms = entry.ts
            if pause >= LONG_SECONDS and not self._is_told:
                if at > begin:
                    yield said, replace(item, entries=item.entries[begin:at], caught_up=False)
                said, begin = _words(pause), at
            self._is_told = False
        yield said, replace(item, entries=item.entries[begin:])

    def ahead(self) -> str:
        """What is to be said of the pause that begins now."""
        if self._player is None or self._player.position > self._seen:
            return ""  # what is due comes in parts, and more of it comes at once
        wait = self._player.wait()
        if wait is None or wait * self._player.speed < LONG_SECONDS:
            return ""
        self._is_told = True
        return _words(round(wait * self._player.speed))


def _words(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours:,} h" * bool(hours), f"{minutes} min" * bool(minutes), f"{rest} s" * (bool(rest) and not hours)]
    return f"Note: nothing for {' '.join(filter(None, parts))}."
