"""A tool whose answers a test lets out one by one."""

from __future__ import annotations

import asyncio

from engine.tools import Arguments, Tool, Toolbox, ToolError


class City(Arguments):
    city: str


class Weather:
    """A tool whose answers a test lets out one by one."""

    def __init__(self, *, held: bool = False) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.stopped: list[str] = []
        self.answers: dict[str, asyncio.Event] = {}
        self._held = held

    def box(self) -> Toolbox:
        return Toolbox([Tool(name="weather", description="The weather.", arguments=City, run=self._run)])

    async def _run(self, arguments: City) -> str:
        self.answers[arguments.city] = asyncio.Event()
        self.asked.put_nowait(arguments.city)
        try:
            if self._held:
                await self.answers[arguments.city].wait()
        except asyncio.CancelledError:
            self.stopped.append(arguments.city)
            raise
        if arguments.city == "Atlantis":
            raise ToolError("Atlantis has sunk.")
        return f"rain in {arguments.city}"
