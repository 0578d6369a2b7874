"""Prompts as work, measured: many prompts, a few engine processes that crash and stall, and exactly one end for each.

`python -m tests.chaos.prompts --prompts 500 --seed 1`. The seed chooses which delivery of which prompt goes wrong, how
and where; not the timing. Engines are real processes: kill -9 and SIGSTOP are what they suffer.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from typing import Any

import psutil
from redis import Redis

from bus.entities import AssistantText
from bus.events import Final, Partial, RunFailed, RunFinished, RunStopped, Start, UserMessage
from bus.redis.keys import SessionKeys
from bus.redis.store import Store, open_store
from bus.session import OnLoss, Prompt, SessionInfo
from bus.stream import START, Entry
from bus.timeline import Timeline
from tests.support.redis_server import RedisServer

from .prompt_engine import WORDS, Experiment, engine, words_of

LEASE_SECONDS = 0.6
PROMPTS_IN_A_SESSION = 4
POLL_SECONDS = 0.02
MAX_DELIVERIES = 3


@dataclass(slots=True)
class Report:
    """What came of it: `wrong` is empty where every prompt has exactly one end. `outcomes` count prompts."""

    prompts: int
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter[str])
    mishaps: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        crashes, stalls = (sum(n for name, n in self.mishaps.items() if name.startswith(w)) for w in ("crash", "stall"))
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        fenced, late = self.mishaps["fenced"], self.mishaps["late"]
        lines = [
            f"seed {self.seed}: {self.prompts} prompts in {self.seconds:.1f} s: {ends}",
            f"  {crashes} engines killed, {stalls} halted, {fenced} fenced, {late} came late to a session",
            *(f"  WRONG: {what}" for what in self.wrong),
        ]
        return "\n".join(lines)


def run(prompts: int = 500, seed: int | None = None, *, engines: int = 5, limit_seconds: float = 600.0) -> Report:
    """Let `engines` processes answer `prompts` prompts, and judge what the streams say. No seed: a random one."""
    seed = random.randrange(1_000_000) if seed is None else seed
    report = Report(prompts, seed)
    server = RedisServer()
    began = time.monotonic()
    try:
        experiment = Experiment(server.url, seed, LEASE_SECONDS, server.folder / "engines.log")
        asked = asyncio.run(_submit(server.url, prompts))
        with Redis(unix_socket_path=server.socket) as redis:
            done = _Engines(experiment, engines).run_until(lambda: _left(redis, asked) == 0, limit_seconds)
            if not done:
                report.wrong.append(f"{_left(redis, asked)} prompts were not finished within {limit_seconds:g} s")
        report.seconds = time.monotonic() - began
        report.mishaps.update(experiment.log.read_text().splitlines() if experiment.log.exists() else [])
        asyncio.run(_judge(server.url, asked, report))
    finally:
        server.close()
    return report


async def _submit(url: str, prompts: int) -> dict[str, list[Prompt]]:
    """Make sessions in the pool and queue the prompts, half of each kind; the prompts by session."""
    store = await open_store(url, client_name="asker")
    asked: dict[str, list[Prompt]] = {}
    for number in range(prompts):
        session_id = f"s{number // PROMPTS_IN_A_SESSION}"
        if session_id not in asked:
            await store.create_session(SessionInfo(id=session_id, answering="pool"))
        on_loss: OnLoss = "retry" if number % 2 else "stop"
        prompt = Prompt(id=f"p{number}", text=f"ask {number}", author="ann@box", on_loss=on_loss)
        asked.setdefault(session_id, []).append(prompt)
        await store.submit(session_id, prompt)
    await store.close()
    return asked


def _left(redis: Any, asked: Iterable[str]) -> int:
    """How many prompts are not finished."""
    pipe = redis.pipeline(transaction=False)
    for session_id in asked:
        pipe.xlen(SessionKeys(session_id).prompts)
    return sum(pipe.execute())


class _Engines:
    """Keeps `count` engine processes running: one that died is followed by another, one that halted goes on later."""

    def __init__(self, experiment: Experiment, count: int) -> None:
        self._experiment = experiment
        self._count = count
        self._random = random.Random(experiment.seed)
        self._go_on_at: dict[int, float] = {}
        # A process that is forked from one that has loaded everything starts in a few milliseconds.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.prompt_engine"])

    def run_until(self, done: Callable[[], bool], limit_seconds: float) -> bool:
        """Until `done`; False where that took too long."""
        deadline = time.monotonic() + limit_seconds
        running: list[ForkServerProcess] = []
        try:
            while not done():
                if time.monotonic() > deadline:
                    return False
                running = [process for process in running if process.is_alive()]
                running += [self._start() for _ in range(self._count - len(running))]
                for process in running:
                    self._look_after(process)
                time.sleep(POLL_SECONDS)
            return True
        finally:
            for process in running:
                process.kill()
                process.join()

    def _start(self) -> ForkServerProcess:
        process = self._context.Process(target=engine, args=(self._experiment,), daemon=True)
        process.start()
        return process

    def _look_after(self, process: ForkServerProcess) -> None:
        """Let a process go on that has been halted for longer than its lease."""
        pid, now = process.pid or 0, time.monotonic()
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if psutil.Process(pid).status() != psutil.STATUS_STOPPED:
                self._go_on_at.pop(pid, None)
            elif pid not in self._go_on_at:
                self._go_on_at[pid] = now + self._experiment.lease_seconds * self._random.uniform(1.2, 2.5)
            elif now >= self._go_on_at[pid]:
                os.kill(pid, signal.SIGCONT)


# -- the oracle ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Turn:
    """What the stream says of one turn."""

    prompt_id: str
    writers: set[tuple[str | None, int | None]] = field(default_factory=set[tuple[str | None, int | None]])
    """Who wrote its answer; its end may be another engine's."""
    calls: int = 0
    finals: list[str] = field(default_factory=list[str])
    ends: list[str] = field(default_factory=list[str])
    shown: str = ""
    """The answer, as a viewer's timeline has it."""


