"""What a written event survives: chosen, kept by the writer or by the server, and said where it is less."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from bus.durability import AS_GIVEN, Durability, Level
from bus.errors import StoreRefused, StoreUnavailable
from bus.events import Info
from bus.meta import Metadata
from bus.redis.confirmation import Confirmation, confirmation
from bus.redis.connection import Connection
from bus.redis.health import ServerInfo, durability_shown, server_info
from bus.redis.keys import SessionKeys
from bus.redis.node import Arg
from bus.redis.store import Store, open_store
from bus.redis_binary import RedisBinary
from bus.server import Link, answers, ensure_server, server_folder
from bus.stream import Batch, Record
from bus.writer import Writer
from tests.support.redis_server import RedisServer
from tests.support.replicas import Pair
from tests.support.waiting import wait_until, wait_until_now

pytestmark = pytest.mark.every_redis

REPLICA = Durability("replica")


def info(number: int) -> Info:
    return Info(meta=Metadata(message_id="m1"), message=f"event {number}")


# -- replica ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(redis_binary: RedisBinary) -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


async def test_an_event_counts_as_written_when_a_replica_has_it(pair: Pair) -> None:
    store = await open_store(pair.master.url, client_name="t", durability=REPLICA)
    assert await store.durability() == "replica 1"
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(info(1))
        await writer.flush()
        assert pair.replica.command(f"XLEN {SessionKeys('s1').events}") == "1"
        pair.replica.stop()
        await writer.publish(info(2))
        trouble = await wait_until(lambda: writer.trouble, what="the writer's trouble")
        assert str(trouble) == "0 of 1 replicas have confirmed the events."
        assert pair.master.command(f"XLEN {SessionKeys('s1').events}") == "2"
        pair.replica.cont()
        await writer.flush()
        assert writer.trouble is None
    assert [entry.n for entry in await store.stream("s1").read()] == [1, 2]
    await store.close()


async def test_a_repeat_over_another_connection_is_not_taken_for_confirmed(pair: Pair) -> None:
    # Over a connection that has written nothing, WAIT says at once that every replica has everything.
    batch = Batch("w", 1, 1, [Record(b'{"type":"info"}', 1)])
    pair.replica.stop()
    for _ in range(2):
        store = await open_store(pair.master.url, client_name="t", durability=REPLICA)
        with pytest.raises(StoreUnavailable, match="0 of 1"):
            await store.stream("s1").append(batch)
        await store.close()
    pair.replica.cont()
    store = await open_store(pair.master.url, client_name="t", durability=REPLICA)
    assert (await store.stream("s1").append(batch)).status == "duplicate"
    await store.close()


async def test_a_repeat_writes_something_for_wait_to_count(redis_server: RedisServer) -> None:
    """Redis promises WAIT for writes alone, whatever the versions at hand count besides."""

    def changes() -> int:
        text = redis_server.command("INFO persistence")
        return int(text.split("rdb_changes_since_last_save:")[1].split()[0])

    store = await open_store(redis_server.url, client_name="t")
    batch = Batch("w", 1, 1, [Record(b'{"type":"info"}', 1)])
    assert (await store.stream("s1").append(batch)).status == "ok"
    before = changes()
    assert (await store.stream("s1").append(batch)).status == "duplicate"
    assert changes() > before
    await store.close()


async def test_what_was_written_survives_the_loss_of_the_server(pair: Pair) -> None:
    store = await open_store(pair.master.url, client_name="t", durability=REPLICA)
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        for number in range(200):
            await writer.publish(info(number))
        await writer.flush()
        pair.master.kill9()
    assert pair.replica.command(f"XLEN {SessionKeys('s1').events}") == "200"
    await store.close()


async def test_without_enough_replicas_the_words_say_so(pair: Pair) -> None:
    store = await open_store(pair.master.url, client_name="t", durability=Durability("replica", 2))
    assert await store.durability() == "process, 1 of 2 replicas"
    await store.close()


# -- what the server gives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "chosen", "shown"),
    [
        (("--appendonly", "no"), AS_GIVEN, "memory"),
        (("--appendonly", "no"), Durability("process"), "memory, not process"),
        ((), AS_GIVEN, "process"),
        ((), Durability("disk"), "process, not disk"),
        ((), Durability("memory"), "process"),
        (("--appendfsync", "always"), Durability("disk"), "disk"),
        (("--maxmemory-policy", "allkeys-lru"), AS_GIVEN, "process, allkeys-lru evicts"),
        (("--maxmemory-policy", "volatile-lru"), AS_GIVEN, "process"),
    ],
)
async def test_what_the_server_gives_is_said_beside_what_was_chosen(
    options: tuple[str, ...], chosen: Durability, shown: str
) -> None:
    server = RedisServer(*options)
    try:
        store = await open_store(server.url, client_name="t", durability=chosen)
        assert await store.durability() == shown
        assert chosen.level is None or await store.durability(written_here=False) == shown.partition(",")[0]
        await store.close()
    finally:
        server.close()


async def test_who_may_not_see_it_is_told_nothing_of_it(redis_server: RedisServer) -> None:
    redis_server.command("ACL SETUSER viewer on >pass ~riffle:* +xrange +xread")
    store = await open_store(
        f"unix://viewer:pass@{redis_server.socket}", client_name="t", durability=Durability("disk")
    )
    assert await store.durability() == "unknown, not disk"
    assert await store.server_info() == ServerInfo()
    await store.close()


@pytest.mark.parametrize(
    ("version", "keeps_file", "command"),
    [
        ((6, 2, 14), True, None),
        ((7, 0, 15), True, None),
        ((7, 2, 0), True, ("WAITAOF", 1, 0, 1000)),
        ((8, 0, 0), True, ("WAITAOF", 1, 0, 1000)),
        ((8, 0, 0), False, None),
        ((), False, None),
    ],
)
def test_from_7_2_on_a_server_is_asked_for_its_disk(
    version: tuple[int, ...], keeps_file: bool, command: tuple[str | int, ...] | None
) -> None:
    found = confirmation(Durability("disk"), version, keeps_file=keeps_file)
    assert (found.command if found else None) == command
    server = ServerInfo(version=".".join(map(str, version)), durability="process" if keeps_file else "memory")
    assert (durability_shown(server, Durability("disk")) == "disk") == (command is not None)


def test_an_event_that_is_not_on_the_disk_is_not_written() -> None:
    asked = Confirmation(("WAITAOF", 1, 0, 1000), 1)
    asked.check([1, 0])
    with pytest.raises(StoreUnavailable, match="not confirmed"):
        asked.check([0, 0])


# -- riffle's own server ------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose keeper and server are gone at the end."""
    folder = tmp_path / "data"
    yield folder
    for process in psutil.process_iter():
        try:
            if str(server_folder(folder)) in " ".join(process.cmdline()):
                process.kill()
        except psutil.Error:
            continue


