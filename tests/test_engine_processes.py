"""Real `riffle engine` processes on one Redis: they share the work, die with it, and leave when told to."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from engine.service import ECHO_SECONDS
from tests.support.redis_server import RedisServer
from tests.support.riffle import ROOT, Home
from tests.support.waiting import wait_until, wait_until_now
from tui.cli import engine as engine_command
from tui.cli.commands import Engine
from tui.cli.context import Context
from tui.cli.loop import Signals
from tui.config import load_config
from tui.paths import find_paths

SESSIONS, PROMPTS = 4, 3
QUESTION = "What is a stream?"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def home(tmp_path: Path, server: RedisServer) -> Iterator[Home]:
    """A user whose Redis is `server`, emptied, and whose engines soon count as lost."""
    server.cont()
    server.command("FLUSHALL")
    home = Home(
        tmp_path,
        {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant", "RIFFLE_LEASE_SECONDS": "0.6"},
    )
    yield home
    server.cont()
    home.close()


def make_session(server: RedisServer, session: str, answering: str = "pool") -> None:
    """A session without a word in it."""
    server.command(f"HSET riffle:{{{session}}}:meta title {session} answering {answering} stream_epoch e")


def ask(server: RedisServer, session: str, name: str, text: str = "Hello", on_loss: str = "stop") -> None:
    """Queue a prompt, and wake the pool."""
    server.command(f"XADD riffle:{{{session}}}:prompts * id {name} text {text} on_loss {on_loss}")
    server.command(f"ZADD riffle:ready 1 {session}")


def events(server: RedisServer, session: str) -> list[dict[str, Any]]:
    """The session's events."""
    with Redis(unix_socket_path=server.socket) as redis:
        entries: Any = redis.xrange(f"riffle:{{{session}}}:events")
    return [json.loads(fields[b"payload"]) for _, fields in entries]


def count(server: RedisServer, key: str) -> int:
    """How many entries a stream has."""
    return int(server.command(f"XLEN {key}"))


def left(server: RedisServer, *sessions: str) -> int:
    """How many prompts are not finished."""
    return sum(count(server, f"riffle:{{{session}}}:prompts") for session in sessions)


def stop(*engines: subprocess.Popen[str]) -> list[str]:
    """End engines as Ctrl+C does; what they said."""
    for engine in engines:
        engine.send_signal(signal.SIGINT)
    return [engine.communicate(timeout=20)[1] for engine in engines]


def test_p07_engines_share_the_work_each_under_a_name_of_its_own(home: Home, server: RedisServer) -> None:
    sessions = [f"shared{number}" for number in range(SESSIONS)]
    engines = [home.start("engine") for _ in range(2)]
    wait_until_now(lambda: server.command("CLIENT LIST").count("cmd=bzpopmin") >= 2, what="two engines that wait")
    for session in sessions:
        make_session(server, session)
        for number in range(PROMPTS):
            ask(server, session, f"{session}.{number}")
    wait_until_now(lambda: left(server, *sessions) == 0, timeout=40, what="all answers")
    writers: set[str] = set()
    for session in sessions:
        found = events(server, session)
        assert [event["prompt_id"] for event in found if event["type"] == "riffle-user-message"] == [
            f"{session}.{number}" for number in range(PROMPTS)
        ]
        assert [event["type"] for event in found].count("run-finished") == PROMPTS
        writers.add(server.command(f"HGET riffle:{{{session}}}:state w"))
    assert len(writers) >= 2, "one engine did it all"
    for said in stop(*engines):
        assert said == "riffle: Answering sessions that are open to any engine. Ctrl+C ends.\n"


def test_p01_the_work_of_an_engine_that_was_killed_is_done_by_another(home: Home, server: RedisServer) -> None:
    make_session(server, "killed")
    home.env["RIFFLE_MODEL"] = "demo"
    first = home.start("engine")
    ask(server, "killed", "p1", on_loss="retry")
    wait_until_now(lambda: count(server, "riffle:{killed}:events") > 5, what="the answer's beginning")
    home.env["RIFFLE_MODEL"] = "demo:instant"
    second = home.start("engine")
    wait_until_now(lambda: server.command("CLIENT LIST").count("cmd=bzpopmin") == 1, what="the second engine")
    first.kill()
    first.communicate()
    wait_until_now(lambda: left(server, "killed") == 0, timeout=15, what="the answer of the other one")
    found = events(server, "killed")
    ends = [(event["type"], event.get("reason")) for event in found if event["type"].startswith("run-")]
    assert ends == [
        ("run-started", None),
        ("run-stopped", "engine-lost"),
        ("run-started", None),
        ("run-finished", None),
    ]
    turns = [event["meta"]["turn_id"] for event in found if event["type"] == "riffle-user-message"]
    assert found[-1]["meta"]["turn_id"] == turns[1]
    stop(second)


