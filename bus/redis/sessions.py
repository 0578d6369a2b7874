"""What is listed of sessions: made, found by name, changed, deleted for good. Those in the archive are listed too.

The meta hashes are the truth; the sorted set of ids is a hint that finds them fast, repaired by a scan.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from ..archive import Archive
from ..entry import pair_up
from ..errors import AmbiguousSession, StoreRefused, UnknownSession
from ..session import SessionInfo, read_info
from .connection import Connection, Script
from .keys import ALL_PATTERN, META_PATTERN, SESSIONS, SessionKeys, is_session_id, session_of, session_of_meta
from .words import NotPermitted

TOMBSTONE_DAYS = 30
"""Longer than any journal lives that could bring a deleted session back."""

SCAN_AT_MOST_KEYS = 200_000
"""In a database with more keys than that, which is somebody else's too, only the index says what sessions there are."""

TITLE_CHARS = 60
SHOWN_CANDIDATES = 5

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_BEGAN = 1_735_689_600
"""2025-01-01: six digits of seconds since then last until 2059."""

_TOUCH, _DELETE = Script("touch"), Script("delete")


def new_session_id(now: float) -> str:
    """An id whose first six letters are the second it was made in, so that ids sort by time; eight more are random."""
    seconds = max(0, int(now) - _ID_BEGAN)
    when = "".join(_DIGITS[seconds >> shift & 31] for shift in range(25, -5, -5))
    return when + "".join(secrets.choice(_DIGITS) for _ in range(8))