async def given(data: Path, level: Level) -> str:
    """What riffle's own server keeps for a program that has chosen `level`."""
    store = await open_store(ensure_server(data, level), client_name="t", durability=Durability(level))
    try:
        return await store.durability()
    finally:
        await store.close()


def ask(url: str, command: str) -> str:
    link = Link(url.removeprefix("unix://"))
    try:
        return link.ask(command)
    finally:
        link.close()


async def test_our_own_server_keeps_what_was_chosen_last(data: Path) -> None:
    levels: list[Level] = ["process", "disk", "memory", "disk", "process"]
    for level in levels:
        assert await given(data, level) == level
    with pytest.raises(StoreRefused, match="no replicas"):
        ensure_server(data, "replica")


def kill_server(data: Path, url: str) -> None:
    pid = int(ask(url, "INFO server").split("process_id:")[1].split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_until_now(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


async def test_a_server_that_is_started_again_keeps_the_same(data: Path) -> None:
    url = ensure_server(data, "disk")
    kill_server(data, url)
    wait_until_now(lambda: answers(url.removeprefix("unix://")), what="the next server")
    store = await open_store(url, client_name="t")
    # The keeper sees to it when the server answers.
    await wait_until(partial(shows, store, "disk"))
    await store.close()


async def shows(store: Store, durability: str) -> bool:
    return await store.durability() == durability


async def test_what_was_only_in_memory_is_written_when_that_is_chosen(data: Path) -> None:
    url = ensure_server(data, "process")
    assert ask(url, "SET first 1") == "OK"
    ensure_server(data, "memory")
    assert ask(url, "SET second 2") == "OK"
    ensure_server(data, "process")
    assert ask(url, "SET third 3") == "OK"
    ensure_server(data, "memory")
    assert ask(url, "SET fourth 4") == "OK"
    kill_server(data, url)
    ensure_server(data, "memory")
    assert [ask(url, f"EXISTS {key}") for key in ("first", "second", "third", "fourth")] == ["1", "1", "1", "0"]


class ThreeNodes(Connection):
    """Of a cluster: what three primaries say of themselves."""

    async def call_each(self, *command: Arg, within: float = 3.0) -> list[Any]:
        assert command == ("INFO",)
        common = "aof_enabled:0\r\nmaxmemory_policy:noeviction\r\n"
        return [
            (common + said.replace(" ", "\r\n")).encode()
            for said in (
                "redis_version:7.10.0 role:master maxmemory:100 used_memory:10 connected_clients:1",
                "redis_version:7.9.1 role:master maxmemory:100 used_memory:99 connected_clients:2",
                "redis_version:7.10.0 role:slave maxmemory:1000 used_memory:500 connected_clients:4",
            )
        ]


async def test_of_several_nodes_the_worst_counts() -> None:
    info = await server_info(ThreeNodes("redis://127.0.0.1:1", client_name="t"))
    assert (info.version, info.role, info.clients) == ("7.9.1", "slave", 7)
    assert (info.used_memory, info.maxmemory) == (99, 100)
