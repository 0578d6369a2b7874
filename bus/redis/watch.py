"""A session as a reader follows it: its events, its queue and its lease over one blocking read."""

from __future__ import annotations

from ..reader import Beside
from ..stream import START, Entry
from .commands import Commands
from .connection import Connection
from .keys import SessionKeys
from .lease import read_lease
from .sessions import deleted
from .stream import RedisStream, block_on
from .words import NotPermitted


class SessionWatch:
    """Keeps the `Watched` protocol of `bus.reader` for a session."""

    def __init__(self, connection: Connection, keys: SessionKeys, stream: RedisStream) -> None:
        self.stream = stream
        self.stirred = False
        self._connection = connection
        self._keys = keys
        self._commands = Commands(connection, keys)
        self._heard = {keys.prompts: START, keys.control: START}

    async def wait(self, after: str, timeout: float, count: int) -> list[Entry]:  # noqa: ASYNC109
        """As `Stream.wait`; prompts and commands wake it too."""
        reply = await block_on(self._connection, {self.stream.key: after, **self._heard}, timeout, count)
        for key in self._heard:
            if entries := reply.get(key):
                self._heard[key] = entries[-1][0].decode()
                self.stirred = True
        return self.stream.entries(reply.get(self.stream.key, ()))

    async def beside(self) -> Beside | None:
        """The queue, the lease and the stream's random id now; None: this user may not see them.

        Raises `UnknownSession` when the session was deleted.
        """
        keys = self._keys
        self.stirred = False
        try:
            lease, epoch, tombstone = await self._connection.call_many(
                [("GET", keys.lease), ("HGET", keys.meta, "stream_epoch"), ("EXISTS", keys.tombstone)]
            )
            queue = await self._commands.queue()
        except NotPermitted:
            # Nothing is said of a lease that cannot be seen: a viewer would take its engine for lost.
            self._heard.clear()
            return None
        if tombstone:
            raise deleted(keys.id)
        return Beside(queue, read_lease(lease), (epoch or b"").decode())
