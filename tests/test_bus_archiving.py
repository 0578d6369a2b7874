"""Sessions on their way between Redis and the archive: who is moved, and what may happen meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bus.archive import Archive
from bus.archive_file import UNFINISHED
from bus.errors import StoreUnavailable
from bus.redis.connection import Connection
from bus.redis.store import Store, open_store
from bus.retry import insist
from bus.session import Prompt, SessionInfo
from bus.stream import Batch, Record
from tests.support.archived import ALL, NOW, Stepping, everything, files, in_redis, make, put_away
from tests.support.redis_server import RedisServer


def leave_it(path: Path, missing_ok: bool = False) -> None:
    """A process that is killed while it writes takes nothing away."""


# -- who is moved ----------------------------------------------------------------------------------------------


async def test_only_what_ended_long_ago_is_moved(kept: Store, raw: Connection, folder: Path) -> None:
    day = 86_400_000
    now = time.time_ns() // 1_000_000
    for name, days in (("old", 15), ("new", 13), ("asked", 15), ("answered", 15)):
        await kept.create_session(SessionInfo(id=name, updated_ms=now - days * day))
    for name in ("old", "new", "asked", "answered"):
        await raw.call("XADD", f"riffle:{{{name}}}:events", f"{now - 15 * day}-0", "payload", "{}")
    await kept.create_session(SessionInfo(id="said", updated_ms=now - 15 * day))
    await raw.call("XADD", "riffle:{said}:events", "*", "payload", "{}")  # by somebody who keeps no meta
    await kept.submit("asked", Prompt(id="p", text="x", author="me"))
    async with kept.seat("answered", engine_id="e"):
        assert await kept.archiving.tidy(14) == []
    assert files(folder) == ["old.jsonl.gz"]
    assert len(await kept.sessions()) == 5


async def test_what_has_no_archive_moves_nothing(store: Store, raw: Connection) -> None:
    await make(store, raw)
    assert await store.archiving.tidy(0) == []
    assert not await store.archiving.put_away("s1", before_ms=NOW)
    assert "events" in in_redis(await everything(raw))


async def test_only_one_process_tidies_up(kept: Store, raw: Connection, folder: Path) -> None:
    await make(kept, raw)
    with Archive(folder).tidying() as mine:
        assert mine
        assert await kept.archiving.tidy(ALL) == []
        assert files(folder) == []
    left = folder / f".left{UNFINISHED}"
    left.touch()
    os.utime(left, (0, 0))
    assert await kept.archiving.tidy(ALL) == []
    assert files(folder) == ["s1.jsonl.gz"]


async def test_all_keys_are_looked_through_once_for_all_sessions(
    kept: Store, raw: Connection, redis_server: RedisServer, folder: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        await make(kept, raw, name)
        await kept.put_file(name, b"a picture")
    redis_server.command("CONFIG RESETSTAT")
    assert await kept.archiving.tidy(ALL) == []
    assert len(files(folder)) == 4
    assert "cmdstat_scan:calls=2," in redis_server.command("INFO commandstats")  # one of them lists the sessions
    assert [key async for key in raw.scan("riffle:{*}:block:*")] == []


class Slow(Connection):
    """One session takes too long."""

    async def call_many(self, commands: Any, within: float = 3.0) -> list[Any]:
        if any("XRANGE" in command and "riffle:{slow}:events" in command for command in commands):
            raise StoreUnavailable("Redis did not answer.")
        return await super().call_many(commands, within)


async def test_one_session_that_takes_too_long_holds_up_no_other(
    kept: Store, raw: Connection, redis_server: RedisServer, folder: Path
) -> None:
    for name in ("a", "slow", "z"):
        await make(kept, raw, name)
    connection = Slow(redis_server.url, client_name="t")
    (problem,) = await Store(connection, archive=folder).archiving.tidy(ALL)
    assert str(problem) == "The session slow was not moved to a file: Redis did not answer."
    assert files(folder) == ["a.jsonl.gz", "z.jsonl.gz"]
    redis_server.kill9()
    with pytest.raises(StoreUnavailable):
        await Store(connection, archive=folder).archiving.tidy(ALL)
    await connection.close()


async def test_a_file_whose_session_is_back_is_not_counted(kept: Store, raw: Connection, folder: Path) -> None:
    for name in ("away", "back"):
        await make(kept, raw, name)
        await put_away(kept, name)
    await kept.archiving.bring_back("back")
    assert len(files(folder)) == 2
    found = await kept.archiving.kept()
    assert [info.id for info, _ in found.in_redis] == ["back"]
    assert [file.session_id for file in found.in_files] == ["away"]


async def test_what_cannot_be_written_stays_and_is_said(kept: Store, raw: Connection, folder: Path) -> None:
    long = "x" * 250  # with its ending no disk takes that as a name
    await make(kept, raw, long)
    await make(kept, raw, "fine")
    (problem,) = await kept.archiving.tidy(ALL)
    assert str(problem) == f"The session {long} was not moved to a file: File name too long."
    assert "events" in in_redis(await everything(raw, long))
    assert files(folder) == ["fine.jsonl.gz"]


async def test_a_file_stays_for_an_hour_after_its_session_was_brought_back(
    kept: Store, raw: Connection, folder: Path
) -> None:
    await make(kept, raw)
    await put_away(kept)
    path = folder / "s1.jsonl.gz"
    os.utime(path, (0, 0))
    await kept.archiving.bring_back("s1")
    await kept.update_session("s1", updated_ms=NOW)
    assert await kept.archiving.tidy(14) == []
    assert path.exists()
    os.utime(path, (time.time() - 3700, time.time() - 3700))
    assert await kept.archiving.tidy(14) == []
    assert not path.exists()
    assert len(await kept.stream("s1").read()) == 3


async def test_a_server_that_loses_what_was_brought_back_loses_nothing(
    kept: Store, raw: Connection, redis_server: RedisServer
) -> None:
    await make(kept, raw)
    await put_away(kept)
    events = await kept.stream("s1").read()
    await kept.archiving.bring_back("s1")
    redis_server.restart(empty=True)
    assert await insist(lambda: kept.stream("s1").read()) == events
    assert await kept.submit("s1", Prompt(id="p2", text="x", author="me"))
    assert await kept.stream("s1").read() == events
    assert await insist(lambda: raw.call("HGET", "riffle:{s1}:state", "e")) == b"4"


# -- races -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["prompt", "engine", "event", "title", "delete"])
async def test_whatever_comes_while_a_session_is_moved_is_not_lost(
    kept: Store, raw: Connection, redis_server: RedisServer, folder: Path, what: str
) -> None:
    async def act() -> object:
        match what:
            case "prompt":
                return await kept.submit("s1", Prompt(id="p2", text="more", author="me"))
            case "engine":
                return await kept.seat("s1", engine_id="engine-2").__aenter__()
            case "event":
                return await kept.stream("s1").append(Batch("engine-1", 4, 4, [Record(b"{}", 1)]))
            case "title":
                return await kept.rename_session("s1", "Stew")
            case _:
                return await kept.delete_session("s1")

    step = 0
    while True:
        step += 1
        await make(kept, raw)
        connection = Stepping(redis_server.url, step, act)
        moved = await Store(connection, archive=folder).archiving.put_away("s1", before_ms=NOW)
        await connection.close()
        if connection.left > 0:
            break
        info, entries = await kept.session("s1"), await kept.stream("s1").read()
        if what == "delete":
            assert (info, entries, files(folder)) == (None, [], []), step
        else:
            assert info
            assert [entry.n for entry in entries] == [1, 2, 3, 4][: 4 if what == "event" else 3], step
            assert info.title == ("Stew" if what == "title" else "Soup"), step
            assert len((await kept.queue("s1")).prompts) == (what == "prompt"), step
            lease = await kept.lease("s1")
            assert (lease is not None and lease.epoch > 4) == (what == "engine"), step
        await raw.call("FLUSHALL")
        for name in files(folder):
            (folder / name).unlink()
    assert moved
    assert step > 5


async def test_two_who_bring_it_back_at_once_get_one(
    kept: Store, raw: Connection, redis_server: RedisServer, folder: Path
) -> None:
    await make(kept, raw, entries=1000)
    before = await everything(raw)
    await put_away(kept)
    other = await open_store(redis_server.url, client_name="other", archive=folder)
    await asyncio.gather(*(store.archiving.bring_back("s1") for store in (kept, other, kept, other)))
    assert await everything(raw) == before
    await other.close()


# -- crashes ---------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The end of a process, as far as its session is concerned."""


