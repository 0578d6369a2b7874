"""What an engine needs from outside: a provider to ask, a seat to answer from. Wired in `tui/__main__.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bus.attachment import Attachment
from bus.events import Event, EventSink


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is told about it: `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that the user attached. `data` is None where its bytes were not fetched, or are gone."""

    name: str
    media_type: str
    block_key: str
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of the conversation, in the provider-neutral form that history is kept in.

    `user`: `text`, `files`. `text`, `thinking`: `text`, one segment. `tool-call`: `call_id`, `name`, `text` (the
    arguments as written). `tool-result`: `call_id`, `name`, `text`, `failed`. `provider`: `data` is a block of
    `provider`, to go back verbatim; where `segment_id` equals another block's, it is that block in the provider's own
    words. `interrupted` marks text that was cut off.
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
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One provider call: what is asked of which model.

    The three ids are only for the `meta` of its events. `settings` that a provider does not know are left alone.
    """

    model: str
    blocks: Sequence[Block]
    system: str = ""
    tools: Sequence[ToolSpec] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    thinking_budget: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    session_id: str | None = None
    inference_id: str | None = None
    turn_id: str | None = None


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


class Work(Protocol):
    """A prompt that this engine has claimed. `model` may be empty: the engine's own. `options` are its profile."""

    @property
    def prompt_id(self) -> str:
        """The prompt's id, which `finish` needs."""
        ...

    @property
    def text(self) -> str:
        """What is asked."""
        ...

    @property
    def author(self) -> str:
        """Who asks, as user@host."""
        ...

    @property
    def model(self) -> str:
        """The model that shall answer."""
        ...

    @property
    def supersedes(self) -> str | None:
        """The turn that this one replaces."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """Settings that travel with the prompt."""
        ...

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The files that go with it."""
        ...

    @property
    def deliveries(self) -> int:
        """How many engines have taken it up, this one included."""
        ...

    @property
    def fate(self) -> Literal["answer", "set-aside", "lost"]:
        """Whether it is to be answered; else its author is told that it was set aside, or that its text is gone."""
        ...


class Seat(Protocol):
    """The place from which one engine answers one session: the lease, the queue, the history and the sink."""

    @property
    def session_id(self) -> str:
        """The session that is answered."""
        ...

    @property
    def sink(self) -> EventSink:
        """Where its events go, fenced: once another engine has the lease, publishing fails."""
        ...

    async def next_work(self) -> Work | None:
        """The next prompt, claimed for this engine; waits for one. None: nobody has needed the engine for long.

        Cancelled, it claims nothing, or returns what it has just claimed.
        """
        ...

    async def interrupted(self) -> str:
        """Wait until somebody asks to stop the running turn; the author. Waits through an outage of the store."""
        ...

    async def finish(self, work: Work) -> None:
        """All events of `work` are published, whatever its fate: it will not be claimed again."""
        ...

    async def file(self, block_key: str) -> bytes | None:
        """The bytes of an attachment of this session; None: they are gone."""
        ...

    def history(self) -> AsyncIterator[Event]:
        """All events of the session's stream, oldest first."""
        ...
