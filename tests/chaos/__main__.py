"""`python -m tests.chaos`: runs with faults; exit code 1 and the seeds when a viewer showed something wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from bus.redis_binary import VARIABLE, choose_binary

from .faults import FAULTS
from .report import table
from .run import DEADLINE, Report, carry_out, make_plan

AT_ONCE = 3
"""Runs of one process that go on at the same time: most of a run is waiting."""


def main() -> int:
    """Run, and say what came of it."""
    options = _options()
    if options.server:
        os.environ[VARIABLE] = options.server
    binary = choose_binary()
    print(f"redis-server {binary.version_text} ({binary.path})")
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + options.runs))
    began, reports = time.monotonic(), list[Report]()
    for report in _run_all(seeds, options):
        reports.append(report)
        bad = sum(not each.fine for each in reports)
        if not report.fine or options.seed is not None:
            print(f"\r{report}")
        if sys.stderr.isatty() or len(reports) % 10 == 0:
            line = f"{len(reports)}/{len(seeds)} runs, {bad} failed, {time.monotonic() - began:.0f} s"
            print(f"\r{line}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
    print(table(reports, time.monotonic() - began))
    return 1 if any(not report.fine for report in reports) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how many seeds (default 20)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default 1)")
    parser.add_argument("--seed", type=int, help="this one alone, told in full")
    parser.add_argument("--faults", type=int, default=8, help="faults in a run (default 8)")
    parser.add_argument("--viewers", type=int, default=3, help="viewers in a run (default 3)")
    parser.add_argument("--only", default="", metavar="KIND,…", help=f"these kinds of faults: {', '.join(FAULTS)}")
    parser.add_argument("--small", action="store_true", help="say nothing that is bigger than an entry")
    parser.add_argument("--patience", type=float, default=DEADLINE, help="seconds that viewers have at the end")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--server", default="", metavar="PATH", help="another redis-server")
    options = parser.parse_args()
    options.kinds = [kind for kind in options.only.split(",") if kind]
    if unknown := set(options.kinds) - FAULTS.keys():
        parser.error(f"unknown kinds of faults: {', '.join(sorted(unknown))}")
    return options


def _run_all(seeds: list[int], options: argparse.Namespace) -> Iterator[Report]:
    groups = [seeds[i : i + AT_ONCE] for i in range(0, len(seeds), AT_ONCE)]
    with ProcessPoolExecutor(min(options.jobs, len(groups))) as pool:
        waiting = [pool.submit(_run_group, group, options) for group in groups]
        for done in as_completed(waiting):
            yield from done.result()


def _run_group(seeds: list[int], options: argparse.Namespace) -> list[Report]:
    async def run() -> list[Report]:
        plans = [
            make_plan(
                seed,
                faults=options.faults,
                viewers=options.viewers,
                kinds=options.kinds,
                big=not options.small,
                patience=options.patience,
            )
            for seed in seeds
        ]
        return await asyncio.gather(*(carry_out(plan) for plan in plans))

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
