"""Redis fails in every way that it has, and what was published is shown: once, in order, or as a gap with its count.

Each test is named by the fault's id in the catalogue: see `test_faults_catalogue.py`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bus.codec import encode
from bus.entities import Notice
from bus.entry import position
from bus.errors import WrongKeyType
from bus.events import Info, Partial, RunStarted
from bus.reader import BareStream, follow
from bus.redis.store import Store, open_store
from bus.redis_binary import RedisBinary
from bus.session import ConnectionState, SessionInfo
from bus.stream import Batch, Record
from bus.timeline import Timeline
from bus.writer import Writer
from tests.support.proxy import Proxy
from tests.support.redis_matrix import VARIABLE, find_servers
from tests.support.redis_server import RedisServer
from tests.support.riffle_app import attached
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until
from tui.cli.context import Context
from tui.cli.context import open_store as cli_store
from tui.config import load_config
from tui.openings import Attach
from tui.paths import find_paths

EVENTS = "riffle:{s1}:events"


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


def numbers(last: int) -> list[str]:
    return [str(i) for i in range(1, last + 1)]


def notes(first: int, *messages: str) -> Batch:
    return Batch("w", 1, first, [Record(encode(Info(message=message)), 1) for message in messages])


async def say(writer: Writer, *messages: str) -> None:
    for message in messages:
        await writer.publish(Info(message=message))


def trouble(viewer: Viewer) -> ConnectionState | None:
    """How the viewer is cut off, if it is."""
    return viewer.states[-1] if viewer.states[-1].status == "reconnecting" else None


async def test_r01_the_screen_says_that_redis_is_away_and_stays_usable(
    redis_server: RedisServer, store: Store, session: str, own_home: Path
) -> None:
    async with (
        Writer(store.stream(session), writer="w", epoch=1) as writer,
        attached(own_home, redis_server.url, Attach(session=session)) as app,
    ):
        await say(writer, "before")
        await wait_until(lambda: "before" in app.timeline and "● live" in app.status)
        redis_server.kill9()
        await wait_until(lambda: "○ reconnecting" in app.status)
        await say(writer, "meanwhile")
        await app.press("h", "i")
        assert app.prompt.text == "hi"
        assert "before" in app.timeline
        redis_server.start()
        back = time.monotonic()
        await wait_until(lambda: "● live" in app.status)
        assert time.monotonic() - back < 2.5
        await wait_until(lambda: "meanwhile" in app.timeline)
        assert [app.timeline.count(text) for text in ("before", "meanwhile", "missing")] == [1, 1, 0]


async def test_r02_a_long_outage_is_met_with_patience(redis_server: RedisServer, store: Store, session: str) -> None:
    async with (
        Viewer(store.watch(session)) as viewer,
        Writer(store.stream(session), writer="w", epoch=1, journal_bytes=20_000) as writer,
    ):
        await say(writer, "1")
        await viewer.sees("1")
        redis_server.kill9()
        flood = asyncio.create_task(say(writer, *(str(i) for i in range(2, 1000))))
        await wait_until(lambda: (state := trouble(viewer)) and state.attempt >= 7, timeout=20)
        assert not flood.done()  # what cannot be written is kept up to the journal's size, then its producer waits
        now = time.monotonic()
        waits = [state.retry_at - now for state in viewer.states if state.retry_at]
        assert max(waits) <= 2.0
        assert all(state.attempt == i for i, state in enumerate(viewer.states[2:], 1))
        redis_server.start()
        back = time.monotonic()
        await wait_until(lambda: viewer.states[-1].status == "live")
        assert time.monotonic() - back < 2.5
        await flood
        await viewer.sees(*numbers(999))


@pytest.mark.every_redis
async def test_r05_a_stream_deleted_in_the_middle_of_a_turn_is_written_again(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await say(writer, "1", "2", "3")
        await viewer.sees("1", "2", "3")
        redis_server.command("DEL", EVENTS)
        await say(writer, "4")
        await viewer.sees("1", "2", "3", "4")
        async with Viewer(store.watch(session)) as late:
            await late.sees("1", "2", "3", "4")


async def test_r06_a_halted_redis_is_noticed_and_doubles_nothing(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await say(writer, "1")
        await viewer.sees("1")
        redis_server.stop()
        halted = time.monotonic()
        await say(writer, "2")
        await wait_until(lambda: trouble(viewer))
        assert "did not answer within 3 s" in viewer.states[-1].detail
        await wait_until(lambda: writer.trouble)
        assert time.monotonic() - halted < 5
        await say(writer, "3")
        redis_server.cont()
        await viewer.sees("1", "2", "3")
    assert [entry.n for entry in await store.stream(session).read()] == [1, 2, 3]


@pytest.mark.every_redis
async def test_r07_the_reply_of_a_read_may_be_cut_at_every_byte(redis_server: RedisServer, store: Store) -> None:
    stream = store.stream("s1")
    await stream.append(notes(1, "1"))
    length = _length_of_reply(redis_server, f"XREAD COUNT 500 STREAMS {EVENTS} 0-0")
    viewers: list[tuple[Proxy, Viewer]] = []
    async with AsyncExitStack() as stack:
        for i in range(32):
            proxy = await stack.enter_async_context(Proxy(redis_server.socket, f"proxy{i}"))
            far = await open_store(proxy.url, client_name="far")
            stack.push_async_callback(far.close)
            viewer = Viewer(follow(BareStream(far.stream("s1"))))
            viewers.append((proxy, await stack.enter_async_context(viewer)))
        last = 1
        for first_cut in range(0, length + 4, len(viewers)):
            for i, (proxy, viewer) in enumerate(viewers):
                await viewer.sees(*numbers(last))
                proxy.cut_after, proxy.marked, proxy.losses = first_cut + i, 0, 0
                proxy.lose_replies_to = EVENTS.encode()
            # The first entry answers the read that was under way, the second the one whose reply is cut.
            await stream.append(notes(last + 1, str(last + 1)))
            for proxy, _ in viewers:
                await wait_until(lambda proxy=proxy: proxy.marked)
            await stream.append(notes(last + 2, str(last + 2)))
            for proxy, _ in viewers:
                await wait_until(lambda proxy=proxy: proxy.losses)
                proxy.lose_replies_to = None
            last += 2
        for _, viewer in viewers:
            await viewer.sees(*numbers(last))


def _length_of_reply(server: RedisServer, command: str) -> int:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(server.socket)
        link.sendall(f"{command}\r\nPING\r\n".encode())
        reply = b""
        while not reply.endswith(b"+PONG\r\n"):
            reply += link.recv(65536)
    return len(reply) - len(b"+PONG\r\n")


async def test_r10_on_a_slow_link_the_answer_comes_in_batches_and_nothing_times_out(
    redis_server: RedisServer, store: Store
) -> None:
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="far")
        proxy.delay, proxy.rate = 0.15, 2_000
        async with (
            Viewer(follow(BareStream(store.stream("s1")))) as near,
            Viewer(follow(BareStream(far.stream("s1")))) as viewer,
            Writer(far.stream("s1"), writer="w", epoch=1) as writer,
        ):
            for i in range(1, 101):
                await writer.publish(Partial(delta=f"{i} "))
                await asyncio.sleep(0)
            await writer.flush()
            answer = " ".join(numbers(100)) + " "
            await wait_until(lambda: "".join(near.texts) == "".join(viewer.texts) == answer)
            assert len(near.entries) < 10
            assert [state.status for state in viewer.states] == ["connecting", "live"]
        await far.close()


@pytest.fixture
async def big_server() -> AsyncIterator[RedisServer]:
    """A server with a session, and so much beside it that it loads for seconds when it starts again."""
    server = RedisServer("--key-load-delay", "200")
    store = await open_store(server.url, client_name="t")
    await store.create_session(SessionInfo(id="s1"))
    await store.stream("s1").append(notes(1, "1"))
    await store.close()
    script = "for i=1,8000 do redis.call('SET','k'..i%10,i) end"
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(server.socket)
        link.sendall(f"*3\r\n$4\r\nEVAL\r\n${len(script)}\r\n{script}\r\n$1\r\n0\r\n".encode())
        link.recv(100)
    yield server
    server.close()


async def test_r11_a_server_that_is_loading_is_waited_for(
    big_server: RedisServer, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = await open_store(big_server.url, client_name="t")
    paths = find_paths({"RIFFLE_HOME": str(own_home)})
    context = Context(paths, load_config(paths, {"RIFFLE_REDIS_URL": big_server.url}))
    async with Viewer(store.watch("s1")) as viewer, Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await viewer.sees("1")
        restarting = asyncio.create_task(asyncio.to_thread(big_server.restart))
        await wait_until(lambda: (state := trouble(viewer)) and "is loading its data" in state.detail)
        await say(writer, "1", "2")  # the first one is there already
        async with cli_store(context) as late:
            assert len(await late.sessions()) == 1
        assert capsys.readouterr().err.count("is loading its data.\n  It will answer in a moment.\n") == 1
        await restarting
        await viewer.sees("1", "2")
    await store.close()


@pytest.mark.every_redis
async def test_r12_an_engine_keeps_its_lease_while_redis_is_full(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with store.seat(session, engine_id="e", lease_seconds=0.3) as seat:
        redis_server.command("CONFIG SET maxmemory 1")
        await say(seat.sink, "1")
        await wait_until(lambda: seat.sink.trouble)
        began = time.monotonic()

        async def kept() -> bool:
            lease = await store.lease(session)
            assert lease
            return "is full (maxmemory)" in lease.trouble and time.monotonic() > began + 0.6

        await wait_until(kept, what="twice the time of a lease")
        redis_server.command("CONFIG SET maxmemory 0")


async def test_r12_a_full_redis_holds_the_engine_up_and_nobody_else(
    redis_server: RedisServer, store: Store, session: str, own_home: Path
) -> None:
    redis_server.command("SETRANGE ballast 20000000 x")
    async with (
        Viewer(store.watch(session)) as viewer,
        store.seat(session, engine_id="e", lease_seconds=0.6) as seat,
        attached(own_home, redis_server.url, Attach(session=session)) as app,
    ):
        await seat.sink.publish(RunStarted())
        await seat.sink.publish(Partial(delta="before "))
        await seat.sink.flush()
        redis_server.command("CONFIG SET maxmemory 10mb")
        await seat.sink.publish(Partial(delta="and after"))
        await wait_until(lambda: viewer.leases[-1] and "is full (maxmemory)" in viewer.leases[-1].trouble)
        await wait_until(lambda: "held up  is full (maxmemory)" in app.status, what="the cause on the screen")
        assert "before" in app.timeline
        redis_server.command("DEL ballast")
        await wait_until(lambda: "".join(viewer.texts).endswith("before and after"))
        await wait_until(lambda: "before and after" in app.timeline and "held up" not in app.status)
        assert {state.status for state in viewer.states[1:]} == {"live"}


@pytest.mark.every_redis
async def test_r16_what_is_no_stream_is_left_as_it_is(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("SET", EVENTS, "precious")
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await say(writer, "1")
        with pytest.raises(WrongKeyType, match=r"riffle:\{s1\}:events.*is not a stream"):
            await writer.flush()
    async with Viewer(store.watch(store.stream("s1"))) as viewer:
        await wait_until(lambda: viewer.states and viewer.states[-1].status == "denied")
    assert redis_server.command("GET", EVENTS) == "precious"


@pytest.mark.every_redis
async def test_r17_what_was_trimmed_away_is_a_line_on_the_screen(
    redis_server: RedisServer, store: Store, session: str, own_home: Path
) -> None:
    await store.stream(session).append(notes(1, *numbers(10)))
    newest = (await store.stream(session).read_last(3))[0].id
    redis_server.command("XTRIM", EVENTS, "MINID", newest)
    async with attached(own_home, redis_server.url, Attach(session=session)) as app:
        await wait_until(lambda: "7 events are missing here" in app.timeline)
        await store.stream(session).append(notes(11, "live"))
        await wait_until(lambda: "live" in app.timeline)
        assert "missing" not in app.timeline.partition("missing")[2]


@pytest.mark.every_redis
async def test_r23_a_full_disk_is_told_and_viewers_read_on(redis_server: RedisServer, store: Store) -> None:
    stream = store.stream("s1")
    async with Viewer(store.watch(stream)) as viewer, Writer(stream, writer="w", epoch=1) as writer:
        await say(writer, "1")
        await viewer.sees("1")
        redis_server.fill_disk()
        last = 1
        while not writer.trouble:  # Redis notices when it writes, so it may take one more
            last += 1
            await say(writer, str(last))
            await asyncio.sleep(0.01)
        assert "cannot save its data" in str(writer.trouble)
        async with Viewer(store.watch(stream)) as late:
            await wait_until(lambda: late.texts and late.texts == viewer.texts)
        assert {state.status for state in viewer.states[1:]} == {"live"}
        redis_server.free_disk()
        await viewer.sees(*numbers(last))
    redis_server.restart()
    again = await open_store(redis_server.url, client_name="t")
    assert [entry.n for entry in await again.stream("s1").read()] == list(range(1, last + 1))
    await again.close()


@pytest.mark.every_redis
async def test_r24_a_clock_that_jumps_changes_no_order(redis_server: RedisServer, store: Store, session: str) -> None:
    async with Viewer(store.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
        await say(writer, "1")
        await viewer.sees("1")
        # The clock was an hour ahead for one entry; every later one is put behind that.
        ahead = f"{(await store.stream(session).info()).last_id.partition('-')[0]}"
        redis_server.command("XSETID", EVENTS, f"{int(ahead) + 3_600_000}-0")
        await say(writer, "2", "3")
        await viewer.sees("1", "2", "3")
    first, second, third = viewer.entries
    assert position(second.id) > position(first.id)
    assert position(third.id)[0] - position(first.id)[0] == 3_600_000
    assert third.ts - first.ts < 60_000  # times come from the writer's clock, never from ids
    timeline = Timeline()
    timeline.apply_all(viewer.entries)
    assert [entity.message for entity in timeline.entities if isinstance(entity, Notice)] == ["1", "2", "3"]


@pytest.mark.every_redis
async def test_r26_this_version_appends_reads_and_tells_its_name(
    redis_server: RedisServer, redis_binary: RedisBinary, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer, store.seat(session, engine_id="e") as seat:
        await say(seat.sink, "1")
        await viewer.sees("1")
    assert (await store.server_info()).version == redis_binary.version_text


def test_r26_servers_to_test_on_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = [server.path for server in find_servers().servers]
    other = tmp_path / "redis-server"
    other.write_text("#!/bin/sh\necho 'Redis server v=7.4.1 sha=0 bits=64'\n")
    other.chmod(0o755)
    monkeypatch.setenv(VARIABLE, f"{other}:{found[0]}")
    assert [server.path for server in find_servers().servers] == [*found, str(other)]
    for path, why in (("/nowhere/redis-server", "not a redis-server"), ("/bin/true", "not a redis-server")):
        monkeypatch.setenv(VARIABLE, path)
        with pytest.raises(pytest.UsageError, match=f"RIFFLE_TEST_REDIS names '{path}', which is {why}"):
            find_servers()
    other.write_text("#!/bin/sh\necho 'Redis server v=5.0.14'\n")
    monkeypatch.setenv(VARIABLE, str(other))
    with pytest.raises(pytest.UsageError, match=r"older than Redis 6\.2"):
        find_servers()
