"""A master under sentinels: found, followed when another server takes over, and what that one lacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus import reader
from bus.errors import AccessDenied, StoreRefused, StoreUnavailable
from bus.events import Info, Partial, RunFinished
from bus.redis import sentinel
from bus.redis.connection import Connection
from bus.redis.store import open_store
from bus.session import SessionInfo
from bus.writer import Writer
from tests.support.redis_sentinel import SERVICE, SentinelSetup
from tests.support.redis_server import RedisServer
from tests.support.replicas import free_port
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until


@pytest.fixture
def setup() -> Iterator[SentinelSetup]:
    with SentinelSetup() as setup:
        yield setup


def without_gaps(viewer: Viewer) -> str:
    return "".join(text for text in viewer.texts if not text.startswith("gap"))


async def test_r14_a_failover_in_the_middle_of_an_answer_is_followed(
    setup: SentinelSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentinel, "BELIEVED_SECONDS", 1000.0)  # it is the trouble that has the sentinels asked again
    store, far = [await open_store(setup.url, client_name=who) for who in ("engine", "viewer")]
    await store.create_session(SessionInfo(id="s1"))
    async with Viewer(far.watch("s1")) as viewer:
        async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
            for i in range(200):
                await writer.publish(Partial(delta=f"{i} ") if i % 5 else Info(message=f"{i} "))
                if i == 100:
                    await writer.flush()
                    setup.master.kill9()
        wanted = "".join(f"{i} " for i in range(200))
        await wait_until(lambda: without_gaps(viewer) == wanted, what="the whole answer")
        assert {state.status for state in viewer.states} == {"connecting", "live", "reconnecting"}
    assert setup.replica.command("EXISTS riffle:{s1}:events") == "1"
    await store.close()
    await far.close()


async def test_r15_an_acknowledged_tail_that_a_failover_loses_is_written_again_or_told(
    setup: SentinelSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A writer may be long in coming back where the machine is busy: a viewer that was there first would mark the place.
    monkeypatch.setattr(reader, "LOST_SECONDS", 60.0)
    store, far = [await open_store(setup.url, client_name=who) for who in ("engine", "viewer")]
    async with (
        Viewer(far.watch(far.stream("s1"))) as viewer,
        Viewer(far.watch(far.stream("s2"))) as other,
        Writer(store.stream("s1"), writer="w", epoch=1) as running,
        Writer(store.stream("s2"), writer="w", epoch=1) as done,
    ):
        for writer in (running, done):
            await writer.publish(Info(message="1"))
            await writer.flush()
        await wait_until(lambda: setup.replica.command("EXISTS riffle:{s1}:events riffle:{s2}:events") == "2")
        setup.cut_off_replica()
        await running.publish(Info(message="2"))
        await done.publish(Info(message="2"))
        await done.publish(RunFinished())
        for writer in (running, done):
            await writer.flush()
        await viewer.sees("1", "2")
        await other.sees("1", "2", "run-finished")
        setup.master.kill9()
        for writer in (running, done):
            await writer.publish(Info(message="3"))
            await writer.flush()
        # The turn still runs: its engine holds all of it, and whoever has seen it sees nothing twice.
        await viewer.sees("1", "2", "3")
        # Of a turn that is over nobody holds the tail any more; whoever comes now is told how much was lost.
        async with Viewer(far.watch(far.stream("s2"))) as late:
            await late.sees("1", "gap 2", "3")
    assert [entry.seq for entry in await store.stream("s1").read()] == [1, 2, 3]
    assert [entry.n for entry in await store.stream("s2").read()] == [1, 4]
    await store.close()
    await far.close()


async def test_r14_a_master_that_was_made_a_replica_is_left(
    setup: SentinelSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentinel, "BELIEVED_SECONDS", 1000.0)
    connection = Connection(setup.url, client_name="t")
    await connection.call("SET", "a", "1")
    await fail_over(setup)
    # Sentinels do this some seconds later. They close its sockets as well; here the client must find out by itself.
    setup.master.command(f"REPLICAOF 127.0.0.1 {setup.replica_port}")

    async def written() -> bool:
        try:
            return await connection.call("SET", "a", "2") == b"OK"
        except StoreUnavailable:
            return False

    await wait_until(written)
    assert setup.replica.command("GET a") == "2"
    await connection.close()


async def test_r14_a_master_that_is_none_any_more_is_not_believed_for_long(
    setup: SentinelSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentinel, "BELIEVED_SECONDS", 0.1)
    connection = Connection(setup.url, client_name="t")
    await connection.call("SET", "a", "1")
    await fail_over(setup)
    assert "role:master" in setup.master.command("INFO replication"), "it has not heard of it yet, and takes everything"

    async def written() -> bool:
        await connection.call("SET", "a", "2")
        return setup.replica.command("GET a") == "2"

    await wait_until(written)
    await connection.close()


async def fail_over(setup: SentinelSetup) -> None:
    """Have the replica made the master."""
    setup.sentinels[0].ask(f"SENTINEL FAILOVER {SERVICE}")
    knows = [one.sees_master_at for one in setup.sentinels]
    await wait_until(lambda: all(sees(setup.replica_port) for sees in knows), what="the promotion")


async def test_r14_a_server_that_has_become_a_replica_says_so(redis_server: RedisServer) -> None:
    store = await open_store(redis_server.url, client_name="t")
    await store.create_session(SessionInfo(id="s1"))
    redis_server.command("REPLICAOF 127.0.0.1 1")
    with pytest.raises(StoreUnavailable, match="is a read-only replica now"):
        await store.create_session(SessionInfo(id="s2"))
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="1"))
        assert "read-only replica" in str(await wait_until(lambda: writer.trouble))
        redis_server.command("REPLICAOF NO ONE")
    assert len(await store.stream("s1").read()) == 1
    await store.close()


async def test_what_is_wrong_with_the_sentinels_is_told(setup: SentinelSetup) -> None:
    nowhere = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:1/chats"
    with pytest.raises(StoreUnavailable, match=r"None of the sentinels .* answers: Connection refused"):
        await open_store(nowhere, client_name="t")
    with pytest.raises(StoreRefused, match="know no service 'chat'") as caught:
        await open_store(setup.url.replace("/chats", "/chat"), client_name="t")
    assert caught.value.hint == "They know chats."
    with pytest.raises(StoreRefused, match="is not a sentinel"):
        await open_store(f"redis+sentinel://127.0.0.1:{setup.master_port}/chats", client_name="t")
    for one in setup.sentinels:
        one.ask("CONFIG SET requirepass s3cret")
        one.ask("ACL SETUSER default >s3cret")
    with pytest.raises(AccessDenied, match="do not let us in"):
        await open_store(setup.url, client_name="t")
    store = await open_store(f"{setup.url}?sentinel_password=s3cret", client_name="t")
    await store.close()


async def test_a_dead_sentinel_holds_nobody_up(setup: SentinelSetup) -> None:
    setup.sentinels[0].process.kill()
    connection = Connection(setup.url, client_name="t")
    assert await connection.call("PING") == b"PONG"
    await connection.close()
