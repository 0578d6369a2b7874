"""What is missing in a stream is shown: from the reader's gap to the marker on the timeline, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from bus import reader
from bus.codec import encode
from bus.entities import GapMarker, Notice
from bus.events import Gap, Log, RunFinished
from bus.feed import EntriesRead, LeaseChanged
from bus.reader import read_all
from bus.redis.connection import Connection
from bus.redis.keys import SessionKeys
from bus.redis.store import Store
from bus.retry import insist
from bus.session import EngineLease, Prompt, SessionInfo
from bus.stream import Batch, Entry, Record
from bus.timeline import Timeline
from bus.writer import Writer
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis

Shown = list[str | int | None]


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


def shown(entries: Sequence[Entry]) -> Shown:
    """What the timeline shows of all that a viewer was given: messages, and of gaps their counts."""
    timeline = Timeline()
    timeline.apply_all(entries)
    kept: Shown = []
    for entity in timeline.entities:
        match entity:
            case GapMarker():
                kept.append(entity.count)
            case Notice():
                kept.append(entity.message)
            case _:
                pass
    return kept


async def log(writer: Writer, *messages: str) -> None:
    for message in messages:
        await writer.publish(Log(message=message))
    await writer.flush()


async def test_r18_holes_are_shown_each_with_its_count(redis_server: RedisServer, store: Store, session: str) -> None:
    stream = store.stream(session)
    await stream.append(Batch("w", 1, 1, [Record(encode(Log(message=str(i))), 1) for i in range(1, 9)]))
    entries = await stream.read()
    redis_server.command("XDEL riffle:{s1}:events", *(entries[i].id for i in (0, 2, 3, 6)))
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: shown(viewer.entries) == [1, "2", 2, "5", "6", 1, "8"])


async def test_r04_a_redis_that_came_back_older_is_shown_once(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await log(writer, "1", "2")
        old = redis_server.save_data()
        await log(writer, "3")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3"])
        redis_server.restart(data=old)
        await log(writer, "4")
        await wait_until(lambda: shown(viewer.entries)[3:])
        assert shown(viewer.entries) == ["1", "2", "3", "4"]  # the writer has written it again: nothing is missing


async def test_r05_a_viewer_that_was_behind_is_told_how_much_it_misses_itself(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    stream, entries = store.stream(session), list[Entry]()
    async with Writer(stream, writer="w", epoch=1) as writer:
        await log(writer, "1")
        async for item in store.watch(stream):
            entries += item.entries if isinstance(item, EntriesRead) else []
            if shown(entries) == ["1"]:
                # It takes nothing more for a while; meanwhile a turn is written, ends, and is lost.
                await log(writer, "2", "3")
                await writer.publish(RunFinished())
                await writer.flush()
                redis_server.command("FLUSHALL")
                await log(writer, "5")
            elif shown(entries)[-1:] == ["5"]:
                break
    assert shown(entries) == ["1", 3, "5"]


@pytest.mark.one_redis
async def test_r05_what_is_missing_is_counted_also_after_redis_was_seen_empty(
    redis_server: RedisServer, store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LOST_SECONDS", 0.1)
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    stream, entries = store.stream(session), list[Entry]()
    async with Writer(stream, writer="w", epoch=1) as writer:
        await log(writer, "1")
        async for item in store.watch(stream):
            entries += item.entries if isinstance(item, EntriesRead) else []
            if shown(entries) == ["1"] and not writer.newest:
                await log(writer, "2", "3")
                await writer.publish(RunFinished())
                await writer.flush()
                redis_server.command("FLUSHALL")
            elif shown(entries) == ["1", None] and writer.newest:
                await log(writer, "5")
            elif shown(entries)[-1:] == ["5"]:
                break
    assert shown(entries) == ["1", None, 3, "5"]


async def test_r05_a_lost_end_is_counted_as_soon_as_the_engine_that_wrote_it_has_heard_of_the_loss(
    redis_server: RedisServer, store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    entries, leases = list[Entry](), list[LeaseChanged]()
    async with store.seat(session, engine_id="e", lease_seconds=0.6) as seat:
        await log(seat.sink, "1")
        async for item in store.watch(session):
            entries += item.entries if isinstance(item, EntriesRead) else []
            leases += [item] if isinstance(item, LeaseChanged) else []
            if shown(entries) == ["1"] and seat.sink.newest == 0:
                await log(seat.sink, "2", "3")
                await seat.sink.publish(RunFinished())
                await seat.sink.flush()
                redis_server.command("FLUSHALL")
            elif shown(entries) == ["1", 3]:
                break
    assert not any(item.sure for item in leases if item.lease is None)


async def test_r18_a_hole_is_not_told_again_when_redis_came_back(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await log(writer, "1", "2", "3")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3"])
        redis_server.command("XDEL riffle:{s1}:events", (await store.stream(session).read())[1].id)
        old = redis_server.save_data()
        await log(writer, "4")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3", "4"])
        redis_server.restart(data=old)
        await log(writer, "5")
        await wait_until(lambda: shown(viewer.entries)[-1:] == ["5"])
        assert shown(viewer.entries) == ["1", "2", "3", "4", "5"]


async def test_r05_what_an_earlier_engine_wrote_and_redis_lost_is_counted_for_who_comes_late(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Writer(store.stream(session), writer="old", epoch=1) as old:
        await log(old, "1", "2", "3")
    async with Writer(store.stream(session), writer="new", epoch=2) as new:
        await log(new, "4")
        redis_server.command("FLUSHALL")
        await log(new, "5")
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: shown(viewer.entries) == [3, "4", "5"])


async def test_r05_who_writes_where_the_fence_was_lost_hides_nothing_of_the_engine_that_took_over(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    stream = store.stream(session)
    async with (
        Viewer(store.watch(session)) as viewer,
        Writer(stream, writer="old", epoch=1) as old,
        Writer(stream, writer="new", epoch=2) as new,
    ):
        await log(old, "1", "2")
        await log(new, "3")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3"])
        redis_server.command("FLUSHALL")
        await log(old, "late 1", "late 2", "late 3")
        await wait_until(lambda: shown(viewer.entries)[-1:] == ["late 3"])
        await log(new, "4")
        await wait_until(lambda: shown(viewer.entries)[-1:] == ["4"])
        assert shown(viewer.entries) == ["1", "2", "3", None, "late 1", "late 2", "late 3", None, "4"]


async def test_r18_what_is_missing_right_behind_the_place_where_reading_begins_is_counted(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Writer(store.stream(session), writer="w", epoch=1) as writer:
        await log(writer, "1", "2", "3")
    first, second, _ = await store.stream(session).read()
    redis_server.command("XDEL riffle:{s1}:events", second.id)
    async with Viewer(store.watch(session, after=first.id)) as viewer:
        await wait_until(lambda: shown(viewer.entries) == [1, "3"])


async def test_r04_who_began_later_is_not_shown_what_was_before(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Writer(store.stream(session), writer="old", epoch=1) as old:
        await log(old, "1", "2")
    saved = redis_server.save_data()
    async with Writer(store.stream(session), writer="new", epoch=2) as new:
        await log(new, "3")
        after = (await store.stream(session).read())[-1].id
        async with Viewer(store.watch(session, after=after)) as viewer:
            await log(new, "4")
            await wait_until(lambda: shown(viewer.entries) == ["4"])
            redis_server.restart(data=saved)
            await wait_until(lambda: shown(viewer.entries) == ["4", None])
            await log(new, "5")
            await wait_until(lambda: shown(viewer.entries)[-1:] == ["5"])
            assert shown(viewer.entries) == ["4", None, "5"]


async def test_v09_a_stream_that_was_made_anew_is_shown_once(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    before = await store.session(session)
    assert before
    async with Viewer(store.watch(session)) as viewer, store.seat(session, engine_id="e", lease_seconds=0.6) as seat:
        await log(seat.sink, "1", "2")
        await seat.sink.publish(RunFinished())
        await seat.sink.flush()
        await wait_until(lambda: len(viewer.entries) == 3)
        redis_server.restart(empty=True)
        # The engine makes the session anew, whose stream then has another random id.
        await wait_until(lambda: _made_anew(store, before))
        await store.submit(session, Prompt(id="p1", text="more", author="ann@box"))
        await seat.next_work()
        await wait_until(lambda: viewer.leases[-1] and viewer.leases[-1].busy)
        await log(seat.sink, "4")
        await wait_until(lambda: shown(viewer.entries)[2:])
        assert shown(viewer.entries) == ["1", "2", "4"]


async def _made_anew(store: Store, before: SessionInfo) -> bool:
    info = await insist(lambda: store.session("s1"))
    return bool(info and info.stream_epoch not in ("", before.stream_epoch))


@pytest.mark.timeout(20)
async def test_r05_who_comes_late_reads_past_what_an_engine_from_before_wrote(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    stream = store.stream(session)
    async with Writer(stream, writer="old", epoch=1) as old, Writer(stream, writer="new", epoch=2) as new:
        await log(old, "1", "2", "3")
        await log(new, "4", "5")
        redis_server.command("FLUSHALL")
        await log(old, "late")
        await log(new, "6")
    wanted: Shown = ["1", "2", "3", "late", None, "4", "5", "6"]
    assert shown(await read_all(stream)) == wanted
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: shown(viewer.entries) == wanted)


@pytest.mark.timeout(20)
async def test_where_only_the_numbers_were_lost_everything_is_shown(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    stream = store.stream(session)
    async with Viewer(store.watch(session)) as viewer:
        async with Writer(stream, writer="old", epoch=5) as old:
            await log(old, "1", "2", "3")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3"])
        redis_server.command("DEL riffle:{s1}:state")
        async with Writer(stream, writer="new", epoch=6) as new:
            await log(new, "4", "5")
        await wait_until(lambda: shown(viewer.entries) == ["1", "2", "3", None, "4", "5"])
    assert shown(await read_all(stream)) == ["1", "2", "3", None, "4", "5"]


async def test_r05_who_claims_a_session_after_a_total_loss_is_above_all_who_had_it_before(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    epochs = list[int]()
    for engine, lost in (("a", "FLUSHALL"), ("b", "DEL riffle:{s1}:lease"), ("c", "DEL riffle:{s1}:lease")):
        async with store.seat(session, engine_id=engine) as seat:
            epochs.append(seat.epoch)
        redis_server.command(lost)
        await store.create_session(SessionInfo(id=session))
    assert epochs[0] < epochs[1] < epochs[2]
    ahead = epochs[2] + 3_600_000  # as of a server whose clock was wrong
    redis_server.command(f"HSET riffle:{{s1}}:state e {ahead}")
    async with store.seat(session, engine_id="d") as seat:
        assert seat.epoch == ahead + 1


# -- what is missing at the end --------------------------------------------------------------------------------


async def ten(store: Store, session: str) -> None:
    async with Writer(store.stream(session), writer="w", epoch=1) as writer:
        await log(writer, *(str(i) for i in range(1, 11)))


@pytest.mark.parametrize("how", ["XTRIM riffle:{s1}:events MAXLEN 0", "DEL riffle:{s1}:events"])
async def test_r17_a_stream_of_which_nothing_is_left_is_a_gap(
    redis_server: RedisServer, store: Store, session: str, how: str
) -> None:
    await ten(store, session)
    redis_server.command(how)
    assert shown(await read_all(store.stream(session))) == [10]
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="x", epoch=2) as writer:
        await wait_until(lambda: shown(viewer.entries) == [10])
        await log(writer, "11")
        await wait_until(lambda: shown(viewer.entries) == [10, "11"])
    assert shown(await read_all(store.stream(session))) == [10, "11"]


async def test_r18_what_is_deleted_at_the_end_is_a_gap_at_once(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    await ten(store, session)
    entries = await store.stream(session).read()
    redis_server.command("XDEL riffle:{s1}:events", *(entry.id for entry in entries[7:]))
    kept: Shown = [str(i) for i in range(1, 8)]
    read = await read_all(store.stream(session))
    assert shown(read) == [*kept, 3]
    async with Viewer(store.watch(session, after=entries[4].id)) as viewer:
        await wait_until(lambda: shown(viewer.entries) == ["6", "7", 3])
        assert [chunk.caught_up for chunk in viewer.chunks] == [True]


async def test_r05_what_a_busy_engine_may_write_again_is_not_counted_before_its_turn_is_over(
    redis_server: RedisServer, store: Store, session: str, raw: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    monkeypatch.setattr(reader, "BESIDE_SECONDS", 0.05)
    await ten(store, session)
    entries = await store.stream(session).read()
    redis_server.command("XDEL riffle:{s1}:events", *(entry.id for entry in entries[7:]))
    lease = EngineLease(engine_id="e", epoch=1, host="h", pid=1, version="1", busy=True, started_ms=0)
    await raw.call("SET", SessionKeys(session).lease, json.dumps(asdict(lease)))
    async with Viewer(store.watch(session, after=entries[4].id)) as viewer:
        await wait_until(lambda: viewer.chunks and viewer.chunks[-1].caught_up)
        assert shown(viewer.entries) == ["6", "7"]
        await raw.call("SET", SessionKeys(session).lease, json.dumps(asdict(replace(lease, busy=False))))
        await wait_until(lambda: shown(viewer.entries) == ["6", "7", 3])


COMES_AND_GOES = """
local id = redis.call('XADD', KEYS[1], '*', 'a', 'b')
redis.call('XDEL', KEYS[1], id)
return redis.call('HINCRBY', KEYS[2], 'n', 4)
"""


async def test_r18_a_viewer_that_waits_is_told_of_what_nobody_can_read_and_not_of_what_it_has_seen(
    redis_server: RedisServer, store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    await ten(store, session)
    async with Viewer(store.watch(store.stream(session))) as viewer:
        await wait_until(lambda: len(viewer.entries) == 10)
        redis_server.command("XTRIM riffle:{s1}:events MAXLEN 0")
        redis_server.command(f'EVAL "{COMES_AND_GOES}" 2'.replace("\n", " "), "riffle:{s1}:events riffle:{s1}:state")
        await wait_until(lambda: shown(viewer.entries)[10:] == [4])
        async with Writer(store.stream(session), writer="x", epoch=2) as writer:
            await log(writer, "15")
        await wait_until(lambda: shown(viewer.entries)[10:] == [4, "15"])


async def test_r18_of_a_stream_without_numbers_a_lost_end_is_a_gap_without_a_count(
    redis_server: RedisServer, store: Store
) -> None:
    for i in (1, 2, 3):
        redis_server.command(f"XADD other {i}-0 t x")
    redis_server.command("XDEL other 3-0")
    read = await read_all(store.stream_at("other", text_field="t"))
    assert [entry.event.type for entry in read] == ["partial", "partial", "riffle-gap"]
    assert read[-1].event == Gap(count=None, reason="They are no longer in the stream.")
    assert await read_all(store.stream_at("nothing", text_field="t")) == []
