"""What is known of a session beside its events: its meta, its engine's lease, the prompts that wait.

Plain dataclasses without redis or pydantic, so that a screen can import them before its first frame.
All times are Unix milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Answering = Literal["private", "pool"]
"""Which engine may answer: the one that the owner's chat started, or any `riffle engine`."""

OnLoss = Literal["stop", "retry"]
"""What the loss of its engine means for a prompt: cut off and shown, or claimed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """The meta of a session, as listed. `title` comes from its first prompt; `messages` counts prompts and answers."""

    id: str
    title: str = ""
    model: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    messages: int = 0
    live: bool = False
    answering: Answering = "private"
    owner: str = ""
    cwd: str = ""
    version: str = ""
    stream_epoch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLease:
    """Who answers a session now. `epoch` fences its writes; `busy` while it works on a turn."""

    engine_id: str
    epoch: int
    host: str
    pid: int
    version: str
    busy: bool
    started_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt on its way to an engine. `id` makes a repeated submit harmless; model and profile travel with it."""

    id: str
    text: str
    author: str
    model: str = ""
    on_loss: OnLoss = "stop"
    supersedes: str | None = None
    submitted_ms: int = 0
    options: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Queue:
    """Prompts that no engine has taken yet, oldest first. `paused`: an interrupt stopped the queue."""

    prompts: tuple[Prompt, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How the store is reached. `retry_at` is a `time.monotonic()`.

    `detail` is for a person: of a live store its durability, where that is known, else what is wrong.
    """

    status: Literal["connecting", "live", "reconnecting", "denied"]
    attempt: int = 0
    detail: str = ""
    retry_at: float | None = None
