"""The contract of a stream, over the one in memory and the one in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from bus.codec import encode
from bus.errors import StoreRefused, StoreUnavailable, WrongKeyType
from bus.events import Broken, Partial
from bus.memory import MemoryStream
from bus.redis.keys import SessionKeys
from bus.redis.store import Store, open_store
from bus.redis.stream import RedisStream
from bus.redis_binary import RedisBinary
from bus.stream import START, AppendResult, Batch, Record
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis

AnyStream = MemoryStream | RedisStream


@pytest.fixture(params=["memory", "redis"])
async def stream(request: pytest.FixtureRequest, redis_binary: RedisBinary) -> AsyncIterator[AnyStream]:
    if request.param == "memory":
        yield MemoryStream()
    else:
        server = RedisServer()
        store = await open_store(server.url, client_name="riffle-test")
        yield store.stream("s1")
        await store.close()
        server.close()


def batch(first: int, count: int, *, writer: str = "w", epoch: int = 1, follows: int | None = None) -> Batch:
    records = [Record(encode(Partial(delta=f"{seq} ")), 1000 + seq) for seq in range(first, first + count)]
    return Batch(writer, epoch, first, records, follows)


async def deltas(stream: AnyStream) -> str:
    return "".join(cast(Partial, entry.event).delta for entry in await stream.read())


async def test_an_entry_comes_back_as_it_was_written(stream: AnyStream) -> None:
    assert await stream.append(batch(1, 2)) == AppendResult("ok", 2, 2)
    first, second = await stream.read()
    assert (first.n, first.writer, first.epoch, first.seq, first.ts) == (1, "w", 1, 1, 1001)
    assert first.payload == encode(Partial(delta="1 "))
    assert isinstance(second.event, Partial)
    assert second.event.delta == "2 "


async def test_a_repeated_batch_is_a_duplicate(stream: AnyStream) -> None:
    await stream.append(batch(1, 3))
    assert await stream.append(batch(1, 3)) == AppendResult("duplicate", 3, 3)
    assert await deltas(stream) == "1 2 3 "


async def test_of_a_batch_that_is_partly_there_the_rest_is_added(stream: AnyStream) -> None:
    await stream.append(batch(1, 3))
    assert await stream.append(batch(2, 4)) == AppendResult("ok", 5, 5)
    assert await deltas(stream) == "1 2 3 4 5 "
    assert [entry.n for entry in await stream.read()] == [1, 2, 3, 4, 5]


async def test_a_batch_that_comes_too_early_is_a_gap(stream: AnyStream) -> None:
    await stream.append(batch(1, 2))
    assert await stream.append(batch(4, 1)) == AppendResult("gap", 2, 2)
    assert await stream.append(batch(1, 1, epoch=2)) == AppendResult("ok", 1, 3)
    assert (await stream.append(batch(5, 1, epoch=3))) == AppendResult("gap", 0, 3)


async def test_a_batch_may_say_that_what_is_between_is_lost(stream: AnyStream) -> None:
    await stream.append(batch(1, 2))
    assert await stream.append(batch(9, 1, follows=2)) == AppendResult("ok", 9, 3)
    assert await stream.append(batch(9, 1, follows=2)) == AppendResult("duplicate", 9, 3)


async def test_what_is_written_again_keeps_its_number_and_what_is_lost_leaves_a_hole(stream: AnyStream) -> None:
    first = await stream.append(batch(1, 3, writer="old"))
    second = await stream.append(replace(batch(1, 2, epoch=2), base=first.n))
    assert (second.n, second.n - second.last_seq) == (5, 3)
    assert await stream.append(replace(batch(7, 1, epoch=2, follows=2), base=3)) == AppendResult("ok", 7, 10)
    assert await stream.append(replace(batch(6, 3, epoch=2), base=3)) == AppendResult("ok", 8, 11)
    assert [entry.n for entry in await stream.read()] == [1, 2, 3, 4, 5, 10, 11]


async def test_a_newer_epoch_fences_the_older_one(stream: AnyStream) -> None:
    await stream.append(batch(1, 1))
    assert (await stream.append(batch(1, 1, writer="x", epoch=2))).status == "ok"
    assert (await stream.append(batch(2, 1))).status == "fenced"
    assert (await stream.append(batch(2, 1, writer="w", epoch=2))).status == "fenced"
    assert await deltas(stream) == "1 1 "


async def test_reading_in_chunks_meets_everything_once(stream: AnyStream) -> None:
    await stream.append(batch(1, 25))
    after, seen = START, list[int]()
    while entries := await stream.read(after, 10):
        assert len(entries) <= 10
        seen += [entry.seq or 0 for entry in entries]
        after = entries[-1].id
    assert seen == list(range(1, 26))
    assert [entry.seq for entry in await stream.read_last(3)] == [23, 24, 25]


async def test_waiting_ends_with_what_comes_or_with_nothing(stream: AnyStream) -> None:
    await stream.append(batch(1, 1))
    last = (await stream.read())[-1].id
    assert await stream.wait(last, 0.05) == []
    waiting = asyncio.create_task(stream.wait(last, 10))
    await stream.append(batch(2, 1))
    assert [entry.seq for entry in await waiting] == [2]


async def test_info_knows_both_ends(stream: AnyStream) -> None:
    assert await stream.info() == await MemoryStream().info()
    await stream.append(batch(1, 3))
    entries, info = await stream.read(), await stream.info()
    assert (info.length, info.first_id, info.last_id, info.n) == (3, entries[0].id, entries[-1].id, 3)


async def test_blocks_lie_beside_the_stream(stream: AnyStream) -> None:
    key = stream.block_key()
    await stream.put_block(key, b"big")
    assert await stream.get_block(key) == b"big"
    assert await stream.get_block(stream.block_key()) is None


# -- Redis alone -----------------------------------------------------------------------------------------------


async def test_r01_what_was_acknowledged_survives_kill_9(redis_server: RedisServer, store: Store) -> None:
    stream = store.stream("s1")
    for seq in range(1, 101):
        await stream.append(batch(seq, 1))
    redis_server.restart()
    result = await wait_until(lambda: _try(stream, batch(100, 2)))
    assert result == AppendResult("ok", 101, 101)
    assert [entry.n for entry in await stream.read()] == list(range(1, 102))


async def _try(stream: RedisStream, what: Batch) -> AppendResult | None:
    try:
        return await stream.append(what)
    except StoreUnavailable:
        return None


@pytest.mark.one_redis
async def test_a_halted_server_is_told_in_words_and_may_have_written_all_the_same(
    redis_server: RedisServer, store: Store
) -> None:
    stream = store.stream("s1")
    await stream.append(batch(1, 1))
    redis_server.stop()
    with pytest.raises(StoreUnavailable, match="did not answer within 3 s"):
        await stream.append(batch(2, 1))
    redis_server.cont()
    await stream.append(batch(2, 1))
    assert await deltas(stream) == "1 2 "


async def test_a_deleted_session_takes_nothing_any_more(store: Store) -> None:
    stream = store.stream("s1")
    await stream.append(batch(1, 1))
    await store.delete_session("s1")
    assert (await stream.append(batch(1, 1))).status == "fenced"
    assert await stream.read() == []


async def test_a_foreign_stream_is_read_and_never_written(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("XADD other * payload nonsense")
    redis_server.command("XADD other 99999999999999-5 a b")
    stream = store.stream_at("other")
    broken, unknown = await stream.read()
    assert isinstance(broken.event, Broken)
    assert unknown.event.type == "foreign-entry"
    assert (unknown.id, unknown.ts) == ("99999999999999-5", 99999999999999)
    with pytest.raises(StoreRefused, match="can only be read"):
        await stream.append(batch(1, 1))


async def test_r16_another_type_of_key_is_named(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("SET other text")
    with pytest.raises(WrongKeyType, match=r"'other'.*is not a stream"):
        await store.stream_at("other").read()
    redis_server.command("SET", SessionKeys("s1").events, "text")
    with pytest.raises(WrongKeyType):
        await store.stream("s1").append(batch(1, 1))


async def test_r12_a_full_redis_is_worth_another_try(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("CONFIG SET maxmemory 1")
    with pytest.raises(StoreUnavailable, match="is full"):
        await store.stream("s1").append(batch(1, 1))
    redis_server.command("CONFIG SET maxmemory 0")
    assert (await store.stream("s1").append(batch(1, 1))).status == "ok"
