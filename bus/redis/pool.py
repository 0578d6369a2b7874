"""The pool: sessions that any engine may answer, and how engines find those that need one.

An engine that finds a session notes when somebody shall look whether its engine is still there; so the prompts of one
that died are found again about when its lease ends. These notes and the list of sessions with new prompts are hints:
a scan now and then finds what they have missed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ..errors import StoreUnavailable
from ..retry import insist
from .connection import Connection
from .keys import READY, TAKEN, SessionKeys
from .sessions import Sessions

POPS_SECONDS = 2.0
"""How long to wait for a new prompt before looking at anything else."""
SHORTEST_POP_SECONDS = 0.05
SCANS_SECONDS = 30.0
TAKE_SECONDS = 2.0
"""How long an engine that has found a session may need to get its lease."""
DUE_AT_ONCE = 20


class Pool:
    """The sessions in one Redis that any engine may answer."""

    def __init__(self, connection: Connection, sessions: Sessions) -> None:
        self._connection = connection
        self._sessions = sessions

    async def offer(self, session_id: str) -> None:
        """Prompts wait in the session: wake one engine."""
        await self._connection.call("ZADD", READY, _now_ms(), session_id)

    async def waiting(self, note: Callable[[StoreUnavailable | None], None]) -> AsyncGenerator[str, None]:
        """Sessions with prompts and without an engine, for ever; waits while Redis is away, and tells `note` why.

        A hint: another engine may be faster, and then has the lease.
        """
        scan_at = 0.0
        while True:
            if time.monotonic() >= scan_at:
                found = await insist(self._scan, note)
                scan_at = time.monotonic() + SCANS_SECONDS
            else:
                found = await insist(self._listen, note)
            for session_id in found:
                if await insist(lambda session_id=session_id: self._needs_engine(session_id), note):
                    yield session_id

    async def _scan(self) -> list[str]:
        return [info.id for info in await self._sessions.all() if info.answering == "pool"]

    async def _listen(self) -> list[str]:
        """Sessions worth a look: those whose time has come, else one with a new prompt."""
        noted = await self._connection.call("ZRANGE", TAKEN, 0, DUE_AT_ONCE - 1, "WITHSCORES")
        due_ms = [(session_id, float(ms) - _now_ms()) for session_id, ms in zip(noted[::2], noted[1::2], strict=True)]
        due = [session_id for session_id, ms in due_ms if ms <= 0]
        if due:
            # Whoever takes the note away looks, nobody else.
            return [raw.decode() for raw in due if await self._connection.call("ZREM", TAKEN, raw)]
        seconds = max(SHORTEST_POP_SECONDS, min(POPS_SECONDS, due_ms[0][1] / 1000)) if due_ms else POPS_SECONDS
        popped: Any = await self._connection.call("BZPOPMIN", READY, f"{seconds:.3f}", within=seconds + 1.0)
        return [popped[1].decode()] if popped else []

    async def _needs_engine(self, session_id: str) -> bool:
        """Whether the session has work and nobody for it. Where it has work it is noted for another look."""
        keys = SessionKeys(session_id)
        prompts, paused, held_ms = await self._connection.call_many(
            [("XLEN", keys.prompts), ("EXISTS", keys.paused), ("PTTL", keys.lease)]
        )
        if not prompts:
            return False
        needed = held_ms <= 0 and not paused
        again_ms = TAKE_SECONDS * 1000 if held_ms <= 0 else held_ms
        await self._connection.call("ZADD", TAKEN, _now_ms() + int(again_ms), session_id)
        return needed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
