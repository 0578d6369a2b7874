"""The archive: an ended session goes into a file and comes back byte for byte, whatever happens on the way."""

from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bus.archive import Archive, ArchiveStream
from bus.archive_file import PART_BYTES, ArchiveFile
from bus.archive_lines import entry_line, read_entry_line
from bus.errors import DamagedArchive, StoreRefused, UnknownSession
from bus.redis.connection import Connection
from bus.redis.store import Store
from bus.session import Prompt, SessionInfo
from bus.stream import START, Batch, Entry, Record
from tests.support.archived import LONG_AGO, everything, files, in_redis, make, put_away
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def unpacked(path: Path) -> list[bytes]:
    """The lines of a file as any program can read them."""
    return subprocess.run(["gzip", "-dc", str(path)], capture_output=True, check=True).stdout.splitlines()


def no_sync(handle: int) -> None:
    """Here nothing has to last."""


# -- lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flat",
    [
        [b"payload", b'{"type":"final","text":"\xc3\xa9 \\n \\"event\\":"}', b"v", b"1", b"n", b"7"],
        [b"_watermill_message_uuid", b"u", b"metadata", b"\x81\xa1a\xa1\xff", b"payload", b'{ "a" : 1 }'],
        [b"payload", b"\xff\xfe not text"],
        [b"payload", b'{"a":\n1}', b"odd", b'x","event":{'],
        [b"payload", b"{broken"],
        [b"payload", b""],
        [b"payload", b"1", b"payload", b"2"],
        [b"t", b"\x00\x1b[31m\xe2\x80\xa8", b"\xff", b""],
        [b"payload", b'"\\ud800"', b"ts", b"12"],
        [b"payload", b"[" * 5000],
    ],
)
def test_a_line_gives_every_byte_back(flat: list[bytes]) -> None:
    line = entry_line("17-3", flat)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_entry_line(line) == ("17-3", flat)
    json.loads(line)  # whatever it holds, any program can read it


# -- there and back --------------------------------------------------------------------------------------------


async def test_a_session_comes_back_byte_for_byte(kept: Store, raw: Connection) -> None:
    await make(kept, raw)
    key = "riffle:{s1}:events"
    await raw.call("XADD", key, "*", b"token", b"\xff\x00", "payload", b"\xfe{", b"token", b"twice")
    await raw.call("XADD", key, "*", "payload", '{"type": "later"}', "v", 1)
    gone = await raw.call("XADD", key, "*", "payload", "{}")
    await raw.call("XDEL", key, gone)  # the last id stays above the last entry
    stream = kept.stream("s1")
    await stream.put_block(stream.block_key(), b"\x00" * 2_000_000)
    await raw.call("XADD", "riffle:{s1}:dead", "5-1", "text", "it kills")
    await raw.call("ZADD", "riffle:{s1}:scores", "1.5", b"\xff", 2, "b")
    await raw.call("RPUSH", "riffle:{s1}:list", "a", "b", "a")
    await raw.call("SADD", "riffle:{s1}:set", "a", "b")
    before = await everything(raw)
    events = await stream.read()
    info = await stream.info()

    await put_away(kept)
    assert in_redis(await everything(raw)) == ["state"]
    assert await stream.read() == events
    assert (await stream.info()).last_id == info.last_id
    await kept.archiving.bring_back("s1")
    assert await everything(raw) == before
    assert await raw.call("TTL", key) == -1
    await kept.archiving.bring_back("s1")
    assert await everything(raw) == before


async def test_streams_that_hold_nothing_any_more_keep_their_last_id(kept: Store, raw: Connection) -> None:
    await make(kept, raw)
    await raw.call("XTRIM", "riffle:{s1}:events", "MAXLEN", 0)
    before = await everything(raw)
    await put_away(kept)
    await kept.archiving.bring_back("s1")
    assert await everything(raw) == before


async def test_the_file_is_for_its_owner_and_for_any_program(kept: Store, raw: Connection, folder: Path) -> None:
    old = os.umask(0)
    try:
        await make(kept, raw)
        await put_away(kept)
    finally:
        os.umask(old)
    assert files(folder) == ["s1.jsonl.gz"]
    assert (mode(folder), mode(folder / "s1.jsonl.gz")) == (0o700, 0o600)
    head, *lines, index, end = [json.loads(line) for line in unpacked(folder / "s1.jsonl.gz")]
    assert (head["format"], head["version"], head["id"]) == ("riffle-session", 1, "s1")
    assert [line["event"]["message"] for line in lines if "event" in line] == ["number 0", "number 1", "number 2"]
    assert {line["key"] for line in lines if "key" in line} == {"state", "prompt-ids"}
    assert index["entries"] == end["entries"] == 3


