"""The reader: history, then live, each event once and in order, or a gap that says how many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest

from bus import reader
from bus.codec import encode
from bus.entry import PlainText
from bus.events import Broken, Info, RunFinished
from bus.feed import EntriesRead
from bus.memory import MemoryStream
from bus.reader import BareStream, follow
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from bus.stream import Batch, Record
from bus.writer import Writer
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis


def notes(first: int, messages: Iterable[str], *, epoch: int = 1) -> Batch:
    records = [Record(encode(Info(message=message)), 1) for message in messages]
    return Batch("w", epoch, first, records)


def numbers(first: int, last: int) -> list[str]:
    return [str(i) for i in range(first, last + 1)]


async def test_history_comes_in_chunks_then_what_is_live() -> None:
    stream = MemoryStream()
    await stream.append(notes(1, numbers(1, 1200)))
    async with Viewer(follow(BareStream(stream))) as viewer:
        await viewer.sees(*numbers(1, 1200))
        assert [(len(chunk.entries), chunk.caught_up) for chunk in viewer.chunks] == [
            (16, False), (64, False), (256, False), (500, False), (364, True)
        ]  # fmt: skip
        await stream.append(notes(1201, ["live"]))
        await viewer.sees(*numbers(1, 1200), "live")
    assert [state.status for state in viewer.states] == ["connecting", "live"]


async def test_an_empty_stream_is_caught_up_with_at_once() -> None:
    async with Viewer(follow(BareStream(MemoryStream()))) as viewer:
        await wait_until(lambda: viewer.chunks == [EntriesRead([], caught_up=True)])


async def test_a_viewer_may_begin_anywhere() -> None:
    stream = MemoryStream()
    await stream.append(notes(1, numbers(1, 5)))
    third = (await stream.read())[2].id
    async with Viewer(follow(BareStream(stream), after=third)) as viewer:
        await viewer.sees("4", "5")


async def test_d09_of_two_entries_with_one_number_the_first_counts_and_the_other_is_reported() -> None:
    stream = MemoryStream()
    await stream.append(notes(1, ["1", "2"]))
    ours = {b"w": b"w", b"e": b"1", b"q": b"2", b"n": b"2"}
    stream.put({b"payload": encode(Info(message="2"))} | ours)  # a copy says nothing new
    stream.put({b"payload": encode(Info(message="another"))} | ours)
    await stream.append(notes(3, ["3"]))
    async with Viewer(follow(BareStream(stream))) as viewer:
        await viewer.sees("1", "2", "riffle-broken", "3")
    conflict = viewer.entries[2].event
    assert isinstance(conflict, Broken)
    assert conflict.reason == "Its number, 2, was given to an earlier entry, which counts."
    assert "another" in conflict.raw


async def test_foreign_entries_without_numbers_are_all_shown() -> None:
    stream = MemoryStream()
    for message in ("a", "b", "b"):
        stream.put({b"payload": encode(Info(message=message))})
    async with Viewer(follow(BareStream(stream))) as viewer:
        await viewer.sees("a", "b", "b")


async def test_the_numbers_of_others_mean_nothing() -> None:
    stream = MemoryStream(shape=PlainText("t"))
    for i, number in enumerate((b"0", b"1", b"2", b"2", b"7", b"1")):
        stream.put({b"t": b"%d" % i, b"n": number, b"w": b"w", b"e": b"1", b"q": number})
    async with Viewer(follow(BareStream(stream))) as viewer:
        await viewer.sees("0", "1", "2", "3", "4", "5")


# -- with a real Redis -----------------------------------------------------------------------------------------


async def test_who_may_only_read_streams_is_told_nothing_of_engines(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    redis_server.command("ACL SETUSER viewer on >pass ~riffle:{s1}:events +xread +xrange +xinfo|stream")
    far = await open_store(f"unix://viewer:pass@{redis_server.socket}", client_name="t")
    await store.stream(session).append(notes(1, ["1"]))
    async with Viewer(far.watch(session)) as viewer, store.seat(session, engine_id="e"):
        await viewer.sees("1")
        await store.stream(session).append(notes(1, ["2"], epoch=2**42))
        await viewer.sees("1", "2")
        assert (viewer.leases, viewer.queues) == ([], [])
        assert viewer.states[-1].status == "live"
    await far.close()


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


async def test_r17_a_trimmed_beginning_is_a_gap_with_its_count(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    await store.stream(session).append(notes(1, numbers(1, 10)))
    redis_server.command("XTRIM riffle:{s1}:events MAXLEN 4")
    async with Viewer(store.watch(session)) as viewer:
        await viewer.sees("gap 6", "7", "8", "9", "10")
    assert viewer.entries[0].id == ""


async def test_r18_what_is_deleted_in_the_middle_is_a_gap_with_its_count(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    stream = store.stream(session)
    await stream.append(notes(1, numbers(1, 6)))
    entries = await stream.read()
    redis_server.command("XDEL riffle:{s1}:events", entries[2].id, entries[3].id)
    async with Viewer(store.watch(session)) as viewer:
        await viewer.sees("1", "2", "gap 2", "5", "6")
    assert viewer.entries[2].id == ""


async def test_r17_a_viewer_that_was_overtaken_by_trimming_is_told(redis_server: RedisServer, store: Store) -> None:
    stream = store.stream("s1")
    await stream.append(notes(1, ["1"]))
    items = store.watch(stream)
    shown: list[str] = []
    async for item in items:
        if not isinstance(item, EntriesRead):
            continue
        shown += [entry.event.message if isinstance(entry.event, Info) else entry.event.type for entry in item.entries]
        if shown == ["1"]:
            # This viewer is slow: meanwhile much comes, and most of it goes.
            await stream.append(notes(2, numbers(2, 9)))
            redis_server.command("XTRIM riffle:{s1}:events MAXLEN 2")
        elif shown[-1:] == ["9"]:
            break
    assert shown == ["1", "riffle-gap", "8", "9"]


async def test_r01_a_restart_with_data_is_seen_only_in_the_state(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="1"))
        await viewer.sees("1")
        redis_server.kill9()
        await wait_until(lambda: viewer.states[-1].status == "reconnecting")
        assert "cannot be reached" in viewer.states[-1].detail or "closed the connection" in viewer.states[-1].detail
        assert viewer.states[-1].retry_at
        redis_server.start()
        await writer.publish(Info(message="2"))
        await viewer.sees("1", "2")
    assert viewer.states[-1].status == "live"


async def test_r03_a_redis_that_comes_back_empty_is_noticed_and_the_running_turn_is_exact(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        for message in ("1", "2", "3"):
            await writer.publish(Info(message=message))
        await viewer.sees("1", "2", "3")
        redis_server.restart(empty=True)
        await writer.publish(Info(message="4"))
        await viewer.sees("1", "2", "3", "4")
        async with Viewer(store.watch(session)) as late:
            await late.sees("1", "2", "3", "4")


async def test_r04_a_redis_that_comes_back_older_is_noticed_and_exact(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        for message in ("1", "2"):
            await writer.publish(Info(message=message))
        await writer.flush()
        old = redis_server.save_data()
        await writer.publish(Info(message="3"))
        await viewer.sees("1", "2", "3")
        redis_server.restart(data=old)
        await writer.publish(Info(message="4"))
        await viewer.sees("1", "2", "3", "4")


async def test_r03_a_loss_that_the_engine_cannot_mend_is_shown_with_its_count(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Writer(store.stream(session), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="1"))
        await writer.publish(RunFinished())
        await writer.flush()
        redis_server.restart(empty=True)
        await writer.publish(Info(message="3"))
        await writer.flush()
        async with Viewer(store.watch(session)) as viewer:
            await viewer.sees("gap 2", "3")


async def test_r05_flushall_under_a_viewer_is_noticed(redis_server: RedisServer, store: Store, session: str) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="1"))
        await viewer.sees("1")
        redis_server.command("FLUSHALL")
        await writer.publish(Info(message="2"))
        await viewer.sees("1", "2")


async def test_replies_cut_anywhere_lose_and_double_nothing(redis_server: RedisServer) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        direct = await open_store(redis_server.url, client_name="t")
        async with Viewer(store.watch(store.stream("s1"))) as viewer:
            for i, cut in enumerate(range(1, 240, 8)):
                proxy.cut_after, marked, losses = cut, proxy.marked, proxy.losses
                proxy.lose_replies_to = b"riffle:{s1}:events"
                # The first entry answers the read that was under way, the second the one whose reply is cut.
                await direct.stream("s1").append(notes(2 * i + 1, [str(2 * i + 1)]))
                await wait_until(lambda marked=marked: proxy.marked > marked)
                await direct.stream("s1").append(notes(2 * i + 2, [str(2 * i + 2)]))
                await wait_until(lambda losses=losses: proxy.losses > losses)
                proxy.lose_replies_to = None
                await viewer.sees(*numbers(1, 2 * i + 2))
        await store.close()
        await direct.close()


async def test_r16_a_refusal_is_said_in_words_and_asked_again(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("SET other text")
    hurry = asyncio.Event()
    async with Viewer(store.watch(store.stream_at("other"), hurry=hurry)) as viewer:
        await wait_until(lambda: viewer.states and viewer.states[-1].status == "denied")
        assert "'other'" in viewer.states[-1].detail
        redis_server.command("DEL other")
        hurry.set()
        await wait_until(lambda: viewer.states[-1].status == "live", timeout=reader.DENIED_SECONDS - 1)


@pytest.mark.one_redis
async def test_a_deleted_session_is_said(store: Store, session: str) -> None:
    await store.stream(session).append(notes(1, ["1"]))
    async with Viewer(store.watch(session)) as viewer:
        await viewer.sees("1")
        await store.delete_session(session)
        await wait_until(lambda: viewer.ended)
        assert viewer.texts == ["1"]  # and no gap: nothing is missing
    assert "was deleted" in viewer.states[-1].detail


@pytest.mark.one_redis
async def test_an_idle_reader_costs_next_to_nothing(store: Store, session: str) -> None:
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: viewer.chunks)
        cpu, began = time.process_time(), time.monotonic()
        await wait_until(lambda: time.monotonic() - began > 2.5 and viewer, timeout=10)
    # The polling of this test itself is most of it.
    assert time.process_time() - cpu < 0.3
