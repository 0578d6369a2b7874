"""How a long history is read: in pages that fit the link, the next one ahead, and how far behind the viewer is."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from bus import reader
from bus.codec import encode
from bus.events import Gap, Info, Log
from bus.feed import EntriesRead, FeedItem
from bus.memory import MemoryStream
from bus.pages import FIRST, MOST, MOST_BYTES, Pace, Pages
from bus.reader import BareStream, follow
from bus.redis.connection import ANSWER_SECONDS, Connection
from bus.redis.node import Command
from bus.redis.store import Store, open_store
from bus.redis.stream import RedisStream
from bus.stream import START, Batch, Entry, Page, Record
from bus.timeline import Timeline
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until


def notes(first: int, last: int, size: int = 0) -> Batch:
    records = [Record(encode(Info(message=str(i), data={"fill": "x" * size})), 1) for i in range(first, last + 1)]
    return Batch("w", 1, first, records)


def numbers(first: int, last: int) -> list[str]:
    return [str(i) for i in range(first, last + 1)]


async def fill(store: Store, count: int) -> None:
    for first in range(1, count + 1, 250):
        await store.stream("s1").append(notes(first, min(first + 249, count)))


def calls(redis_server: RedisServer, command: str, which: str = "calls") -> int:
    """How often the server was sent that command."""
    stats = redis_server.command("INFO commandstats").partition(f"cmdstat_{command}:")[2].splitlines()
    return int(stats[0].partition(f"{which}=")[2].partition(",")[0]) if stats else 0


async def chunks(items: AsyncIterator[FeedItem]) -> list[EntriesRead]:
    """What was read until there was no more."""
    read: list[EntriesRead] = []
    async for item in items:
        if isinstance(item, EntriesRead):
            read.append(item)
            if item.caught_up:
                break
    return read


# -- the pace --------------------------------------------------------------------------------------------------


def test_where_pages_come_fast_they_grow() -> None:
    pace = Pace()
    for _ in range(5):
        pace.arrived(pace.count, 0.01)
    assert pace.count == MOST


def test_a_long_way_is_not_taken_for_a_narrow_one() -> None:
    pace = Pace()
    for _ in range(6):
        pace.arrived(pace.count, 0.5)
    assert pace.count == MOST


def test_a_page_that_was_no_full_one_says_nothing() -> None:
    pace = Pace()
    pace.arrived(3, 0.01)
    assert pace.count == FIRST


def test_where_pages_come_slowly_or_not_at_all_they_shrink_to_what_fits() -> None:
    pace = Pace()
    pace.arrived(FIRST, 2.4)
    assert pace.count == FIRST // 2
    for _ in range(3):
        pace.failed()
    assert pace.count == 1


def test_big_entries_come_few_at_a_time() -> None:
    pace = Pace()
    pace.weighed(FIRST, 2 * MOST_BYTES)
    assert pace.count == FIRST // 2
    pace.weighed(1, 5 * MOST_BYTES)
    assert pace.count == 1


async def test_r10_over_a_slow_link_every_page_comes_in_time(redis_server: RedisServer, store: Store) -> None:
    await store.stream("s1").append(notes(1, 40, size=750))
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="t")
        proxy.rate, proxy.delay = 10_000, 0.02
        async with Viewer(far.watch(far.stream("s1"))) as viewer:
            await viewer.sees(*numbers(1, 40))  # all at once would take four seconds
            assert [state.status for state in viewer.states] == ["connecting", "live"]
            assert len(viewer.chunks[1].entries) < FIRST
        await far.close()


# -- reading ahead ---------------------------------------------------------------------------------------------


class Told(MemoryStream):
    """Tells what is done when."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def fetch(self, after: str, count: int) -> Page:
        page = await super().fetch(after, count)
        self.told.append(f"fetch {count}")

        def decode(begin: int, end: int) -> list[Entry]:
            self.told.append("decode")
            return page.decode(begin, end)

        return Page(page.length, page.last_id, decode)


