"""What an engine needs from outside: a provider to ask, a seat to answer from. Wired in `tui/__main__.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bus.events import Event, EventSink


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is told about it: `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of the conversation, in the provider-neutral form that history is kept in.

    `user`: `text`. `text`, `thinking`: `text`, one segment. `tool-call`: `call_id`, `name`, `text` (the arguments as
    written). `tool-result`: `call_id`, `name`, `text`, `failed`. `provider`: `data` is a block of `provider`, to go
    back verbatim; where `segment_id` equals another block's, it is that block in the provider's own words.
    `interrupted` marks text that was cut off.
    """

    kind: Literal["user", "text", "thinking", "tool-call", "tool-result", "provider"]
    text: str = ""
    call_id: str = ""
    name: str = ""
    failed: bool = False
    interrupted: bool = False
    provider: str = ""
    segment_id: str = ""
    message_id: str = ""
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One provider call: what is asked of which model."""

    model: str
    blocks: Sequence[Block]
    system: str = ""
    tools: Sequence[ToolSpec] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    thinking_budget: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


class Provider(Protocol):
    """One model API. Yields the events of one call, from `start` to `final` or `error`; no provider's fault raises.

    Cancelling the iteration closes the connection; the caller then writes the `interrupt`.
    """

    name: str

    def stream(self, request: Request) -> AsyncIterator[Event]:
        """Ask, and yield what comes."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A prompt that this engine has claimed, with the fenced sink that its events go to."""

    prompt_id: str
    text: str
    author: str
    model: str
    supersedes: str | None
    options: Mapping[str, str]


class Seat(Protocol):
    """The place from which one engine answers one session: the lease, the queue, the history and the sink."""

    session_id: str
    sink: EventSink

    async def next_work(self) -> Work | None:
        """The next prompt, claimed for this engine; waits for one. None: nobody has needed the engine for long."""
        ...

    async def interrupted(self) -> str:
        """Wait until somebody asks to stop the running turn; the author."""
        ...

    async def finish(self, work: Work) -> None:
        """All events of `work` are published: it will not be claimed again."""
        ...

    def history(self) -> AsyncIterator[Event]:
        """All events of the session's stream, oldest first."""
        ...
