"""One run: a plan that a seed makes, carried out, and judged."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from bus.events import ProviderBlock
from bus.retry import insist
from tests.support.waiting import wait_until

from .faults import FAULTS
from .folds import difference, expected
from .oracle import Truth, Verdict, judge
from .script import numbers_of
from .viewer import ChaosViewer
from .world import SESSION, World

DEADLINE = 30.0
"""Seconds that the viewers may take at the end to show everything."""

KINDS_OF_VIEWERS = ("near", "far", "late")


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in a run. The same seed makes the same plan, and the same choices in it."""

    seed: int
    faults: tuple[str, ...]
    viewers: int = 3
    big: bool = True
    """Whether things are said that are bigger than an entry."""
    patience: float = DEADLINE


def make_plan(
    seed: int,
    *,
    faults: int = 8,
    viewers: int = 3,
    kinds: Sequence[str] = (),
    big: bool = True,
    patience: float = DEADLINE,
) -> Plan:
    """A plan with so many faults, of these kinds or of all; none comes twice before each has come once."""
    draw = Random(f"{seed} plan")
    pool = list(kinds) or list(FAULTS)
    chosen: list[str] = []
    while len(chosen) < faults:
        chosen += draw.sample(pool, k=min(len(pool), faults - len(chosen)))
    return Plan(seed, tuple(chosen), viewers, big, patience)


@dataclass
class Report:
    """What became of a run."""

    plan: Plan
    told: list[str] = field(default_factory=list[str])
    """What went wrong, in words."""
    verdicts: dict[str, Verdict] = field(default_factory=dict[str, Verdict])
    """By viewer."""
    problems: list[str] = field(default_factory=list[str])
    published: int = 0
    seconds: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether every viewer was right."""
        return not self.problems and all(verdict.fine for verdict in self.verdicts.values())

    def total(self, name: str) -> int:
        """The sum of a number of all verdicts."""
        return sum(getattr(verdict, name) for verdict in self.verdicts.values())

    def __str__(self) -> str:
        lines = [f"seed {self.plan.seed}: {'fine' if self.fine else 'FAILED'} ({self.seconds:.1f} s)"]
        lines += [f"  {number}. {told}" for number, told in enumerate(self.told, 1)]
        lines += [f"  ! {problem}" for problem in self.problems]
        for name, v in self.verdicts.items():
            counts = f"{v.shown} shown, {v.lost} lost, {v.duplicated} duplicated, {v.reordered} reordered"
            lines.append(f"  {name}: {counts}, {v.overtaken} overtaken, {v.gaps} gaps, {v.marks} marks")
            lines += [f"    ! {problem}" for problem in v.problems]
        return "\n".join(lines)


async def carry_out(plan: Plan) -> Report:
    """Do what the plan says, and judge what the viewers showed."""
    report, began = Report(plan), time.monotonic()
    world = await World.open(plan.seed, big=plan.big)
    try:
        await _strike(world, plan, report)
        last = await world.end(plan.patience)
        await _settle(world, last, plan.patience)
        await _judge(world, last, report)
    except Exception as error:  # a run that breaks is a run that failed: its seed must be told
        where = traceback.extract_tb(error.__traceback__)[-1]
        report.problems.append(f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})")
    finally:
        world.calm()
        await world.close()
    report.seconds = time.monotonic() - began
    return report


async def _strike(world: World, plan: Plan, report: Report) -> None:
    draw = Random(f"{plan.seed} run")
    kinds = [KINDS_OF_VIEWERS[i % len(KINDS_OF_VIEWERS)] for i in range(plan.viewers)]
    for i, kind in enumerate(kinds):
        if kind != "late":
            await world.watch(f"{kind}{i}", kind)
    joins = {i: draw.randrange(len(plan.faults)) for i, kind in enumerate(kinds) if kind == "late"}
    await world.way("near")  # faults may choose it, whoever looks that way
    await world.way("far")
    for number, name in enumerate(plan.faults):
        for i in [i for i, at in joins.items() if at == number]:
            await world.watch(f"late{i}", draw.choice(("near", "far")), from_now=draw.random() < 0.5)
        if draw.random() < 0.8:
            await world.moves()
        try:
            report.told.append(await FAULTS[name](world, Random(f"{plan.seed} {number} {name}")))
        except BaseException:
            report.told.append(f"{name} (did not end)")
            raise
        world.calm()
    await world.moves()


async def _settle(world: World, last: int, patience: float) -> None:
    """Wait until every viewer has come to the end, or will not."""
    with suppress(AssertionError):  # what it has not shown by then is lost, and said so
        await wait_until(lambda: all(viewer.newest >= last for viewer in world.viewers), timeout=patience)


async def _judge(world: World, last: int, report: Report) -> None:
    stream = world.engine.store.stream(SESSION)
    entries = await world.entries()
    truth = Truth(world.ledger, last, entries, removed=world.removed, replacements=world.replacements)
    report.published = len(world.ledger.events)
    if world.not_rewound:
        report.problems.append(f"{world.not_rewound} numbers lost of a running turn, which were not written again")
    report.problems += [
        f"engine {old.epoch} was never told that it was replaced" for old in world.engines[:-1] if not old.fenced
    ]
    for viewer in world.viewers:
        verdict = report.verdicts[viewer.name] = judge(truth, viewer.entries, first=viewer.first)
        if viewer.newest < last:
            verdict.problems.append(f"came to number {viewer.newest} of {last}; {viewer.state.status}")
        if verdict.fine and viewer.first == 1:
            _compare(world, viewer, verdict)
    for entry in entries:
        event = entry.event
        key = event.block_key if isinstance(event, ProviderBlock) else None
        if key and await insist(lambda key=key: stream.get_block(key)) is None:
            report.problems.append(f"the block of entry {entry.id} is not there")


def _compare(world: World, viewer: ChaosViewer, verdict: Verdict) -> None:
    shown = numbers_of(entry.event for entry in viewer.entries)
    wanted = expected(world.ledger, shown, whole=not verdict.missing)
    if differs := difference(viewer.timeline, wanted):
        verdict.problems.append(f"the timeline is another one: {differs}")
