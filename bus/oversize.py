"""Nothing bigger than 1 MiB goes into an entry: what is bigger is laid elsewhere, left out, or cut in sight."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any, cast

from .codec import encode
from .events import (
    Event,
    Final,
    Interrupt,
    Partial,
    PartialThinking,
    ProviderBlock,
    ReasoningSegmentFinished,
    TextSegmentFinished,
    ToolCallArgumentsDelta,
)

MAX_ENTRY_BYTES = 1024 * 1024

KEPT_CHARS = 100_000
"""How much of a text stays that is cut: six bytes for a character, JSON's worst, stay below the limit."""


def lay_aside(event: Event, payload: bytes, block_key: str | None) -> tuple[bytes, bytes | None]:
    """`event` again, small enough: its payload, and the block that has to lie under `block_key`, if any."""
    match event:
        case ProviderBlock() if block_key is not None and event.block is not None:
            block = json.dumps(event.block, ensure_ascii=False, separators=(",", ":")).encode()
            return encode(event.model_copy(update={"block": None, "block_key": block_key})), block
        case Final() | Interrupt() | TextSegmentFinished() | ReasoningSegmentFinished():
            # The deltas before it hold the text.
            return encode(event.model_copy(update={"text": None})), None
        case Partial() | PartialThinking() | ToolCallArgumentsDelta():
            # Never cut inside: the text that it is a piece of would be wrong. It fits, since a writer splits it.
            return _cut(payload, spared=frozenset({"delta"})), None
        case _:
            return _cut(payload), None


def _cut(payload: bytes, spared: Set[str] = frozenset()) -> bytes:
    """The payload with its longest texts cut, each with a mark that says so; not those of the fields `spared`."""
    fields: Any = json.loads(payload)
    kept = KEPT_CHARS
    while True:
        short = {name: value if name in spared else _shorten(value, kept) for name, value in fields.items()}
        small = json.dumps(short, ensure_ascii=False, separators=(",", ":")).encode()
        if len(small) <= MAX_ENTRY_BYTES or kept < 100:
            return small
        kept //= 4


def _shorten(value: object, kept: int) -> object:
    match value:
        case str() if len(value) > kept:
            return f"{value[:kept]}\n… ({len(value) - kept:,} more characters are cut here: an event holds 1 MiB)"
        case dict():
            return {key: _shorten(item, kept) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_shorten(item, kept) for item in cast("list[object]", value)]
        case _:
            return value
