"""A long history: read and folded, beside what it costs to fetch its bytes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import hiredis

from bus.codec import encode
from bus.events import Final, Partial
from bus.feed import EntriesRead
from bus.meta import Correlation, Metadata
from bus.redis.store import Store
from bus.stream import Batch, Record
from bus.timeline import Timeline
from tests.support.redis_server import RedisServer
from tui import collector

from .delivery import fresh_store
from .table import Figure, Figures

DELTAS = 4_000
"""In one answer."""

KEY = "riffle:{long}:events"
COUNT = 500


def measure_fold(*, quick: bool) -> Figures:
    """The best of some rounds: what else the machine does takes away from the ratio, and adds nothing."""
    return asyncio.run(_measure(30_000, 5) if quick else _measure(1_000_000, 5))


async def _measure(count: int, rounds: int) -> Figures:
    async with fresh_store() as (server, store):
        await _fill(store, count)
        collector.resume()  # as in the terminal
        times: list[tuple[float, float, float]] = []
        for _ in range(rounds):
            plain = await _time(lambda: asyncio.to_thread(_plain, server))
            watched = await _time(lambda: _watch(store, None))
            folded = await _time(lambda: _watch(store, Timeline()))
            times.append((plain, watched, folded))
    each = [min(column) / count * 1e6 for column in zip(*times, strict=True)]
    plain, watched, folded = each
    return {
        "entries": Figure(count),
        "plain hiredis XRANGE: us an entry": Figure(plain),
        "watch: us an entry": Figure(watched),
        "watch and fold: us an entry": Figure(folded),
        "watch: share of plain XRANGE's rate": Figure(plain / watched),
        "watch and fold: share of plain XRANGE's rate": Figure(plain / folded, least=0.4),
    }


async def _time(call: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def _fill(store: Store, count: int) -> None:
    """Answers of many deltas, as the writer writes them."""
    stream, records, seq = store.stream("long"), list[Record](), 1
    for i in range(count):
        answer, place = divmod(i, DELTAS)
        meta = Metadata(message_id=f"0190a7c2-7a1b-7f3e-9d21-{answer:012}")
        where = Correlation(segment_id=f"{meta.message_id}:t1")
        last = place == DELTAS - 1
        event = Final(meta=meta) if last else Partial(meta=meta, correlation=where, delta=" water", offset=6 * place)
        records.append(Record(encode(event), 1_700_000_000_000 + i * 10))
        if len(records) == 250 or i == count - 1:
            await stream.append(Batch("engine-01", 1, seq, records))
            seq, records = seq + len(records), []


def _plain(server: RedisServer) -> None:
    """All bytes of the stream, parsed by hiredis and looked at no further."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(server.socket)
    parser, after = hiredis.Reader(), b"-"
    while True:
        link.sendall(
            b"*6\r\n"
            + b"".join(_bulk(word) for word in (b"XRANGE", KEY.encode(), after, b"+", b"COUNT", b"%d" % COUNT))
        )
        reply: Any = False
        while reply is False:
            parser.feed(link.recv(262_144))
            reply = parser.gets()
        if len(reply) < COUNT:
            break
        after = b"(" + reply[-1][0]
    link.close()


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


async def _watch(store: Store, timeline: Timeline | None) -> None:
    items = store.watch(store.stream("long"))
    async for item in items:
        if isinstance(item, EntriesRead):
            if timeline is not None:
                timeline.apply_all(item.entries)
            if item.caught_up:
                break
    await items.aclose()
