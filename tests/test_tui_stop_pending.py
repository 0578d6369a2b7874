"""Stopping an answer while Redis is away, and prompts that a Redis has lost: nothing is forgotten by who asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bus.errors import AccessDenied
from bus.events import UserMessage
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, QueueChanged
from bus.redis.store import Store
from bus.retry import insist
from bus.session import ConnectionState, Queue, SessionInfo
from tests.support.prompts import LEASE_SECONDS, claimed, far_from, prompt
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home
from tests.support.riffle_app import Screen, answering, screen
from tests.support.scripted_source import ScriptedLibrary, ScriptedSource
from tests.support.terminal import ENTER, ESCAPE
from tests.support.waiting import wait_until, wait_until_now
from tui.live_source import LiveSource
from tui.openings import Attach

AWAY = ConnectionChanged(ConnectionState("reconnecting", 3, "Redis is away."))


# -- on the screen ---------------------------------------------------------------------------------------------


async def test_p10_a_stop_is_pending_until_the_answer_ends_and_then_forgotten(own_home: Path) -> None:
    story = answering()
    app = screen(own_home, story.take(), AWAY, opening=Attach(session="x"))
    app.source.stops_held = asyncio.Event()
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press("escape")
        await wait_until(lambda: "stop pending" in app.status)
        assert app.source.stopped == ["p1"]
        app.source.push(story.finish().take())
        await wait_until(lambda: "stop pending" not in app.status)
        await wait_until(lambda: app.source.calls[-1] == "interrupt given up")


async def test_p10_a_stop_is_not_for_the_answer_that_came_next(own_home: Path) -> None:
    story = answering()
    app = screen(own_home, story.take(), AWAY)
    app.source.stops_held = asyncio.Event()
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press("escape")
        await wait_until(lambda: "stop pending" in app.status)
        app.source.push(story.finish().ask("And the next?").say("It ", "comes").take())
        await wait_until(lambda: "esc to interrupt" in app.status or "answering" in app.status)
        assert "stop pending" not in app.status
        await wait_until(lambda: app.source.calls[-1] == "interrupt given up")


async def test_p10_a_stop_of_an_answer_whose_beginning_is_not_read_yet_is_pending(own_home: Path) -> None:
    story = answering()
    entries = story.take().entries
    source = ScriptedSource(script=[BeganLate(4), EntriesRead(entries[4:], caught_up=False)], before=[entries[:4]])
    source.stops_held = asyncio.Event()
    app = Screen(own_home, ScriptedLibrary(source), Attach(session="x"))
    async with app.run_test() as pilot:
        await app.read(1)
        await pilot.press("escape")
        await wait_until(lambda: "stop pending" in app.status and "connecting" in app.status)
        source.go_on.set()
        await wait_until(lambda: app.folded.state.turn_id == "t1")
        source.push(ConnectionChanged(ConnectionState("live")))
        await wait_until(lambda: "live" in app.status)
        assert "stop pending" in app.status
        assert source.calls[-1] == "interrupt"
        source.push(story.finish().take())
        await wait_until(lambda: "stop pending" not in app.status)
        await wait_until(lambda: source.calls[-1] == "interrupt given up")


async def test_a_stop_that_is_refused_is_not_pending(own_home: Path) -> None:
    app = screen(own_home, answering().take())
    app.source.failure = AccessDenied("You may not stop this.")
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press("escape")
        await app.note("You may not stop this.")
        await wait_until(lambda: "stop pending" not in app.status)


# -- over a real Redis -----------------------------------------------------------------------------------------


class Reader:
    """Reads a source in the background, as a screen does."""

    def __init__(self, source: LiveSource) -> None:
        self.queues: list[Queue] = []
        self.live = False
        self._task = asyncio.create_task(self._read(source))

    async def _read(self, source: LiveSource) -> None:
        async for item in source.items():
            match item:
                case QueueChanged(queue):
                    self.queues.append(queue)
                case ConnectionChanged(state):
                    self.live = state.status == "live"
                case _:
                    pass

    def waiting(self) -> list[str]:
        """The texts of the prompts that wait, as they were told last."""
        return [prompt.text for prompt in self.queues[-1].prompts] if self.queues else []

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def watched(store: Store) -> AsyncIterator[tuple[LiveSource, Reader]]:
    """A terminal that watches a session whose engine is elsewhere."""
    info = await store.create_session(SessionInfo(id="s1", title="rivers", owner="ann@box", answering="pool"))
    source = LiveSource(store, info, mode="attach", author="bob@there")
    reader = Reader(source)
    await wait_until(lambda: reader.live and reader.queues)
    yield source, reader
    await reader.close()


async def test_p10_a_stop_that_was_asked_for_while_redis_was_away_is_delivered_when_it_is_back(
    redis_server: RedisServer, store: Store, watched: tuple[LiveSource, Reader]
) -> None:
    source, reader = watched
    async with store.seat("s1", engine_id="e1", lease_seconds=5.0) as seat:
        await source.submit("Why?")
        work = await claimed(seat)
        heard = asyncio.create_task(seat.interrupted())
        redis_server.kill9()
        await wait_until(lambda: not reader.live)
        asking = asyncio.create_task(source.interrupt(work.prompt_id))
        assert not (await asyncio.wait([asking], timeout=0.3))[0]
        redis_server.start()
        assert await heard == "bob@there"
        await asking


async def test_p05_what_was_sent_is_sent_again_to_a_redis_that_came_back_empty(
    redis_server: RedisServer, store: Store, watched: tuple[LiveSource, Reader]
) -> None:
    source, reader = watched
    async with store.seat("s1", engine_id="e1", idle_seconds=0.05) as seat:
        await source.submit("begun")
        work = await claimed(seat)
        await seat.sink.publish(UserMessage(text=work.text, prompt_id=work.prompt_id))
        await seat.finish(work)
    for text in ("one", "two", "taken back"):
        await source.submit(text)
    await wait_until(lambda: reader.waiting() == ["one", "two", "taken back"])
    taken = reader.queues[-1].prompts[-1]
    assert await source.withdraw(taken.id)
    redis_server.restart(empty=True)
    await wait_until(lambda: _texts(store, ["one", "two"]), what="both prompts again")
    await wait_until(lambda: reader.waiting() == ["one", "two"])
    info = await store.session("s1")
    assert info
    assert (info.title, info.owner, info.answering) == ("rivers", "ann@box", "pool")


async def test_p05_what_redis_still_has_is_not_asked_twice(
    redis_server: RedisServer, store: Store, watched: tuple[LiveSource, Reader]
) -> None:
    source, reader = watched
    await source.submit("one")
    redis_server.kill9()
    await wait_until(lambda: not reader.live)
    redis_server.start()
    await wait_until(lambda: reader.live)
    assert await _texts(store, ["one"])


async def _texts(store: Store, wanted: list[str]) -> bool:
    return [queued.text for queued in (await insist(lambda: store.queue("s1"))).prompts] == wanted


async def test_a_prompt_that_was_cut_off_with_its_engine_is_not_shown_as_waiting(
    redis_server: RedisServer, store: Store, watched: tuple[LiveSource, Reader]
) -> None:
    _, reader = watched
    async with far_from(redis_server, store) as far:
        seat = far.store.seat("s1", engine_id="dead", lease_seconds=LEASE_SECONDS)
        await seat.__aenter__()
        await store.submit("s1", prompt("p1", "cut off"))
        work = await claimed(seat)
        await seat.sink.publish(UserMessage(text=work.text, prompt_id=work.prompt_id))
        await seat.sink.flush()
        await store.submit("s1", prompt("p2", "waits"))
        await far.die()
        assert await _texts(store, ["cut off", "waits"])
        await wait_until(lambda: len(reader.queues) >= 2 and reader.waiting() == ["waits"])
        await seat.__aexit__(None, None, None)
    assert all("cut off" not in [p.text for p in queue.prompts] for queue in reader.queues[-2:])


# -- in a terminal ---------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, redis_server: RedisServer) -> Iterator[Home]:
    """A user whose demo tells a long story."""
    home = Home(tmp_path, {"RIFFLE_MODEL": "demo:long", "RIFFLE_REDIS_URL": redis_server.url})
    yield home
    home.close()


def stops(home: Home) -> list[float]:
    """When answers of the one session were stopped, by the engine's clock in Unix seconds."""
    [info] = home.sessions()
    done = home.run("tail", info["id"], "--no-follow", "--output", "json")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    return [entry["ts"] / 1000 for entry in entries if entry["event"]["type"] == "interrupt"]


