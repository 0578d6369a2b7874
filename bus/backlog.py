"""How far a viewer that catches up is behind."""

from __future__ import annotations

import contextlib
import time

from .errors import AccessDenied
from .stream import Stream, StreamInfo

COUNTED_PAGES, COUNTED_SECONDS = 4, 0.5
"""It is asked after so many pages, and no sooner than so many seconds."""


class Backlog:
    """How many entries a viewer that catches up has not read yet. Asked for now and then, never with every page.

    `whole`: it reads from the beginning, so that entries without numbers can be counted too.
    """

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._asked_at = time.monotonic()
        self._pages = self._read = 0
        self._info: StreamInfo | None = None

    async def count(self, stream: Stream, n: int | None, page: int) -> int:
        """About so many: a page of so many entries was read, the last of which has the number `n`. 0: not known."""
        self._pages += 1
        self._read += page
        now = time.monotonic()
        if self._pages >= COUNTED_PAGES and now - self._asked_at >= COUNTED_SECONDS:
            self._pages, self._asked_at = 0, now
            with contextlib.suppress(AccessDenied):
                self._info = await stream.info()
        if self._info is None or not (n or self._whole):
            return 0
        return max(0, self._info.n - n if n else self._info.length - self._read)
