"""Links so slow that much data takes longer than an answer may: it gets through, and dead links are still noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from bus.errors import StoreUnavailable
from bus.events import Info
from bus.memory import MemoryStream
from bus.redis import deadline
from bus.redis.connection import Connection
from bus.redis.store import Store, open_store
from bus.redis.stream import RedisStream
from bus.session import Prompt, SessionInfo
from bus.stream import AppendResult, Batch, Page, StreamInfo
from bus.writer import Writer
from tests.support.prompts import claimed, far_from, seat
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

SHORT = 0.3
"""Seconds, where the deadline of a test is not the real one."""


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(redis_server.socket) as through:
        yield through


@pytest.fixture
async def slow(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """A connection over a link of 200 kB/s."""
    monkeypatch.setattr(deadline, "STALLED_SECONDS", SHORT)
    connection = Connection(proxy.url, client_name="t")
    await connection.greet()
    proxy.rate = 200_000
    yield connection
    proxy.rate = None
    await connection.close()


async def test_r10_an_answer_that_keeps_arriving_is_waited_for(redis_server: RedisServer, slow: Connection) -> None:
    redis_server.command("SETRANGE big 299999 x")
    began = time.monotonic()
    assert len(await slow.call("GET", "big", within=SHORT)) == 300_000
    assert time.monotonic() - began > 1.0


async def test_r09_an_answer_that_stops_arriving_is_given_up(
    redis_server: RedisServer, proxy: Proxy, slow: Connection
) -> None:
    redis_server.command("SETRANGE big 299999 x")
    asyncio.get_running_loop().call_later(0.6, proxy.hold)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="did not answer within"):
        await slow.call("GET", "big", within=SHORT)
    assert 0.6 < time.monotonic() - began < 0.6 + 4 * SHORT
    proxy.release()


async def test_r10_what_takes_long_to_send_has_the_time(slow: Connection) -> None:
    began = time.monotonic()
    assert await slow.call("SET", "big", b"x" * 300_000, within=SHORT) == b"OK"
    assert time.monotonic() - began > 1.0


def test_the_time_to_send_grows_with_the_size_and_has_an_end() -> None:
    assert deadline.sending_seconds(32 * 1024) == 0
    assert 40 < deadline.sending_seconds(900_000) < 50
    assert deadline.sending_seconds(10**9) == 60


async def test_r10_an_entry_of_900_kb_is_written_and_read_over_200_kb_a_second(proxy: Proxy) -> None:
    store = await open_store(proxy.url, client_name="t")
    proxy.rate = 250_000
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="x" * 900_000))
        await writer.flush()
        assert writer.trouble is None
    assert [entry.seq for entry in await store.stream("s1").read()] == [1]
    proxy.rate = None
    await store.close()


async def test_r10_an_idle_viewer_does_not_read_a_big_entry_again(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.reader.BLOCK_SECONDS", 0.05)
    stream = store.stream("s1")
    async with Writer(stream, writer="w", epoch=1) as writer:
        await writer.publish(Info(message="x" * 900_000))
    async with Viewer(store.watch(stream)) as viewer:
        await wait_until(lambda: viewer.entries)
        before, looks = _sent(redis_server), _calls(redis_server, "xinfo")
        await wait_until(lambda: _calls(redis_server, "xinfo") >= looks + 5)
        assert _sent(redis_server) - before < 900_000
    assert await stream.info() == StreamInfo(1, viewer.entries[0].id, viewer.entries[0].id, 1)


class Narrow(MemoryStream):
    """Takes no batch of more than 100 kB."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def append(self, batch: Batch) -> AppendResult:
        self.sizes.append(sum(len(record.payload) for record in batch.records))
        if self.sizes[-1] > 100_000:
            raise StoreUnavailable("too much for this test")
        return await super().append(batch)


