"""A session whose events a test decides: a source without Redis, and the library that opens it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bus.attachment import Attachment
from bus.errors import BusError
from bus.events import (
    Event,
    Final,
    Info,
    Partial,
    PartialThinking,
    RunFinished,
    RunStarted,
    Start,
    ToolCall,
    ToolCallExecute,
    ToolCallExecutionResult,
    ToolCallPayload,
    ToolResultPayload,
    UserMessage,
)
from bus.feed import ConnectionChanged, EntriesRead, FeedItem, QueueChanged
from bus.meta import Correlation, Metadata, Usage
from bus.session import ConnectionState, Prompt, Queue, SessionInfo
from bus.stream import Entry
from tui.attaching import Picked
from tui.facts import Mode
from tui.openings import Opening
from tui.player import Player

SESSION = "01hx3k9w2m"
STARTED_MS = 1_790_000_000_000


@dataclass
class Sent:
    """A prompt as the screen sent it."""

    text: str
    model: str
    supersedes: str | None


@dataclass
class ScriptedSource:
    """Plays `script`, then whatever `push` is given. Remembers what was asked of it."""

    script: Sequence[FeedItem] = ()
    mode: Mode = "chat"
    read_only: bool = False
    may_not: str = ""
    can_fork: bool = True
    author: str = "ada@desk"
    player: Player | None = None
    engine_wanted: bool = False
    unanswered: str = ""
    unbegun: Sequence[Prompt] = ()
    session: SessionInfo = field(default_factory=lambda: SessionInfo(id=SESSION, title="A session"))
    failure: BusError | None = None
    """Raised by every call that sends something."""
    sent: list[Sent] = field(default_factory=list[Sent])
    stopped: list[str] = field(default_factory=list[str])
    """The prompts whose answers were to be stopped."""
    stops_held: asyncio.Event | None = None
    """Interrupts wait for it, as they do while Redis is away."""
    prompt_ids: list[str] = field(default_factory=list[str])
    """Of every try to send."""
    options: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    files: list[list[Picked | Attachment]] = field(default_factory=list[list[Picked | Attachment]])
    """What went with each of `sent`."""
    calls: list[str] = field(default_factory=list[str])
    queue: Queue = field(default_factory=Queue)
    before: Sequence[list[Entry]] = ()
    """What stands before the script, where that says so."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when that may be read."""
    _pushed: asyncio.Queue[FeedItem] = field(default_factory=asyncio.Queue[FeedItem])

    async def items(self) -> AsyncIterator[FeedItem]:
        for item in self.script:
            yield item
        while True:
            yield await self._pushed.get()

    async def earlier(self) -> AsyncIterator[list[Entry]]:
        for entries in self.before:
            await self.go_on.wait()
            yield entries

    def push(self, *items: FeedItem) -> None:
        for item in items:
            self._pushed.put_nowait(item)

    def push_queue(self, queue: Queue) -> None:
        self.queue = queue
        self.push(QueueChanged(queue))

    async def begin(self) -> None:
        self._called("begin")

    async def allow_engine(self) -> None:
        self.engine_wanted = False
        self._called("allow_engine")

    async def submit(
        self,
        text: str,
        *,
        prompt_id: str = "",
        model: str = "",
        supersedes: str | None = None,
        options: Mapping[str, str] | None = None,
        files: Sequence[Picked | Attachment] = (),
    ) -> None:
        self.prompt_ids.append(prompt_id)
        self._called("submit")
        self.sent.append(Sent(text, model, supersedes))
        prompt = Prompt(id=prompt_id, text=text, author=self.author, supersedes=supersedes)
        self.unbegun = (*self.unbegun, prompt)
        self.options.append(dict(options or {}))
        self.files.append(list(files))

    async def interrupt(self, prompt_id: str = "") -> None:
        self.stopped.append(prompt_id)
        self._called("interrupt")
        try:
            if self.stops_held is not None:
                await self.stops_held.wait()
        except asyncio.CancelledError:
            self.calls.append("interrupt given up")
            raise

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        self._called("withdraw")
        self.unbegun = [prompt for prompt in self.unbegun if prompt.id != prompt_id]
        found = next((prompt for prompt in self.queue.prompts if prompt.id == prompt_id), None)
        if found is not None:
            rest = tuple(prompt for prompt in self.queue.prompts if prompt is not found)
            self.push_queue(replace(self.queue, prompts=rest))
        return found

    async def resume_queue(self) -> None:
        self._called("resume_queue")

    def reconnect(self) -> None:
        self.calls.append("reconnect")

    def play(self, key: str) -> None:
        self.calls.append(f"play {key}")

    async def close(self) -> None:
        self.calls.append("close")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failure is not None:
            raise self.failure


