"""What a screen can be opened on, as data.

The other commands are in `tui.cli.commands`: no first frame waits for those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Command:
    """`redis` and `model` are accepted everywhere; None: as the environment and the configuration say."""

    redis: str | None = None
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class StreamName:
    """A stream of anybody's: a key, and how to read entries that hold one text field (`bus.entry`)."""

    key: str
    text_field: str | None = None
    id_field: str | None = None
    end_value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Chat(Command):
    """Talk to a model: in `session`, in the last one (`continue_last`), else in a new one."""

    prompt: str = ""
    session: str | None = None
    continue_last: bool = False
    profile: str | None = None
    plain: bool = False
    """Here and below: appended lines instead of a screen."""


@dataclass(frozen=True, kw_only=True)
class Attach(Command):
    """Watch a session or a stream, from `start`, `now` or an entry id. Neither named: choose from a list.

    Without a `position` all is shown, and of a long session the last turns are read first.
    """

    session: str | None = None
    stream: StreamName | None = None
    read_only: bool = False
    position: str | None = None
    plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Replay(Command):
    """Play a session, a file or a stream. `speed` inf shows the end at once; pauses last `idle_limit` s at most."""

    session: str | None = None
    stream: StreamName | None = None
    speed: float = 1.0
    idle_limit: float | None = None
    position: str = "start"
    plain: bool = False


Opening = Chat | Attach | Replay
"""What the command line, or the session picker, asks to be shown."""
