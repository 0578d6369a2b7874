"""Which Redis servers the tests run on: all tests on the first one, those marked `every_redis` on each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.errors import NoRedisBinary
from bus.redis_binary import OLDEST, RedisBinary, choose_binary, installed, version_of

VARIABLE = "RIFFLE_TEST_REDIS"
"""More servers to run the marked tests on: paths, separated by colons."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The servers, the first of them for every test; and sentences on what is not among them."""

    servers: list[RedisBinary]
    missing: list[str]

    def report(self) -> list[str]:
        """Lines for the test report."""
        first, *more = [f"{server.version_text} ({server.path})" for server in self.servers]
        lines = [f"redis: all tests on {first}", *(f"redis: delivery tests also on {one}" for one in more)]
        return [*lines, *(f"redis: {sentence}" for sentence in self.missing)]


def find_servers() -> Matrix:
    """The bundled server (or that of RIFFLE_REDIS_SERVER), the system's, and those that RIFFLE_TEST_REDIS names.

    Raises pytest.UsageError for one that is named and cannot be used.
    """
    try:
        servers = [choose_binary()]
    except NoRedisBinary as error:
        raise pytest.UsageError(f"{error} {error.hint}") from None
    missing: list[str] = []
    for path in installed():
        version = version_of(path)
        if version is None or version < OLDEST:
            missing.append(f"not on {path}: it does not run here, or is older than 6.2")
        elif version not in [server.version for server in servers]:
            servers.append(RedisBinary(path, version))
    if len(servers) == 1:
        missing.append("no second version: redis-server on PATH is missing or of the same version")
    named = [path for path in os.environ.get(VARIABLE, "").split(":") if path]
    if not named:
        missing.append(f"{VARIABLE} names no further server")
    used = {Path(server.path).resolve() for server in servers}
    return Matrix([*servers, *(_named(path) for path in named if Path(path).resolve() not in used)], missing)


def _named(path: str) -> RedisBinary:
    version = version_of(path) if os.access(path, os.X_OK) else None
    if version is None:
        raise pytest.UsageError(f"{VARIABLE} names {path!r}, which is not a redis-server that runs here.")
    if version < OLDEST:
        raise pytest.UsageError(f"{VARIABLE} names {path!r}, which is older than Redis 6.2.")
    return RedisBinary(path, version)
