"""The lease: which engine answers a session now, and how everybody sees that it is alive.

Its owner renews it three times in its lifetime, and soon again where that failed. Each claim begins a new epoch, which
fences the writes of every engine before it, however late they come.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from ..errors import BusError, LeaseTaken, StoreUnavailable
from ..retry import backoff
from ..session import EngineLease
from .connection import ANSWER_SECONDS, Connection, Script
from .keys import SessionKeys
from .sessions import deleted

RELEASE_SECONDS = 0.5

_CLAIM, _RENEW, _RELEASE = Script("lease_claim"), Script("lease_renew"), Script("lease_release")


class Lease:
    """One engine's hold on one session. `note` is told why Redis does not answer, and None when it does."""

    def __init__(
        self,
        connection: Connection,
        keys: SessionKeys,
        *,
        engine_id: str,
        version: str,
        seconds: float,
        on_forgotten: Callable[[], Awaitable[None]],
        trouble: Callable[[], str] = lambda: "",
        newest: Callable[[], int] = lambda: 0,
        note: Callable[[StoreUnavailable | None], None] = lambda trouble: None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._seconds = seconds
        self._on_forgotten = on_forgotten
        self._trouble = trouble
        self._newest = newest
        self._note = note
        self._task: asyncio.Task[None] | None = None
        self.held = EngineLease(
            engine_id=engine_id,
            epoch=0,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version,
            busy=False,
            started_ms=time.time_ns() // 1_000_000,
        )
        self.lost: BusError | None = None

    async def claim(self) -> int:
        """Become the session's engine; the new epoch. Raises `LeaseTaken` while another engine is alive there."""
        keys = self._keys
        reply = await self._connection.run(
            _CLAIM,
            (keys.lease, keys.state, keys.tombstone, keys.control),
            *(self.held.engine_id, self._lifetime_ms, json.dumps(asdict(self.held))),
        )
        match reply:
            case [b"ok", epoch]:
                self.held = replace(self.held, epoch=epoch)
                self._task = asyncio.create_task(self._keep(), name=f"lease of {keys.id}")
                return epoch
            case [b"taken", raw]:
                other = read_lease(raw)
                where = f"{other.host}, process {other.pid}" if other else "another place"
                raise LeaseTaken(
                    f"An engine answers the session {keys.id} already ({where}).",
                    f"Watch it with `riffle attach {keys.id}`.",
                )
            case _:
                raise deleted(keys.id)

    async def set_busy(self, busy: bool) -> None:
        """Tell everybody whether this engine works on a turn."""
        self.held = replace(self.held, busy=busy)
        await self.renew()

    async def release(self) -> None:
        """Give the session up, if Redis answers soon; else the lease runs out by itself."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._connection.run(_RELEASE, (self._keys.lease, self._keys.control), self.held.engine_id)

    @property
    def _lifetime_ms(self) -> int:
        return int(self._seconds * 1000)

    async def _keep(self) -> None:
        try:
            attempt = 0
            while self.lost is None:
                await asyncio.sleep(backoff(attempt - 1) if attempt else self._seconds / 3)
                attempt = 0 if await self.renew() else attempt + 1
        except Exception as error:  # the top frame of this task: an engine must not work on without a lease
            self.lost = BusError(
                f"The session {self._keys.id} cannot be held: {type(error).__name__}: {error}.",
                "This is a fault of the program.",
            )
            self.lost.__cause__ = error

    async def renew(self) -> bool:
        """Keep it for another lifetime; False: Redis did not answer. Afterwards `lost` says whether it is another's."""
        keys = self._keys
        self.held = held = replace(self.held, trouble=self._trouble())
        try:
            answer = await self._connection.run(
                _RENEW,
                (keys.lease, keys.state, keys.tombstone, keys.meta),
                *(held.engine_id, self._lifetime_ms, json.dumps(asdict(held)), held.epoch, self._newest()),
                within=min(ANSWER_SECONDS, self._seconds / 3),  # so that there is time for another try
            )
            if answer == b"forgotten":
                await self._on_forgotten()
        except StoreUnavailable as error:
            self._note(error)
            return False
        except BusError as error:
            self.lost = error
        else:
            self._note(None)
            if answer == b"lost":
                self.lost = LeaseTaken(
                    f"Another engine has taken the session {keys.id} over, or it was deleted.",
                    f"Look at it with `riffle attach {keys.id}`.",
                )
        return True


def read_lease(raw: bytes | None) -> EngineLease | None:
    """The lease as its key holds it; None where there is none or it makes no sense."""
    try:
        found: Any = json.loads(raw or b"null")
        return EngineLease(
            engine_id=str(found["engine_id"]),
            epoch=int(found["epoch"]),
            host=str(found["host"]),
            pid=int(found["pid"]),
            version=str(found["version"]),
            busy=bool(found["busy"]),
            started_ms=int(found["started_ms"]),
            trouble=str(found.get("trouble", "")),
        )
    except (ValueError, TypeError, LookupError):
        return None
