"""Sessions on their way between Redis and the archive: put away when they ended long ago, brought back for a prompt.

At every moment a session lies in one of the two whole. Its file is on the disk and checked before Redis forgets the
session, and stays for a while after Redis has it again, since an acknowledged write may still be lost in a power cut.
Where both have it, Redis is right. What a writer's fence needs (the state) never leaves Redis.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..archive import Archive, KeptFile
from ..archive_file import ArchiveFile
from ..archive_lines import KeptKey
from ..entry import position
from ..errors import BusError, DamagedArchive, StoreUnavailable
from ..session import SessionInfo
from .connection import Arg, Connection, Script
from .keys import ALL_PATTERN, SESSIONS, SessionKeys, session_of
from .sessions import Sessions, deleted

CHUNK = 200
COPY_SECONDS = 600
"""How long the copies of a session live that nobody has finished bringing back."""

SPARE_SECONDS = 3600.0
"""How long a file stays after its session was brought back."""

_PUT_AWAY, _BRING_BACK = Script("put_away"), Script("bring_back")
_READS = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What lies where: bytes of memory by session (None: not to be seen), and the files of all others."""

    in_redis: list[tuple[SessionInfo, int | None]]
    in_files: list[KeptFile]


class Archiving:
    """Moves the sessions of one Redis to `archive` and back; without an archive they all stay."""

    def __init__(self, connection: Connection, sessions: Sessions, archive: Archive | None) -> None:
        self._connection = connection
        self._sessions = sessions
        self.archive = archive

    @property
    def damaged(self) -> list[DamagedArchive]:
        """What is wrong with files whose sessions the last listing left out."""
        return self.archive.damaged if self.archive else []

    async def bring_back(self, session_id: str) -> None:
        """See to it that Redis holds the session, so that it can be changed. Safe to repeat, also at the same time.

        Raises `UnknownSession` when it was deleted, `DamagedArchive` when its file is not whole.
        """
        archive = self.archive
        keys = SessionKeys(session_id)
        if archive is None or not archive.holds(session_id) or await self.is_held(keys):
            return
        file = archive.open(session_id)
        await asyncio.to_thread(file.check)
        _, meta = await asyncio.to_thread(file.meta)
        await self.fill(
            keys, [KeptKey("meta", "hash", meta), *await asyncio.to_thread(lambda: list(file.keys()))], file
        )
        archive.touch(session_id)

    async def fill(self, keys: SessionKeys, kept: Sequence[KeptKey], file: ArchiveFile) -> None:
        """Make the session of what was `kept` and of the events in `file`, all at once. One that is there stays."""
        token = secrets.token_hex(8)
        pairs = [pair async for pair in self._copy(file, kept, keys, token)]
        flat = [key for pair in pairs for key in pair]
        match await self._connection.run(_BRING_BACK, (keys.tombstone, keys.meta, *flat)):
            case b"deleted":
                raise deleted(keys.id)
            case b"lost":
                raise StoreUnavailable(f"The session {keys.id} could not be loaded into Redis.", "Try again.")
            case _:
                pass  # it is there, whoever was faster
        info = await self._sessions.get(keys.id)
        await self._connection.call("ZADD", SESSIONS, info.updated_ms if info else 0, keys.id)

    async def put_away(self, session_id: str, *, before_ms: int, found: Iterable[str] | None = None) -> bool:
        """Move an ended session to its file; False: it was changed since `before_ms`, or somebody needs it.

        `found` are all keys of the session, where they are known.
        """
        archive = self.archive
        keys = SessionKeys(session_id)
        if archive is None or not await self.is_held(keys):
            return False
        named = (keys.lease, keys.tombstone, keys.prompts, keys.state, keys.meta, keys.events, keys.prompt_ids)
        match await self._connection.run(_PUT_AWAY, named, ""):
            case [b"ended", mark, last] if position(last.decode())[0] < before_ms:
                info = await self._sessions.get(session_id)
            case _:
                return False
        if info is None or info.updated_ms >= before_ms:
            return False
        if found is None:
            found = [key async for key in self._connection.scan(keys.all_pattern)]
        rest = [key for key in found if key not in named]
        await self._write(archive, keys, [keys.state, keys.prompt_ids, *rest], last.decode())
        match await self._connection.run(_PUT_AWAY, (*named, *rest), mark):
            case [b"removed"]:
                await self._connection.call("ZREM", SESSIONS, session_id)
                return True
            case [b"deleted"]:
                await asyncio.to_thread(archive.remove, session_id)
            case _:
                pass  # the file is old now: it is replaced the next time
        return False

    async def tidy(self, older_than_days: float) -> list[BusError]:
        """Put all sessions away that ended so long ago, and remove files that are not needed any more.

        What could not be done is returned. Does nothing while another process does the same.
        """
        archive = self.archive
        if archive is None:
            return []
        before_ms = int((time.time() - older_than_days * 86_400) * 1000)
        problems: list[BusError] = []
        with archive.tidying() as mine:
            if not mine:
                return []
            await self._remove_spare(archive)
            infos = await self._sessions.in_redis()
            old = [info.id for info in infos if not info.live and info.updated_ms < before_ms]
            found = await self._all_keys(old)
            for session_id in old:
                try:
                    await self.put_away(session_id, before_ms=before_ms, found=found[session_id])
                except StoreUnavailable as error:
                    await self._connection.call("PING")  # where Redis is away, it is for all of them
                    problems.append(_not_moved(session_id, str(error).rstrip(".")))
                except BusError as error:
                    problems.append(error)
                except OSError as error:
                    problems.append(_not_moved(session_id, error.strerror or str(error)))
        return problems

    async def file_of(self, session_id: str) -> KeptFile | None:
        """The file in which the session lies; None: Redis holds it."""
        files = self.archive.files() if self.archive and not await self.is_held(SessionKeys(session_id)) else []
        return next((file for file in files if file.session_id == session_id), None)

    async def kept(self) -> Kept:
        """What lies in Redis and what in files, the largest first."""
        held = [info for info in await self._sessions.in_redis() if info.stream_epoch]
        sizes: list[int | None]
        try:
            keys = [SessionKeys(info.id).events for info in held]
            found = await self._connection.call_many([("MEMORY", "USAGE", key, "SAMPLES", 3) for key in keys])
            sizes = [size or 0 for size in found]
        except BusError:
            sizes = [None] * len(held)
        in_redis = sorted(zip(held, sizes, strict=True), key=lambda pair: pair[1] or 0, reverse=True)
        if self.archive is None:
            return Kept(in_redis, [])
        await self._sessions.all()  # reads every file's head
        here = {info.id for info in held}
        files = [file for file in self.archive.files() if file.session_id not in here]
        return Kept(in_redis, sorted(files, key=lambda file: file.size, reverse=True))

    # ----------------------------------------------------------------------------------------------------------

    async def is_held(self, keys: SessionKeys) -> bool:
        """Whether Redis has the session itself, and not only what came for it while it was away."""
        return bool(await self._connection.call("HGET", keys.meta, "stream_epoch"))

    async def _all_keys(self, session_ids: Sequence[str]) -> dict[str, list[str]]:
        """The keys of these sessions, found in one pass over all that Redis holds."""
        found: dict[str, list[str]] = {session_id: [] for session_id in session_ids}
        if found:
            async for key in self._connection.scan(ALL_PATTERN):
                if (session_id := session_of(key)) in found:
                    found[session_id].append(key)
        return found

    async def _write(self, archive: Archive, keys: SessionKeys, rest: Sequence[str], last_id: str) -> None:
        meta = await self._connection.call("HGETALL", keys.meta)
        with archive.writer(keys.id, meta) as writer:
            async for entries in self.entries(keys.events):
                await asyncio.to_thread(writer.add, entries)
            for key in rest:
                kept = await self._read_key(keys, key)
                if kept is not None:
                    await asyncio.to_thread(writer.add_key, kept)
            await asyncio.to_thread(writer.finish, last_id)

    async def entries(self, key: str) -> AsyncIterator[list[tuple[str, Sequence[bytes]]]]:
        """All entries of the stream at `key` in Redis, in pieces, each with its fields as they are."""
        after = "-"
        while raw := await self._connection.call("XRANGE", key, after, "+", "COUNT", CHUNK):
            entries = [(entry_id.decode(), flat) for entry_id, flat in raw]
            yield entries
            after = f"({entries[-1][0]}"

    async def _read_key(self, keys: SessionKeys, key: str) -> KeptKey | None:
        """What lies at the key; None for what has no meaning once nobody asks: commands, leases, half copies."""
        name = keys.name_of(key)
        if key in (keys.control, keys.paused) or name.startswith("copy:"):
            return None
        kind, ttl = await self._connection.call_many([("TYPE", key), ("PTTL", key)])
        kind = kind.decode()
        if kind == "none" or ttl >= 0:
            return None
        if kind == "stream":
            entries = [entry async for chunk in self.entries(key) for entry in chunk]
            return KeptKey(name, kind, entries=entries)
        command, *arguments = _READS[kind]
        found: Any = await self._connection.call(command, key, *arguments)
        return KeptKey(name, kind, [found] if kind == "string" else found)

    async def _copy(
        self, file: ArchiveFile, kept: Sequence[KeptKey], keys: SessionKeys, token: str
    ) -> AsyncIterator[tuple[str, str]]:
        """Make copies of all its keys; each copy and its place."""
        for key in kept:
            place = keys.named(key.name)
            copy = keys.copy_of(place, token)
            for commands in _commands(copy, key):
                await self._connection.call_many(commands)
            if key.value or key.entries:
                yield copy, place
        last_id = (await asyncio.to_thread(file.info)).last_id
        if position(last_id) > (0, 0):
            copy = keys.copy_of(keys.events, token)
            # So an empty stream is made: one can lose all its entries and still knows its last id.
            await self._connection.call_many(
                [
                    ("XGROUP", "CREATE", copy, "copy", "0", "MKSTREAM"),
                    ("XGROUP", "DESTROY", copy, "copy"),
                    ("EXPIRE", copy, COPY_SECONDS),
                ]
            )
            pieces = file.entries()
            while (entries := await asyncio.to_thread(next, pieces, None)) is not None:
                await self._connection.call_many([("XADD", copy, entry_id, *flat) for entry_id, flat in entries])
            await self._connection.call_many([("XSETID", copy, last_id), ("EXPIRE", copy, COPY_SECONDS)])
            yield copy, keys.events

    async def _remove_spare(self, archive: Archive) -> None:
        """Remove files of sessions that were deleted, and of those that Redis has had again for a while."""
        files = archive.files()
        commands = [("EXISTS", SessionKeys(file.session_id).tombstone) for file in files]
        tombstones = await self._connection.call_many(commands)
        for file, tombstone in zip(files, tombstones, strict=True):
            old = file.mtime < time.time() - SPARE_SECONDS
            if tombstone or (old and await self.is_held(SessionKeys(file.session_id))):
                archive.remove(file.session_id)


