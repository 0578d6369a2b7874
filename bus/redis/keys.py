"""Names of keys. The braces put all keys of a session into one slot of a Redis Cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

SESSIONS = "riffle:sessions"
"""Sorted set of session ids by time of change: a hint, repaired by a scan."""

READY = "riffle:ready"
"""Sorted set of sessions in the pool that have prompts waiting: a hint, repaired by a scan."""

GROUP = "engines"
"""The consumer group on prompts."""

_META_START, _META_END = "riffle:{", "}:meta"

META_PATTERN = f"{_META_START}*{_META_END}"

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
    def prompt_ids(self) -> str:
        """Hash: prompt id to entry id, for ever; makes a repeated submit harmless."""
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

    @property
    def all_pattern(self) -> str:
        """A pattern for SCAN that finds every key of the session, and of no other one."""
        return _GLOB.sub(r"\\\g<0>", self._key("")) + "*"


def session_of_meta(key: str) -> str:
    """The session id in the key of a meta hash."""
    return key[len(_META_START) : -len(_META_END)]