def title_of(prompt: str) -> str:
    """A session's title: the first line of its first prompt, shortened."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


class Sessions:
    """The sessions of one Redis, and of the archive that belongs to it."""

    def __init__(self, connection: Connection, archive: Archive | None = None) -> None:
        self._connection = connection
        self._archive = archive

    async def create(self, info: SessionInfo) -> SessionInfo:
        """Make a session; id, times and stream epoch are filled in where they are missing."""
        if info.id and not is_session_id(info.id):
            raise StoreRefused(
                f"A session cannot have the id {info.id!r}.", "Use letters, digits, '_', '.' and '-', or leave it out."
            )
        now = time.time_ns() // 1_000_000
        made = replace(
            info,
            id=info.id or new_session_id(now / 1000),
            created_ms=info.created_ms or now,
            updated_ms=info.updated_ms or now,
            stream_epoch=info.stream_epoch or secrets.token_hex(16),
        )
        await self.restore(made)
        return made

    async def restore(self, info: SessionInfo) -> None:
        """Write all that is known of a session; nothing, where it was deleted."""
        fields = {name: str(value) for name, value in asdict(info).items() if name not in ("id", "live")}
        await self._touch(info.id, "", fields)
        await self._connection.call("ZADD", SESSIONS, info.updated_ms or 0, info.id)

    async def set(self, session_id: str, fields: Mapping[str, str | int]) -> None:
        """Set fields of `SessionInfo`."""
        await self._touch(session_id, "", fields)

    async def note(self, session_id: str, *, messages: int, title: str = "", model: str = "") -> None:
        """So many messages are there now; `title` is set where there is none, `model` where it is given."""
        now = time.time_ns() // 1_000_000
        fields: dict[str, str | int] = {"updated_ms": now, "messages": messages}
        if model:
            fields["model"] = model
        await self._touch(session_id, title, fields)
        await self._connection.call("ZADD", SESSIONS, now, session_id)

    async def _touch(self, session_id: str, title: str, fields: Mapping[str, str | int]) -> None:
        keys = SessionKeys(session_id)
        flat = [part for pair in fields.items() for part in pair]
        if not await self._connection.run(_TOUCH, (keys.meta, keys.tombstone), title, *flat):
            raise deleted(session_id)

    async def get(self, session_id: str) -> SessionInfo | None:
        """The session with that very id; raises `DamagedArchive` where its file is not whole."""
        found = await self._load([session_id])
        if self._archive and not is_whole(found):
            filed = await asyncio.to_thread(self._archive.session, session_id)
            found = await self._not_deleted([filed] if filed else []) or found
        return found[0] if found else None

    async def all(self) -> list[SessionInfo]:
        """All sessions, the newest first."""
        found = {info.id: info for info in await self.in_redis()}
        if self._archive:
            filed = await asyncio.to_thread(self._archive.sessions)
            gone = [info for info in filed if not is_whole([found[info.id]] if info.id in found else [])]
            found |= {info.id: info for info in await self._not_deleted(gone)}
        return sorted(found.values(), key=lambda info: (info.updated_ms, info.id), reverse=True)

    async def in_redis(self) -> list[SessionInfo]:
        """Those that Redis knows of, in no order."""
        indexed = await self._connection.call("ZRANGE", SESSIONS, 0, -1, "REV")
        ids = dict.fromkeys(raw.decode(errors="replace") for raw in indexed)
        scanned = await self._scan()
        seen, found = await self._load_permitted([*ids, *(scanned - ids.keys())])
        await self._repair(ids.keys() & seen, found)
        return found

    async def find(self, name: str) -> SessionInfo:
        """The session that `name` means: exact id, then title, then unique beginning of an id, then of a title.

        Raises `DamagedArchive` where it means one whose file is not whole.
        """
        with suppress(NotPermitted):  # no session of that id, or none of this user's
            if is_session_id(name) and (exact := await self.get(name)):
                return exact
        sessions = await self.all()
        lowered = name.lower()
        for fits in (
            [info for info in sessions if info.title == name],
            [info for info in sessions if info.id.lower() == lowered],
            [info for info in sessions if info.id.lower().startswith(lowered)],
            [info for info in sessions if info.title.lower().startswith(lowered)],
        ):
            if len(fits) == 1 and name:
                return fits[0]
            if fits and name:
                raise _ambiguous(name, fits)
        if name and self._archive and (damaged := await asyncio.to_thread(self._archive.damaged_as, name)):
            raise damaged
        raise UnknownSession(
            f"There is no session {name!r}.",
            "`riffle sessions list` shows what there is." if sessions else "There are no sessions yet.",
        )

    async def delete(self, *session_ids: str) -> None:
        """Delete all of these sessions. A tombstone stays of each, so that no late writer brings it back."""
        sessions = [SessionKeys(session_id) for session_id in session_ids]
        for keys in sessions:
            named = (
                keys.tombstone,
                keys.meta,
                keys.events,
                keys.state,
                keys.prompts,
                keys.dead,
                keys.prompt_ids,
                keys.control,
                keys.paused,
                keys.lease,
            )
            await self._connection.run(_DELETE, named, TOMBSTONE_DAYS * 86400)
            await self._connection.call("ZREM", SESSIONS, keys.id)
        await self._connection.call_many([("DEL", key) async for key in self._left_of(sessions)])
        if self._archive:
            for session_id in session_ids:
                await asyncio.to_thread(self._archive.remove, session_id)

    async def _left_of(self, sessions: Sequence[SessionKeys]) -> AsyncIterator[str]:
        """What else there is of them, blocks most of all; found in one pass over all that Redis holds."""
        if not sessions:
            return
        tombstones = {keys.tombstone for keys in sessions}
        ids = {keys.id for keys in sessions}
        async for key in self._connection.scan(sessions[0].all_pattern if len(sessions) == 1 else ALL_PATTERN):
            if key not in tombstones and (len(sessions) == 1 or session_of(key) in ids):
                yield key

    async def _not_deleted(self, infos: Sequence[SessionInfo]) -> list[SessionInfo]:
        """Those without a tombstone: whoever deleted the rest could not remove their files."""
        commands = [("EXISTS", SessionKeys(info.id).tombstone) for info in infos]
        deleted = await self._connection.call_many(commands)
        return [info for info, gone in zip(infos, deleted, strict=True) if not gone]

    async def _scan(self) -> set[str]:
        try:
            if sum(await self._connection.call_each("DBSIZE")) > SCAN_AT_MOST_KEYS:
                return set()
            found = [session_of_meta(key) async for key in self._connection.scan(META_PATTERN)]
        except NotPermitted:  # whoever only watches has to do with the index
            return set()
        return {session_id for session_id in found if is_session_id(session_id)}

    async def _load(self, ids: Sequence[str]) -> list[SessionInfo]:
        commands: list[tuple[str, str]] = []
        for session_id in ids:
            keys = SessionKeys(session_id)
            commands += [("HGETALL", keys.meta), ("EXISTS", keys.lease)]
        replies = await self._connection.call_many(commands)
        found = zip(ids, replies[::2], replies[1::2], strict=True)
        return [read_info(session_id, pair_up(flat), live=bool(live)) for session_id, flat, live in found if flat]

    async def _load_permitted(self, ids: Sequence[str]) -> tuple[set[str], list[SessionInfo]]:
        """Those of `ids` that this user may see, and what there is of them."""
        try:
            return set(ids), await self._load(ids)
        except NotPermitted:
            pass  # one is enough for that: each by itself
        seen, found = set[str](), list[SessionInfo]()
        for session_id in ids:
            with suppress(NotPermitted):
                found += await self._load([session_id])
                seen.add(session_id)
        return seen, found

    async def _repair(self, indexed: Any, found: Sequence[SessionInfo]) -> None:
        there = {info.id: info.updated_ms for info in found}
        gone = [("ZREM", SESSIONS, session_id) for session_id in indexed if session_id not in there]
        new = [("ZADD", SESSIONS, ms, session_id) for session_id, ms in there.items() if session_id not in indexed]
        with suppress(NotPermitted):
            await self._connection.call_many([*gone, *new])


def is_whole(found: Sequence[SessionInfo]) -> bool:
    """Whether Redis holds the session, and not only what was set while it lies in its file."""
    return bool(found and found[0].stream_epoch)


def deleted(session_id: str) -> UnknownSession:
    """The error for a session that has a tombstone."""
    return UnknownSession(f"The session {session_id} was deleted.", "`riffle sessions list` shows what there is.")


def _ambiguous(name: str, fits: Sequence[SessionInfo]) -> AmbiguousSession:
    shown = ", ".join(f"{info.id} ({info.title or 'no title'})" for info in fits[:SHOWN_CANDIDATES])
    more = f" and {len(fits) - SHOWN_CANDIDATES} more" if len(fits) > SHOWN_CANDIDATES else ""
    return AmbiguousSession(f"{name!r} means {len(fits)} sessions.", f"Be more exact: {shown}{more}.")
