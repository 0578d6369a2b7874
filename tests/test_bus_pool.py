"""The pool: how engines find the sessions that need one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from bus.redis import pool
from bus.redis.store import Store
from bus.session import SessionInfo
from tests.support.prompts import LEASE_SECONDS, claimed, prompt
from tests.support.redis_server import RedisServer


@pytest.fixture
async def offers(store: Store) -> AsyncIterator[AsyncGenerator[str, None]]:
    """What the pool offers; `s1` to `s3` are in it, `private` is not."""
    for name in ("s1", "s2", "s3"):
        await store.create_session(SessionInfo(id=name, answering="pool"))
    await store.create_session(SessionInfo(id="private"))
    sessions = store.pool_sessions()
    yield sessions
    await sessions.aclose()


async def soon(offers: AsyncGenerator[str, None]) -> str:
    async with asyncio.timeout(5):
        return await anext(offers)


async def nothing(offers: AsyncGenerator[str, None], seconds: float = 0.4) -> asyncio.Future[str]:
    """See that nothing is offered now; what is offered later."""
    asking = asyncio.ensure_future(anext(offers))
    assert not (await asyncio.wait([asking], timeout=seconds))[0]
    return asking


async def test_it_offers_sessions_that_wait_for_an_engine(store: Store, offers: AsyncGenerator[str, None]) -> None:
    await store.submit("private", prompt("p0"))
    await store.submit("s3", prompt("p1"))
    assert await soon(offers) == "s3"
    await store.submit("s2", prompt("p2"))
    assert await soon(offers) in ("s2", "s3")


async def test_the_session_of_a_dead_engine_is_offered_when_its_lease_ends(
    store: Store, offers: AsyncGenerator[str, None]
) -> None:
    await store.submit("s1", prompt("p1"))
    assert await soon(offers) == "s1"
    seat = store.seat("s1", engine_id="dead", lease_seconds=LEASE_SECONDS)
    await seat.__aenter__()
    await claimed(seat)
    # Alive it keeps its session, for more than one lease.
    asking = await nothing(offers, seconds=2 * LEASE_SECONDS)
    await seat.__aexit__(None, None, None)
    async with asyncio.timeout(5):
        assert await asking == "s1"


async def test_a_paused_session_is_offered_when_it_goes_on(store: Store, offers: AsyncGenerator[str, None]) -> None:
    await store.submit("s1", prompt("p1"))
    await store.interrupt("s1", "ann")
    asking = await nothing(offers)
    await store.resume_queue("s1")
    async with asyncio.timeout(5):
        assert await asking == "s1"


async def test_what_no_hint_tells_of_is_found_by_a_scan(
    store: Store, offers: AsyncGenerator[str, None], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SCANS_SECONDS", 0.3)
    asking = await nothing(offers, seconds=0.1)
    redis_server.command("XADD riffle:{s2}:prompts * text by-hand")
    async with asyncio.timeout(5):
        assert await asking == "s2"


async def test_it_waits_through_an_outage(
    store: Store, offers: AsyncGenerator[str, None], redis_server: RedisServer
) -> None:
    asking = await nothing(offers, seconds=0.1)
    redis_server.restart()
    await store.submit("s1", prompt("p1"))
    async with asyncio.timeout(10):
        assert await asking == "s1"


async def test_it_is_no_busy_loop(store: Store, offers: AsyncGenerator[str, None], redis_server: RedisServer) -> None:
    await store.submit("s1", prompt("p1"))
    async with store.seat("s1", engine_id="e1", lease_seconds=LEASE_SECONDS) as seat:
        await claimed(seat)
        before = _commands(redis_server)
        asking = await nothing(offers, seconds=1.5)
        spent = _commands(redis_server) - before
        asking.cancel()
    # Eight renewals of a script are among them; a busy loop makes thousands.
    assert spent < 200, spent


def _commands(server: RedisServer) -> int:
    stats = server.command("INFO stats")
    return int(stats.partition("total_commands_processed:")[2].split()[0])