async def _judge(url: str, asked: dict[str, list[Prompt]], report: Report) -> None:
    store = await open_store(url, client_name="judge")
    for session_id, prompts in asked.items():
        entries = await _entries(store, session_id)
        if [entry.n for entry in entries] != list(range(1, len(entries) + 1)):
            report.wrong.append(f"{session_id}: entries are missing or double")
        turns = read_turns(entries)
        aside = {prompt.id for prompt in await store.set_aside(session_id)}
        for prompt in prompts:
            own = [turn for turn in turns if turn.prompt_id == prompt.id]
            outcome, wrong = judge(prompt, own, set_aside=prompt.id in aside)
            report.outcomes[outcome] += 1
            report.wrong += [f"{session_id} {prompt.id} ({prompt.on_loss}): {what}" for what in wrong]
        if len(turns) != sum(turn.prompt_id in {prompt.id for prompt in prompts} for turn in turns):
            report.wrong.append(f"{session_id}: turns that nobody asked for")
    await store.close()


async def _entries(store: Store, session_id: str) -> list[Entry]:
    entries: list[Entry] = []
    while chunk := await store.stream(session_id).read(entries[-1].id if entries else START):
        entries += chunk
    return entries


def read_turns(entries: list[Entry]) -> list[Turn]:
    """The turns of a stream, in order."""
    turns: dict[str, Turn] = {}
    current = Turn("")
    calls: dict[str, Turn] = {}
    for entry in entries:
        event = entry.event
        match event:
            case UserMessage():
                current = turns[event.meta.turn_id or ""] = Turn(event.prompt_id or "")
                current.writers.add((entry.writer, entry.epoch))
            case RunFinished() | RunStopped() | RunFailed():
                turn = turns.get(event.meta.turn_id or "", current)
                turn.ends.append(_end(event))
            case Start():
                calls[event.meta.message_id] = turns[event.meta.turn_id or ""]
                calls[event.meta.message_id].calls += 1
            case Final():
                calls.get(event.meta.message_id, current).finals.append(event.text or "")
            case Partial():
                calls.get(event.meta.message_id, current).writers.add((entry.writer, entry.epoch))
            case _:
                pass
    timeline = Timeline()
    timeline.apply_all(entries)
    for entity in timeline.entities:
        if isinstance(entity, AssistantText) and entity.turn_id in turns:
            turns[entity.turn_id].shown += str(entity.text)
    return list(turns.values())


def _end(event: RunFinished | RunStopped | RunFailed) -> str:
    match event:
        case RunFinished():
            return "finished"
        case RunStopped():
            return f"stopped: {event.reason}"
        case RunFailed():
            return "failed"


def judge(prompt: Prompt, turns: list[Turn], *, set_aside: bool) -> tuple[str, list[str]]:
    """What became of a prompt, and what is wrong with that."""
    wrong: list[str] = []
    ends = [end for turn in turns for end in turn.ends]
    finished, failed = ends.count("finished"), ends.count("failed")
    if any(len(turn.ends) != 1 for turn in turns):
        wrong.append(f"a turn has not one end: {[turn.ends for turn in turns]}")
    if set(ends) - {"finished", "failed", "stopped: engine-lost"}:
        wrong.append(f"an end that cannot be: {ends}")
    for turn in turns:
        wrong += _wrong_with(turn)
    if failed != set_aside or (failed and len(turns) > MAX_DELIVERIES + 1):
        wrong.append(f"set aside: {set_aside}, said so: {failed}, in {len(turns)} turns")
    if prompt.on_loss == "stop" and len(turns) != 1:
        wrong.append(f"asked in {len(turns)} turns")
    if sum(len(turn.finals) for turn in turns) != finished or finished + failed > 1:
        wrong.append(f"{finished} answers, {failed} failures")
    if finished:
        return "answered", wrong
    if failed:
        return "set aside", wrong
    if prompt.on_loss == "retry" or not turns:
        wrong.append("never answered")
    return "cut off", wrong


def _wrong_with(turn: Turn) -> list[str]:
    wrong: list[str] = []
    if len(turn.writers) > 1 or turn.calls > 1:
        wrong.append(f"a turn of {len(turn.writers)} engines and {turn.calls} calls")
    words = turn.shown.split()
    tag = words[0].partition(".")[0] if words else ""
    whole = "".join(words_of(tag))
    if not whole.startswith(turn.shown):
        wrong.append(f"a mixed answer: {turn.shown!r}")
    if turn.ends == ["finished"] and (turn.finals != [whole] or len(words) != WORDS):
        wrong.append(f"an answer that is not whole: {turn.finals}")
    return wrong


def main() -> int:
    """Run the experiment once and print its numbers."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.prompts", description=__doc__)
    parser.add_argument("--prompts", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--seed", type=int, help="default: a random one")
    parser.add_argument("--engines", type=int, default=5, help="how many at a time (default 5)")
    options = parser.parse_args()
    report = run(options.prompts, options.seed, engines=options.engines)
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
