"""Where a screen's events come from and where its prompts go: what chat, attach and replay have in common.

A screen does not know which of the three it shows. Plain protocols: importing this loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from bus.session import Prompt, SessionInfo
from tui.facts import Mode
from tui.openings import Opening
from tui.player import Player

if TYPE_CHECKING:
    from bus.attachment import Attachment
    from bus.feed import FeedItem
    from bus.stream import Entry
    from tui.attaching import Picked


class Source(Protocol):
    """One session, open. Every call but `close` raises a `BusError` when the store cannot be reached or refuses."""

    @property
    def mode(self) -> Mode:
        """Which of the three this is: for words on the screen only."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether nothing can be sent."""
        ...

    @property
    def may_not(self) -> str:
        """What this user of Redis may not do and why, where nothing can be sent for that; else empty."""
        ...

    @property
    def can_fork(self) -> bool:
        """Whether it is a session of the library, of which another one can be made."""
        ...

    @property
    def author(self) -> str:
        """As whom prompts are sent from here: user@host."""
        ...

    @property
    def player(self) -> Player | None:
        """The clock of a replay."""
        ...

    @property
    def session(self) -> SessionInfo:
        """What is known of the session; its id is empty while a new chat has not begun."""
        ...

    def items(self) -> AsyncIterator[FeedItem]:
        """What happens, from where reading starts, without end (a replay ends)."""
        ...

    def earlier(self) -> AsyncIterator[list[Entry]]:
        """What stands before the entries with which `items` began, where it says `BeganLate`."""
        ...

    async def begin(self) -> None:
        """Somebody types: get the session and its engine ready. Safe to repeat."""
        ...

    @property
    def unbegun(self) -> Sequence[Prompt]:
        """What was sent from here and that nobody has begun or taken back, as far as it is known here."""
        ...

    @property
    def engine_wanted(self) -> bool:
        """Whether prompts wait, nobody is there to answer, and `allow_engine` would change that."""
        ...

    @property
    def unanswered(self) -> str:
        """What prompts wait for that wait here and that no engine of this terminal will answer; else empty."""
        ...

    async def allow_engine(self) -> None:
        """Somebody agreed that this terminal starts the session's engine."""
        ...

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
        """Send a prompt; sent again under the same id, it is asked once. `supersedes` is the turn that it replaces.

        `options` are its profile's, or a command. `files` go with it: new ones, or those of an earlier prompt.
        """
        ...

    async def interrupt(self, prompt_id: str = "") -> None:
        """Ask for the answer to that prompt to stop, or for whichever runs. A waiting queue is paused.

        While the store is away it waits, and asks when the store is back; cancel it when the answer has ended.
        """
        ...

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back. None: an engine has it already."""
        ...

    async def resume_queue(self) -> None:
        """Let a paused queue go on."""
        ...

    def reconnect(self) -> None:
        """Where the store cannot be reached, or denies access, try again now instead of later."""
        ...

    def play(self, key: str) -> None:
        """A key of the replay was pressed: `pause`, `step`, `faster`, `slower`, `show_end`."""
        ...

    async def close(self) -> None:
        """Nobody looks any more. The session and its engine live on."""
        ...


class Library(Protocol):
    """The sessions that there are. Calls raise a `BusError`."""

    async def sessions(self) -> list[SessionInfo]:
        """All of them, newest first."""
        ...

    async def open(self, opening: Opening) -> Source:
        """Open one. A `Chat` without a session is a new one, which exists from its first prompt on."""
        ...

    async def fork(self, session_id: str, at: str) -> SessionInfo:
        """Make a session that begins as that one, up to the end of the turn that holds the entry `at`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class LocalEngine(Protocol):
    """The engine process of one session, on this machine."""

    async def ensure(self) -> None:
        """Start it, unless one runs."""
        ...

    def interrupt(self) -> bool:
        """Stop its answer with a signal, so that it works while Redis is away. False: no engine runs here."""
        ...

    def stop(self) -> None:
        """End what `ensure` has started: its session is not needed any more."""
        ...