def _commands(copy: str, kept: KeptKey) -> Iterator[list[tuple[Arg, ...]]]:
    """The commands, in pieces, that make `copy` hold what was kept, and vanish by itself where nobody goes on."""
    values, adding = kept.value, {"hash": "HSET", "list": "RPUSH", "set": "SADD"}
    one_by_one: list[tuple[Arg, ...]] = []
    match kept.kind:
        case "string" if values:
            one_by_one = [("SET", copy, values[0])]
        case "stream":
            one_by_one = [("XADD", copy, entry_id, *flat) for entry_id, flat in kept.entries]
        case "zset":
            pairs = zip(values[::2], values[1::2], strict=True)
            one_by_one = [("ZADD", copy, score, member) for member, score in pairs]
        case kind if kind in adding:
            step = CHUNK * 2  # names and values stay together
            one_by_one = [(adding[kind], copy, *values[at : at + step]) for at in range(0, len(values), step)]
        case _:
            pass
    for at in range(0, len(one_by_one), CHUNK):
        yield [*one_by_one[at : at + CHUNK], ("EXPIRE", copy, COPY_SECONDS)]


def _not_moved(session_id: str, why: str) -> BusError:
    return BusError(f"The session {session_id} was not moved to a file: {why}.", "It stays in Redis.")
