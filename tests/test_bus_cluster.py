"""A Redis Cluster: sessions in all its slots, slots that move, a primary that dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from bus.errors import AccessDenied, StoreRefused, StoreUnavailable
from bus.events import Final, Info, Partial, RunFinished
from bus.redis.connection import Connection
from bus.redis.keys import SessionKeys
from bus.redis.store import Store, open_store
from bus.session import Prompt, SessionInfo
from bus.writer import Writer
from engine.engine import EngineConfig
from engine.service import Service
from engine.tools import Toolbox
from tests.support.redis_cluster import ClusterNode, RedisCluster
from tests.support.redis_server import RedisServer
from tests.support.replicas import free_port
from tests.support.scripted import Scripted, end, say
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

SESSIONS = [f"s{i}" for i in range(12)]


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: RedisCluster) -> RedisCluster:
    for node in shared_cluster.primaries:
        node.command("FLUSHALL")
    return shared_cluster


@pytest.fixture
async def store(cluster: RedisCluster) -> AsyncIterator[Store]:
    opened = await open_store(cluster.url, client_name="riffle-test")
    yield opened
    await opened.close()


def keys_on(cluster: RedisCluster) -> list[int]:
    """How many keys each primary holds."""
    return [int(node.command("DBSIZE")) for node in cluster.primaries]


async def test_sessions_are_made_listed_found_and_deleted_across_slots(cluster: RedisCluster, store: Store) -> None:
    for name in SESSIONS:
        await store.create_session(SessionInfo(id=name, title=f"About {name}"))
    assert all(count >= 2 for count in keys_on(cluster)), "they lie on all nodes"
    assert sorted(info.id for info in await store.sessions()) == sorted(SESSIONS)
    cluster.owner("riffle:sessions").command("DEL riffle:sessions")
    assert sorted(info.id for info in await store.sessions()) == sorted(SESSIONS), "the scan asks every node"
    assert (await store.find("About s7")).id == "s7"
    for name in SESSIONS:
        await store.delete_session(name)
    assert await store.sessions() == []
    tombstones = len(SESSIONS)
    assert sum(keys_on(cluster)) == tombstones


async def test_a_prompt_is_answered_through_it(store: Store) -> None:
    for name in SESSIONS[:3]:
        await store.create_session(SessionInfo(id=name))
        seat = store.seat(name, engine_id="e1", lease_seconds=2.0, idle_seconds=0.5)
        provider = Scripted([[say("Hello, "), say("world."), end()]])
        async with Viewer(store.watch(name)) as viewer:
            async with seat:
                service = Service(
                    seat,
                    make_provider=lambda model, provider=provider: provider,
                    tools=Toolbox(),
                    config=EngineConfig(model="gpt-x"),
                )
                running = asyncio.create_task(service.run())
                await store.submit(name, Prompt(id="p1", text="Hi?", author="ada@here"))
                await wait_until(lambda viewer=viewer: any(isinstance(e.event, RunFinished) for e in viewer.entries))
                await running
            said = "".join(e.event.delta for e in viewer.entries if isinstance(e.event, Partial))
            (final,) = [e.event for e in viewer.entries if isinstance(e.event, Final)]
            assert (said, final.text) == ("Hello, world.", "Hello, world.")
            assert any(viewer.leases)


async def test_r27_a_slot_that_moves_in_the_middle_of_a_stream_is_followed(cluster: RedisCluster, store: Store) -> None:
    keys = SessionKeys("moving")
    slot, source = cluster.slot_of(keys.events), cluster.owner(keys.events)
    target = next(node for node in cluster.primaries if node is not source)
    far = await open_store(cluster.url, client_name="viewer")
    writing = Writer(store.stream("moving"), writer="w", epoch=1)
    async with Viewer(far.watch(far.stream("moving"))) as viewer, writing as writer:
        await writer.publish(Info(message="before"))
        await viewer.sees("before")
        cluster.begin_move(slot, source, target)
        # A script whose keys are not all on one node can run on neither: it waits until the move is over.
        await writer.publish(Info(message="during"))
        trouble = await wait_until(lambda: writer.trouble)
        assert "is moving data between nodes" in str(trouble)
        cluster.move_keys(source, target, keys.events, keys.state)
        assert len(await far.stream("moving").read()) == 1  # by way of ASK
        cluster.end_move(slot, target)
        await writer.publish(Info(message="after"))
        await writer.flush()  # by way of MOVED
        await viewer.sees("before", "during", "after")
    assert target.command(f"XLEN {keys.events}") == "3"
    await far.close()
    # Back, for the next test.
    cluster.begin_move(slot, target, source)
    cluster.move_keys(target, source, keys.events, keys.state)
    cluster.end_move(slot, source)


async def test_r27_moved_and_ask_are_followed_within_the_call(cluster: RedisCluster) -> None:
    key, other = "{riffle}:a", "{other}:b"
    slot, source = cluster.slot_of(key), cluster.owner(key)
    target = next(node for node in cluster.primaries if node is not source)
    connection = Connection(cluster.url, client_name="t")
    await connection.call_many([("SET", key, "1"), ("SET", other, "2")])
    both = [("GET", key), ("GET", other), ("APPEND", key, "+"), ("GET", key), ("STRLEN", other)]
    cluster.begin_move(slot, source, target)
    cluster.move_keys(source, target, key)
    assert await connection.call("GET", key) == b"1"
    assert await connection.call_many(both) == [b"1", b"2", 2, b"1+", 1]
    cluster.end_move(slot, target)
    assert await connection.call_many(both) == [b"1+", b"2", 3, b"1++", 1]
    assert await connection.call("GET", key) == b"1++"
    cluster.begin_move(slot, target, source)
    cluster.move_keys(target, source, key)
    cluster.end_move(slot, source)
    assert await connection.call("XREAD", "BLOCK", 1, "STREAMS", "{riffle}:none", "0-0") is None
    await connection.close()


async def test_a_reader_without_other_rights_finds_its_way_by_what_the_nodes_say(
    cluster: RedisCluster, store: Store
) -> None:
    for node in cluster.primaries:
        node.command("ACL SETUSER viewer on >pass ~* +xread +xrange +xrevrange")
    try:
        for name in SESSIONS[:6]:
            async with Writer(store.stream(name), writer="w", epoch=1) as writer:
                await writer.publish(Info(message=name))
        far = await open_store(cluster.url.replace("://", "://viewer:pass@"), client_name="t")
        for name in SESSIONS[:6]:
            assert [entry.n for entry in await far.stream(name).read()] == [1]
        with pytest.raises(AccessDenied, match="does not permit"):
            await far.sessions()
        await far.close()
    finally:
        for node in cluster.primaries:
            node.command("ACL DELUSER viewer")


async def test_r27_a_node_given_as_a_server_is_told_with_the_fix(cluster: RedisCluster) -> None:
    node = cluster.primaries[0]
    elsewhere = next(name for name in SESSIONS if cluster.owner(SessionKeys(name).events) is not node)
    store = await open_store(f"redis://127.0.0.1:{node.port}", client_name="t")
    with pytest.raises(StoreRefused, match=r"is a node of a cluster, and 'riffle:.*' lies on another one") as caught:
        await store.stream(elsewhere).read()
    assert "redis+cluster://" in caught.value.hint
    await store.close()


async def test_r27_keys_in_several_slots_in_one_command_are_refused_in_words(cluster: RedisCluster) -> None:
    connection = Connection(cluster.url, client_name="t")
    with pytest.raises(StoreRefused, match="several slots"):
        await connection.call("DEL", "a", "b", "c")
    await connection.close()


async def test_what_is_no_cluster_is_told() -> None:
    port = free_port()
    server = RedisServer("--bind", "127.0.0.1", "--port", str(port))
    try:
        with pytest.raises(StoreRefused, match="is not a cluster") as caught:
            await open_store(f"redis+cluster://127.0.0.1:{port}", client_name="t")
        assert "Use redis://" in caught.value.hint
    finally:
        server.close()


async def test_a_cluster_that_does_not_hold_all_slots_is_waited_for() -> None:
    node = ClusterNode()
    try:
        connection = Connection(f"redis+cluster://127.0.0.1:{node.port}", client_name="t")
        await connection.greet()
        with pytest.raises(StoreUnavailable, match="its cluster is down"):
            await connection.call("GET", "a")
        await connection.close()
    finally:
        node.close()


async def test_r14_a_replica_that_takes_over_is_found_and_nothing_is_lost_or_doubled() -> None:
    with RedisCluster() as cluster:
        name = next(name for name in SESSIONS if cluster.owner(SessionKeys(name).events) is cluster.primaries[0])
        store, far = [await open_store(cluster.url, client_name=who) for who in ("engine", "viewer")]
        await store.create_session(SessionInfo(id=name))
        async with Viewer(far.watch(name)) as viewer:
            async with Writer(store.stream(name), writer="w", epoch=1) as writer:
                for i in range(200):
                    await writer.publish(Partial(delta=f"{i} ") if i % 5 else Info(message=f"{i} "))
                    if i == 100:
                        await writer.flush()
                        cluster.primaries[0].kill9()
                    if i % 20 == 0:
                        await asyncio.sleep(0)
            wanted = "".join(f"{i} " for i in range(200))
            await wait_until(lambda: _without_gaps(viewer) == wanted, what="the whole answer")
            assert {state.status for state in viewer.states} == {"connecting", "live", "reconnecting"}
        assert cluster.replica.command(f"EXISTS {SessionKeys(name).events}") == "1"
        await store.close()
        await far.close()


def _without_gaps(viewer: Viewer) -> str:
    return "".join(text for text in viewer.texts if not text.startswith("gap"))
