"""From where on a stream is read, as the command line says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.stream import Stream


async def start_of(stream: Stream, position: str) -> str:
    """Where reading begins: after this entry. `position` is `start`, `now`, or the first entry that is wanted."""
    from bus.entry import position_before
    from bus.stream import START

    match position:
        case "start":
            return START
        case "now":
            return (await stream.info()).last_id
        case _:
            return position_before(position)
