"""A writer while Redis is away or slow: a flood of events, and leaving without waiting for ever."""

from __future__ import annotations

import time

from bus.entities import AssistantText
from bus.events import Final, Info, Partial
from bus.meta import Metadata
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from bus.timeline import Timeline
from bus.writer import JOURNAL_BYTES, Writer
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

FLOOD = 20_000
META = Metadata(message_id="m1")


async def test_p08_a_producer_that_is_faster_than_redis_loses_nothing_and_needs_little(
    redis_server: RedisServer, store: Store
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    writer = Writer(store.stream("s1"), writer="w", epoch=1)
    offset = 0
    async with writer:
        redis_server.stop()
        began = time.monotonic()
        for number in range(FLOOD):
            if number % 1000 == 500:
                await writer.publish(Info(meta=META, message=f"note {number}"))
            delta = f"{number} "
            await writer.publish(Partial(meta=META, delta=delta, offset=offset))
            offset += len(delta)
        rate = FLOOD / (time.monotonic() - began)
        held = writer.waiting_bytes
        redis_server.cont()
        await writer.publish(Final(meta=META))
    entries = await store.stream("s1").read(count=5000)
    timeline = Timeline()
    timeline.apply_all(entries)
    texts = [str(entity.text) for entity in timeline.entities if isinstance(entity, AssistantText)]
    assert "".join(texts) == "".join(f"{number} " for number in range(FLOOD))
    assert [entry.event.message for entry in entries if isinstance(entry.event, Info)] == [
        f"note {number}" for number in range(500, FLOOD, 1000)
    ]
    assert len(entries) < FLOOD / 50
    assert held < JOURNAL_BYTES
    assert rate > 10_000, f"{rate:.0f} events/s"


# -- leaving ---------------------------------------------------------------------------------------------------


async def test_a_writer_that_is_left_while_redis_is_away_says_how_many_events_are_lost(
    redis_server: RedisServer, store: Store
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    writer = Writer(store.stream("s1"), writer="w", epoch=1)
    await writer.publish(Info(message="written"))
    await writer.flush()
    redis_server.kill9()
    for number in range(5):
        await writer.publish(Info(message=f"lost {number}"))
    await writer.publish(Partial(meta=META, delta="lost "))
    await writer.publish(Partial(meta=META, delta="too", offset=5))
    began = time.monotonic()
    assert await writer.aclose(patience=0.3) == 6
    assert time.monotonic() - began < 2
    redis_server.start()
    assert [entry.event.message for entry in await store.stream("s1").read()] == ["written"]  # type: ignore[attr-defined]


async def test_a_writer_that_is_left_writes_the_rest_however_long_that_takes_while_it_goes_on(
    redis_server: RedisServer, store: Store
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    writer = Writer(store.stream("s1"), writer="w", epoch=1)
    for number in range(8000):
        await writer.publish(Info(message=f"{number}"))
    began = time.monotonic()
    assert await writer.aclose(patience=0.2) == 0
    assert time.monotonic() - began > 0.2, "this proves nothing: make it more events"
    assert (await store.stream("s1").info()).length == 8000


async def test_an_engine_leaves_its_seat_at_once_while_redis_does_not_answer(
    redis_server: RedisServer, store: Store
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="far")
        seat = far.seat("s1", engine_id="e1")
        await seat.__aenter__()
        proxy.silent = True
        for number in range(3):
            await seat.sink.publish(Info(message=f"{number}"))
        began = time.monotonic()
        await seat.__aexit__(None, None, None)
        assert time.monotonic() - began < 3
        assert seat.unwritten == 3
        proxy.silent = False
        await far.close()
    await wait_until(lambda: store.lease("s1"))
