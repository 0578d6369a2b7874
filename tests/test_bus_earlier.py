"""A long stream is read from its last turns on, and what stands before them apart: together that is all of it."""

from __future__ import annotations

import pytest

from bus.codec import encode
from bus.earlier import FEW, LAST, earlier, last_turns
from bus.events import Gap, Info, UserMessage
from bus.redis.store import Store
from bus.session import SessionInfo
from bus.stream import Batch, Entry, Record
from tests.support.redis_server import RedisServer

COUNT = 3 * LAST


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


async def fill(store: Store, *, size: int = 1) -> None:
    """Many entries; one in fifty asks something."""
    events = [UserMessage(text=str(i)) if i % 50 == 0 else Info(message=str(i) * size) for i in range(1, COUNT + 1)]
    await store.stream("s1").append(Batch("w", 1, 1, [Record(encode(event), 1) for event in events]))


async def before(store: Store, last: list[Entry]) -> list[Entry]:
    return [entry async for entries in earlier(store.stream("s1"), last[0]) for entry in entries]


def numbers(entries: list[Entry]) -> list[int | str | None]:
    """Of entries their numbers, and what gaps count."""
    return [f"gap {entry.event.count}" if isinstance(entry.event, Gap) else entry.n for entry in entries]


async def test_both_together_are_every_entry_once(store: Store, session: str) -> None:
    await fill(store)
    last = await last_turns(store.stream(session))
    assert isinstance(last[0].event, UserMessage)
    assert LAST - 50 <= len(last) <= LAST
    assert numbers(await before(store, last) + last) == list(range(1, COUNT + 1))


async def test_of_big_entries_few_are_read_first_and_of_few_all(store: Store, session: str) -> None:
    stream = store.stream(session)
    await stream.append(Batch("w", 1, 1, [Record(encode(Info(message="x")), 1)] * (FEW - 1)))
    assert await last_turns(stream) == []
    await stream.append(Batch("w", 1, FEW, [Record(encode(Info(message="x" * 20_000)), 1)] * FEW))
    assert len(await last_turns(stream)) == FEW


async def test_what_is_missing_is_a_gap_in_its_place(redis_server: RedisServer, store: Store, session: str) -> None:
    await fill(store)
    entries = await store.stream(session).read(count=COUNT)
    last = await last_turns(store.stream(session))
    start = last[0].n or 0
    gone = [entries[n - 1].id for n in (1, 2, 100, start - 2, start - 1, COUNT - 5)]
    redis_server.command("XDEL riffle:{s1}:events", *gone)
    again = await last_turns(store.stream(session))
    shown = numbers(await before(store, again) + again)
    assert shown[0] == "gap 2"
    assert [shown[i - 1] for i, what in enumerate(shown) if what == "gap 1"] == [99, COUNT - 6]
    assert shown[shown.index(start) - 1] == "gap 2"
    assert [what for what in shown if isinstance(what, int)] == [
        n for n in range(1, COUNT + 1) if entries[n - 1].id not in gone
    ]
