"""Redis users of riffle's roles, on real servers: each can do what it is for, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bus.durability import Durability
from bus.errors import AccessDenied, StoreRefused, UnknownSession
from bus.events import Info, ProviderBlock
from bus.meta import Metadata
from bus.oversize import MAX_ENTRY_BYTES
from bus.redis.keys import SessionKeys
from bus.redis.roles import KEYS, ROLES, Role, commands, set_user
from bus.redis.store import Store, open_store
from bus.server import Link
from bus.session import Prompt, SessionInfo
from bus.writer import Writer
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis

SESSION = "s1"
Login = Callable[[Role], Awaitable[Store]]


@pytest.fixture
async def version(redis_server: RedisServer, store: Store) -> tuple[int, ...]:
    """The server's version; it has a user of each role and a session with an event and a prompt, none answered."""
    numbers = (await store.server_info()).numbers
    for role in ROLES:
        assert redis_server.command(set_user(role, numbers)) == "OK"
    await store.create_session(SessionInfo(id=SESSION, title="rivers"))
    await write(store, SESSION, "hello", epoch=1)
    await store.submit(SESSION, prompt("first"))
    return numbers


@pytest.fixture
async def login(version: tuple[int, ...], redis_server: RedisServer) -> AsyncIterator[Login]:
    """Opens the store as the user of a role."""
    async with contextlib.AsyncExitStack() as stack:

        async def login(role: Role) -> Store:
            # WAIT for no replica at all: it is sent, and answered at once.
            redis_server.command("CONFIG RESETSTAT")
            store = await open_store(url(redis_server, role), client_name="t", durability=Durability("replica", 0))
            stack.push_async_callback(store.close)
            return store

        yield login


def url(server: RedisServer, role: Role) -> str:
    return f"unix://riffle-{role}:CHANGE-ME@{server.socket}"


def prompt(prompt_id: str) -> Prompt:
    return Prompt(id=prompt_id, text="Why?", author="ada@desk")


async def write(store: Store, session_id: str, message: str, *, epoch: int) -> None:
    async with Writer(store.stream(session_id), writer=f"w{epoch}", epoch=epoch) as writer:
        await writer.publish(Info(meta=Metadata(message_id="m1"), message=message))


def used(server: RedisServer) -> set[str]:
    """The commands that ran since the statistics were reset; before 7.0 they do not name subcommands."""
    lines = server.command("INFO commandstats").splitlines()
    return {
        line.removeprefix("cmdstat_").split(":")[0] for line in lines if "cmdstat_" in line and ":calls=0," not in line
    }


def not_needed(server: RedisServer, role: Role, version: tuple[int, ...]) -> set[str]:
    """Rights of the role that nothing made use of."""
    seen = used(server)
    return {right for right in commands(role, version) if right not in seen and right.split("|")[0] not in seen}


async def test_a_viewer_sees_everything_of_a_session(
    login: Login, store: Store, version: tuple[int, ...], redis_server: RedisServer
) -> None:
    viewer = await login("viewer")
    assert [info.title for info in await viewer.sessions()] == ["rivers"]
    assert (await viewer.find("riv")).id == SESSION
    await viewer.stream(SESSION).read_last(1)
    async with Viewer(viewer.watch(SESSION)) as watching:
        await wait_until(lambda: len(watching.entries) == 1)
        await wait_until(lambda: watching.queues and [one.id for one in watching.queues[-1].prompts] == ["first"])
        async with store.seat(SESSION, engine_id="e1") as seat:
            work = await seat.next_work()
            assert work
            await wait_until(lambda: watching.leases[-1] is not None)
            await seat.sink.publish(Info(meta=Metadata(message_id="m2"), message="live"))
            await wait_until(lambda: len(watching.entries) == 2)
            await wait_until(lambda: not watching.queues[-1].prompts)
            await viewer.queue(SESSION)
        assert watching.states[-1].status == "live"
    assert not await viewer.may_send(SESSION)
    assert await viewer.role() == "viewer"
    assert await viewer.durability() == "replica 0"  # as it was chosen here: what the server gives cannot be seen
    assert not_needed(redis_server, "viewer", version) == set()


