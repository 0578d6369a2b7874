"""An engine process of the prompts' experiment: the real seat, service and pool, and a provider that answers at once.

At places that the seed chooses it kills itself with SIGKILL, or halts until somebody sends SIGCONT.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bus.errors import Fenced, LeaseTaken
from bus.events import Event, RunFinished
from bus.redis.seat import ClaimedPrompt, SessionSeat
from bus.redis.store import open_store
from engine.call import Call
from engine.engine import EngineConfig
from engine.ports import Request, Work
from engine.service import Service
from engine.tools import Toolbox

Mishap = Literal["crash", "stall"]
Place = Literal["claimed", "asked", "begun", "middle", "said", "final", "answered"]
PLACES: tuple[Place, ...] = ("claimed", "asked", "begun", "middle", "said", "final", "answered")
"""Before the first event; before any is surely written; with the message written; in mid-answer; behind the last
word of the answer; behind its `final`; with everything written, before the prompt is finished."""

WORDS = 12
IDLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Experiment:
    """What every engine of one experiment knows. `share` of the deliveries crash, as many stall."""

    url: str
    seed: int
    lease_seconds: float
    log: Path
    share: float = 0.3

    def mishap(self, prompt_id: str, delivery: int) -> tuple[Mishap, Place] | None:
        """What happens to the engine that a prompt is delivered to as the `delivery`-th, and where."""
        draw = random.Random(f"{self.seed} {prompt_id} {delivery}")
        roll, place = draw.random(), draw.choice(PLACES)
        if roll >= 2 * self.share:
            return None
        return "crash" if roll < self.share else "stall", place


def words_of(tag: str) -> list[str]:
    """What one engine answers, word by word; `tag` is its own for this one delivery."""
    return [f"{tag}.{number} " for number in range(WORDS)]


class UnluckySeat:
    """The seat of an engine that something happens to. It is its own sink, and its own provider."""

    name = "unlucky"

    def __init__(self, seat: SessionSeat, experiment: Experiment) -> None:
        self._seat = seat
        self._experiment = experiment
        self._work: ClaimedPrompt | None = None

    @property
    def session_id(self) -> str:
        return self._seat.session_id

    @property
    def sink(self) -> UnluckySeat:
        return self

    async def publish(self, event: Event) -> None:
        """The sink's part."""
        if isinstance(event, RunFinished):
            await self._seat.sink.flush()
            self._suffer("final")
        await self._seat.sink.publish(event)

    async def next_work(self) -> ClaimedPrompt | None:
        self._work = await self._seat.next_work()
        if self._work:
            self._suffer("claimed")
        return self._work

    async def interrupted(self) -> str:
        return await self._seat.interrupted()

    async def finish(self, work: Work) -> None:
        await self._seat.sink.flush()
        self._suffer("answered")
        await self._seat.finish(work)

    async def file(self, block_key: str) -> bytes | None:
        """The bytes of an attachment."""
        return await self._seat.file(block_key)

    def history(self) -> AsyncIterator[Event]:
        return self._seat.history()

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """The provider's part."""
        self._suffer("asked")
        await self._seat.sink.flush()
        self._suffer("begun")
        call = Call(request, provider=self.name)
        words = words_of(uuid.uuid4().hex[:12])
        for number, word in enumerate(words):
            call.text(word)
            for event in call.drain():
                yield event
            if number == len(words) // 2:
                await self._seat.sink.flush()
                self._suffer("middle")
        await self._seat.sink.flush()
        self._suffer("said")
        call.final("stop")
        for event in call.drain():
            yield event

    async def close(self) -> None:
        """Nothing is open."""

    def _suffer(self, place: Place) -> None:
        if self._work is None:
            return  # an end that is written for an engine that died
        found = self._experiment.mishap(self._work.prompt_id, self._work.deliveries)
        if self._work.fate == "answer" and found and found[1] == place:
            note(self._experiment.log, f"{found[0]} {place}")
            os.kill(os.getpid(), signal.SIGKILL if found[0] == "crash" else signal.SIGSTOP)


def note(log: Path, line: str) -> None:
    """Add a line to a file that all engines write to."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


def engine(experiment: Experiment) -> None:
    """Answer what waits in the pool until this process is killed."""
    asyncio.run(_answer_pool(experiment))


async def _answer_pool(experiment: Experiment) -> None:
    store = await open_store(experiment.url, client_name="engine")
    async for session_id in store.pool_sessions():
        seat = store.seat(
            session_id,
            engine_id=str(uuid.uuid4()),
            lease_seconds=experiment.lease_seconds,
            idle_seconds=IDLE_SECONDS,
        )
        try:
            async with seat:
                unlucky = UnluckySeat(seat, experiment)
                await Service(
                    unlucky,
                    make_provider=lambda model, unlucky=unlucky: unlucky,
                    tools=Toolbox(),
                    config=EngineConfig(model="demo"),
                ).run()
        except Fenced:
            note(experiment.log, "fenced")
        except LeaseTaken:
            note(experiment.log, "late")
