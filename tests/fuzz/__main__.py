"""`make fuzz`: break every recording in every way, in two processes, and say by adapter what came of it."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import FrameType

from tests.fuzz import command_line
from tests.fuzz.cases import cases
from tests.support import recordings

PROCESSES = 2
SECONDS = 120
"""A case that takes longer than that hangs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a recording: how many cases, and the ones that failed, in words."""

    slug: str
    count: int
    failures: list[str]


def break_it(slug: str, seed: int) -> Result:
    """All cases of one recording."""
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDKs', of old models
    signal.signal(signal.SIGALRM, _hangs)
    count, failures = 0, list[str]()
    for name, check in cases(slug, seed):
        count += 1
        signal.alarm(SECONDS)
        try:
            check()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})")
        finally:
            signal.alarm(0)
    return Result(slug, count, failures)


def _hangs(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"it hangs: {SECONDS} s have passed")


def main() -> int:
    """Run it over the recordings that are named, all by default."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=", description=__doc__)
    parser.add_argument("recording", nargs="*", help="which; all without any")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what is broken where; a new one by default")
    parser.add_argument("--command", action="store_true", help="run each through the real command line instead")
    chosen = parser.parse_args()
    if unknown := set(chosen.recording) - set(recordings.SLUGS):
        parser.error(f"there is no recording {', '.join(sorted(unknown))}" if recordings.SLUGS else recordings.ABSENT)
    slugs: list[str] = chosen.recording or recordings.SLUGS
    if not slugs:
        print(f"nothing to do: {recordings.ABSENT}")
        return 0
    if chosen.command:
        return command_line.run_all(slugs)
    return _break_all(slugs, chosen.seed)


def _break_all(slugs: list[str], seed: int) -> int:
    counts, wrong, began = Counter[str](), Counter[str](), time.monotonic()
    # The longest first, so that no process is left alone with it at the end.
    slugs = sorted(slugs, key=lambda slug: -len(recordings.body(slug)))
    with ProcessPoolExecutor(PROCESSES) as pool:
        for number, result in enumerate(pool.map(partial(break_it, seed=seed), slugs), 1):
            counts[recordings.api(result.slug)] += result.count
            wrong[recordings.api(result.slug)] += len(result.failures)
            for failure in result.failures:
                print(f"\rFAILED {result.slug}: {failure}")
            if sys.stdout.isatty():
                print(f"\r{number} of {len(slugs)} recordings", end="", flush=True)
    print(f"\n{time.monotonic() - began:.0f} s, seed {seed}")
    for api, count in sorted(counts.items()):
        print(f"  {api:<20} {count - wrong[api]} of {count} cases passed")
    if wrong.total():
        print(f"Again: python -m tests.fuzz --seed {seed} RECORDING")
    return 1 if wrong.total() else 0


if __name__ == "__main__":
    sys.exit(main())
