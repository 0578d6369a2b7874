"""Fixtures for all tests: nothing of the developer's own set-up is seen, and Redis is always a real one."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bus.redis_binary import VARIABLE, RedisBinary, choose_binary
from tests.support.redis_matrix import Matrix, find_servers
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from bus.redis.connection import Connection
    from bus.redis.store import Store

HIDDEN_PREFIXES = ("RIFFLE_", "OPENAI_", "ANTHROPIC_", "XDG_", "REDIS_", "DISPLAY", "WAYLAND_")
"""Keys, addresses and folders of the developer, whose clipboard is no test's either."""

SEEN = {"RIFFLE_FIXTURES", "RIFFLE_REDIS_SERVER"}
"""Where the corpus lies, and which server the tests run on: the developer's choice."""

MATRIX = pytest.StashKey[Matrix]()


def pytest_configure(config: pytest.Config) -> None:
    """See which Redis servers there are; one that is named and cannot be used ends the run."""
    config.addinivalue_line("markers", "every_redis: runs on each Redis server that was found")
    config.addinivalue_line("markers", "one_redis: takes long and asks nothing of the server; not for `every_redis`")
    config.stash[MATRIX] = find_servers()
    # The SDKs alone are a million objects, and looking through them again and again is an eighth of a run.
    gc.set_threshold(20_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which servers the tests ran on, and how the recordings fared. At the end: a quiet run shows no header."""
    right, wrong = (_recordings(terminalreporter.stats.get(name, [])) for name in ("passed", "failed"))
    if right or wrong:
        from tests.support.recordings import table

        for line in table(right, wrong):
            terminalreporter.write_line(line)
    for line in config.stash[MATRIX].report():
        terminalreporter.write_line(line)


def _recordings(reports: list[pytest.TestReport]) -> list[str]:
    """Those that the tests were about; a worker's report brings the property along."""
    return [str(value) for report in reports for name, value in report.user_properties if name == "recording"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a test or a module that is marked `every_redis` run on each server."""
    marked = metafunc.definition.get_closest_marker("every_redis")
    if marked and "redis_binary" in metafunc.fixturenames and not metafunc.definition.get_closest_marker("one_redis"):
        servers = metafunc.config.stash[MATRIX].servers
        metafunc.parametrize("redis_binary", servers, indirect=True, ids=lambda server: server.version_text)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files and an environment without keys or settings."""
    for name in list(os.environ):
        if name.startswith(HIDDEN_PREFIXES) and name not in SEEN:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RIFFLE_KEEPER_IDLE", "5")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("COLORFGBG", raising=False)
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    return home


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    """The app freezes the collector; the next test wants it as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def redis_binary(request: pytest.FixtureRequest, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> RedisBinary:
    """The program that serves Redis in this test, and in all that the test starts here."""
    if chosen := getattr(request, "param", None):
        monkeypatch.setenv(VARIABLE, chosen.path)
    return choose_binary()


@pytest.fixture
def redis_share(request: pytest.FixtureRequest, redis_binary: RedisBinary) -> tuple[int, int]:
    """Which of how many servers this is, counted from 0: for a test that divides its work among them."""
    divided = cast(pytest.Item, cast(Any, request).node).get_closest_marker("every_redis") is not None
    servers = request.config.stash[MATRIX].servers if divided else [redis_binary]
    return servers.index(redis_binary), len(servers)


@pytest.fixture
def redis_server(redis_binary: RedisBinary) -> Iterator[RedisServer]:
    """A Redis server of this test's own."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    """A store on that server."""
    from bus.redis.store import open_store

    opened = await open_store(redis_server.url, client_name="riffle-test")
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One server for all tests of a file."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the archive of `kept` lies."""
    return tmp_path / "sessions"


@pytest.fixture
async def kept(redis_server: RedisServer, folder: Path) -> AsyncIterator[Store]:
    """A store that has an archive."""
    from bus.redis.store import open_store

    opened = await open_store(redis_server.url, client_name="t", archive=folder)
    yield opened
    await opened.close()


@pytest.fixture
async def raw(redis_server: RedisServer) -> AsyncIterator[Connection]:
    """The same server, past every rule."""
    from bus.redis.connection import Connection

    connection = Connection(redis_server.url, client_name="raw")
    yield connection
    await connection.close()
