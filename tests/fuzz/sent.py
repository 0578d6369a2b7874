"""What a recording has said: the texts of its events, by where in an event they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bus.events import Event, Partial, PartialThinking


class Sent:
    """All texts so far. Those at the same place of an event belong together, whatever lies between."""

    def __init__(self) -> None:
        self._newest: list[str] = []
        self._places: dict[str, list[str]] = {}

    def take(self, event: dict[str, Any]) -> None:
        """One more event."""
        self._newest = []
        for place, text in _texts(event, ""):
            self._newest.append(_bare(text))
            self._places.setdefault(place, []).append(_bare(text))

    def check(self, said: list[Event]) -> None:
        """No text in `said` that was not sent."""
        for event in said:
            if isinstance(event, Partial | PartialThinking):
                text = _bare(event.completion or event.delta)
                assert self._has(text), f"{text!r} was never sent"

    def _has(self, text: str) -> bool:
        if any(text in newest for newest in self._newest):
            return True
        return any(text in "".join(texts) for texts in self._places.values())


def _bare(text: str) -> str:
    """Without line ends: parts of one thought are joined by a blank line that nobody sent."""
    return text.replace("\n", "")


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case dict():
            for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                yield from _texts(inner, f"{place}.{name}")  # pyright: ignore[reportUnknownArgumentType]
        case list():
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                yield from _texts(inner, place)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            pass
