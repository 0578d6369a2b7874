"""What can be asked for on the command line without a screen, as data. `tui.openings` has what opens one.

`screenless_parser` makes one of these, `screenless` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.openings import Command, StreamName

if TYPE_CHECKING:
    from tui.attaching import Picked

Output = Literal["text", "json", "yaml"]
Role = Literal["viewer", "producer", "engine"]
"""Of a Redis user; `bus.redis.roles` has what each may do."""


@dataclass(frozen=True, kw_only=True)
class Run(Command):
    """Answer one prompt without a screen."""

    prompt: str
    session: str | None = None
    continue_last: bool = False
    output: Output = "text"
    max_calls: int | None = None
    retries: int | None = None
    no_tools: bool = False
    quiet: bool = False
    profile: str | None = None
    files: tuple[Picked, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tail(Command):
    """Print a session or a stream."""

    session: str | None = None
    stream: StreamName | None = None
    position: str = "start"
    follow: bool = True
    output: Output = "text"
    with_metadata: bool = False
    full: bool = False


@dataclass(frozen=True, kw_only=True)
class Send(Command):
    """Ask a session whose engine runs elsewhere."""

    session: str
    prompt: str
    profile: str | None = None
    files: tuple[Picked, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Engine(Command):
    """Answer prompts: of one session, or of every session that is open to any engine."""

    session: str | None = None


@dataclass(frozen=True, kw_only=True)
class SessionsList(Command):
    """List the sessions."""

    json: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionsShow(Command):
    """Show what is known of one session."""

    session: str
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionsRename(Command):
    """Give a session another title."""

    session: str
    title: str


@dataclass(frozen=True, kw_only=True)
class SessionsDelete(Command):
    """Delete sessions; `yes`: without asking."""

    sessions: tuple[str, ...]
    yes: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionsExport(Command):
    """Write a session into a file (None: one named by its id), or its events as JSON lines (None: to stdout)."""

    session: str
    file: str | None = None
    output: Literal["archive", "json"] = "archive"


@dataclass(frozen=True, kw_only=True)
class SessionsImport(Command):
    """Make a session of a file that was exported."""

    file: str


@dataclass(frozen=True, kw_only=True)
class SessionsFork(Command):
    """Make a session that begins as another one, up to the turn that holds the entry `position` (None: all of it)."""

    session: str
    position: str | None = None


@dataclass(frozen=True, kw_only=True)
class Models(Command):
    """List what one provider offers, or every one; `refresh`: ask again, whatever the cache says."""

    provider: str | None = None
    json: bool = False
    refresh: bool = False


@dataclass(frozen=True, kw_only=True)
class Doctor(Command):
    """Say what is there, what is wrong and how to fix it; with `acl` how to make a Redis user of that role."""

    acl: Role | None = None


@dataclass(frozen=True, kw_only=True)
class Say(Command):
    """Print `text` (a help page, the version) and end."""

    text: str