async def test_the_next_page_is_asked_for_before_the_last_one_is_decoded() -> None:
    stream = Told()
    await stream.append(notes(1, 30))
    pages = Pages(stream)
    first, more = await pages.read(START)
    assert (len(first), more) == (16, True)
    assert stream.told == ["fetch 16", "fetch 64", "decode"]
    rest, more = await pages.read(first[-1].id)
    assert (len(rest), more) == (14, False)
    assert stream.told == ["fetch 16", "fetch 64", "decode", "decode"]


async def test_what_is_on_its_way_is_not_for_another_position() -> None:
    stream = MemoryStream()
    await stream.append(notes(1, 30))
    pages = Pages(stream)
    first, _ = await pages.read(START)
    again, _ = await pages.read(first[4].id)
    assert again[0].n == 6
    await pages.close()


async def test_a_viewer_that_leaves_in_the_middle_leaves_nothing_behind(store: Store) -> None:
    await fill(store, 500)
    async with aclosing(store.watch(store.stream("s1"))) as items:
        async for item in items:
            if isinstance(item, EntriesRead):
                assert len(asyncio.all_tasks()) == 2
                break
    assert len(asyncio.all_tasks()) == 1


async def test_long_decoding_leaves_time_for_others(store: Store) -> None:
    many = {f"field {i}": ["value"] * 5 for i in range(60)}
    for first in range(1, 2000, 250):
        records = [Record(encode(Log(message="m", fields=many)), 1)] * 250
        await store.stream("s1").append(Batch("w", 1, first, records))
    held: list[float] = []
    gc.freeze()  # as the app does

    async def tick() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            held.append(time.thread_time() - began)

    ticking = asyncio.create_task(tick())
    began = time.thread_time()
    read = await chunks(store.watch(store.stream("s1")))
    taken = time.thread_time() - began
    ticking.cancel()
    assert sum(len(chunk.entries) for chunk in read) == 2000
    assert max(held) < max(0.02, taken / 5)


# -- how far behind --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("foreign", [False, True])
async def test_a_viewer_that_catches_up_says_how_far_it_is_behind(
    redis_server: RedisServer, store: Store, foreign: bool
) -> None:
    if foreign:
        connection = Connection(redis_server.url, client_name="t")
        await connection.call_many([("XADD", "other", "*", "t", "x")] * 2400)
        await connection.close()
    else:
        await fill(store, 2400)
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="t")
        proxy.delay = 0.06
        read = await chunks(far.watch(far.stream_at("other") if foreign else far.stream("s1")))
        await far.close()
    seen, said = 0, 0
    for chunk in read:
        seen += len(chunk.entries)
        assert chunk.behind in (0, 2400 - seen)
        said += chunk.behind > 0
    assert said >= 2
    assert calls(redis_server, "xinfo") <= len(read) // 4


# -- where reading begins --------------------------------------------------------------------------------------


async def test_a_viewer_that_failed_in_the_middle_goes_on_exactly_there(store: Store) -> None:
    """The cursor moves when the event is on the timeline, and not before."""
    await fill(store, 60)
    timeline, after = Timeline(), START

    async def show(fail_at: int) -> None:
        nonlocal after
        async with aclosing(store.watch(store.stream("s1"), after=after)) as items:
            async for item in items:
                if not isinstance(item, EntriesRead):
                    continue
                for entry in item.entries:
                    if entry.n == fail_at:
                        raise RuntimeError("the screen broke")
                    timeline.apply(entry.event, entry.id, entry.ts)
                    shown.append(entry.n)
                    after = entry.id
                if item.caught_up:
                    return

    shown: list[int | None] = []
    for fail_at in (1, 10, 17, 40):
        with pytest.raises(RuntimeError):
            await show(fail_at)
    await show(0)
    assert shown == list(range(1, 61))


async def test_what_was_trimmed_at_the_beginning_is_told_as_such(redis_server: RedisServer, store: Store) -> None:
    await fill(store, 30)
    redis_server.command("XTRIM riffle:{s1}:events MAXLEN 4")
    (chunk,) = await chunks(store.watch(store.stream("s1")))
    assert chunk.entries[0].event == Gap(count=26, reason="What came before this is no longer stored.")
    assert [entry.n for entry in chunk.entries[1:]] == [27, 28, 29, 30]