@dataclass
class ScriptedLibrary:
    """Opens the one source, once `gate` is open, or raises `failure`."""

    source: ScriptedSource = field(default_factory=ScriptedSource)
    listed: list[SessionInfo] = field(default_factory=list[SessionInfo])
    failure: BusError | None = None
    gate: asyncio.Event | None = None
    opened: list[Opening] = field(default_factory=list[Opening])
    forked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def sessions(self) -> list[SessionInfo]:
        return self.listed

    async def open(self, opening: Opening) -> ScriptedSource:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.opened.append(opening)
        return self.source

    async def fork(self, session_id: str, at: str) -> SessionInfo:
        if self.failure is not None:
            raise self.failure
        self.forked.append((session_id, at))
        return SessionInfo(id="fork", title="Water (fork)")

    async def close(self) -> None:
        pass


LIVE = ConnectionChanged(ConnectionState("live"))


class Story:
    """Builds the events of turns, an entry each, 100 ms apart."""

    def __init__(self, started_ms: int = STARTED_MS) -> None:
        self.entries: list[Entry] = []
        self._ms = started_ms
        self._turns = 0
        self._offset = 0

    def take(self) -> EntriesRead:
        """The entries since the last `take`, as a reader hands them over."""
        entries, self.entries = self.entries, []
        return EntriesRead(entries, caught_up=True)

    def wait(self, ms: int) -> Story:
        self._ms += ms
        return self

    def ask(self, text: str, model: str = "demo") -> Story:
        self._turns += 1
        self._add(UserMessage(meta=self._meta(), text=text, prompt_id=f"p{self._turns}", author="ada@desk"))
        self._add(RunStarted(meta=self._meta()))
        return self._add(Start(meta=self._meta(model=model)))

    def think(self, *deltas: str) -> Story:
        self._add(Info(meta=self._meta(), message="thinking-started"))
        where = Correlation(segment_id=f"think{self._turns}")
        for delta in deltas:
            self._add(PartialThinking(meta=self._slim(), correlation=where, delta=delta))
        return self._add(Info(meta=self._meta(), message="thinking-ended"))

    def say(self, *deltas: str, segment: int = 1) -> Story:
        where = Correlation(segment_id=f"text{self._turns}.{segment}")
        for delta in deltas:
            self._add(Partial(meta=self._slim(), correlation=where, delta=delta))
        return self

    def tool(self, name: str, arguments: str, result: str) -> Story:
        call = ToolCallPayload(id=f"call{self._turns}.{name}", name=name, input=arguments)
        self._add(ToolCall(meta=self._meta(), tool_call=call))
        self._add(ToolCallExecute(meta=self._meta(), tool_call=call))
        done = ToolResultPayload(id=call.id, name=name, result=result)
        return self._add(ToolCallExecutionResult(meta=self._meta(), tool_result=done))

    def finish(self, input_tokens: int = 1_234, output_tokens: int = 340) -> Story:
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        self._add(Final(meta=self._meta(usage=usage, stop_reason="stop", duration_ms=2_100)))
        return self._add(RunFinished(meta=self._meta()))

    def add(self, event: Event) -> Story:
        return self._add(event)

    def _add(self, event: Event) -> Story:
        self._ms += 100
        self.entries.append(Entry(f"{self._ms}-0", event, self._ms))
        return self

    def _slim(self) -> Metadata:
        return Metadata(message_id=f"m{self._turns}")

    def _meta(
        self,
        *,
        model: str | None = None,
        usage: Usage | None = None,
        stop_reason: str | None = None,
        duration_ms: int | None = None,
    ) -> Metadata:
        return Metadata(
            message_id=f"m{self._turns}",
            session_id=SESSION,
            turn_id=f"t{self._turns}",
            model=model,
            usage=usage,
            stop_reason=stop_reason,
            duration_ms=duration_ms,
        )
