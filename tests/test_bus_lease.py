"""The lease when what it depends on is faulty."""

from __future__ import annotations

from bus.redis.connection import Connection
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
