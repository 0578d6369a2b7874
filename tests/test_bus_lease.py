"""The lease when what it depends on is faulty."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bus.redis.connection import Connection, Script
from bus.redis.keys import SessionKeys
from bus.redis.lease import Lease
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


async def test_a_fault_in_keeping_it_is_a_loss_of_the_lease(redis_server: RedisServer) -> None:
    async def broken() -> None:
        raise RuntimeError("no such thing")

    connection = Connection(redis_server.url, client_name="t")
    lease = Lease(
        connection, SessionKeys("s1"), engine_id="e1", version="", seconds=0.15, on_forgotten=broken
    )  # a session that Redis does not know is a forgotten one
    await lease.claim()
    await wait_until(lambda: lease.lost)
    assert "s1 cannot be held: RuntimeError: no such thing" in str(lease.lost)
    await lease.release()
    await connection.close()


class Lossy(Connection):
    """The first renewal of a lease gets lost on its way."""

    losses = 0

    async def run(self, script: Script, keys: Sequence[str], *args: Any, within: float = 3.0) -> Any:
        if "PEXPIRE" in script.text and not self.losses:
            self.losses += 1
            async with self._in_words(("EVALSHA",), within):
                await asyncio.Event().wait()
        return await super().run(script, keys, *args, within=within)


async def test_r09_one_renewal_that_gets_lost_is_no_loss_of_the_lease(redis_server: RedisServer) -> None:
    async def forgotten() -> None:
        pass

    connection = Lossy(redis_server.url, client_name="t")
    keys = SessionKeys("s1")
    lease = Lease(connection, keys, engine_id="e1", version="", seconds=1.5, on_forgotten=forgotten)
    await lease.claim()
    await wait_until(lambda: connection.losses)

    def is_there_and_renewed() -> bool:
        left = int(redis_server.command(f"PTTL {keys.lease}"))
        assert left > 0, "the lease has run out"
        return left > 1200

    await wait_until(is_there_and_renewed)
    assert lease.lost is None
    await lease.release()
    await connection.close()