async def test_a_viewer_of_one_session_sees_that_one(
    store: Store, version: tuple[int, ...], redis_server: RedisServer
) -> None:
    await store.create_session(SessionInfo(id="s2", title="secret"))
    words = set_user("viewer", version).split(" ")
    (keys,) = [word for word in words if word.endswith(KEYS)]
    for there in (f"{keys[: -len(KEYS)]}riffle:{{s1}}:*", f"{keys[: -len(KEYS)]}riffle:sessions"):
        words.insert(words.index(keys), there)
    words.remove(keys)
    assert redis_server.command(*words) == "OK"
    viewer = await open_store(url(redis_server, "viewer"), client_name="t")
    try:
        assert [info.id for info in await viewer.sessions()] == ["s1"]
        assert (await viewer.find("s1")).id == (await viewer.find("rivers")).id == "s1"
        with pytest.raises(UnknownSession):
            await viewer.find("s2")
        with pytest.raises(AccessDenied, match="does not permit"):
            await viewer.session("s2")
        async with Viewer(viewer.watch("s1")) as watching:
            await wait_until(lambda: len(watching.entries) == 1)
        assert redis_server.command(*words, "resetkeys", "~riffle:{s1}:*") == "OK"
        assert (await viewer.find("s1")).id == "s1"  # without the list of them
    finally:
        await viewer.close()


async def test_an_index_is_not_repaired_by_whoever_sees_half_of_it(
    store: Store, version: tuple[int, ...], redis_server: RedisServer
) -> None:
    await store.create_session(SessionInfo(id="s2"))
    line = set_user("engine", version).replace(KEYS, "riffle:{s1}:* ~riffle:sessions")
    assert redis_server.command(line) == "OK"
    engine = await open_store(url(redis_server, "engine"), client_name="t")
    assert [info.id for info in await engine.sessions()] == ["s1"]
    await engine.close()
    assert redis_server.command("ZCARD riffle:sessions") == "2"


FORBIDDEN = (
    "XADD riffle:{s1}:events * payload x",
    "DEL riffle:{s1}:events",
    "SET riffle:{s1}:paused 1",
    "XTRIM riffle:{s1}:events MAXLEN 0",
    "EXPIRE riffle:{s1}:events 1",
    "RENAME riffle:{s1}:events riffle:other",
    "EVAL return 0",
    "EVALSHA 0 0",
    "CONFIG GET requirepass",
    "CONFIG SET appendonly no",
    "ACL LIST",
    "FLUSHALL",
    "SCAN 0",
    "INFO",
    "CLIENT KILL ID 1",
    "MONITOR",
    "XREAD STREAMS other 0",
    "GET secret",
)


def test_s13_a_viewer_may_do_nothing_else(version: tuple[int, ...], redis_server: RedisServer) -> None:
    with contextlib.closing(Link(redis_server.socket)) as link:
        assert link.ask("AUTH riffle-viewer CHANGE-ME") == "OK"
        answers = {command: link.ask(command) for command in FORBIDDEN}
    assert [command for command, answer in answers.items() if not answer.startswith("NOPERM")] == []
    assert redis_server.command(f"XLEN {SessionKeys(SESSION).events}") == "1"


