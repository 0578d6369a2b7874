"""Fixtures for all tests: nothing of the developer's own set-up is seen, and Redis is always a real one."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from bus.redis.store import Store

HIDDEN_PREFIXES = ("RIFFLE_", "OPENAI_", "ANTHROPIC_", "XDG_", "REDIS_")
SEEN = {"RIFFLE_FIXTURES", "RIFFLE_REDIS_SERVER"}
"""Where the corpus lies, and which server the tests run on: the developer's choice."""


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files and an environment without keys or settings."""
    for name in list(os.environ):
        if name.startswith(HIDDEN_PREFIXES) and name not in SEEN:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RIFFLE_KEEPER_IDLE", "5")
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
def redis_server() -> Iterator[RedisServer]:
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