@pytest.mark.timeout(60)
@pytest.mark.xdist_group("pty")
def test_p10_escape_works_while_redis_is_away_in_every_terminal(home: Home, redis_server: RedisServer) -> None:
    own = home.open("Tell me")
    own.wait_for("tok/s", timeout=20)
    other = home.open("attach", home.sessions()[0]["id"])
    other.wait_for("tok/s")
    redis_server.kill9()
    other.wait_for("reconnecting")
    other.type(ESCAPE)
    other.wait_for("stop pending")
    back = time.time()
    redis_server.start()
    other.wait_for("Stopped here", timeout=15)
    own.wait_for("Stopped here")
    # The terminal that started the engine reaches it without Redis.
    own.type("Again" + ENTER)
    own.wait_for(lambda screen: "tok/s" in screen.partition("▍ Again")[2], timeout=15)  # not the rate of the one before
    redis_server.kill9()
    own.wait_for("reconnecting")
    own.type(ESCAPE)
    own.wait_for("stop pending")
    redis_server.start()
    back_again = time.time()
    other.wait_for(lambda screen: "Stopped here" in screen.rpartition("Again")[2] and "● live" in screen, timeout=15)
    wait_until_now(lambda: len(stops(home)) == 2, timeout=15)
    first, second = stops(home)
    assert first > back
    assert second < back_again