DIES = """
import os, sys
if sys.orig_argv[-3:-1] == ["engine", "--session"]:
    import bus.redis.seat as seat
    claimed = seat.SessionSeat._try_claim

    async def die(self):
        work = await claimed(self)
        if work is not None and work.text == "poison" and work.fate == "answer":
            os.kill(os.getpid(), 9)
        return work

    seat.SessionSeat._try_claim = die
"""
"""An engine that a prompt kills: as a fault in a library would, before a word is written."""


def test_p06_a_prompt_that_kills_real_engines_is_set_aside_and_shown(home: Home, server: RedisServer) -> None:
    (home.folder / "sitecustomize.py").write_text(DIES)
    home.env["PYTHONPATH"] = f"{home.folder}:{ROOT}"
    make_session(server, "deadly", "private")
    ask(server, "deadly", "p1", "poison")
    for _ in range(3):
        engine = home.start("engine", "--session", "deadly")
        engine.communicate(timeout=20)
        assert engine.returncode == -signal.SIGKILL
    ask(server, "deadly", "p2", "harmless")
    engine = home.start("engine", "--session", "deadly")
    wait_until_now(lambda: left(server, "deadly") == 0, timeout=20, what="the end of both")
    stop(engine)
    found = events(server, "deadly")
    assert [event["type"] for event in found[:4]] == ["riffle-user-message", "run-started", "error", "run-failed"]
    assert (found[0]["text"], found[2]["code"]) == ("poison", "set-aside")
    assert found[-1]["type"] == "run-finished"
    shown = home.run("sessions", "show", "deadly").stdout
    assert "set aside    “poison”" in shown
    assert json.loads(home.run("sessions", "show", "deadly", "--json").stdout)["set_aside"][0]["text"] == "poison"


def test_ctrl_c_ends_an_engine_while_redis_does_not_answer_and_what_is_lost_is_said(
    home: Home, server: RedisServer
) -> None:
    make_session(server, "halted", "private")
    home.env["RIFFLE_MODEL"] = "demo"
    engine = home.start("engine", "--session", "halted")
    ask(server, "halted", "p1")
    wait_until_now(lambda: count(server, "riffle:{halted}:events") > 5, what="the answer's beginning")
    assert engine.stderr is not None
    server.stop()
    assert engine.stderr.readline().startswith("riffle: Redis at ")
    assert engine.stderr.readline() == "  riffle goes on as soon as it is back.\n"
    server.cont()
    assert engine.stderr.readline() == "riffle: Redis is back.\n"
    server.stop()
    engine.send_signal(signal.SIGINT)
    began = time.monotonic()
    wait_until_now(lambda: time.monotonic() > began + ECHO_SECONDS + 0.1, what="a second one that is no echo")
    engine.send_signal(signal.SIGINT)
    _, said = engine.communicate(timeout=20)
    assert time.monotonic() - began < ECHO_SECONDS + 4
    assert engine.returncode == 130
    assert "events of this answer did not get into Redis, and are lost." in said
    assert "Traceback" not in said


async def test_a_session_that_always_has_more_does_not_keep_an_engine_for_itself(
    tmp_path: Path, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_command, "POOL_STAY_SECONDS", 0.4)
    server.command("FLUSHALL")
    paths = find_paths({"RIFFLE_HOME": str(tmp_path)})
    ctx = Context(paths, load_config(paths, {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant"}))
    make_session(server, "greedy")
    make_session(server, "modest")

    async def feed() -> None:
        for number in itertools.count():
            ask(server, "greedy", f"g{number}")
            await wait_until(lambda: left(server, "greedy") < 2)

    feeding = asyncio.create_task(feed())
    answering = asyncio.create_task(engine_command.engine(Engine(), ctx, Signals()))
    await wait_until(lambda: server.command("EXISTS riffle:{greedy}:lease") == "1")
    ask(server, "modest", "m1")
    await wait_until(lambda: left(server, "modest") == 0, timeout=15, what="the turn of the other session")
    assert not feeding.done()
    for task in (feeding, answering):
        task.cancel()
    await asyncio.gather(feeding, answering, return_exceptions=True)
