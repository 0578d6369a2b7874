"""Commands that come for something that is not there: a turn that has not begun, a session that was deleted."""

from __future__ import annotations

import asyncio

import pytest

from bus.redis.keys import SessionKeys
from bus.redis.store import Store
from bus.session import SessionInfo
from tests.support.prompts import SESSION, answer, claimed, prompt, seat
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id=SESSION))).id


async def test_p10_an_interrupt_for_a_prompt_that_waits_does_not_stop_another_turn(store: Store, session: str) -> None:
    async with seat(store) as at:
        for name in ("p1", "p2"):
            await store.submit(session, prompt(name))
        work = await claimed(at)
        stopped = asyncio.create_task(at.interrupted())
        await store.interrupt(session, "for p2", "p2")
        assert not (await store.queue(session)).paused
        await store.interrupt(session, "for p1", "p1")
        assert await stopped == "for p1"
        assert (await store.queue(session)).paused
        await answer(at, work)
        await at.finish(work)
        await store.resume_queue(session)
        assert (await claimed(at)).prompt_id == "p2"


async def test_p10_an_interrupt_that_names_its_prompt_is_for_no_other(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    """As the engine reads it: also where Redis has forgotten which prompts there were."""
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        await claimed(at)
        redis_server.command(f"DEL {SessionKeys(session).prompt_ids}")
        stopped = asyncio.create_task(at.interrupted())
        await store.interrupt(session, "for another", "p0")
        await store.interrupt(session, "for p1", "p1")
        assert await stopped == "for p1"


async def test_a_prompt_by_hand_that_waits_is_not_interrupted(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        await claimed(at)
        by_hand = redis_server.command(f"XADD {SessionKeys(session).prompts} * text hello")
        assert by_hand
        await store.interrupt(session, "ann", by_hand)
        assert not (await store.queue(session)).paused


async def test_nothing_is_kept_for_a_session_that_was_deleted(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    await store.delete_session(session)
    await store.interrupt(session, "ann")
    await store.resume_queue(session)
    await store.put_file(session, b"a file")
    await wait_until(lambda: _keys(redis_server) == {SessionKeys(session).tombstone}, what="only the tombstone")


def _keys(server: RedisServer) -> set[str]:
    found = set[str]()
    for name in ("events", "state", "meta", "prompts", "control", "paused", "lease", "prompt-ids", "tombstone"):
        key = SessionKeys(SESSION).named(name)
        if server.command(f"EXISTS {key}") == "1":
            found.add(key)
    size = int(server.command("DBSIZE"))
    return found if size == len(found) else {*found, f"{size} keys"}