async def crash() -> None:
    raise Crash


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_crash_at_any_point_leaves_the_session_whole(
    kept: Store,
    raw: Connection,
    redis_server: RedisServer,
    folder: Path,
    way: str,
    late: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "unlink", leave_it)
    await make(kept, raw)
    await kept.stream("s1").put_block("riffle:{s1}:block:b", b"big")
    events, before = await kept.stream("s1").read(), await everything(raw)
    step = 0
    while True:
        step += 1
        if way == "back":
            await put_away(kept)
        connection = Stepping(redis_server.url, step, crash, late=late)
        archiving = Store(connection, archive=folder).archiving
        with suppress(Crash):
            await (archiving.bring_back("s1") if way == "back" else archiving.put_away("s1", before_ms=NOW))
        await connection.close()
        assert await kept.stream("s1").read() == events, step
        assert [info.title for info in await kept.sessions()] == ["Soup"], step
        await kept.archiving.bring_back("s1")
        left = {key: value for key, value in (await everything(raw)).items() if ":copy:" not in key}
        assert left == before, step
        async for key in raw.scan("*:copy:*"):
            assert 0 < await raw.call("TTL", key) <= 600
            await raw.call("DEL", key)
        if connection.left > 0:
            break
    assert step > 5


async def test_a_server_that_dies_on_the_way_leaves_the_session_whole(
    kept: Store, raw: Connection, redis_server: RedisServer
) -> None:
    await make(kept, raw, entries=300)
    events = await kept.stream("s1").read()
    await put_away(kept)
    redis_server.kill9()
    with pytest.raises(StoreUnavailable):
        await kept.submit("s1", Prompt(id="p2", text="x", author="me"))
    redis_server.start()
    assert await insist(lambda: kept.stream("s1").read()) == events