async def test_r10_a_batch_that_did_not_get_through_is_tried_in_parts() -> None:
    stream = Narrow()
    async with Writer(stream, writer="w", epoch=1) as writer:
        for _ in range(20):
            await writer.publish(Info(message="x" * 20_000))
    assert max(stream.sizes) > 100_000
    assert [entry.seq for entry in await stream.read()] == list(range(1, 21))


async def test_an_engine_reads_a_history_of_big_events_few_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    async with Writer(store.stream("s1"), writer="w", epoch=0) as writer:
        for i in range(60):
            await writer.publish(Info(message=f"{i} " + "x" * 100_000))
    counts: list[int] = []
    fetch = RedisStream.fetch

    async def counted(stream: RedisStream, after: str, count: int) -> Page:
        counts.append(count)
        return await fetch(stream, after, count)

    monkeypatch.setattr(RedisStream, "fetch", counted)
    async with store.seat("s1", engine_id="e1") as at:
        texts = [event.message async for event in at.history() if isinstance(event, Info)]
    assert [text.split()[0] for text in texts] == [str(i) for i in range(60)]
    assert max(counts) <= 64


async def test_the_queue_is_read_few_prompts_at_a_time_and_without_the_one_that_is_answered(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create_session(SessionInfo(id="s1"))
    for i in range(60):
        await store.submit("s1", Prompt(id=f"p{i}", text="x" * 100_000, author="a"))
    counts: list[int] = []
    call = Connection.call

    async def counted(connection: Connection, *command: str | int, within: float = 3.0) -> object:
        if command[0] == "XRANGE":
            counts.append(int(command[-1]))
        return await call(connection, *command, within=within)

    async with store.seat("s1", engine_id="e1") as at:
        await at.next_work()
        monkeypatch.setattr(Connection, "call", counted)
        queue = await store.queue("s1")
    assert [prompt.id for prompt in queue.prompts] == [f"p{i}" for i in range(1, 60)]
    assert counts
    assert max(counts) <= 64


async def test_an_idle_viewer_does_not_read_prompts_again(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.reader.BLOCK_SECONDS", 0.05)
    monkeypatch.setattr("bus.reader.BESIDE_SECONDS", 0.05)
    await store.create_session(SessionInfo(id="s1"))
    async with store.seat("s1", engine_id="e1", lease_seconds=60) as at:
        for name in ("p1", "p2"):
            await store.submit("s1", Prompt(id=name, text="x" * 500_000, author="a"))
        await at.next_work()
        async with Viewer(store.watch("s1")) as viewer:
            await wait_until(lambda: viewer.queues)
            await _rounds(redis_server, 5)
            before = _sent(redis_server)
            await _rounds(redis_server, 10)
            assert _sent(redis_server) - before < 500_000  # less than the waiting prompt once
            await store.withdraw("s1", "p2")
            await wait_until(lambda: not viewer.queues[-1].prompts)


async def test_a_prompt_waits_again_when_its_engine_is_gone(redis_server: RedisServer, store: Store) -> None:
    """Nothing stirs when a lease runs out."""
    await store.create_session(SessionInfo(id="s1"))
    await store.submit("s1", Prompt(id="p1", text="hi", author="a"))
    async with far_from(redis_server, store) as far, seat(far.store) as at:
        await claimed(at)
        async with Viewer(store.watch("s1")) as viewer:
            await wait_until(lambda: viewer.leases and viewer.leases[-1])
            assert not viewer.queues[-1].prompts
            far.proxy.cut()
            await wait_until(lambda: viewer.queues[-1].prompts)


async def _rounds(server: RedisServer, count: int) -> None:
    """Wait until the lease was looked at so often."""
    seen = _calls(server, "get")
    await wait_until(lambda: _calls(server, "get") >= seen + count)


def _calls(server: RedisServer, command: str) -> int:
    for line in server.command("INFO commandstats").splitlines():
        if line.startswith(f"cmdstat_{command}:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


def _sent(server: RedisServer) -> int:
    (line,) = (line for line in server.command("INFO stats").splitlines() if "total_net_output_bytes" in line)
    return int(line.split(":")[1])
