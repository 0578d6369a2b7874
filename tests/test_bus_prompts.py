"""Prompts and their engine: queued once, claimed by one, interrupted, taken back, and what happens when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bus.errors import Fenced, LeaseTaken, StoreRefused, StoreUnavailable
from bus.events import Event, Info, ProviderBlock, RunFinished, ToolCallExecute, UserMessage
from bus.redis.lease import Lease
from bus.redis.store import Store, open_store
from bus.session import OnLoss, Prompt, Queue, SessionInfo
from tests.support.prompts import LEASE_SECONDS, Far, claimed, far_from, prompt, seat, waiting
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


@pytest.fixture
async def far(redis_server: RedisServer, store: Store) -> AsyncIterator[Far]:
    async with far_from(redis_server, store) as way:
        yield way


# -- the queue -------------------------------------------------------------------------------------------------


async def test_a_prompt_comes_to_the_engine_as_it_was_sent(store: Store, session: str) -> None:
    sent = Prompt(
        id="p1", text="Was?\n\ud800", author="ann@box", model="m", supersedes="t0", options={"profile": "terse"}
    )
    async with seat(store) as at:
        await store.submit(session, sent)
        work = await claimed(at)
    assert (work.prompt_id, work.text, work.author, work.model) == ("p1", "Was?\n?", "ann@box", "m")
    assert (work.supersedes, work.options, work.deliveries) == ("t0", {"profile": "terse"}, 1)


async def test_a_prompt_that_is_sent_twice_is_queued_once(store: Store, session: str) -> None:
    assert await store.submit(session, prompt("p1"))
    assert not await store.submit(session, prompt("p1"))
    assert await waiting(store) == ["p1"]
    async with seat(store) as at:
        await at.finish(await claimed(at))
        assert not await store.submit(session, prompt("p1"))
    assert await waiting(store) == []


async def test_p05_a_prompt_whose_answer_was_lost_is_queued_once(redis_server: RedisServer, session: str) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        await store.submit(session, prompt("p0"))
        proxy.lose_replies_to = b"prompt-ids"
        with pytest.raises(StoreUnavailable, match="closed the connection"):
            await store.submit(session, prompt("p1"))
        proxy.lose_replies_to = None
        assert not await store.submit(session, prompt("p1"))
        assert await waiting(store) == ["p0", "p1"]
        await store.close()


async def test_a_prompt_that_waits_can_be_taken_back_one_that_is_claimed_not(store: Store, session: str) -> None:
    for name in ("p1", "p2", "p3"):
        await store.submit(session, prompt(name))
    async with seat(store) as at:
        await claimed(at)
        assert await store.withdraw(session, "p1") is None
        assert await store.withdraw(session, "p2") == prompt("p2")
        assert await store.withdraw(session, "p2") is None
        assert await store.withdraw(session, "other") is None
        assert await waiting(store) == ["p3"]


async def test_a_prompt_that_is_too_long_is_refused_in_words(store: Store, session: str) -> None:
    with pytest.raises(StoreRefused, match="longer than 512 KiB"):
        await store.submit(session, prompt("p1", "x" * 600_000))


async def test_a_prompt_by_hand_is_understood(redis_server: RedisServer, store: Store, session: str) -> None:
    redis_server.command("XADD riffle:{s1}:prompts * id h1 text Hello options [1]")
    assert await waiting(store) == ["h1"]
    await store.interrupt(session, "ann@box", "h1")  # it has not begun
    assert not (await store.queue(session)).paused
    async with seat(store) as at:
        work = await claimed(at)
        assert work.text == "Hello"
        await store.submit(session, prompt("p2"))
        await at.finish(work)
        await store.interrupt(session, "ann@box", "h1")  # it has ended, and what waits is another
        assert not (await store.queue(session)).paused


async def test_viewers_see_the_queue_change(store: Store, session: str) -> None:
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: viewer.queues == [Queue()])
        await store.submit(session, prompt("p1"))
        await wait_until(lambda: viewer.queues[-1].prompts == (prompt("p1"),))
        async with seat(store) as at:
            await claimed(at)
            await wait_until(lambda: viewer.queues[-1] == Queue())


# -- interrupts ------------------------------------------------------------------------------------------------


async def test_an_interrupt_reaches_the_engine_with_its_author(store: Store, session: str) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        work = await claimed(at)
        stopped = asyncio.create_task(at.interrupted())
        await store.interrupt(session, "bob@box")
        assert await stopped == "bob@box"
        await at.finish(work)
    assert not (await store.queue(session)).paused


async def test_p10_an_interrupt_from_before_the_claim_is_not_for_this_turn(store: Store, session: str) -> None:
    async with seat(store) as at:
        await store.interrupt(session, "too early")
        await store.submit(session, prompt("p1"))
        await claimed(at)
        stopped = asyncio.create_task(at.interrupted())
        await store.resume_queue(session)
        await store.interrupt(session, "now")
        assert await stopped == "now"


async def test_an_interrupt_holds_the_queue_until_it_is_resumed(store: Store, session: str) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        work = await claimed(at)
        await store.submit(session, prompt("p2"))
        await store.interrupt(session, "bob")
        await at.finish(work)
        assert (await store.queue(session)).paused
        asking = asyncio.create_task(at.next_work())
        assert not (await asyncio.wait([asking], timeout=0.2))[0]
        await store.resume_queue(session)
        work = await asking
        assert work
        assert work.prompt_id == "p2"


async def test_when_the_last_held_prompt_is_taken_back_nothing_is_held(store: Store, session: str) -> None:
    await store.submit(session, prompt("p1"))
    await store.interrupt(session, "bob")
    assert (await store.queue(session)).paused
    await store.withdraw(session, "p1")
    assert await store.queue(session) == Queue()


async def test_p10_an_interrupt_comes_through_when_redis_is_back(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        await claimed(at)
        stopped = asyncio.create_task(at.interrupted())
        redis_server.restart()
        await wait_until(lambda: _interrupt(store), what="the interrupt")
        assert await stopped == "bob"


async def _interrupt(store: Store) -> bool:
    try:
        await store.interrupt("s1", "bob")
    except StoreUnavailable:
        return False
    return True


# -- the seat --------------------------------------------------------------------------------------------------


async def test_an_answer_goes_into_stream_and_meta(store: Store, session: str) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1", "Why?\nBecause."))
        work = await claimed(at)
        lease = await store.lease(session)
        assert lease
        assert (lease.engine_id, lease.busy, lease.epoch) == ("e1", True, at.epoch)
        await at.sink.publish(UserMessage(text=work.text))
        await at.sink.publish(RunFinished())
        await at.finish(work)
        lease = await store.lease(session)
        assert lease
        assert not lease.busy
        assert [event.type async for event in at.history()] == ["riffle-user-message", "run-finished"]
    info = await store.session(session)
    assert info
    assert (info.title, info.model, info.messages, info.live) == ("Why?", "demo", 2, False)


async def test_history_puts_big_blocks_back_in(store: Store, session: str) -> None:
    block = {"encrypted_content": "x" * 1_200_000}
    async with seat(store) as at:
        await at.sink.publish(ProviderBlock(provider="openai", block=block))
        await at.sink.flush()
        (event,) = [event async for event in at.history()]
    assert isinstance(event, ProviderBlock)
    assert event.block == block


async def test_p07_a_second_engine_is_refused_while_the_first_is_alive(store: Store, session: str) -> None:
    async with seat(store):
        with pytest.raises(LeaseTaken, match="answers the session s1 already"):
            await seat(store, "e2").__aenter__()
    async with seat(store, "e2"):
        pass


async def test_nobody_asks_for_long_and_the_engine_may_go(store: Store, session: str) -> None:
    async with seat(store, idle=0.05) as at:
        assert await at.next_work() is None


@pytest.mark.one_redis
async def test_a_lease_is_kept_alive_and_seen_to_end(store: Store, session: str, far: Far) -> None:
    async with Viewer(store.watch(session)) as viewer, seat(far.store) as at:
        await wait_until(lambda: viewer.leases[-1:] and viewer.leases[-1] is not None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3 * LEASE_SECONDS):
                await at.next_work()
        assert await store.lease(session)
        far.proxy.cut()
        await wait_until(lambda: viewer.leases[-1] is None, timeout=LEASE_SECONDS + 3)


async def test_p02_of_two_engines_the_older_is_fenced(store: Store, session: str, far: Far) -> None:
    old = seat(far.store, "old")
    await old.__aenter__()
    await old.sink.publish(Info(message="1"))
    await old.sink.flush()
    await far.die()
    async with seat(store, "new") as new:
        far.proxy.away = False
        assert new.epoch > old.epoch
        await new.sink.publish(Info(message="2"))
        await new.sink.flush()
        await old.sink.publish(Info(message="late"))
        with pytest.raises(Fenced):
            await old.sink.flush()
        with pytest.raises(LeaseTaken):
            await old.next_work()
        assert [event async for event in new.history()] == [Info(message="1"), Info(message="2")]
        with pytest.raises(Fenced):
            await old.sink.publish(Info(message="later"))
        await old.__aexit__(None, None, None)
        assert await store.lease(session)


BEGUN = UserMessage(prompt_id="p1")


@pytest.mark.parametrize(
    ("on_loss", "published", "comes_again"),
    [
        ("stop", [], True),
        ("stop", [BEGUN], False),
        ("retry", [BEGUN], True),
        ("retry", [BEGUN, ToolCallExecute()], False),
        ("retry", [ToolCallExecute(), BEGUN], True),
    ],
)
async def test_p01_what_becomes_of_a_dead_engines_prompt(
    store: Store, session: str, far: Far, on_loss: OnLoss, published: list[Event], comes_again: bool
) -> None:
    dead = seat(far.store, "dead")
    await dead.__aenter__()
    await store.submit(session, prompt("p1", on_loss=on_loss))
    await claimed(dead)
    for event in published:
        await dead.sink.publish(event)
    await dead.sink.flush()
    await far.die()
    await store.submit(session, prompt("p2"))
    async with seat(store, "new") as at:
        work = await claimed(at)
        assert (work.prompt_id, work.deliveries) == (("p1", 2) if comes_again else ("p2", 1))
    await dead.__aexit__(None, None, None)


async def test_a_claim_whose_answer_was_lost_is_claimed_again(redis_server: RedisServer, session: str) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        await store.submit(session, prompt("p1"))
        async with seat(store) as at:
            proxy.lose_replies_to = b"riffle:{s1}:paused"
            asking = asyncio.create_task(at.next_work())
            await wait_until(lambda: proxy.losses)
            proxy.lose_replies_to = None
            work = await asking
        assert work
        assert (work.prompt_id, work.deliveries) == ("p1", 1)
        await store.close()


async def test_a_cancelled_wait_returns_what_it_has_just_claimed(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        assert [event async for event in at.history()] == []
        await store.submit(session, prompt("p1"))
        redis_server.stop()
        asking = asyncio.create_task(at.next_work())
        await asyncio.wait([asking], timeout=0.1)
        asking.cancel()
        await asyncio.wait([asking], timeout=0.1)
        redis_server.cont()
        work = await asking
        assert work
        assert work.prompt_id == "p1"


async def test_a_wait_that_is_cancelled_behind_its_claim_returns_it_too(
    store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = asyncio.Event()

    async def tell_for_long(lease: Lease, busy: bool) -> None:
        telling.set()
        await asyncio.Event().wait()

    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        with monkeypatch.context() as patch:
            patch.setattr(Lease, "set_busy", tell_for_long)
            asking = asyncio.create_task(at.next_work())
            await telling.wait()
            asking.cancel()
            work = await asking
        assert work
        assert work.prompt_id == "p1"


async def test_a_wait_that_has_claimed_nothing_is_cancelled_at_once(store: Store, session: str) -> None:
    async with seat(store) as at:
        asking = asyncio.create_task(at.next_work())
        await asyncio.wait([asking], timeout=0.1)
        asking.cancel()
        await asyncio.wait([asking], timeout=0.5)
        assert asking.cancelled()


async def test_an_engine_outlives_a_redis_that_comes_back_empty(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    before = await store.session(session)
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        work = await claimed(at)
        await at.sink.publish(UserMessage(text=work.text))
        await at.sink.flush()
        redis_server.restart(empty=True)
        await at.sink.publish(RunFinished())
        await at.finish(work)
        assert [event.type async for event in at.history()] == ["riffle-user-message", "run-finished"]
        after = await wait_until(lambda: _known(store))
        assert before
        assert after
        assert after.stream_epoch != before.stream_epoch
        await store.submit(session, prompt("p2"))
        assert (await claimed(at)).prompt_id == "p2"


async def _known(store: Store) -> SessionInfo | None:
    info = await store.session("s1")
    return info if info and info.stream_epoch else None
