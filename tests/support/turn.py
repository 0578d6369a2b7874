"""An engine with a scripted provider, a history and a sink in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from bus.events import Event
from engine.engine import Engine, EngineConfig, Outcome
from engine.history import History
from engine.ports import Work
from engine.tools import Toolbox
from tests.support.scripted import Line, Scripted
from tests.support.seat import ListSink, work

E = TypeVar("E", bound=Event)


class Run:
    """One script for each provider call."""

    def __init__(
        self,
        *scripts: Sequence[Line],
        tools: Toolbox | None = None,
        config: EngineConfig | None = None,
        sink: ListSink | None = None,
    ) -> None:
        self.sink = sink or ListSink()
        self.history = History()
        self.provider = Scripted(scripts)
        config = config or EngineConfig(backoff=0.001)
        self.engine = Engine("s1", self.sink, history=self.history, tools=tools or Toolbox(), config=config)

    async def ask(self, prompt: str | Work = "Hello?") -> Outcome:
        asked = work(prompt) if isinstance(prompt, str) else prompt
        return await self.engine.run(asked, self.provider, "m-1")

    def only(self, kind: type[E]) -> E:
        (event,) = self.all(kind)
        return event

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.sink.events if isinstance(event, kind)]
