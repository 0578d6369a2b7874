"""Ended sessions in the real program: moved to files, and listed, shown, printed, replayed and continued as before."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bus.redis.store import Store, open_store
from bus.server import ensure_server
from bus.session import SessionInfo
from bus.stream import Batch, Record
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home
from tests.support.terminal import ENTER
from tests.support.waiting import wait_until_now
from tui.config import load_config
from tui.housekeeping import EVERY_SECONDS
from tui.paths import find_paths

LONG_AGO = 1_700_000_000_000

ENDING = "How do I set a key and talk to a real model?"
"""How the demo's first answer ends."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user whose server and keeper run, and go soon after the last command."""
    home = Home(tmp_path, {"RIFFLE_KEEPER_IDLE": "60", "RIFFLE_MODEL": "demo:instant"})
    yield home
    home.close()


def archive(home: Home) -> list[Path]:
    return sorted((home.folder / "data" / "sessions").glob("*.jsonl.gz"))


def at_the_store(home: Home, act: Callable[[Store], Awaitable[object]]) -> None:
    """Do something past the program, to the server that it has started."""

    async def run() -> None:
        data = home.folder / "data"
        url = await asyncio.to_thread(ensure_server, data)
        store = await open_store(url, client_name="t", archive=data / "sessions")
        await act(store)
        await store.close()

    asyncio.run(run())


async def move_all(store: Store) -> None:
    assert await store.archiving.tidy(-1) == []


def line(report: str, what: str) -> str:
    """The line of the doctor's report on `what`, its mark in front."""
    return next(line.strip() for line in report.splitlines() if line[6:].startswith(what))


def test_a_session_in_a_file_is_like_any_other(home: Home) -> None:
    home.call("run", "hello there", "-q")
    before = home.call("tail", "hello", "--no-follow", "--output", "json").stdout
    at_the_store(home, move_all)
    (path,) = archive(home)

    (known,) = home.sessions()
    assert (known["title"], known["messages"]) == ("hello there", 2)
    shown = home.call("sessions", "show", "hello").stdout
    assert f"file         {path} (" in shown
    assert "stream " not in shown
    assert home.call("tail", "hello", "--no-follow", "--output", "json").stdout == before

    report = home.call("doctor").stdout
    assert line(report, "in Redis") == f"ok  {'in Redis':<20} 0 sessions, 0 B"
    assert line(report, "in files").startswith(f"ok  {'in files':<20} 1 session, ")
    assert line(report, "in files").endswith(f", in {path.parent}")
    assert "14 days" in line(report, "moved to a file")
    assert archive(home) == [path], "none of that needed Redis"

    assert home.call("tail", str(path), "--output", "json").stdout == before
    second = json.loads(before.splitlines()[1])["id"]
    assert home.call("tail", str(path), "--from", second, "--output", "json").stdout == before.split("\n", 1)[1]
    exported = home.folder / "exported.jsonl.gz"
    assert home.call("sessions", "export", "hello", str(exported)).returncode == 0
    assert home.call("tail", str(exported), "--output", "json").stdout == before
    assert f"riffle tail {path}" in home.call("replay", str(path)).stderr
    attached = home.open("attach", "hello")
    attached.wait_for(ENDING)
    assert not home.processes("tui engine")
    chat = home.open("chat", "-c")
    chat.wait_for(ENDING)
    chat.type(f"one more{ENTER}")
    chat.wait_for("one more")
    attached.wait_for("one more")
    wait_until_now(lambda: home.sessions()[0]["messages"] == 4, timeout=20)

    assert home.call("sessions", "delete", "hello", "-y").returncode == 0
    assert (archive(home), home.sessions()) == ([], [])


def test_housekeeping_happens_once_a_day_after_a_command(home: Home) -> None:
    home.call("sessions", "list")
    log = home.folder / "state" / "housekeeping.log"
    assert log.exists(), "the first one is due tomorrow"

    async def make(store: Store) -> None:
        await store.create_session(SessionInfo(id="old", title="Soup", updated_ms=LONG_AGO))
        await store.create_session(SessionInfo(id="new", title="Stew"))
        await store.create_session(SessionInfo(id="just-said", title="Tea", updated_ms=LONG_AGO))
        await store.stream("just-said").append(Batch("w", 1, 1, [Record(b"{}", 1)]))

    at_the_store(home, make)
    home.call("sessions", "list")
    yesterday = time.time() - EVERY_SECONDS - 1
    os.utime(log, (yesterday, yesterday))
    assert archive(home) == []
    home.call("sessions", "list")
    wait_until_now(lambda: archive(home), timeout=30, what="the file")
    assert [path.name for path in archive(home)] == ["old.jsonl.gz"]
    assert stat.S_IMODE(archive(home)[0].stat().st_mode) == 0o600
    wait_until_now(lambda: not home.processes("tui.housekeeping"), timeout=30)
    assert (log.read_text(), log.stat().st_mtime > time.time() - 120) == ("", True)
    assert {info["title"] for info in home.sessions()} == {"Soup", "Stew", "Tea"}


def test_a_cut_file_is_named_and_the_rest_is_listed(home: Home) -> None:
    home.call("sessions", "list")

    async def make(store: Store) -> None:
        for name in ("one", "two"):
            await store.create_session(SessionInfo(id=name, title=name, updated_ms=LONG_AGO))
        await move_all(store)

    at_the_store(home, make)
    path = archive(home)[0]
    path.write_bytes(path.read_bytes()[:-20])
    done = home.call("sessions", "list", "--json")
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["two"]
    assert f"The file {path} is cut off." in done.stderr
    for words in ("tail one", "sessions show on", "send one hi", "run -s one hi", "sessions delete one -y"):
        refused = home.call(*words.split())
        assert (refused.returncode, f"The file {path} is cut off." in refused.stderr) == (1, True)
    assert "no session 'three'" in home.call("tail", "three").stderr
    report = home.call("doctor")
    assert report.returncode == 1
    assert str(path) in line(report.stdout, "damaged")


def test_out_of_a_server_of_somebody_elses_nothing_moves_and_much_memory_is_said(home: Home) -> None:
    server = RedisServer("--maxmemory", "1mb")  # an empty one takes about as much
    home.env["RIFFLE_REDIS_URL"] = server.url
    try:
        report = home.call("doctor").stdout
    finally:
        server.close()
    assert "only out of riffle's own Redis" in line(report, "in files")
    assert line(report, "in Redis") == f"!   {'in Redis':<20} 0 sessions, 0 B: all of it is memory"
    assert not (home.folder / "state" / "housekeeping.log").exists()
    assert not (home.folder / "data").exists()


@pytest.mark.parametrize(("setting", "days"), [("", 14), ("after_days = 3", 3), ("after_days = 0", 0)])
def test_how_long_is_a_setting(tmp_path: Path, setting: str, days: int) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(f"[retention]\n{setting}\n")
    config = load_config(find_paths({"RIFFLE_HOME": str(tmp_path)}), {})
    assert (config.warnings, config.retention_days) == ([], days)
