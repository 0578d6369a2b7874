"""What is known of a session beside its events: its meta, its engine's lease, the prompts that wait.

Plain dataclasses without redis or pydantic, so that a screen can import them before its first frame.
All times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .attachment import Attachment
from .numbers import number

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


def read_info(session_id: str, raw: Mapping[bytes, bytes], *, live: bool) -> SessionInfo:
    """A session's meta as it is kept; odd values there become the defaults."""
    meta = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in raw.items()}
    answering: Answering = "pool" if meta.get("answering") == "pool" else "private"
    return SessionInfo(
        id=session_id,
        title=meta.get("title", ""),
        model=meta.get("model", ""),
        created_ms=number(meta.get("created_ms")) or 0,
        updated_ms=number(meta.get("updated_ms")) or 0,
        messages=number(meta.get("messages")) or 0,
        live=live,
        answering=answering,
        owner=meta.get("owner", ""),
        cwd=meta.get("cwd", ""),
        version=meta.get("version", ""),
        stream_epoch=meta.get("stream_epoch", ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLease:
    """Who answers a session now. `epoch` fences its writes; `busy` while it works on a turn.

    `trouble` is why what it says does not get into the stream at the moment; empty where it does.
    """

    engine_id: str
    epoch: int
    host: str
    pid: int
    version: str
    busy: bool
    started_ms: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt on its way to an engine. `id` makes a repeated submit harmless; model and profile travel with it.

    `options` are the settings of the profile, and a `command` where nothing is asked.
    """

    id: str
    text: str
    author: str
    model: str = ""
    on_loss: OnLoss = "stop"
    supersedes: str | None = None
    submitted_ms: int = 0
    options: dict[str, str] = field(default_factory=dict[str, str])
    attachments: tuple[Attachment, ...] = ()

    @property
    def command(self) -> str:
        """What the engine is to do instead of an answer; empty: it is to answer."""
        return self.options.get("command", "")


@dataclass(frozen=True, slots=True)
class Queue:
    """Prompts that no engine has taken yet, oldest first. `paused`: an interrupt stopped the queue."""

    prompts: tuple[Prompt, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How the store is reached. `retry_at` is a `time.monotonic()`; None where it is not tried again by itself.

    `detail` is for a person: of a live store its durability, where that is known, else what is wrong.
    """

    status: Literal["connecting", "live", "reconnecting", "denied"]
    attempt: int = 0
    detail: str = ""
    retry_at: float | None = None
