"""What tests of the archive share: a session as an engine leaves it, all that Redis holds of it, commands stepped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from bus.redis.connection import Connection
from bus.redis.store import Store
from bus.session import SessionInfo
from bus.stream import Batch, Record

LONG_AGO = 1_700_000_000_000
NOW = 2**53
"""Later than anything that happens here."""

ALL = -1.0
"""Older than so many days is everything."""


async def make(store: Store, raw: Connection, session_id: str = "s1", entries: int = 3) -> SessionInfo:
    """A session as an engine leaves it."""
    info = await store.create_session(SessionInfo(id=session_id, title="Soup", messages=2, updated_ms=LONG_AGO))
    records = [Record(b'{"type":"info","message":"number %d"}' % number, LONG_AGO) for number in range(entries)]
    for at in range(0, entries, 100):
        await store.stream(session_id).append(Batch("engine-1", 4, at + 1, records[at : at + 100]))
    await raw.call("HSET", f"riffle:{{{session_id}}}:prompt-ids", "p1", "done")
    return info


async def everything(raw: Connection, session_id: str = "s1") -> dict[str, Any]:
    """All that Redis holds of a session, in its own words."""
    found: dict[str, Any] = {}
    async for key in raw.scan(f"riffle:{{{session_id}}}:*"):
        match (await raw.call("TYPE", key)).decode():
            case "stream":
                info = await raw.call("XINFO", "STREAM", key)
                found[key] = (await raw.call("XRANGE", key, "-", "+"), info[info.index(b"last-generated-id") + 1])
            case "hash":
                flat = await raw.call("HGETALL", key)
                found[key] = sorted(zip(flat[::2], flat[1::2], strict=True))
            case "zset":
                found[key] = await raw.call("ZRANGE", key, 0, -1, "WITHSCORES")
            case "list":
                found[key] = await raw.call("LRANGE", key, 0, -1)
            case "set":
                found[key] = sorted(await raw.call("SMEMBERS", key))
            case _:
                found[key] = await raw.call("GET", key)
    return found


async def put_away(store: Store, session_id: str = "s1") -> None:
    assert await store.archiving.put_away(session_id, before_ms=NOW)


def files(folder: Path) -> list[str]:
    """The names of the archive's files, the lock's left out."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock") if folder.exists() else []


def in_redis(found: dict[str, Any]) -> list[str]:
    return sorted(key.rpartition(":")[2] for key in found)


class Stepping(Connection):
    """Does something of the test's before (or, `late`, after) the command or script number `step`."""

    def __init__(self, url: str, step: int, act: Callable[[], Awaitable[object]], *, late: bool = False) -> None:
        super().__init__(url, client_name="t")
        self.left = step
        self._act = act
        self._late = late

    async def call_many(self, commands: Any, within: float = 3.0) -> list[Any]:
        return await self._around(super().call_many(commands, within))

    async def run(self, script: Any, keys: Any, *args: Any, within: float = 3.0) -> Any:
        return await self._around(super().run(script, keys, *args, within=within))

    async def _around(self, asked: Coroutine[Any, Any, Any]) -> Any:
        self.left -= 1
        if self.left == 0 and not self._late:
            try:
                await self._act()
            except BaseException:
                asked.close()
                raise
        reply = await asked
        if self.left == 0 and self._late:
            await self._act()
        return reply