async def test_r17_what_was_trimmed_while_a_viewer_was_away_is_a_gap(redis_server: RedisServer, store: Store) -> None:
    await fill(store, 30)
    entries = await store.stream("s1").read()
    redis_server.command("XDEL riffle:{s1}:events", entries[11].id, entries[12].id)
    (chunk,) = await chunks(store.watch(store.stream("s1"), after=entries[10].id))
    assert chunk.entries[0].event == Gap(count=2, reason="They are no longer in the stream.")
    redis_server.command("XTRIM riffle:{s1}:events MAXLEN 4")
    (chunk,) = await chunks(store.watch(store.stream("s1"), after=entries[10].id))
    assert chunk.entries[0].event == Gap(count=None, reason="What came before this is no longer stored.")
    assert [entry.n for entry in chunk.entries[1:]] == [27, 28, 29, 30]
    (chunk,) = await chunks(store.watch(store.stream("s1"), after=entries[-3].id))
    assert [entry.n for entry in chunk.entries] == [29, 30]


# -- what a stream can become ----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle reader looks again soon."""
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    monkeypatch.setattr(reader, "LOST_SECONDS", 0.1)


@pytest.mark.usefixtures("quick")
async def test_r21_who_may_only_read_forwards_reads_on_without_knowing_more(
    redis_server: RedisServer, store: Store
) -> None:
    redis_server.command("ACL SETUSER viewer on >pass ~riffle:{s1}:events +xread +xrange")
    far = await open_store(f"unix://viewer:pass@{redis_server.socket}", client_name="t")
    await fill(store, 1)
    async with Viewer(far.watch(far.stream("s1"))) as viewer:
        await viewer.sees("1")
        await wait_until(lambda: calls(redis_server, "xinfo", "rejected_calls") > 1)
        await store.stream("s1").append(notes(2, 2))
        await viewer.sees("1", "2")
        assert viewer.states[-1].status == "live"
    await far.close()


@pytest.mark.usefixtures("quick")
async def test_v09_a_stream_that_is_deleted_and_made_anew_is_read_from_its_beginning(
    redis_server: RedisServer, store: Store
) -> None:
    await fill(store, 3)
    async with Viewer(store.watch(store.stream("s1"))) as viewer:
        await viewer.sees("1", "2", "3")
        redis_server.command("DEL riffle:{s1}:events riffle:{s1}:state")
        await viewer.sees("1", "2", "3", "gap None")
        await store.stream("s1").append(Batch("other", 2, 1, notes(1, 2).records))
        await viewer.sees("1", "2", "3", "gap None", "1", "2")


@pytest.mark.usefixtures("quick")
async def test_r16_a_key_that_becomes_something_else_is_said(redis_server: RedisServer, store: Store) -> None:
    await fill(store, 1)
    async with Viewer(store.watch(store.stream("s1"))) as viewer:
        await viewer.sees("1")
        redis_server.command("SET riffle:{s1}:events text")
        await wait_until(lambda: viewer.states[-1].status == "denied")
    assert "not a stream" in viewer.states[-1].detail


async def test_an_idle_reader_never_waits_without_end(redis_server: RedisServer, store: Store) -> None:
    connection = Listening(redis_server.url, client_name="t")
    await fill(store, 600)
    async with Viewer(follow(BareStream(RedisStream(connection, "riffle:{s1}:events")))) as viewer:
        await viewer.sees(*numbers(1, 600))
        await wait_until(lambda: any(command[0] == "XREAD" for command, _ in connection.sent))
    await connection.close()
    reads = [command for command, _ in connection.sent if command[0] in ("XREAD", "XRANGE")]
    assert all("COUNT" in command and "$" not in command for command in reads)
    assert all(int(command[command.index("BLOCK") + 1]) > 0 for command in reads if "BLOCK" in command)
    # A connection that died without a word is noticed within three seconds.
    assert all(within <= 3.0 for _, within in connection.sent)


class Listening(Connection):
    """Keeps what is sent, and how long that may take."""

    def __init__(self, url: str, *, client_name: str) -> None:
        super().__init__(url, client_name=client_name)
        self.sent: list[tuple[Command, float]] = []

    async def call_many(self, commands: Sequence[Command], within: float = ANSWER_SECONDS) -> list[Any]:
        self.sent += [(command, within) for command in commands]
        return await super().call_many(commands, within)
