"""Names of keys. The braces put all keys of a session into one slot of a Redis Cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

SESSIONS = "riffle:sessions"
"""Sorted set of session ids by time of change: a hint, repaired by a scan."""

READY = "riffle:ready"
"""Sorted set of sessions in the pool that have prompts waiting: a hint, repaired by a scan."""

TAKEN = "riffle:taken"
"""Sorted set of sessions in the pool that an engine has taken up, by when to see whether it is still there: a hint."""

GROUP = "engines"
"""The consumer group on prompts."""

_META_START, _META_END = "riffle:{", "}:meta"

META_PATTERN = f"{_META_START}*{_META_END}"
ALL_PATTERN = f"{_META_START}*}}:*"

_SESSION_ID = re.compile(r"[A-Za-z0-9_.-]+")
_GLOB = re.compile(r"[*?\[\]\\^-]")


def is_session_id(text: str) -> bool:
    """Whether a session may have that id: letters, digits, `_`, `.` and `-`. They mean nothing in a key's pattern."""
    return _SESSION_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of the session `id`."""

    id: str

    def _key(self, name: str) -> str:
        return f"riffle:{{{self.id}}}:{name}"

    @property
    def events(self) -> str:
        """Stream: the events."""
        return self._key("events")

    @property
    def state(self) -> str:
        """Hash: epoch `e`, writer `w`, its last sequence `q`, last entry number `n`."""
        return self._key("state")

    @property
    def meta(self) -> str:
        """Hash: what is listed of a session."""
        return self._key("meta")

    @property
    def prompts(self) -> str:
        """Stream: prompts for an engine; a finished one is deleted."""
        return self._key("prompts")

    @property
    def dead(self) -> str:
        """Stream: prompts that were set aside, since every engine died that took them up."""
        return self._key("dead")

    @property
    def prompt_ids(self) -> str:
        """Hash: prompt id to entry id, or `done`; kept for ever, which makes a repeated submit harmless."""
        return self._key("prompt-ids")

    @property
    def control(self) -> str:
        """Stream: interrupts and other commands."""
        return self._key("control")

    @property
    def paused(self) -> str:
        """String: exists while the queue is paused."""
        return self._key("paused")

    @property
    def lease(self) -> str:
        """String with an expiry: JSON of the `EngineLease`."""
        return self._key("lease")

    @property
    def tombstone(self) -> str:
        """String: exists when the session was deleted."""
        return self._key("tombstone")

    def block(self, name: str) -> str:
        """String: the bytes of an attachment, or of something else that is too big for an entry."""
        return self._key(f"block:{name}")

    def copy_of(self, key: str, token: str) -> str:
        """Where a copy of one of its keys is made before it takes its place; `token` tells makers apart."""
        return self._key(f"copy:{token}:{self.name_of(key)}")

    def named(self, name: str) -> str:
        """The key of that name within the session."""
        return self._key(name)

    def name_of(self, key: str) -> str:
        """The name of one of its keys within the session."""
        return key[len(self._key("")) :]

    @property
    def all_pattern(self) -> str:
        """A pattern for SCAN that finds every key of the session, and of no other one."""
        return _GLOB.sub(r"\\\g<0>", self._key("")) + "*"


def session_of(key: str) -> str:
    """The session id in any key of a session."""
    return key.removeprefix(_META_START).partition("}")[0]


def session_of_meta(key: str) -> str:
    """The session id in the key of a meta hash."""
    return key[len(_META_START) : -len(_META_END)]
