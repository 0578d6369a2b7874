"""Reasoning that a server writes into the answer itself: `<think>…</think>` at its very start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"

Part = tuple[Literal["thinking", "text"], str]


@dataclass(slots=True)
class ThinkTags:
    """Splits the pieces of an answer into thinking and text, however the tags are cut between the pieces.

    White space next to the tags belongs to neither. An answer that does not start with the tag passes unchanged.
    """

    state: Literal["start", "opened", "thinking", "after", "text"] = "start"
    held: str = ""

    def feed(self, delta: str) -> list[Part]:
        """What is certain after `delta`."""
        if self.state == "text":
            return [("text", delta)]
        self.held += delta
        parts: list[Part] = []
        if self.state == "start":
            self._start()
        if self.state == "opened" and (rest := self.held.lstrip()):
            self.state, self.held = "thinking", rest
        if self.state == "thinking":
            parts += self._think()
        if self.state == "after" and (rest := self.held.lstrip()):
            self.state, self.held = "text", rest
        if self.state == "text":
            parts.append(("text", self.held))
            self.held = ""
        return [part for part in parts if part[1]]

    def close(self) -> list[Part]:
        """What was held back and turned out to be text, or the end of a thought."""
        held, self.held = self.held, ""
        kind: Literal["thinking", "text"] = "thinking" if self.state == "thinking" else "text"
        return [(kind, held)] if held and self.state not in ("opened", "after") else []

    def _start(self) -> None:
        head = self.held.lstrip()
        if head.startswith(_OPEN):
            self.state, self.held = "opened", head.removeprefix(_OPEN)
        elif not _OPEN.startswith(head):
            self.state = "text"

    def _think(self) -> list[Part]:
        thought, tag, rest = self.held.partition(_CLOSE)
        if tag:
            self.state, self.held = "after", rest
            return [("thinking", thought.rstrip())]
        # White space may turn out to stand before the end tag, and so may the first half of the tag itself.
        sure = self.held[:-length] if (length := _overlap(self.held)) else self.held
        sure = sure.rstrip()
        self.held = self.held[len(sure) :]
        return [("thinking", sure)]


def _overlap(text: str) -> int:
    """How many characters at the end of `text` could begin the end tag."""
    return next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