async def test_a_long_session_is_read_from_its_end_without_the_rest(kept: Store, raw: Connection, folder: Path) -> None:
    await make(kept, raw, entries=5000)
    whole = await kept.stream("s1").read(count=10_000)
    await put_away(kept)
    file = ArchiveFile(folder / "s1.jsonl.gz")
    stream = ArchiveStream(file)
    assert len(whole) == (await stream.info()).length == (await stream.info()).n == 5000
    assert sum(map(len, unpacked(file.path))) > 4 * PART_BYTES
    # Damage in the middle is only seen by who reads there: the rest was not read.
    data = bytearray(file.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken = folder / "broken.jsonl.gz"
    broken.write_bytes(data)
    assert await ArchiveStream(ArchiveFile(broken)).read_last(40) == whole[-40:]
    with pytest.raises(DamagedArchive):
        await ArchiveStream(ArchiveFile(broken)).read(whole[2400].id, 500)

    read: list[Entry] = []
    while chunk := await stream.read(read[-1].id if read else START, 333):
        read += chunk
    assert read == whole
    assert await stream.read(whole[2499].id, 2) == whole[2500:2502]
    assert await stream.read("0-1", 1) == whole[:1]
    assert await stream.read_last(6000) == whole
    with pytest.raises(StoreRefused, match="has ended"):
        await stream.append(Batch("w", 9, 1, []))


# -- as before -------------------------------------------------------------------------------------------------


async def test_an_archived_session_is_listed_found_renamed_and_deleted(
    kept: Store, raw: Connection, folder: Path
) -> None:
    made = await make(kept, raw)
    await make(kept, raw, "other")
    await put_away(kept)
    assert {info.id for info in await kept.sessions()} == {"s1", "other"}
    assert await kept.session("s1") == made
    assert (await kept.find("s1")).title == "Soup"
    assert await raw.call("ZRANGE", "riffle:sessions", 0, -1) == [b"other"]

    await kept.rename_session("s1", "Stew")
    info = await kept.session("s1")
    assert info
    assert (info.title, info.updated_ms) == ("Stew", LONG_AGO)
    await put_away(kept)
    assert (await kept.find("Stew")).id == "s1"

    await kept.delete_session("s1")
    assert files(folder) == []
    assert in_redis(await everything(raw)) == ["tombstone"]
    assert await kept.session("s1") is None
    for again in (
        kept.submit("s1", Prompt(id="p2", text="x", author="me")),
        kept.seat("s1", engine_id="e").__aenter__(),
        kept.create_session(SessionInfo(id="s1")),
    ):
        with pytest.raises(UnknownSession, match="was deleted"):
            await again
    # A journal that is rewound by an engine that knows nothing of it.
    late = await kept.stream("s1").append(Batch("engine-1", 4, 1, [Record(b"{}", 1)]))
    assert late.status == "fenced"


async def test_a_file_whose_session_was_deleted_elsewhere_is_not_shown_and_goes(
    kept: Store, store: Store, raw: Connection, folder: Path
) -> None:
    await make(kept, raw)
    await put_away(kept)
    await store.delete_session("s1")  # by a program that knows no archive
    assert await kept.sessions() == []
    assert await kept.session("s1") is None
    with pytest.raises(UnknownSession, match="was deleted"):
        await kept.archiving.bring_back("s1")
    assert await kept.archiving.tidy(14) == []
    assert not (folder / "s1.jsonl.gz").exists()
    assert [key async for key in raw.scan("*copy*")] == []


async def test_a_prompt_brings_it_back_and_its_engine_knows_everything(kept: Store, raw: Connection) -> None:
    await make(kept, raw)
    await put_away(kept)
    assert not await kept.submit("s1", Prompt(id="p1", text="again", author="me"))  # asked long ago
    assert await kept.submit("s1", Prompt(id="p2", text="more", author="me"))
    async with kept.seat("s1", engine_id="engine-2") as seat:
        assert seat.epoch > 4
        assert len([event async for event in seat.history()]) == 3
        work = await seat.next_work()
        assert work
        assert work.text == "more"
        await seat.finish(work)
    assert [entry.n for entry in await kept.stream("s1").read()] == [1, 2, 3]


async def test_an_engine_that_comes_first_brings_it_back_too(kept: Store, raw: Connection) -> None:
    await make(kept, raw)
    await put_away(kept)
    async with kept.seat("s1", engine_id="engine-2") as seat:
        assert seat.epoch > 4
        assert await raw.call("XLEN", "riffle:{s1}:events") == 3


async def test_a_writer_from_before_is_fenced_while_the_session_is_away(
    kept: Store, store: Store, raw: Connection
) -> None:
    await make(kept, raw)
    async with kept.seat("s1", engine_id="engine-2"):
        pass
    await put_away(kept)
    late = await store.stream("s1").append(Batch("engine-1", 4, 4, [Record(b"{}", 1)]))
    assert late.status == "fenced"
    assert in_redis(await everything(raw)) == ["state"]


async def test_a_writer_brings_it_back(kept: Store, raw: Connection) -> None:
    await make(kept, raw)
    await put_away(kept)
    done = await kept.stream("s1").append(Batch("engine-1", 4, 4, [Record(b"{}", 1)]))
    assert (done.status, done.n) == ("ok", 4)


async def test_who_watches_notices_nothing(kept: Store, raw: Connection) -> None:
    await make(kept, raw)

    async def looks() -> int:
        stats = (await raw.call("INFO", "commandstats")).decode()
        return int(stats.partition("cmdstat_evalsha:calls=")[2].partition(",")[0])

    async with Viewer(kept.watch("s1")) as viewer:
        await viewer.sees("number 0", "number 1", "number 2")
        await put_away(kept)
        # A whole wait of the reader in which nothing comes: then it looks whether its stream is still the same.
        before = await looks()
        await wait_until(lambda: _more(looks, before))
        await kept.submit("s1", Prompt(id="p2", text="more", author="me"))
        await kept.stream("s1").append(Batch("engine-1", 4, 4, [Record(b'{"type":"info","message":"new"}', 1)]))
        await viewer.sees("number 0", "number 1", "number 2", "new")
        assert [state.status for state in viewer.states] == ["connecting", "live"]


async def _more(looks: Callable[[], Awaitable[int]], before: int) -> bool:
    return await looks() > before


# -- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cut", "changed", "empty", "newer", "other", "link"])
async def test_a_damaged_file_is_named_and_nothing_else_suffers(
    kept: Store, raw: Connection, folder: Path, how: str
) -> None:
    await make(kept, raw, "fine")
    await make(kept, raw)
    await put_away(kept, "fine")
    await put_away(kept)
    path = folder / "s1.jsonl.gz"
    data = path.read_bytes()
    match how:
        case "cut":
            path.write_bytes(data[:-7])
        case "changed":
            middle = bytearray(data)
            middle[-400] ^= 1
            path.write_bytes(middle)
        case "empty":
            path.write_bytes(b"")
        case "newer":
            head = gzip.compress(b'{"format":"riffle-session","version":2,"id":"s1","meta":[]}\n')
            path.write_bytes(head + data)
        case "other":
            path.write_bytes((folder / "fine.jsonl.gz").read_bytes())
        case _:
            path.unlink()
            path.symlink_to(folder / "fine.jsonl.gz")
    shown = {info.id for info in await kept.sessions()}
    archive = kept.archiving.archive
    assert archive
    if how == "link":
        assert shown == {"fine"}
        assert await kept.session("s1") is None
        return
    if how != "changed":
        assert shown == {"fine"}
        assert [str(path) in str(error) for error in archive.damaged] == [True]
        with pytest.raises(DamagedArchive):
            await kept.session("s1")
    if how != "other":
        with pytest.raises(DamagedArchive):
            await kept.submit("s1", Prompt(id="p2", text="x", author="me"))
        assert in_redis(await everything(raw)) == ["state"]


async def test_no_name_leads_out_of_the_folder(kept: Store, raw: Connection, folder: Path) -> None:
    await make(kept, raw)
    await put_away(kept)
    (folder / "s1.jsonl.gz").rename(folder.parent / "s1.jsonl.gz")
    assert await kept.session("../s1") is None
    assert await kept.session("a\0b") is None


def test_many_are_listed_fast(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", no_sync)
    archive = Archive(folder)
    for number in range(250):
        with archive.writer(f"n{number}", [b"title", b"Title", b"updated_ms", b"%d" % number]) as writer:
            writer.finish(START)
    began = time.process_time()
    assert len(Archive(folder).sessions()) == 250
    took = time.process_time() - began
    assert took < 0.1, took  # a thousand in 0.4 s
