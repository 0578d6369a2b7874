"""One session with prompts and engines, as the tests of the queue need them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bus.events import RunFinished, UserMessage
from bus.meta import Metadata
from bus.redis.seat import ClaimedPrompt, SessionSeat
from bus.redis.store import Store, open_store
from bus.session import OnLoss, Prompt

from .proxy import Proxy
from .redis_server import RedisServer
from .waiting import wait_until

SESSION = "s1"
LEASE_SECONDS = 0.6


def prompt(name: str, text: str = "", on_loss: OnLoss = "stop") -> Prompt:
    """A prompt with that id."""
    return Prompt(id=name, text=text or f"ask {name}", author="ann@box", model="demo", on_loss=on_loss)


def seat(store: Store, name: str = "e1", idle: float | None = 10.0) -> SessionSeat:
    """A seat at the session for the engine `name`."""
    return store.seat(SESSION, engine_id=name, lease_seconds=LEASE_SECONDS, idle_seconds=idle)


async def claimed(at: SessionSeat) -> ClaimedPrompt:
    """The next prompt."""
    work = await at.next_work()
    assert work
    return work


async def waiting(store: Store) -> list[str]:
    """The ids of the prompts that wait."""
    return [queued.id for queued in (await store.queue(SESSION)).prompts]


async def begin(at: SessionSeat, work: ClaimedPrompt) -> None:
    """Write what an engine writes first, in a turn that is named after prompt and engine."""
    meta = Metadata(turn_id=f"{work.prompt_id} {at.epoch}")
    await at.sink.publish(UserMessage(meta=meta, text=work.text, prompt_id=work.prompt_id))
    await at.sink.flush()


async def answer(at: SessionSeat, work: ClaimedPrompt) -> None:
    """Write a whole turn."""
    await at.sink.publish(UserMessage(text=work.text, prompt_id=work.prompt_id))
    await at.sink.publish(RunFinished())
    await at.sink.flush()


class Far:
    """An engine's own way to Redis, which can break: what is left then is what kill -9 of the engine leaves."""

    def __init__(self, proxy: Proxy, store: Store, near: Store) -> None:
        self.proxy, self.store, self._near = proxy, store, near

    async def die(self) -> None:
        """Break the way, and wait until the engine's lease has run out."""
        self.proxy.cut()
        await wait_until(self._is_free)

    async def _is_free(self) -> bool:
        return await self._near.lease(SESSION) is None


@asynccontextmanager
async def far_from(server: RedisServer, near: Store) -> AsyncGenerator[Far]:
    """A way that can break, beside `near`."""
    async with Proxy(server.socket) as proxy:
        opened = await open_store(proxy.url, client_name="far")
        yield Far(proxy, opened, near)
        await opened.close()