async def test_a_producer_writes_what_others_see_and_asks_nobody(
    login: Login, store: Store, version: tuple[int, ...], redis_server: RedisServer
) -> None:
    producer = await login("producer")
    assert redis_server.command("SCRIPT FLUSH") == "OK"
    made = await producer.create_session(SessionInfo(id="", title="from outside"))
    async with await producer.writer(made.id) as writer:
        block = {"data": "x" * MAX_ENTRY_BYTES}
        await writer.publish(ProviderBlock(meta=Metadata(message_id="m1"), provider="p", block=block))
    await producer.update_session(made.id, messages=1)
    assert await producer.session(made.id)
    assert await producer.role() == "producer"
    assert not_needed(redis_server, "producer", version) == set()
    for refused in (
        producer.submit(SESSION, prompt("p")),
        producer.interrupt(SESSION, "ada"),
        producer.stream(SESSION).read(),
    ):
        with pytest.raises(AccessDenied, match="does not permit"):
            await refused
    with pytest.raises(StoreRefused):
        await producer.delete_session(SESSION)
    assert not await producer.may_send(SESSION)
    assert "from outside" in [info.title for info in await store.sessions()]
    (entry,) = await store.stream(made.id).read()
    assert isinstance(entry.event, ProviderBlock) and entry.event.block_key
    assert [entry.n for entry in await store.stream(SESSION).read()] == [1]


async def test_an_engine_asks_answers_copies_and_clears_away(
    login: Login, version: tuple[int, ...], redis_server: RedisServer, tmp_path: Path
) -> None:
    engine = await login("engine")
    assert [info.id for info in await engine.sessions()] == [SESSION]
    assert await engine.may_send(SESSION)
    async with Viewer(engine.watch(SESSION)) as watching:
        async with engine.seat(SESSION, engine_id="lost", lease_seconds=0.3) as lost:
            assert await lost.next_work()
            await engine.interrupt(SESSION, "ada")
            assert await lost.interrupted() == "ada"
        async with engine.seat(SESSION, engine_id="e2", lease_seconds=0.3, max_deliveries=5) as seat:
            await engine.submit(SESSION, prompt("second"))
            work = await seat.next_work()
            assert work
            assert [event async for event in seat.history()]
            await engine.stream(SESSION).read_last(1)
            await seat.sink.publish(Info(meta=Metadata(message_id="m2"), message="an answer"))
            await seat.finish(work)
        await wait_until(lambda: len(watching.entries) >= 2)
    await engine.submit(SESSION, prompt("third"))
    assert await engine.withdraw(SESSION, "third")
    await engine.resume_queue(SESSION)
    pool = await engine.create_session(SessionInfo(id="", answering="pool"))
    waiting = engine.pool_sessions()
    await engine.submit(pool.id, prompt("fourth"))
    assert await anext(waiting) == pool.id
    async with engine.seat(pool.id, engine_id="e3", idle_seconds=0.05) as seat:
        work = await seat.next_work()
        assert work
        await seat.finish(work)
    later = asyncio.ensure_future(anext(waiting))
    await wait_until(lambda: "bzpopmin" in used(redis_server))
    await engine.submit(pool.id, prompt("fifth"))
    assert await later == pool.id
    await waiting.aclose()
    assert (await engine.server_info()).maxmemory_policy == "noeviction"
    await engine.put_file(SESSION, b"an attachment")
    await engine.copies.write(await engine.find(SESSION), tmp_path / "copy")
    assert (await engine.copies.read(tmp_path / "copy", title="lakes")).title == "lakes"
    assert await engine.role() == "engine"
    await engine.delete_session(pool.id)
    assert not_needed(redis_server, "engine", version) == set()


async def test_an_engine_user_needs_no_rights_for_files_that_it_does_not_have(login: Login) -> None:
    engine = await login("engine")  # only riffle's own server has an archive
    await engine.archiving.bring_back(SESSION)
    assert not await engine.archiving.put_away(SESSION, before_ms=2**53)
    assert await engine.archiving.tidy(0) == []
    assert await engine.archiving.file_of(SESSION) is None
    kept = await engine.archiving.kept()
    assert [(info.id, size) for info, size in kept.in_redis] == [(SESSION, None)]  # it may not see sizes


def test_the_rights_of_7_2_are_not_asked_of_older_servers() -> None:
    for role in ROLES:
        assert "+client|setinfo" in set_user(role, (7, 2, 4))
        assert "+client|setinfo" not in set_user(role, (7, 0, 15))
    assert "%R~riffle:*" in set_user("viewer", (7, 0, 15)) and "%R" not in set_user("viewer", (6, 2, 14))
