"""Viewers that stop, come late, come often, come back, or sit at odd terminals: all see the same, and nobody waits.

Each test is named by the fault's id in the catalogue: see `test_faults_catalogue.py`.
"""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest
from redis import Redis

from bus.codec import encode
from bus.entities import AssistantText
from bus.events import Final, Info, Log, Partial, RunFinished, RunStarted, Start
from bus.meta import Correlation, Metadata
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from bus.stream import START, Entry
from bus.timeline import Timeline
from bus.writer import Writer
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.riffle import RIFFLE, Home
from tests.support.riffle_app import attached
from tests.support.terminal import CTRL_C, CTRL_D, Terminal
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until, wait_until_now
from tui.cli.errors import UsageError
from tui.cli.parser import parse
from tui.openings import Attach, Replay

EVENTS = "riffle:{s1}:events"
SAID = "Something was said here."
LEFT_ON = {7, 25}
"""The private modes that a terminal has when nobody changed anything: line wrap and a cursor."""
ANSWER = [f"word{i} " for i in range(200)]


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


def numbers(first: int, last: int) -> list[str]:
    return [str(i) for i in range(first, last + 1)]


def calls(server: RedisServer, command: str) -> int:
    """How often the server has run `command`."""
    for line in server.command("INFO commandstats").splitlines():
        if line.startswith(f"cmdstat_{command}:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


async def answer(writer: Writer, *deltas: str, final: bool = True) -> None:
    """A turn whose answer is `deltas`; without `final` it stops in the middle."""
    slim, full = Metadata(message_id="m1"), Metadata(message_id="m1", turn_id="t1")
    for event in (RunStarted(meta=full), Start(meta=full)):
        await writer.publish(event)
    for delta in deltas:
        await writer.publish(Partial(meta=slim, correlation=Correlation(segment_id="m1:1"), delta=delta))
        await asyncio.sleep(0.001)
    if final:
        await writer.publish(Final(meta=full, text="".join(deltas)))
        await writer.publish(RunFinished(meta=full))
    await writer.flush()


def said(entries: list[Entry]) -> str:
    """The answer as the timeline shows it."""
    timeline = Timeline()
    timeline.apply_all(entries)
    return "".join(str(entity.text) for entity in timeline.entities if isinstance(entity, AssistantText))


async def test_v01_a_stopped_viewer_costs_its_publisher_nothing(
    redis_server: RedisServer, store: Store, session: str, tmp_path: Path
) -> None:
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": redis_server.url})
    process = home.start("tail", session)
    assert process.stdout
    async with Writer(store.stream(session), writer="w", epoch=1) as writer:

        async def publish(first: int, last: int) -> int:
            before = calls(redis_server, "evalsha")
            for number in numbers(first, last):
                await writer.publish(Log(level="info", message=number))
                await writer.flush()
            return calls(redis_server, "evalsha") - before

        async def printed(count: int) -> list[str]:
            assert process.stdout
            lines: list[str] = []
            while len(lines) < count:
                line = await asyncio.to_thread(process.stdout.readline)
                lines += line.removeprefix("[info] ").split()
            return lines

        with_viewer = await publish(1, 40)
        assert await printed(40) == numbers(1, 40)
        os.kill(process.pid, signal.SIGSTOP)
        without = await publish(41, 80)
        os.kill(process.pid, signal.SIGCONT)
        assert await printed(40) == numbers(41, 80)
        assert with_viewer == without == 40
    process.terminate()
    await asyncio.to_thread(process.communicate, timeout=10)


async def test_v02_who_joins_in_the_middle_ends_with_the_same_answer(store: Store, session: str) -> None:
    stream = store.stream(session)
    async with AsyncExitStack() as stack, Writer(stream, writer="w", epoch=1) as writer:
        viewers = [await stack.enter_async_context(Viewer(store.watch(session)))]
        going_on = asyncio.create_task(answer(writer, *ANSWER))
        for _ in range(5):
            [newest] = await wait_until(lambda: stream.read_last(1))
            for after in (START, newest.id):
                viewers.append(await stack.enter_async_context(Viewer(store.watch(session, after=after))))
            await wait_until(lambda newest=newest: stream.read(newest.id))
        assert not going_on.done()
        await going_on
        for viewer in viewers:
            await wait_until(lambda viewer=viewer: viewer.texts[-1:] == ["run-finished"])
            assert said(viewer.entries) == "".join(ANSWER)


async def test_v03_a_replay_says_whether_the_recording_is_finished(
    redis_server: RedisServer, store: Store, own_home: Path
) -> None:
    for name, final in (("whole", True), ("broken", False)):
        await store.create_session(SessionInfo(id=name))
        async with Writer(store.stream(name), writer="w", epoch=1) as writer:
            await answer(writer, "Half an answer", final=final)
    async with attached(own_home, redis_server.url, Replay(session="whole", speed=0)) as app:
        await wait_until(lambda: app.status.rstrip().endswith("the end"))
    async with attached(own_home, redis_server.url, Replay(session="broken", speed=0)) as app:
        await wait_until(lambda: "the end, unfinished" in app.status and "Half an answer" in app.timeline)
    redis_server.command("XTRIM riffle:{whole}:events MAXLEN 2")
    async with attached(own_home, redis_server.url, Replay(session="whole", speed=0)) as app:
        await wait_until(lambda: "3 events are missing here" in app.timeline)


FILL = """
for i=1,ARGV[1] do
  redis.call('XADD', KEYS[1], '*', 'payload', '{"type":"info","message":"' .. i .. '"}', 'n', i, 'ts', i)
end
"""
"""Makes a long history."""


async def test_v04_a_long_history_begins_on_the_screen_with_its_end(
    redis_server: RedisServer, store: Store, session: str, own_home: Path
) -> None:
    with Redis(unix_socket_path=redis_server.socket) as client:
        client.eval(FILL, 1, EVENTS, 100_000)
    async with attached(own_home, redis_server.url, Attach(session=session)) as app:
        await wait_until(lambda: "100000" in app.timeline)
        assert len(app.folded.timeline.entities) < 1_000
    middle = (await store.stream(session).read_last(20_001))[0]
    before = calls(redis_server, "xrange")
    async with Viewer(store.watch(session, after=middle.id)) as viewer:
        await wait_until(lambda: viewer.chunks and viewer.chunks[-1].caught_up, timeout=30)
        assert len(viewer.chunks[0].entries) <= 16
        assert viewer.texts == numbers(80_001, 100_000)
        assert calls(redis_server, "xrange") - before < 20_000 / 500 + 10


@pytest.mark.parametrize("position", ["-1", "abc", "1-", "1-2-3", "1.5", "$", "９", "9" * 21])
def test_v06_a_cursor_that_is_none_is_refused_before_anything_is_asked(position: str) -> None:
    for command in ("attach", "replay", "tail"):
        with pytest.raises(UsageError, match="--from is start, now or the id of an entry"):
            parse([command, "s1", f"--from={position}"])


@pytest.mark.parametrize("position", ["-1", "abc", "$"])
async def test_v06_no_reader_falls_back_to_the_beginning(position: str, store: Store, session: str) -> None:
    with pytest.raises(ValueError, match="is not a position in a stream"):
        async with Viewer(store.watch(session, after=position)) as viewer:
            await wait_until(lambda: viewer.ended)


@pytest.mark.every_redis
async def test_v07_fifty_viewers_of_one_stream_are_each_exact(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(Viewer(store.watch(session))) for _ in range(50)]
        async with Writer(store.stream(session), writer="w", epoch=1) as writer:
            for number in numbers(1, 200):
                await writer.publish(Info(message=number))
                await asyncio.sleep(0)
        for viewer in viewers:
            await viewer.sees(*numbers(1, 200))
    assert calls(redis_server, "xread") < 50 * 200


async def test_v08_three_breaks_in_one_turn_are_bridged(redis_server: RedisServer, store: Store, session: str) -> None:
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="far")
        async with Viewer(far.watch(session)) as viewer, Writer(store.stream(session), writer="w", epoch=1) as writer:
            for shown in (1, 3, 5):
                await writer.publish(Info(message=str(shown)))
                await viewer.sees(*numbers(1, shown))
                proxy.cut()
                await wait_until(lambda: viewer.states[-1].status == "reconnecting")
                await writer.publish(Info(message=str(shown + 1)))
                proxy.away = False
                await viewer.sees(*numbers(1, shown + 1))
            assert [state.status for state in viewer.states].count("reconnecting") >= 3
        await far.close()


