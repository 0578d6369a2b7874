"""The ways to break a recording, and what holds then: no crash, one end, no text that was not sent."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from bus.events import Event
from bus.timeline import Timeline
from engine.exchange import Adapter
from engine.sse import EventReader
from tests.fuzz.sent import Sent
from tests.support import recordings
from tests.support.provider_http import Answer, FakeServer, Folding, ask, fold

Events = list[dict[str, Any]]
Case = tuple[str, Callable[[], None]]
"""What is done, and the check that does it."""

SECONDS = 20.0
"""Longer than any call may take."""


def cases(slug: str, seed: int, share: float = 1.0) -> Iterator[Case]:
    """All cases of a recording; with a `share` below 1 about so many of them, by the seed."""
    choice = random.Random(f"{seed} {slug}")
    body = recordings.body(slug)
    events = recordings.events_of(body)
    places = _some(choice, range(len(events) + 1), share)
    yield f"ended at {len(places)} events", lambda: ended_anywhere(slug, events, places)
    for number in range(max(1, round(30 * share))):
        damage = DAMAGES[number % len(DAMAGES)]
        damaged = damage(choice, events)
        yield f"{damage.__name__} {number}", lambda damaged=damaged: damaged_anywhere(slug, damaged)
    for number in range(max(1, round(8 * share))):
        at = sorted(choice.randrange(len(body) + 1) for _ in range(20))
        yield f"split {number} at {at}", lambda at=at: split(body, at)
    for _ in range(max(1, round(6 * share))):
        at, size = choice.randrange(len(body) + 1), choice.choice((1, 7, 100, 10_000))
        yield f"cut at byte {at}, {size} at a time", lambda at=at, size=size: cut(slug, body[:at], size)


def _some(choice: random.Random, places: range, share: float) -> set[int]:
    return {place for place in places if share >= 1 or choice.random() < share}


# -- ended -----------------------------------------------------------------------------------------------------


def ended_anywhere(slug: str, events: Events, places: set[int]) -> None:
    """Whatever came before stands, nothing is made up, and no half-written call is asked for."""
    adapter, sent, seen = recordings.fresh(slug), Sent(), Folding()
    texts: list[str] = []
    for number in range(len(events) + 1):
        if number in places:
            texts.append(_ended_here(adapter, sent, seen))
        if number < len(events):
            sent.take(events[number])
            said = adapter.feed(events[number])
            sent.check(said)
            for event in said:
                seen.take(event)
    whole = seen.outcome().text
    if "deltas_differ_from_done" not in recordings.features(slug):
        assert all(whole.startswith(text) for text in texts), "a text that was sent is gone"


def _ended_here(adapter: Adapter, sent: Sent, seen: Folding) -> str:
    """Finish copies here, in each of the ways that a stream may end; the text as it stood before."""
    before = seen.fork().outcome()
    for error, done in ((None, False), (None, True), (ConnectionResetError("reset by peer"), False)):
        last = copy.deepcopy(adapter).finish(error, done=done)
        sent.check(last)
        ending = seen.fork()
        for event in last:
            ending.take(event)
        ended = ending.outcome()
        assert ended.end is not None, "it has no end"
        assert ended.text.startswith(before.text) and ended.thinking.startswith(before.thinking), "text was lost"
        assert ended.error is None or ended.asked == before.asked, "a call that was cut off is asked for"
    return before.text


# -- damaged ---------------------------------------------------------------------------------------------------


def dropped(choice: random.Random, events: Events) -> Events:
    """Some are lost."""
    lost = {choice.randrange(len(events)) for _ in range(choice.choice((1, 1, 3)))} if events else set[int]()
    return [event for at, event in enumerate(events) if at not in lost]


def doubled(choice: random.Random, events: Events) -> Events:
    """Some come twice."""
    twice = {choice.randrange(len(events)) for _ in range(choice.choice((1, 1, 3)))} if events else set[int]()
    return [event for at, event in enumerate(events) for _ in range(1 + (at in twice))]


def swapped(choice: random.Random, events: Events) -> Events:
    """Two come in the wrong order."""
    if len(events) < 2:
        return events
    at = choice.randrange(len(events) - 1)
    return [*events[:at], events[at + 1], events[at], *events[at + 2 :]]


DAMAGES = (dropped, doubled, swapped)


def damaged_anywhere(slug: str, events: Events) -> None:
    """It ends, says nothing that was not sent, and every viewer can show it."""
    adapter, sent, timeline, folding = recordings.fresh(slug), Sent(), Timeline(), Folding()

    def take(said: list[Event]) -> None:
        sent.check(said)
        for event in said:
            folding.take(event)
            timeline.apply(event)

    for event in events:
        sent.take(event)
        take(adapter.feed(event))
    take(adapter.finish())
    assert folding.outcome().end is not None, "it has no end"


# -- bytes -----------------------------------------------------------------------------------------------------


def split(body: bytes, places: list[int]) -> None:
    """The same events, wherever the bytes are cut."""
    assert _read([body]) == _read([body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)])


def _read(pieces: list[bytes]) -> list[str]:
    reader = EventReader()
    return [*(event for piece in pieces for event in reader.feed(piece)), *reader.close()]


def cut(slug: str, body: bytes, size: int) -> None:
    """Over HTTP, through the SDK: what came before the cut stands, and the call ends."""

    async def asked() -> list[Event]:
        async with asyncio.timeout(SECONDS):
            return await ask(recordings.api(slug), FakeServer(Answer(body=body, size=size)))

    said = asyncio.run(asked())
    assert fold(said).end is not None, "it has no end"
    sent = Sent()
    for event in recordings.events_of(body):
        sent.take(event)
    sent.check(said)
