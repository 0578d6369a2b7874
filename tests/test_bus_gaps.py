"""What is missing in a stream is shown: from the reader's gap to the marker on the timeline, once."""

from __future__ import annotations

import pytest

from bus.codec import encode
from bus.entities import GapMarker, Notice
from bus.events import Log, RunFinished
from bus.redis.store import Store
from bus.session import Prompt, SessionInfo
from bus.stream import Batch, Record
from bus.timeline import Timeline
from bus.writer import Writer
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

Shown = list[str | int | None]


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


def shown(viewer: Viewer) -> Shown:
    """What the timeline shows of all that the viewer was given: messages, and of gaps their counts."""
    timeline = Timeline()
    timeline.apply_all(viewer.entries)
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


async def test_holes_are_shown_each_with_its_count(redis_server: RedisServer, store: Store, session: str) -> None:
    stream = store.stream(session)
    await stream.append(Batch("w", 1, 1, [Record(encode(Log(message=str(i))), 1) for i in range(1, 9)]))
    entries = await stream.read()
    redis_server.command("XDEL riffle:{s1}:events", *(entries[i].id for i in (0, 2, 3, 6)))
    async with Viewer(store.watch(session)) as viewer:
        await wait_until(lambda: shown(viewer) == [1, "2", 2, "5", "6", 1, "8"])


async def test_a_redis_that_came_back_older_is_shown_once(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await log(writer, "1", "2")
        old = redis_server.save_data()
        await log(writer, "3")
        await wait_until(lambda: shown(viewer) == ["1", "2", "3"])
        redis_server.restart(data=old)
        await log(writer, "4")
        await wait_until(lambda: shown(viewer) == ["1", "2", "3", None, "4"])


async def test_a_stream_that_was_made_anew_is_shown_once(redis_server: RedisServer, store: Store, session: str) -> None:
    before = await store.session(session)
    assert before
    async with Viewer(store.watch(session)) as viewer, store.seat(session, engine_id="e", lease_seconds=0.6) as seat:
        await log(seat.sink, "1", "2")
        await seat.sink.publish(RunFinished())
        await seat.sink.flush()
        await wait_until(lambda: shown(viewer) == ["1", "2"])
        redis_server.restart(empty=True)
        await wait_until(lambda: shown(viewer) == ["1", "2", None])
        # The engine makes the session anew, whose stream then has another random id.
        await wait_until(lambda: _made_anew(store, before))
        await store.submit(session, Prompt(id="p1", text="more", author="ann@box"))
        await seat.next_work()
        await wait_until(lambda: viewer.leases[-1] and viewer.leases[-1].busy)
        await log(seat.sink, "4")
        await wait_until(lambda: shown(viewer) == ["1", "2", None, "4"])


async def _made_anew(store: Store, before: SessionInfo) -> bool:
    info = await store.session("s1")
    return bool(info and info.stream_epoch not in ("", before.stream_epoch))