@pytest.mark.every_redis
async def test_v09_a_session_id_that_is_used_again_is_another_session(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with Viewer(store.watch(session)) as viewer:
        for run in ("first", "second"):
            async with store.seat(session, engine_id=f"engine of the {run}") as seat:
                for event in (Info(message=f"{run} 1"), Info(message=f"{run} 2"), RunFinished()):
                    await seat.sink.publish(event)
            if run == "first":
                await viewer.sees("first 1", "first 2", "run-finished")
                redis_server.command("FLUSHALL")
                await store.create_session(SessionInfo(id=session))
        await viewer.sees(
            "first 1", "first 2", "run-finished", "gap None", "second 1", "second 2", "run-finished"
        )  # fmt: skip


# -- odd terminals ---------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, redis_server: RedisServer) -> Iterator[Home]:
    """A user with a session, in which something was said."""
    with Redis(unix_socket_path=redis_server.socket) as client:
        client.hset("riffle:{s1}:meta", "title", "A session")
        client.xadd(EVENTS, {"payload": encode(Log(level="info", message=SAID))})
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": redis_server.url})
    yield home
    home.close()


def stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.mark.xdist_group("pty")
def test_v10_resizes_a_suspension_and_a_hang_up_leave_the_terminal_whole(home: Home) -> None:
    terminal = home.open("attach", "s1")
    terminal.wait_for(SAID)
    chance = random.Random(10)
    for _ in range(60):
        terminal.resize(chance.randrange(1, 200), chance.randrange(1, 60))
    terminal.resize(100, 30)
    terminal.wait_for(SAID)
    terminal.resize(20, 6)
    terminal.wait_for("Ask anything")
    drawn = len(terminal.raw)
    terminal.resize(1, 1)
    wait_until_now(lambda: len(terminal.raw) > drawn, what="something is drawn on one cell")
    terminal.resize(100, 30)
    terminal.wait_for(SAID)
    # Two resizes this close are heard of as one: the size is as it was, and what stood there is gone.
    for _ in range(5):
        terminal.resize(3, 2)
        terminal.resize(100, 30)
        terminal.wait_for(SAID)
    terminal.kill(signal.SIGTSTP)
    wait_until_now(lambda: stopped(terminal.process.pid), what="the program stands still")
    wait_until_now(lambda: terminal.modes == LEFT_ON, what="the modes are as they were")
    assert terminal.settings() == terminal.untouched
    terminal.kill(signal.SIGCONT)
    wait_until_now(lambda: 1049 in terminal.modes)
    terminal.type("Still here")
    terminal.wait_for("Still here")
    # Halted without a warning: what the terminal was before the program began is not forgotten over it.
    threads, drawn = psutil.Process(terminal.process.pid).num_threads(), len(terminal.raw)
    terminal.kill(signal.SIGSTOP)
    wait_until_now(lambda: stopped(terminal.process.pid), what="the program stands still")
    terminal.kill(signal.SIGCONT)
    wait_until_now(lambda: b"\x1b[?1049h" in terminal.raw[drawn:], what="the screen is taken again")
    terminal.type(", and here")
    terminal.wait_for("Still here, and here")
    assert psutil.Process(terminal.process.pid).num_threads() == threads, "one thread reads keys"
    terminal.kill(signal.SIGHUP)
    assert terminal.wait_exit() == 129
    assert (terminal.settings(), terminal.modes) == (terminal.untouched, LEFT_ON)


@pytest.mark.xdist_group("pty")
def test_v10_keys_in_an_editor_are_for_the_editor_and_a_halt_is_for_both(home: Home) -> None:
    # As vim: Ctrl+C interrupts what it does, and goes to all that run in the terminal.
    script = "trap 'echo is told' INT; echo waits; until read line; do :; done; echo $line > $0"
    home.env["EDITOR"] = shlex.join(["sh", "-c", script])
    shell = ["sh", "-c", 'set -m; "$@"; echo "the shell has it"; read line; fg', "sh"]
    terminal = Terminal([*shell, *RIFFLE, "attach", "s1"], home.env, cwd=home.folder)
    try:
        terminal.wait_for(SAID)
        terminal.type("\x07")
        terminal.wait_for("waits")
        terminal.type(CTRL_C)
        terminal.wait_for("is told")
        terminal.type("\x1a")
        terminal.wait_for("the shell has it")
        terminal.type("\nwritten elsewhere\n")
        terminal.wait_for(lambda screen: SAID in screen and "▌ written elsewhere" in screen)
        terminal.type(CTRL_C + CTRL_D)
        assert terminal.wait_exit() == 0
        assert (terminal.settings(), terminal.modes) == (terminal.untouched, LEFT_ON)
    finally:
        terminal.close()


@pytest.mark.xdist_group("pty")
def test_v10_without_colours_and_without_utf_8_it_can_be_read(home: Home) -> None:
    home.env |= {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    terminal = home.open("attach", "s1")
    terminal.wait_for(SAID)
    terminal.type(CTRL_D)
    assert terminal.wait_exit() == 0
    assert (terminal.settings(), terminal.modes) == (terminal.untouched, LEFT_ON)
