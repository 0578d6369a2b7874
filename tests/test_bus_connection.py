"""The way to Redis: addresses, logins, servers that refuse, kill, pause, lie."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress

import psutil
import pytest

from bus import reader
from bus.errors import AccessDenied, BusError, StoreRefused, StoreUnavailable
from bus.events import Info
from bus.redis.address import Place, parse_address, safe_url
from bus.redis.connection import Connection
from bus.redis.store import Store, open_store
from bus.server import Link
from bus.session import ConnectionState, SessionInfo
from bus.writer import Writer
from tests.support.listening import listening
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until


def messages(count: int) -> list[str]:
    return [str(i) for i in range(1, count + 1)]


async def say(writer: Writer, *texts: str) -> None:
    for text in texts:
        await writer.publish(Info(message=text))
    await writer.flush()


async def cut_off(viewer: Viewer) -> ConnectionState:
    """Wait until the viewer says that it is cut off."""
    await wait_until(lambda: viewer.states and viewer.states[-1].status == "reconnecting")
    return viewer.states[-1]


# -- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind", "tls", "places"),
    [
        ("redis://h", "server", False, ["h:6379"]),
        ("rediss://u:p@h:7/2", "server", True, ["h:7"]),
        ("redis://[::1]:7", "server", False, ["[::1]:7"]),
        ("unix:///run/redis.sock?db=2", "server", False, ["/run/redis.sock"]),
        ("redis+cluster://a,b:7", "cluster", False, ["a:6379", "b:7"]),
        ("rediss+cluster://u:p@a:1,[fe80::1]:2", "cluster", True, ["a:1", "[fe80::1]:2"]),
        ("redis+sentinel://a,b:7/chats/3", "sentinel", False, ["a:26379", "b:7"]),
        ("rediss+sentinel://:p@[::1]:5/chats", "sentinel", True, ["[::1]:5"]),
    ],
)
def test_an_address_is_taken_apart(url: str, kind: str, tls: bool, places: list[str]) -> None:
    address = parse_address(url)
    assert (address.kind, address.tls, list(map(str, address.places))) == (kind, tls, places)


def test_logins_and_options_go_to_whom_they_are_for() -> None:
    address = parse_address(
        "rediss+sentinel://u:p%40ss@a/chats/3?ssl_ca_certs=/ca.pem&sentinel_username=su&sentinel_password=sp"
    )
    assert address.service == "chats" and address.places == (Place("a", 26379),)
    assert address.options == {"username": "u", "password": "p@ss", "db": "3", "ssl_ca_certs": "/ca.pem"}
    assert address.sentinel_options == {"username": "su", "password": "sp", "ssl_ca_certs": "/ca.pem"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://localhost:1", "cannot be reached: Connection refused"),
        ("unix:///nowhere/redis.sock", "cannot be reached: No such file"),
        ("redis://no-such-host.invalid", "cannot be reached"),
        ("redis+cluster://localhost:1,localhost:2", "cannot be reached: Connection refused"),
        ("http://localhost", "not the address of a Redis server: nobody knows http://"),
        ("localhost:6379", "not the address of a Redis server"),
        ("redis://localhost:port", "not the address of a Redis server: what it names is not host:port"),
        ("redis://localhost:99999", "not the address of a Redis server"),
        ("redis://localhost/chats", "not the address of a Redis server: its database is not a number"),
        ("redis://localhost?nonsense=1", "not the address of a Redis server: it cannot have the option 'nonsense'"),
        ("redis://a,b", "is it redis\\+cluster:// or redis\\+sentinel://"),
        ("redis+sentinel://a,b", "it names no service"),
        ("redis://localhost?ssl_check_hostname=1", "it cannot have the option 'ssl_check_hostname'"),
        ("redis://localhost?socket_read_size=x", "not the address of a Redis server"),
        ("redis://localhost?host=elsewhere", "not the address of a Redis server"),
        ("redis+cluster://a/3", "a cluster has no numbered databases"),
        ("redis+proxy://a", "nobody knows redis\\+proxy://"),
        ("unix://", "it names no socket"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_in_words(url: str, says: str) -> None:
    with pytest.raises((StoreUnavailable, StoreRefused), match=says) as caught:
        await open_store(url, client_name="t")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:secret@host:6379/1", "redis://me:•••@host:6379/1"),
        ("redis://:p%40ss@host", "redis://:•••@host"),
        ("redis://me@host", "redis://me@host"),
        ("redis://me:secr@et@host", "redis://me:•••@host"),
        ("redis://me:sec/ret@host", "this address"),
        ("redis://me:sec?ret@host", "this address"),
        ("unix:///tmp/s?password=secret", "unix:///tmp/s"),
        ("unix:///tmp/a@b", "unix:///tmp/a@b"),
        ("redis+sentinel://me:secret@[::1]:5,b/chats?sentinel_password=x", "redis+sentinel://me:•••@[::1]:5,b/chats"),
        ("secret", "this address"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert safe_url(url) == shown


# -- logins ----------------------------------------------------------------------------------------------------


async def test_r20_passwords_are_asked_for_checked_and_never_shown() -> None:
    server = RedisServer("--requirepass", "s3cret-w0rd")
    try:
        with pytest.raises(AccessDenied, match="wants a password"):
            await open_store(server.url, client_name="t")
        with pytest.raises(AccessDenied, match="does not accept") as caught:
            await open_store(f"{server.url}?password=wr0ng-w0rd", client_name="t")
        assert "wr0ng" not in f"{caught.value}{caught.value.hint}"
        store = await open_store(f"{server.url}?password=s3cret-w0rd", client_name="t")
        assert "s3cret" not in store.safe_url
        await store.close()
    finally:
        server.close()


async def test_r20_access_that_is_taken_away_is_told_and_tried_again(redis_server: RedisServer) -> None:
    redis_server.command("ACL SETUSER viewer on >pass ~* +@all")
    store, hurry = await open_store(f"unix://viewer:pass@{redis_server.socket}", client_name="t"), asyncio.Event()
    async with Viewer(store.watch("s1", hurry=hurry)) as viewer:
        await wait_until(lambda: viewer.chunks)
        redis_server.command("ACL DELUSER viewer")
        await wait_until(lambda: viewer.states[-1].status == "denied")
        assert "does not accept this user or password" in viewer.states[-1].detail
        assert viewer.states[-1].retry_at
        redis_server.command("ACL SETUSER viewer on >pass ~* +@all")
        hurry.set()
        await wait_until(lambda: viewer.states[-1].status == "live", timeout=reader.DENIED_SECONDS - 1)
    await store.close()


async def test_r21_a_reader_without_other_rights_can_read(redis_server: RedisServer) -> None:
    redis_server.command("ACL SETUSER viewer on >pass ~* +xread +xrange +xrevrange")
    redis_server.command("XADD other * payload x")
    store = await open_store(f"unix://viewer:pass@{redis_server.socket}", client_name="t")
    assert len(await store.stream_at("other").read()) == 1
    assert (await store.stream_at("other").info()).length == 1
    async with Viewer(store.watch("s1")) as viewer:
        await wait_until(lambda: viewer.chunks)
        redis_server.command("XADD riffle:{s1}:events * payload x")
        await wait_until(lambda: viewer.entries)
        assert viewer.states[-1].status == "live"
    with pytest.raises(AccessDenied, match="may only watch"):
        await store.create_session(SessionInfo(id="s2"))
    await store.close()


async def test_r20_a_user_who_is_off_is_refused_after_one_try(redis_server: RedisServer) -> None:
    redis_server.command("ACL SETUSER ada off >pass ~* +@all")
    with pytest.raises(AccessDenied, match="does not accept this user or password"):
        await open_store(f"unix://ada:pass@{redis_server.socket}", client_name="t")
    assert "cmdstat_auth:calls=1," in redis_server.command("INFO commandstats")


# -- servers that refuse, kill, pause ------------------------------------------------------------------------------


async def test_r19_a_server_without_room_is_told_and_waited_for(redis_server: RedisServer, store: Store) -> None:
    with closing(Link(redis_server.socket)) as link:
        link.ask("CONFIG SET maxclients 1")
        with pytest.raises(StoreUnavailable, match="takes no more connections"):
            await open_store(redis_server.url, client_name="t")
        far = Store(Connection(redis_server.url, client_name="t"))
        async with Viewer(far.watch(far.stream("s1"))) as viewer:
            assert "takes no more connections. Raise its maxclients." in (await cut_off(viewer)).detail
            async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
                await say(writer, "1")  # who is in stays in
            link.ask("CONFIG SET maxclients 100")
            await viewer.sees("1")
        await far.close()


async def test_a_server_in_protected_mode_is_told() -> None:
    async with listening(b"-DENIED Redis is running in protected mode because protected mode is enabled.\r\n") as port:
        with pytest.raises(AccessDenied, match="is in protected mode"):
            await open_store(f"redis://127.0.0.1:{port}", client_name="t")


async def test_r25_killed_clients_reconnect_and_lose_nothing(redis_server: RedisServer, store: Store) -> None:
    async with (
        Viewer(store.watch(store.stream("s1"))) as viewer,
        Writer(store.stream("s1"), writer="w", epoch=1) as writer,
    ):
        for i in range(40):
            await writer.publish(Info(message=str(i + 1)))
            if i % 4 == 0:
                redis_server.command("CLIENT KILL TYPE normal SKIPME yes")
                await asyncio.sleep(0)
        await writer.flush()
        await viewer.sees(*messages(40))


async def test_r25_a_pause_is_waited_for(redis_server: RedisServer, store: Store) -> None:
    async with (
        Viewer(store.watch(store.stream("s1"))) as viewer,
        Writer(store.stream("s1"), writer="w", epoch=1) as writer,
    ):
        await say(writer, "1")
        redis_server.command("CLIENT PAUSE 700")
        await say(writer, "2", "3")
        await viewer.sees("1", "2", "3")
        assert {state.status for state in viewer.states} == {"connecting", "live"}


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n",
        b"\x00\xff\xfegarbage\r\n",
        b"$9999999999\r\n",
        b"*-7\r\n$-9\r\n",
        b"-MOVED nonsense\r\n",
        b"-MOVED 1 :x\r\n-ASK\r\n",
        b"+O",
    ],
)
async def test_r28_what_is_no_redis_is_told_without_a_hang(says: bytes) -> None:
    before = psutil.Process().memory_info().rss
    async with listening(says) as port:
        for scheme, service in (("redis", ""), ("redis+cluster", ""), ("redis+sentinel", "/chats")):
            connection = Connection(f"{scheme}://127.0.0.1:{port}{service}", client_name="t")
            with pytest.raises(
                BusError, match=r"not a Redis server|did not answer|closed|None of the sentinels"
            ) as caught:
                await connection.call("PING", within=0.3)
            assert caught.value.hint
            await connection.close()
    assert psutil.Process().memory_info().rss - before < 50_000_000


# -- sockets ---------------------------------------------------------------------------------------------------


async def test_a_connection_that_broke_while_nobody_used_it_is_told_in_our_words(redis_server: RedisServer) -> None:
    connection = Connection(redis_server.url, client_name="t")
    await connection.call("PING")
    beside, writer = await asyncio.open_unix_connection(redis_server.socket)
    redis_server.kill9()
    with suppress(ConnectionResetError):  # one end or the other, as the kernel has it
        assert await beside.read() == b""  # by now the other connection's end has come as well
    writer.close()
    with pytest.raises(StoreUnavailable, match="cannot be reached: Connection refused"):
        await connection.call("PING")
    await connection.close()


async def test_cancelling_a_read_leaves_no_connection_with_a_wrong_reply(redis_server: RedisServer) -> None:
    connection = Connection(redis_server.url, client_name="t")
    await connection.call("SET", "k", "right")
    for i in range(50):
        task = asyncio.create_task(connection.call("XREAD", "BLOCK", 5000, "STREAMS", "none", "0-0", within=6))
        await asyncio.wait([task], timeout=i / 20_000)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await connection.call("GET", "k") == b"right"
    await connection.close()
