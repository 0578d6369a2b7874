"""Server-sent events out of the bytes of an HTTP response.

The SDKs' own readers drop what an answer's end is told from: openai swallows `[DONE]` and the rest of a chunk that
holds an error, anthropic every event without an `event:` line. So the bodies are read here, by the WHATWG rules: an
event ends at an empty line, and one that the connection cuts off is no event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    """Takes bytes in any pieces, gives the `data` of each complete event. Bad UTF-8 raises UnicodeDecodeError.

    The events before it are given first.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._data: list[str] = []
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The events that `chunk` completes, to be read to the end."""
        half_an_end = bool(self._held) and self._held[-1].endswith(b"\r")
        self._held.append(chunk)
        if not half_an_end and not _LINE_END.search(chunk):
            return  # a large event arrives in many pieces: each is searched once
        body = b"".join(self._held)
        kept = b"\r" if body.endswith(b"\r") else b""  # it may be half of \r\n
        *lines, rest = _LINE_END.split(body.removesuffix(kept))
        self._held = [rest + kept] if rest or kept else []
        for line in lines:
            if event := self._line(line):
                yield event

    def close(self) -> Iterator[str]:
        """The event that the end of the body completes: only where its lines end in \\r."""
        if self._held and self._held[-1].endswith(b"\r"):
            yield from self.feed(b"\n")

    def _line(self, line: bytes) -> str:
        """The event that `line` completes; empty: none, or one without data, which some servers send to stay alive."""
        if self._first:
            self._first, line = False, line.removeprefix(_BOM)
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if any(line.strip() for line in data) else ""
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode())
        return ""
