"""Server-sent events out of the bytes of an HTTP response.

The SDKs' own readers drop what an answer's end is told from: openai swallows `[DONE]` and the rest of a chunk that
holds an error, anthropic every event without an `event:` line. So the bodies are read here, by the WHATWG rules: an
event ends at an empty line, and one that the connection cuts off is no event.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    """Takes bytes in any pieces, gives the `data` of each complete event. Bad UTF-8 raises UnicodeDecodeError."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The events that `chunk` completes."""
        half_an_end = bool(self._held) and self._held[-1].endswith(b"\r")
        self._held.append(chunk)
        if not half_an_end and not _LINE_END.search(chunk):
            return []  # a large event arrives in many pieces: each is searched once
        body = b"".join(self._held)
        kept = b"\r" if body.endswith(b"\r") else b""  # it may be half of \r\n
        *lines, rest = _LINE_END.split(body.removesuffix(kept))
        self._held = [rest + kept] if rest or kept else []
        return [event for line in lines if (event := self._line(line)) is not None]

    def close(self) -> list[str]:
        """The event that the end of the body completes: only where its lines end in \\r."""
        return self.feed(b"\n") if self._held and self._held[-1].endswith(b"\r") else []

    def _line(self, line: bytes) -> str | None:
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if data else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode())
        return None
