"""The store: everything that a program does with sessions in a Redis. `open_store` is the way in."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..archive import Archive
from ..durability import AS_GIVEN, Durability
from ..entry import PlainText
from ..errors import StoreLoading, StoreUnavailable
from ..feed import FeedItem
from ..numbers import number
from ..reader import BareStream, follow
from ..session import EngineLease, Prompt, Queue, SessionInfo
from ..stream import START
from .address import parse_address
from .archiving import Archiving
from .commands import Commands, Fate
from .confirmation import Confirmation
from .connection import Connection
from .copies import Copies
from .health import Reach, ServerInfo, confirms, durability_shown, reach, server_info
from .keys import SessionKeys
from .lease import read_lease
from .pool import Pool
from .roles import Role, role_of
from .session_stream import SessionStream
from .sessions import Sessions
from .stream import RedisStream
from .watch import SessionWatch

if TYPE_CHECKING:
    from ..writer import Writer
    from .seat import SessionSeat

LOADING_SECONDS = 0.2
"""How often a server that reads its data is asked whether it has."""


async def open_store(
    url: str,
    *,
    client_name: str,
    revive: Callable[[], None] | None = None,
    durability: Durability = AS_GIVEN,
    archive: Path | None = None,
    on_loading: Callable[[StoreLoading], None] = lambda error: None,
) -> Store:
    """Connect to the Redis at `url`, in any form that `address` knows.

    `revive` is called now and then while the server cannot be reached: for one that is our own, it starts it again.
    It must return at once. `durability` is what events written here are to survive, as far as the server has it.
    `archive` is the folder of ended sessions that were moved out of this Redis, where it has one.
    A server that has just started and reads its data is waited for; `on_loading` is told so, once.
    Raises `StoreUnavailable` when it cannot be reached, `AccessDenied` and other `StoreRefused` when it refuses.
    """
    connection = Connection(url, client_name=client_name, revive=revive)
    try:
        await _greet(connection, on_loading)
        confirm = confirms(await server_info(connection), durability) if durability.level else None
    except BaseException:
        await connection.close()
        raise
    return Store(connection, durability, confirm, archive=archive)


async def _greet(connection: Connection, on_loading: Callable[[StoreLoading], None]) -> None:
    told = False
    while True:
        try:
            return await connection.greet()
        except StoreLoading as error:
            if not told:
                on_loading(error)
            told = True
            await asyncio.sleep(LOADING_SECONDS)


class Store:
    """Sessions and streams in one Redis."""

    def __init__(
        self,
        connection: Connection,
        durability: Durability = AS_GIVEN,
        confirm: Confirmation | None = None,
        *,
        archive: Path | None = None,
    ) -> None:
        self._connection = connection
        self._chosen = durability
        self._confirm = confirm
        files = Archive(archive) if archive else None
        self._sessions = Sessions(connection, files)
        self.archiving = Archiving(connection, self._sessions, files)
        """Ended sessions on their way to files and back."""
        self.copies = Copies(connection, self.archiving)
        """Files of somebody's own with sessions in them."""
        self._pool = Pool(connection, self._sessions)

    @property
    def url(self) -> str:
        """The address, password included: to hand on to another process, never to show."""
        return self._connection.url

    @property
    def safe_url(self) -> str:
        """The address to show."""
        return self._connection.safe_url

    @property
    def user(self) -> str:
        """As whom Redis knows this program."""
        return str(parse_address(self.url).options.get("username") or "default")

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    # -- sessions ----------------------------------------------------------------------------------------------

    async def create_session(self, info: SessionInfo) -> SessionInfo:
        """Make a session; an empty id, times and stream epoch are filled in."""
        if info.id:
            await self.archiving.bring_back(info.id)
        return await self._sessions.create(info)

    async def sessions(self) -> list[SessionInfo]:
        """All sessions, the newest first."""
        return await self._sessions.all()

    async def session(self, session_id: str) -> SessionInfo | None:
        """The session with that very id."""
        return await self._sessions.get(session_id)

    async def find(self, name: str) -> SessionInfo:
        """The session that `name` means: id, title, or the beginning of one. Raises when it means none or several."""
        return await self._sessions.find(name)

    async def update_session(self, session_id: str, **fields: str | int) -> None:
        """Set fields of `SessionInfo` (title, model, answering, …)."""
        unknown = fields.keys() - SessionInfo.__dataclass_fields__.keys()
        if unknown or "id" in fields or "live" in fields:
            raise ValueError(f"Not to be set on a session: {', '.join(unknown or fields)}.")
        await self.archiving.bring_back(session_id)
        await self._sessions.set(session_id, fields)
        # Again, for one that was put away in between: what is set now wins over what is in its file.
        await self.archiving.bring_back(session_id)

    async def rename_session(self, session_id: str, title: str) -> None:
        """Give a session another title."""
        await self.update_session(session_id, title=title)

    async def was_deleted(self, session_id: str) -> bool:
        """Whether a session with that very id was deleted, not long ago."""
        return bool(await self._connection.call("EXISTS", SessionKeys(session_id).tombstone))

    async def delete_session(self, *session_ids: str) -> None:
        """Delete sessions for good; whoever watches one is told."""
        await self._sessions.delete(*session_ids)

    # -- streams -----------------------------------------------------------------------------------------------

    def stream(self, session_id: str) -> SessionStream:
        """The events of a session."""
        return SessionStream(self._connection, SessionKeys(session_id), self.archiving, confirm=self._confirm)

    async def writer(self, session_id: str, *, writer: str = "", completions: bool = False) -> Writer:
        """A writer into a session that no engine answers, in a new epoch: every writer before it is fenced.

        Enter it as a context; leaving it writes the rest. `writer` is a name that no other process has.
        """
        from ..writer import Writer  # who only reads has no use for it

        known = number(await self._connection.call("HGET", SessionKeys(session_id).state, "e"))
        # Of two that have read the same epoch the clock tells which came later.
        epoch = max((known or 0) + 1, time.time_ns() // 1_000_000)
        name = writer or uuid.uuid4().hex
        return Writer(self.stream(session_id), writer=name, epoch=epoch, completions=completions)

    def stream_at(
        self, key: str, *, text_field: str | None = None, id_field: str | None = None, end_value: str | None = None
    ) -> RedisStream:
        """The stream at any key, to be read. `text_field` reads plain text entries: see `PlainText`."""
        if text_field is None:
            return RedisStream(self._connection, key)
        return RedisStream(self._connection, key, shape=PlainText(text_field, id_field, end_value))

    def watch(
        self, what: str | RedisStream, *, after: str = START, hurry: asyncio.Event | None = None
    ) -> AsyncGenerator[FeedItem, None]:
        """Everything of a session (by id) or of a stream after the position `after`, then what comes, for ever.

        While Redis cannot be reached it is tried again at once when `hurry` is set.
        """
        if isinstance(what, RedisStream):
            return follow(BareStream(what), after=after, hurry=hurry)
        watched = SessionWatch(self._connection, SessionKeys(what), self.stream(what))
        return follow(watched, after=after, hurry=hurry)

    async def put_file(self, session_id: str, data: bytes) -> str:
        """Keep the bytes of an attachment with the session; their key, which is the same for the same bytes."""
        key = SessionKeys(session_id).block(hashlib.sha256(data).hexdigest())
        await self.archiving.bring_back(session_id)
        await self.stream(session_id).put_block(key, data)
        return key

    # -- prompts and commands ----------------------------------------------------------------------------------

    async def submit(self, session_id: str, prompt: Prompt) -> bool:
        """Queue a prompt for the session's engine; False: one with its id was there already."""
        await self.archiving.bring_back(session_id)
        queued = await self._commands(session_id).submit(prompt)
        info = await self._sessions.get(session_id)
        if info and info.answering == "pool":
            await self._pool.offer(session_id)
        return queued

    async def withdraw(self, session_id: str, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back; None: it was claimed already."""
        return await self._commands(session_id).withdraw(prompt_id)

    async def interrupt(self, session_id: str, author: str, prompt_id: str = "") -> None:
        """Ask the engine to stop the running turn; prompts that wait are held until `resume_queue`.

        With a `prompt_id` only that prompt's turn is meant, however late this arrives.
        """
        await self._commands(session_id).interrupt(author, prompt_id)

    async def resume_queue(self, session_id: str) -> None:
        """Let the queue go on after an interrupt."""
        await self._commands(session_id).resume()

    async def queue(self, session_id: str) -> Queue:
        """The prompts that no engine works on."""
        return await self._commands(session_id).queue()

    async def fates(self, session_id: str, prompt_ids: Sequence[str]) -> list[Fate]:
        """What became of each of the prompts; of a settled one nobody will take it up any more."""
        return await self._commands(session_id).fates(prompt_ids)

    async def set_aside(self, session_id: str) -> list[Prompt]:
        """The prompts that no engine shall take up any more, since every one died that did."""
        return await self._commands(session_id).set_aside()

    async def may_send(self, session_id: str) -> bool:
        """Whether this user has the right to send prompts and commands; nothing is sent."""
        return await self._commands(session_id).permitted()

    def _commands(self, session_id: str) -> Commands:
        return Commands(self._connection, SessionKeys(session_id))

    # -- engines -----------------------------------------------------------------------------------------------

    async def lease(self, session_id: str) -> EngineLease | None:
        """The engine that answers the session now."""
        return read_lease(await self._connection.call("GET", SessionKeys(session_id).lease))

    def seat(
        self,
        session_id: str,
        *,
        engine_id: str,
        version: str = "",
        lease_seconds: float = 6.0,
        idle_seconds: float | None = 600.0,
        max_deliveries: int = 3,
        completions: bool = False,
        note: Callable[[StoreUnavailable | None], None] = lambda trouble: None,
    ) -> SessionSeat:
        """The place to answer a session from; enter it to claim the lease. `note` is as in `pool_sessions`."""
        from .seat import SessionSeat  # nor for this

        return SessionSeat(
            self._connection,
            self.stream(session_id),
            session_id,
            engine_id=engine_id,
            version=version,
            lease_seconds=lease_seconds,
            idle_seconds=idle_seconds,
            max_deliveries=max_deliveries,
            completions=completions,
            note=note,
        )

    def pool_sessions(
        self, note: Callable[[StoreUnavailable | None], None] = lambda trouble: None
    ) -> AsyncGenerator[str, None]:
        """Sessions that any engine may answer, with prompts waiting and no engine there, for ever.

        A hint: another engine may be faster, and then has the lease. `note` is told why Redis does not answer, and
        None when it does.
        """
        return self._pool.waiting(note)

    async def offer_to_pool(self, session_id: str) -> None:
        """Let another engine go on with a session in the pool."""
        await self._pool.offer(session_id)

    # -- the server --------------------------------------------------------------------------------------------

    async def greet(self) -> None:
        """See whether the server answers. Raises `BusError`."""
        await self._connection.greet()

    async def server_info(self) -> ServerInfo:
        """How the server is set up, as far as this user may see it."""
        return await server_info(self._connection)

    async def role(self) -> Role | None:
        """Which of riffle's roles this user has the rights of; None: not even a viewer's."""
        return await role_of(self._connection)

    async def reach(self) -> Reach:
        """Who gets into the server without a password."""
        return await reach(self._connection)

    async def durability(self, *, written_here: bool = True) -> str:
        """What an event survives now, in few words, for a person.

        Of one that is written elsewhere nobody knows here what was chosen for it: what the server gives every writer.
        """
        return durability_shown(await self.server_info(), self._chosen if written_here else AS_GIVEN)
