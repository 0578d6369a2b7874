"""What a reader hands to a viewer, item by item. Plain dataclasses, so that a screen can import them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .session import ConnectionState, EngineLease, Queue

if TYPE_CHECKING:
    from .stream import Entry


@dataclass(frozen=True, slots=True)
class EntriesRead:
    """The next entries, in order, each once. Where some are missing stands an entry with a `Gap` event and without an
    id: it is the reader's own. `caught_up`: these are the newest for now; else about `behind` are still to come, where
    that is known.
    """

    entries: list[Entry]
    caught_up: bool
    behind: int = 0


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The prompts that wait are these now."""

    queue: Queue


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """This engine answers now; None: no engine is there."""

    lease: EngineLease | None


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The store is reached in another way than before. After `denied` nothing follows."""

    state: ConnectionState


FeedItem = EntriesRead | QueueChanged | LeaseChanged | ConnectionChanged
