"""The design with one thing taken out of it, each in a copy of its own: the suite must see that it is missing."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bus.redis_binary import VARIABLE, choose_binary

ROOT = Path(__file__).parents[2]

Edit = tuple[str, str, str]
"""A file, a text that stands in it once, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is taken out, by which edits, the faults and the seed that show it, and which count shows it."""

    name: str
    edits: tuple[Edit, ...]
    faults: tuple[str, ...]
    seed: int
    shown_as: str
    """Words of the report with a count before them: a regular expression."""


_READER, _ORDER, _APPEND = "bus/reader.py", "bus/order.py", "bus/redis/append.lua"

_NO_DUPLICATES: tuple[Edit, ...] = (
    (_APPEND, "if ending <= last then", "if false then"),
    (_APPEND, "local start = math.max(first, last + 1)", "local start = first"),
    # With the writer's own numbers, a viewer drops what comes twice.
    (_APPEND, "if base then", "if false then"),
)

MUTANTS = (
    Mutant("no de-duplication by the script", _NO_DUPLICATES, ("drop_reply",) * 4, 2, "duplicated"),
    Mutant(
        "redis-py's default retry, and appends that trust it",
        (
            *_NO_DUPLICATES,
            (
                "bus/redis/connection.py",
                "        return await self._node.execute(*commands)\n",
                "        from redis.asyncio.retry import Retry\n"
                "        from redis.backoff import ExponentialWithJitterBackoff\n\n"
                "        async def failed(error: Exception) -> None: ...\n\n"
                "        retry = Retry(ExponentialWithJitterBackoff(base=0.01, cap=1), 10)\n"
                "        return await retry.call_with_retry(lambda: self._node.execute(*commands), failed)\n",
            ),
            # What redis-py reports as done is done: nothing is appended again by us.
            ("bus/writer.py", "await insist(self._append, self._note)", "await self._append()"),
        ),
        ("drop_reply",) * 4,
        2,
        "duplicated",
    ),
    Mutant(
        "no de-duplication by the viewer",
        ((_ORDER, "if self._again and self._was_shown(entry, self._shown):", "if False:"),),
        ("flushall", "older", "empty"),
        1,
        "duplicated",
    ),
    Mutant(
        "no fence",
        ((_APPEND, " or epoch < state_epoch or (epoch == state_epoch and state[2] ~= writer)", ""),),
        ("zombie", "zombie"),
        1,
        "(?:overtaken|lost)",
    ),
    Mutant(
        "$ in a loop",
        (
            (_READER, "self._watched.wait(self._cursor,", 'self._watched.wait("$",'),
            # A hole is read again from the cursor, which finds what $ has missed.
            (_READER, "if self._order.has_hole(raw):", "if False:"),
        ),
        ("client_kill", "cut", "client_kill"),
        2,
        "lost",
    ),
    Mutant(
        "no rewind",
        (
            ("bus/journal.py", "self._next = max(last + 1, self._first)", "pass"),
            ("bus/journal.py", "self._follows = last if last + 1 < self._first else None", "self._follows = last"),
        ),
        ("flushall", "older", "empty"),
        1,
        "lost of a running turn",
    ),
    Mutant(
        "the cursor moves before the entries are shown, and then something fails",
        (
            (
                _READER,
                "        entries = self._order.take(raw)\n",
                "        entries = self._order.take(raw)\n"
                "        self._cursor = raw[-1].id if raw else self._cursor\n"
                "        if __import__('random').random() < 0.05:\n"
                "            raise StoreUnavailable('something failed')\n",
            ),
        ),
        ("cut", "drop_reply"),
        1,
        "lost",
    ),
    Mutant(
        "no check of the numbers",
        ((_ORDER, "elif entry.n != self.n + 1:", "elif False:"),),
        ("trim", "xdel"),
        2,
        "lost",
    ),
    Mutant(
        "a gap that counts one too many",
        ((_ORDER, "gap(entry.ts, entry.n - self.n - 1, reason)", "gap(entry.ts, entry.n - self.n, reason)"),),
        ("trim", "xdel"),
        2,
        "records are missing",
    ),
    Mutant(
        "what is written again gets new numbers",
        ((_APPEND, "if base then", "if false then"),),
        ("replace", "flushall", "cut"),
        6,
        "lost",
    ),
)


def plant(mutant: Mutant, folder: Path) -> None:
    """Make `folder` a copy of the project with the mutant in it. Fails where an edit does not apply any more."""
    shutil.copytree(ROOT / "bus", folder / "bus", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("engine", "tui", "tests"):
        (folder / name).symlink_to(ROOT / name)
    for file, old, new in mutant.edits:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{mutant.name!r}: {old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")


async def run(mutant: Mutant, folder: Path) -> tuple[int | None, str]:
    """Run the suite on the mutant in `folder`, with its faults: the exit code, and what was said."""
    options = ("--faults", str(len(mutant.faults)), "--only", ",".join(dict.fromkeys(mutant.faults)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", "--seed", str(mutant.seed), "--small", "--patience", "2", *options),
        cwd=folder,
        env={**os.environ, VARIABLE: choose_binary().path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


def count(said: str, words: str) -> int:
    """The sum of all numbers that stand before `words` in a report."""
    return sum(int(number) for number in re.findall(rf"(\d+) (?:numbers )?{words}", said))
