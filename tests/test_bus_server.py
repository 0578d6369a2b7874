"""The user's own Redis server: one, kept, private, stopped when nobody needs it, never older than its data."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from bus.errors import NoRedisBinary, StoreLoading, StoreUnavailable
from bus.redis.store import open_store
from bus.redis_binary import choose_binary, parse_version
from bus.server import (
    MAX_SOCKET_PATH_BYTES,
    Link,
    answers,
    ensure_server,
    has_keeper,
    server_folder,
    socket_path,
    start_server_early,
)
from bus.session import SessionInfo
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until, wait_until_now

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="riffle-test-"))
    yield folder
    for process in [*keepers(folder), *servers(folder)]:
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def keepers(data: Path) -> list[psutil.Process]:
    return running(lambda process: process.cmdline()[-1:] == [str((data / "redis").resolve())])


def servers(data: Path) -> list[psutil.Process]:
    return running(
        lambda process: "redis-server" in process.name() and process.cwd() == str((data / "redis").resolve())
    )


def running(fits: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and fits(process):
                found.append(process)
        except psutil.Error:
            continue
    return found


def ask(url: str, command: str) -> str:
    link = Link(url.removeprefix("unix://"))
    try:
        return link.ask(command)
    finally:
        link.close()


def test_it_starts_the_server_and_finds_it_again(data: Path) -> None:
    url = ensure_server(data)
    assert ask(url, "PING") == "PONG"
    pid = ask(url, "INFO server").split("process_id:")[1].split()[0]
    began = time.monotonic()
    assert ensure_server(data) == url
    assert time.monotonic() - began < 0.2
    assert [process.pid for process in servers(data)] == [int(pid)]
    assert len(keepers(data)) == 1


def test_many_programs_at_once_get_one_server(data: Path) -> None:
    code = (
        f"import sys, pathlib; from bus.server import ensure_server; print(ensure_server(pathlib.Path({str(data)!r})))"
    )

    def run(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(run, range(6)))
    assert {ended.stdout for ended in done} == {f"unix://{socket_path(data / 'redis')}\n"}, done
    assert len(servers(data)) == 1
    wait_until_now(lambda: len(keepers(data)) == 1)


def test_nothing_is_readable_by_others_and_nothing_listens_on_the_network(data: Path) -> None:
    old = os.umask(0)
    try:
        url = ensure_server(data)
    finally:
        os.umask(old)
    assert ask(url, "SET key value") == "OK"
    assert stat.S_IMODE((data / "redis").stat().st_mode) == 0o700
    files = [path for path in (data / "redis").rglob("*") if not path.is_dir()]
    assert {"server.json", "server.log", "keeper.lock", "server.lock", "redis.sock"} <= {path.name for path in files}
    assert [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    (server,) = servers(data)
    assert server.net_connections(kind="inet") == []


def test_a_data_folder_that_is_made_here_is_private_too(data: Path) -> None:
    made = data / "above" / "riffle"
    server_folder(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    data.chmod(0o755)
    server_folder(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o755  # it was there, as its owner wanted it


async def test_when_keeper_and_server_are_dead_a_store_has_them_started_again(data: Path) -> None:
    store = await open_store(ensure_server(data), client_name="t", revive=partial(start_server_early, data))
    await store.create_session(SessionInfo(id="s1"))
    async with Viewer(store.watch("s1")) as viewer:
        await wait_until(lambda: viewer.chunks)
        for process in [*keepers(data), *servers(data)]:
            process.kill()
        await wait_until(lambda: viewer.states[-1].status == "reconnecting")
        await wait_until(lambda: viewer.states[-1].status == "live")
    assert [info.id for info in await store.sessions()] == ["s1"]
    assert (len(keepers(data)), len(servers(data))) == (1, 1)
    await store.close()


async def test_the_server_is_set_up_to_lose_nothing(data: Path) -> None:
    store = await open_store(ensure_server(data), client_name="t")
    info = await store.server_info()
    assert (info.durability, info.maxmemory, info.maxmemory_policy) == ("process", 0, "noeviction")
    await store.close()


def test_it_outlives_who_started_it_and_is_stopped_when_nobody_needs_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFLE_KEEPER_IDLE", "0.6")
    url = ensure_server(data)
    link = Link(url.removeprefix("unix://"))
    assert link.ask("SET key value") == "OK"
    began = time.monotonic()
    wait_until_now(lambda: time.monotonic() - began > 1.5)
    assert link.ask("GET key") == "value"  # a client keeps it
    link.close()
    wait_until_now(lambda: not servers(data) and not keepers(data))
    assert ask(ensure_server(data), "GET key") == "value"


def test_a_keeper_that_is_told_to_end_stops_a_server_that_nobody_uses(data: Path) -> None:
    link = Link(ensure_server(data).removeprefix("unix://"))
    assert link.ask("SET key value") == "OK"
    keepers(data)[0].terminate()
    wait_until_now(lambda: not keepers(data))
    assert link.ask("GET key") == "value"
    start_keeper_again(data)
    wait_until_now(lambda: has_keeper(data / "redis"))
    link.close()
    keepers(data)[0].terminate()
    wait_until_now(lambda: not servers(data) and not keepers(data))
    assert ask(ensure_server(data), "GET key") == "value"


def test_a_look_for_a_keeper_is_not_taken_for_one(data: Path) -> None:
    folder = server_folder(data)
    looking = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(looking, fcntl.LOCK_SH)
    held = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    server = socket.create_server(socket_path(folder), family=socket.AF_UNIX)
    keeper = subprocess.Popen([sys.executable, "-m", "bus.keeper", str(folder.resolve())], cwd=ROOT)
    server.settimeout(5)
    try:
        with server.accept()[0] as asked:  # it has met the lock, and asks whether a server is there
            os.close(looking)
            asked.recv(100)
            asked.sendall(b"+PONG\r\n")
        with server.accept()[0] as again:  # so it goes on, to adopt the server
            again.recv(100)
        assert has_keeper(folder)
    finally:
        keeper.kill()
        keeper.wait()
        server.close()
        os.close(held)


def test_a_killed_keeper_is_replaced_and_its_server_adopted(data: Path) -> None:
    url = ensure_server(data)
    (keeper,), (server,) = keepers(data), servers(data)
    keeper.kill()
    wait_until_now(lambda: not keepers(data))
    assert ask(url, "PING") == "PONG"
    # Whoever comes next starts another one.
    assert ensure_server(data) == url
    wait_until_now(lambda: has_keeper(data / "redis"))
    assert [process.pid for process in servers(data)] == [server.pid]
    start_server_early(data)
    assert len(keepers(data)) == 1


def start_keeper_again(data: Path) -> None:
    subprocess.Popen([sys.executable, "-m", "bus.keeper", str((data / "redis").resolve())], cwd=ROOT).returncode = 0
    wait_until_now(lambda: keepers(data))


def test_a_killed_server_is_started_again_with_its_data(data: Path) -> None:
    url = ensure_server(data)
    assert ask(url, "SET key value") == "OK"
    (server,) = servers(data)
    server.kill()
    wait_until_now(lambda: [process for process in servers(data) if process.pid != server.pid], timeout=30)
    assert ask(ensure_server(data), "GET key") == "value"
    assert len(keepers(data)) == 1


def test_r05_a_server_that_reads_its_data_is_waited_for(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "redis-server"
    slow = '[ "$1" = - ] && set -- - --key-load-delay 500'
    binary.write_text(f'#!/bin/sh\n{slow}\nexec {choose_binary().path} "$@"\n')
    binary.chmod(0o755)
    monkeypatch.setenv("RIFFLE_REDIS_SERVER", str(binary))
    url = ensure_server(data)
    ask(url, "EVAL \"redis.replicate_commands() for i = 1, 6000 do redis.call('SET', i, i) end\" 0")
    monkeypatch.setattr("bus.server.START_SECONDS", 1.5)
    (server,) = servers(data)
    server.kill()
    said: list[StoreLoading] = []
    assert ask(ensure_server(data, on_loading=said.append), "GET 6000") == "6000"
    assert [str(error) for error in said] == ["The Redis server of riffle reads its data."]


def test_the_answer_nothing_is_an_empty_text(data: Path) -> None:
    assert ask(ensure_server(data), "GET nothing") == ""


def test_while_an_old_server_is_going_no_new_one_starts(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIFFLE_KEEPER_IDLE", "0.4")
    ensure_server(data)
    (server,), (keeper,) = servers(data), keepers(data)
    keeper.kill()
    server.send_signal(signal.SIGSTOP)  # gone for everybody, and still holding its files
    start_keeper_again(data)
    assert len(servers(data)) == 1
    server.kill()
    assert ask(ensure_server(data), "PING") == "PONG"
    assert [process.pid for process in servers(data)] != [server.pid]


def test_starting_early_returns_at_once(data: Path) -> None:
    began = time.monotonic()
    start_server_early(data)
    assert time.monotonic() - began < 0.2
    ensure_server(data)
    start_server_early(data)
    assert len(servers(data)) == 1


def test_data_of_a_newer_server_are_refused_in_words(data: Path) -> None:
    folder = server_folder(data)
    (folder / "server.json").write_text(json.dumps({"version": "99.1.0"}))
    with pytest.raises(NoRedisBinary, match=r"written by Redis 99\.1\.0.*an older server cannot read them") as caught:
        ensure_server(data)
    assert "99.1.0 or newer" in caught.value.hint
    assert servers(data) == []


def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    (server_folder(data) / "appendonly.aof").write_bytes(b"this is not an append only file")
    with pytest.raises(StoreUnavailable, match="ends again and again") as caught:
        ensure_server(data)
    assert "server.log" in caught.value.hint


def test_without_a_binary_the_command_that_installs_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.redis_binary.candidates", lambda: iter(()))
    with pytest.raises(NoRedisBinary) as caught:
        choose_binary()
    assert "install" in caught.value.hint


def test_the_named_binary_is_used_or_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIFFLE_REDIS_SERVER", "/nowhere/redis-server")
    with pytest.raises(NoRedisBinary, match="/nowhere/redis-server"):
        choose_binary()
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=5.0.9 sha=0\n")
    old.chmod(0o700)
    monkeypatch.setenv("RIFFLE_REDIS_SERVER", str(old))
    with pytest.raises(NoRedisBinary, match=r"is Redis 5\.0\.9; riffle needs 6\.2"):
        choose_binary()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Redis server v=6.2.14 sha=0:0 malloc=jemalloc", (6, 2, 14)),
        ("Valkey server v=8.0.1 sha=0", (8, 0, 1)),
        ("7.0.15", (7, 0, 15)),
        ("something else", None),
        ("", None),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_a_deep_folder_gets_a_short_socket_path(data: Path) -> None:
    deep = data / ("x" * 120)
    path = socket_path(server_folder(deep))
    assert len(path) <= MAX_SOCKET_PATH_BYTES
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    try:
        url = ensure_server(deep)
        assert ask(url, "PING") == "PONG"
    finally:
        for process in [*keepers(deep), *servers(deep)]:
            process.kill()


def test_a_planted_link_is_refused(data: Path) -> None:
    elsewhere = data / "elsewhere"
    elsewhere.mkdir()
    (data / "redis").symlink_to(elsewhere)
    with pytest.raises(StoreUnavailable, match="is not a folder of yours"):
        ensure_server(data)


def test_nobody_answers_at_a_socket_that_is_not_there(data: Path) -> None:
    assert not answers(str(data / "none"))


def test_importing_it_is_cheap() -> None:
    code = "import sys, bus.server; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert not set(loaded.split()) & {"asyncio", "redis", "pydantic", "subprocess", "textual", "hashlib"}
