"""A session as a reader follows it: its events, its queue and its lease over one blocking read."""

from __future__ import annotations

from ..reader import Beside
from ..session import Queue
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
        self.stirred = True
        self._connection = connection
        self._keys = keys
        self._commands = Commands(connection, keys)
        self._queue = Queue()
        self._queue_engine = ""
        self._heard = {keys.prompts: START, keys.control: START}

    async def wait(self, after: str, timeout: float, count: int) -> list[Entry]:  # noqa: ASYNC109
        """As `Stream.wait`; prompts and commands wake it too."""
        reply = await block_on(self._connection, {self.stream.key: after, **self._heard}, timeout, count)
        for key in self._heard:
            if entries := reply.get(key):
                self._heard[key] = entries[-1][0].decode()
                self.stirred = True
        return self.stream.entries(reply.get(self.stream.key, ()))

    def doubt(self) -> None:
        """Redis was away: what it holds may be other than what it held."""
        self.stirred = True

    async def beside(self) -> Beside | None:
        """The queue, the lease and the stream's random id now; None: this user may not see them.

        The queue, which may be big, is read only where it may have changed.
        Raises `UnknownSession` when the session was deleted.
        """
        keys = self._keys
        stirred, self.stirred = self.stirred, False
        try:
            raw, epoch, tombstone = await self._connection.call_many(
                [("GET", keys.lease), ("HGET", keys.meta, "stream_epoch"), ("EXISTS", keys.tombstone)]
            )
            lease = read_lease(raw)
            engine = lease.engine_id if lease else ""
            if stirred or engine != self._queue_engine:  # a prompt whose engine is lost waits again
                self._queue, self._queue_engine = await self._commands.queue(), engine
        except NotPermitted:
            # Nothing is said of a lease that cannot be seen: a viewer would take its engine for lost.
            self._heard.clear()
            return None
        if tombstone:
            raise deleted(keys.id)
        return Beside(self._queue, lease, (epoch or b"").decode())
