"""What the screen says beside the timeline: one frozen record, made anew when something changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bus.session import ConnectionState

CONNECTING = ConnectionState("connecting")

Mode = Literal["chat", "attach", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """Where a replay stands; times in seconds of the recording."""

    elapsed: float
    total: float
    speed: float
    paused: bool
    ended: bool
    unfinished: bool = False
    """The recording ends in the middle of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the status line knows."""

    mode: Mode = "chat"
    read_only: bool = False
    title: str = ""
    model: str = ""
    connection: ConnectionState = CONNECTING
    retry_seconds: float = 0.0
    """While reconnecting: until the next try."""
    behind: int = 0
    """About so many entries are still to be read."""
    answering_seconds: float | None = None
    """None: no answer is being given."""
    next_try_seconds: float | None = None
    """A call of a provider failed, and is tried again after so long."""
    tokens_per_second: float | None = None
    """While an answer streams, an estimate by its characters."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str = ""
    """Of the newest turn; empty where nobody knows."""
    profile: str = ""
    context: float | None = None
    """How much of the model's context window is taken, from 0 to 1; None: nobody knows how large it is."""
    earlier: int = 0
    """About so many entries before what is shown are still to be read."""
    engine_lost: bool = False
    engine_trouble: str = ""
    """Why the answer does not get into the stream at the moment."""
    stop_pending: bool = False
    """An interrupt was asked for and the answer has not stopped yet."""
    queue_paused: bool = False
    following: bool = True
    new_below: int = 0
    playing: Playing | None = None
    quit_armed: bool = False
    """The next Ctrl+C quits."""
