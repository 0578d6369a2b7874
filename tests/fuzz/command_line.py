"""Each recording through the real command line: `riffle run`, in a process of its own, against a server on loopback."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.support import recordings
from tests.support.provider import provider_server
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home

PROCESSES = 2


def words_for(slug: str) -> tuple[str, ...]:
    """The command that asks for a recording."""
    model = recordings.MODELS[recordings.api(slug)]
    return ("run", f"Please {slug}", "-m", model, "--output", "json", "--max-calls", "1", "--retries", "0")


def differences(slug: str, done: subprocess.CompletedProcess[str]) -> dict[str, tuple[object, object]]:
    """What the printed events add up to, beside what they should."""
    try:
        got = recordings.outcome_of_run(done.stdout.splitlines())
    except (AssertionError, ValueError) as error:
        return {"events": (f"{error}\n{done.stderr}", "such as can be added up")}
    return recordings.differences(slug, got)


def run_all(slugs: Sequence[str]) -> int:
    """All of them, and the table; the exit code."""
    right, wrong = list[str](), list[str]()
    server = RedisServer()
    with provider_server() as env, tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), {"RIFFLE_REDIS_URL": server.url, **env})
        try:
            with ThreadPoolExecutor(PROCESSES) as pool:
                for number, (slug, found) in enumerate(
                    zip(slugs, pool.map(partial(_in_words, home), slugs), strict=True), 1
                ):
                    (wrong if found else right).append(slug)
                    if found:
                        print(f"\rFAILED {slug}: {found}")
                    if sys.stdout.isatty():
                        print(f"\r{number} of {len(slugs)} recordings", end="", flush=True)
        finally:
            home.close()
            server.close()
    print("\n" + "\n".join(recordings.table(right, wrong)))
    return 1 if wrong else 0


def _in_words(home: Home, slug: str) -> str:
    try:
        return "".join(
            f"\n  {what}: {str(came)[:300]}\n    instead of {str(should)[:300]}"
            for what, (came, should) in differences(slug, home.run(*words_for(slug), timeout=60)).items()
        )
    except subprocess.TimeoutExpired:
        return "it hangs"
