"""The life of an engine process: sit at a session, answer its prompts one after the other, leave when told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from .engine import Engine, EngineConfig, heard
from .errors import EngineError, PromptLost, SetAside
from .history import History
from .ports import Provider, Seat, Work
from .providers import Refused, parse
from .tools import Toolbox

ECHO_SECONDS = 2.0
"""How long after a stop a further one is taken for the same: Esc comes over the bus and as a signal."""


class Service:
    """One engine at one seat. A process's signals call `interrupt` and `leave`."""

    def __init__(
        self, seat: Seat, *, make_provider: Callable[[str], Provider], tools: Toolbox, config: EngineConfig
    ) -> None:
        self._seat = seat
        self._make_provider = make_provider
        self._config = config
        self._history = History()
        self._engine = Engine(
            seat.session_id, seat.sink, history=self._history, tools=tools, config=config, load=seat.file
        )
        self._providers: dict[str, Provider] = {}
        self._leaving = asyncio.Event()
        self._told_to_stop: asyncio.Future[str] | None = None
        """While a turn runs: by whom this process was told to stop it."""
        self._stopped_at = -ECHO_SECONDS

    async def run(self) -> None:
        """Close the turn of an engine that died, then answer what comes."""
        try:
            async for event in self._seat.history():
                self._history.apply(event)
            await self._engine.close_open_turn("engine-lost")
            while (work := await self._next_work()) is not None:
                match work.fate:
                    case "answer":
                        await self._answer(work, *self._provider(work.model or self._config.model))
                    case "set-aside":
                        await self._answer(work, Refused(SetAside(work.deliveries - 1)), work.model)
                    case "lost":
                        await self._engine.tell(PromptLost())
                await self._seat.finish(work)
        finally:
            for provider in self._providers.values():
                await provider.close()

    def interrupt(self, author: str) -> bool:
        """Stop the running turn in the name of `author`; False: none is running, and none was stopped just now."""
        if self._told_to_stop is not None and not self._told_to_stop.done():
            self._told_to_stop.set_result(author)
            self._stopped_at = time.monotonic()
            return True
        return time.monotonic() - self._stopped_at < ECHO_SECONDS

    def leave(self) -> None:
        """Take no further work. The answer that is being given is given to its end."""
        self._leaving.set()

    async def _next_work(self) -> Work | None:
        if self._leaving.is_set():
            return None
        claim = asyncio.create_task(self._seat.next_work())
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({claim, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not claim.done():
                claim.cancel()
        with suppress(asyncio.CancelledError):
            return await claim
        return None

    async def _answer(self, work: Work, provider: Provider, model: str) -> None:
        """Run the turn. Whoever asks to stop it meanwhile is heard."""
        turn = asyncio.create_task(self._engine.run(work, provider, model))
        turn.add_done_callback(heard)
        asked = asyncio.create_task(self._seat.interrupted())
        self._told_to_stop = told = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait({turn, asked, told}, return_when=asyncio.FIRST_COMPLETED)
            for stop in (asked, told):
                if stop.done():
                    self._engine.interrupt(stop.result())
            if await turn == "interrupted":
                self._stopped_at = time.monotonic()
        finally:
            self._told_to_stop = None
            asked.cancel()
            if not turn.done():
                turn.cancel()
                await asyncio.wait({turn})

    def _provider(self, model: str) -> tuple[Provider, str]:
        """The provider of `model`, kept for the next turn, and the name that it knows the model by."""
        try:
            name = parse(model, self._config.providers).name
            if model not in self._providers:
                self._providers[model] = self._make_provider(model)
            return self._providers[model], name
        except EngineError as error:
            return Refused(error), model
