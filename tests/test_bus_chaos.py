"""The promise under faults: every viewer shows exactly what was published, and the suite that says so is no dummy.

`tests.chaos` has all of it; this is its short form. A run that fails prints its seed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.mutants import MUTANTS, Mutant, count, plant, run
from tests.chaos.run import carry_out, make_plan

SEEDS = range(1, 7)
AT_ONCE = 3


@pytest.mark.timeout(120)
@pytest.mark.every_redis
async def test_every_viewer_shows_all_once_and_in_order_or_a_gap_in_its_place(redis_share: tuple[int, int]) -> None:
    seeds = SEEDS[redis_share[0] :: redis_share[1]]
    reports = await asyncio.gather(*(carry_out(make_plan(seed, big=seed % 3 == 0)) for seed in seeds))
    assert all(report.fine for report in reports), "\n".join(str(report) for report in reports if not report.fine)
    assert sum(len(report.told) for report in reports) == 8 * len(seeds)
    assert all(verdict.shown > 100 for report in reports for verdict in report.verdicts.values())


@pytest.mark.timeout(180)
async def test_what_is_taken_out_of_the_design_is_missed(tmp_path: Path) -> None:
    some = asyncio.Semaphore(AT_ONCE)

    async def try_out(mutant: Mutant, folder: Path) -> str:
        await asyncio.to_thread(plant, mutant, folder)
        async with some:
            code, said = await run(mutant, folder)
        return "" if code == 1 and count(said, mutant.shown_as) else f"{mutant.name}: exit code {code}\n{said}"

    tried = await asyncio.gather(*(try_out(mutant, tmp_path / str(i)) for i, mutant in enumerate(MUTANTS)))
    assert not any(tried), "\n".join(filter(None, tried))
