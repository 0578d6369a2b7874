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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the status line knows."""

    mode: Mode = "chat"
    read_only: bool = False
    title: str = ""
    model: str = ""
    connection: ConnectionState = CONNECTING
    answering_seconds: float | None = None
    """None: no answer is being given."""
    tokens_per_second: float | None = None
    """While an answer streams, an estimate by its characters."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    engine_lost: bool = False
    stop_pending: bool = False
    """An interrupt was asked for and the answer has not stopped yet."""
    queue_paused: bool = False
    following: bool = True
    new_below: int = 0
    playing: Playing | None = None
    quit_armed: bool = False
    """The next Ctrl+C quits."""
