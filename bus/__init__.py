"""What happened, how it travels, what it adds up to.

Names load their module on first use, so that `import bus` itself costs nothing: redis and pydantic come in only with
the names that need them. The vocabulary itself is in `events` and `builtin_events`, the entities in `entities`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codec import decode, encode, register, unregister
    from .entities import Change, Entity
    from .errors import BusError
    from .events import Event, EventSink
    from .feed import FeedItem
    from .memory import MemoryStream
    from .meta import Correlation, Metadata, Usage
    from .reader import follow
    from .redis.store import Store, open_store
    from .session import EngineLease, Prompt, Queue, SessionInfo
    from .stream import START, AppendResult, Batch, Entry, Record, Stream, StreamInfo
    from .timeline import Timeline
    from .writer import Writer

__all__ = [
    "START",
    "AppendResult",
    "Batch",
    "BusError",
    "Change",
    "Correlation",
    "EngineLease",
    "Entity",
    "Entry",
    "Event",
    "EventSink",
    "FeedItem",
    "MemoryStream",
    "Metadata",
    "Prompt",
    "Queue",
    "Record",
    "SessionInfo",
    "Store",
    "Stream",
    "StreamInfo",
    "Timeline",
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
    "entities": ("Change", "Entity"),
    "errors": ("BusError",),
    "events": ("Event", "EventSink"),
    "feed": ("FeedItem",),
    "memory": ("MemoryStream",),
    "meta": ("Correlation", "Metadata", "Usage"),
    "reader": ("follow",),
    "redis.store": ("Store", "open_store"),
    "session": ("EngineLease", "Prompt", "Queue", "SessionInfo"),
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
