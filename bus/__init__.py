"""What happened, how it travels, what it adds up to.

Names load their module on first use, so that `import bus` itself costs nothing: redis and pydantic come in only with
the names that need them. The vocabulary itself is in `events` and `builtin_events`, the entities in `entities`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codec import decode, encode, register, unregister
    from .durability import Durability
    from .entities import Change, Entity
    from .errors import AccessDenied, BusError, Fenced, LeaseTaken, StoreRefused, StoreUnavailable, UnknownSession
    from .events import Event, EventSink, Gap
    from .feed import ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
    from .memory import MemoryStream
    from .meta import Correlation, Metadata, Usage
    from .reader import follow
    from .redis.store import Store, open_store
    from .session import ConnectionState, EngineLease, Prompt, Queue, SessionInfo
    from .stream import START, AppendResult, Batch, Entry, Record, Stream, StreamInfo
    from .timeline import Timeline
    from .writer import Writer

__all__ = [
    "START",
    "AccessDenied",
    "AppendResult",
    "Batch",
    "BusError",
    "Change",
    "ConnectionChanged",
    "ConnectionState",
    "Correlation",
    "Durability",
    "EngineLease",
    "Entity",
    "EntriesRead",
    "Entry",
    "Event",
    "EventSink",
    "FeedItem",
    "Fenced",
    "Gap",
    "LeaseChanged",
    "LeaseTaken",
    "MemoryStream",
    "Metadata",
    "Prompt",
    "Queue",
    "QueueChanged",
    "Record",
    "SessionInfo",
    "Store",
    "StoreRefused",
    "StoreUnavailable",
    "Stream",
    "StreamInfo",
    "Timeline",
    "UnknownSession",
    "Usage",
    "Writer",
    "decode",
    "encode",
    "follow",
    "open_store",
    "register",
    "unregister",
]

_HOMES = {
    "codec": ("decode", "encode", "register", "unregister"),
    "durability": ("Durability",),
    "entities": ("Change", "Entity"),
    "errors": (
        *("AccessDenied", "BusError", "Fenced", "LeaseTaken"),
        *("StoreRefused", "StoreUnavailable", "UnknownSession"),
    ),
    "events": ("Event", "EventSink", "Gap"),
    "feed": ("ConnectionChanged", "EntriesRead", "FeedItem", "LeaseChanged", "QueueChanged"),
    "memory": ("MemoryStream",),
    "meta": ("Correlation", "Metadata", "Usage"),
    "reader": ("follow",),
    "redis.store": ("Store", "open_store"),
    "session": ("ConnectionState", "EngineLease", "Prompt", "Queue", "SessionInfo"),
    "stream": ("START", "AppendResult", "Batch", "Entry", "Record", "Stream", "StreamInfo"),
    "timeline": ("Timeline",),
    "writer": ("Writer",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f".{module}", __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
