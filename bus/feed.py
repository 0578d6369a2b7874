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
    """This engine answers now; None: no engine is there.

    Without `sure` it may be back in a moment: a Redis that was away forgets the lease of an engine that lives. It is
    sure again each time that nothing was written for a while.
    """

    lease: EngineLease | None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The store is reached in another way than before. After a `denied` that is not tried again nothing
    follows.
    """

    state: ConnectionState


@dataclass(frozen=True, slots=True)
class BeganLate:
    """The entries that follow are the last ones of a long stream; all before them, about `count`, are read apart."""

    count: int = 0


FeedItem = BeganLate | EntriesRead | QueueChanged | LeaseChanged | ConnectionChanged
