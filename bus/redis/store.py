"""The store: everything that a program does with sessions in a Redis. `open_store` is the way in."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Literal

from ..entry import PlainText, pair_up
from ..errors import StoreRefused
from ..feed import FeedItem
from ..reader import BareStream, follow
from ..session import EngineLease, Prompt, Queue, SessionInfo
from ..stream import START
from .commands import Commands
from .connection import Connection
from .keys import READY, SessionKeys
from .lease import read_lease
from .seat import SessionSeat
from .sessions import Sessions
from .stream import RedisStream
from .watch import SessionWatch

Durability = Literal["memory", "process", "disk", "unknown"]
"""What an acknowledged event survives: nothing; the server's death (not power loss); power loss; not to be seen."""

POOL_POPS_SECONDS = 2.0
POOL_SCANS_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A Redis server as it is set up. `maxmemory_policy` is empty where the user may not see it; sizes in bytes."""

    version: str
    durability: Durability
    maxmemory: int
    maxmemory_policy: str
    used_memory: int
    clients: int
    role: str


async def open_store(url: str, *, client_name: str, revive: Callable[[], None] | None = None) -> Store:
    """Connect to the Redis at `url` (redis://, rediss://, unix://).

    `revive` is called now and then while the server cannot be reached: for one that is our own, it starts it again.
    It must return at once.
    Raises `StoreUnavailable` when it cannot be reached, `AccessDenied` and other `StoreRefused` when it refuses.
    """
    connection = Connection(url, client_name=client_name, revive=revive)
    try:
        await connection.greet()
    except BaseException:
        await connection.close()
        raise
    return Store(connection)


class Store:
    """Sessions and streams in one Redis."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sessions = Sessions(connection)

    @property
    def url(self) -> str:
        """The address, password included: to hand on to another process, never to show."""
        return self._connection.url

    @property
    def safe_url(self) -> str:
        """The address to show."""
        return self._connection.safe_url

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    # -- sessions ----------------------------------------------------------------------------------------------

    async def create_session(self, info: SessionInfo) -> SessionInfo:
        """Make a session; an empty id, times and stream epoch are filled in."""
        return await self._sessions.create(info)

    async def sessions(self) -> list[SessionInfo]:
        """All sessions, the newest first."""
        return await self._sessions.all()

    async def session(self, session_id: str) -> SessionInfo | None:
        """The session with that very id."""
        return await self._sessions.get(session_id)

    async def find(self, name: str) -> SessionInfo:
        """The session that `name` means: title, id, or the beginning of one. Raises when it means none or several."""
        return await self._sessions.find(name)

    async def update_session(self, session_id: str, **fields: str | int) -> None:
        """Set fields of `SessionInfo` (title, model, answering, …)."""
        unknown = fields.keys() - SessionInfo.__dataclass_fields__.keys()
        if unknown or "id" in fields or "live" in fields:
            raise ValueError(f"Not to be set on a session: {', '.join(unknown or fields)}.")
        await self._sessions.set(session_id, fields)

    async def rename_session(self, session_id: str, title: str) -> None:
        """Give a session another title."""
        await self.update_session(session_id, title=title)

    async def delete_session(self, session_id: str) -> None:
        """Delete a session for good; whoever watches it is told."""
        await self._sessions.delete(session_id)

    # -- streams -----------------------------------------------------------------------------------------------

    def stream(self, session_id: str) -> RedisStream:
        """The events of a session."""
        keys = SessionKeys(session_id)
        return RedisStream(self._connection, keys.events, session=keys)

    def stream_at(
        self, key: str, *, text_field: str | None = None, id_field: str | None = None, end_value: str | None = None
    ) -> RedisStream:
        """The stream at any key, to be read. `text_field` reads plain text entries: see `PlainText`."""
        if text_field is None:
            return RedisStream(self._connection, key)
        return RedisStream(self._connection, key, shape=PlainText(text_field, id_field, end_value))

    def watch(self, what: str | RedisStream, *, after: str = START) -> AsyncGenerator[FeedItem, None]:
        """Everything of a session (by id) or of a stream after the position `after`, then what comes, for ever."""
        if isinstance(what, RedisStream):
            return follow(BareStream(what), after=after)
        return follow(SessionWatch(self._connection, SessionKeys(what), self.stream(what)), after=after)

    # -- prompts and commands ----------------------------------------------------------------------------------

    async def submit(self, session_id: str, prompt: Prompt) -> bool:
        """Queue a prompt for the session's engine; False: one with its id was there already."""
        queued = await self._commands(session_id).submit(prompt)
        info = await self._sessions.get(session_id)
        if info and info.answering == "pool":
            await self._connection.call("ZADD", READY, time.time_ns() // 1_000_000, session_id)
        return queued

    async def withdraw(self, session_id: str, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back; None: it was claimed already."""
        return await self._commands(session_id).withdraw(prompt_id)

    async def interrupt(self, session_id: str, author: str) -> None:
        """Ask the engine to stop the running turn; prompts that wait are held until `resume_queue`."""
        await self._commands(session_id).interrupt(author)

    async def resume_queue(self, session_id: str) -> None:
        """Let the queue go on after an interrupt."""
        await self._commands(session_id).resume()

    async def queue(self, session_id: str) -> Queue:
        """The prompts that no engine has taken yet."""
        return await self._commands(session_id).queue()

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
        completions: bool = False,
    ) -> SessionSeat:
        """The place to answer a session from; enter it to claim the lease."""
        return SessionSeat(
            self._connection,
            session_id,
            engine_id=engine_id,
            version=version,
            lease_seconds=lease_seconds,
            idle_seconds=idle_seconds,
            completions=completions,
        )

    async def pool_sessions(self) -> AsyncGenerator[str, None]:
        """Sessions that any engine may answer, with prompts waiting and no engine there, for ever.

        A hint: another engine may be faster, and then has the lease.
        """
        scan_at = 0.0
        while True:
            if time.monotonic() >= scan_at:
                scan_at = time.monotonic() + POOL_SCANS_SECONDS
                names = [info.id for info in await self._sessions.all() if info.answering == "pool"]
            else:
                names = await self._pop_ready()
            for session_id in names:
                if await self._needs_engine(session_id):
                    yield session_id

    async def _pop_ready(self) -> list[str]:
        popped = await self._connection.call("BZPOPMIN", READY, POOL_POPS_SECONDS, within=POOL_POPS_SECONDS + 1.0)
        return [popped[1].decode()] if popped else []

    async def _needs_engine(self, session_id: str) -> bool:
        queue = await self.queue(session_id)
        return bool(queue.prompts) and not queue.paused and await self.lease(session_id) is None

    # -- the server --------------------------------------------------------------------------------------------

    async def server_info(self) -> ServerInfo:
        """How the server is set up, as far as this user may see it."""
        text: bytes = await self._connection.call("INFO")
        info = dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)
        config: dict[str, str] = {}
        for name in ("appendonly", "appendfsync", "save", "maxmemory-policy"):
            config.update(await self._config(name))
        return ServerInfo(
            version=info.get("redis_version", ""),
            durability=_durability(config),
            maxmemory=int(info.get("maxmemory", 0)),
            maxmemory_policy=config.get("maxmemory-policy", info.get("maxmemory_policy", "")),
            used_memory=int(info.get("used_memory", 0)),
            clients=int(info.get("connected_clients", 0)),
            role=info.get("role", ""),
        )

    async def _config(self, name: str) -> dict[str, str]:
        try:
            reply = await self._connection.call("CONFIG", "GET", name)
        except StoreRefused:
            return {}
        return {key.decode(): value.decode() for key, value in pair_up(reply).items()}


def _durability(config: dict[str, str]) -> Durability:
    match config.get("appendonly"), config.get("appendfsync"):
        case "yes", "always":
            return "disk"
        case "yes", _:
            return "process"
        case "no", _:
            return "memory"
        case _:
            return "unknown"
