"""Attaching to a session of 100,000 events: the last screen from exec on, keys meanwhile, and when all is there."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bus.codec import encode
from bus.events import Event, Final, Partial, RunFinished, RunStarted, Start, UserMessage
from bus.meta import Correlation, Metadata
from bus.redis.store import open_store
from bus.session import SessionInfo
from bus.stream import Batch, Record
from tests.support.redis_server import RedisServer

from .host import Host
from .startup import MINIMAL, environment
from .table import Figure, Figures

SESSION = "long"
DELTAS = 95
LAST, FIRST = b"the-very-last", b"the-very-first"
HOME, BACKSPACE = b"\x1b[1;5H", b"\x7f"
LOADED_SECONDS = 60.0


def turns(count: int) -> list[list[Event]]:
    """A conversation of so many turns, 100 events each."""
    return [_turn(number, count) for number in range(count)]


def _turn(number: int, count: int) -> list[Event]:
    meta = Metadata(turn_id=f"t{number}", session_id=SESSION)
    call = Metadata(turn_id=f"t{number}", session_id=SESSION, message_id=f"m{number}", model="demo")
    where, slim = Correlation(segment_id=f"m{number}:0"), Metadata(message_id=f"m{number}")
    words = [f"word{i} of **turn {number}**, " + "\n\n" * (i % 30 == 29) for i in range(DELTAS)]
    words[-1] = LAST.decode() if number == count - 1 else "and so on."
    asked = FIRST.decode() if number == 0 else f"Question {number}?"
    deltas, offset = list[Event](), 0
    for word in words:
        deltas.append(Partial(meta=slim, correlation=where, delta=word, offset=offset))
        offset += len(word)
    return [
        UserMessage(meta=meta, text=asked, prompt_id=f"p{number}", author="ada@desk"),
        RunStarted(meta=meta),
        Start(meta=call),
        *deltas,
        Final(meta=call, text="".join(words)),
        RunFinished(meta=meta),
    ]


async def fill(server: RedisServer, count: int) -> None:
    """Write the conversation, as an engine would."""
    store = await open_store(server.url, client_name="riffle-bench")
    await store.create_session(SessionInfo(id=SESSION, title="A long one"))
    stream, written = store.stream(SESSION), 0
    for turn in turns(count):
        records = [Record(encode(event), 1_790_000_000_000 + i) for i, event in enumerate(turn, written)]
        await stream.append(Batch("w", 1, written + 1, records))
        written += len(turn)
    await store.close()


def measure_attach(*, quick: bool) -> Figures:
    """Medians in ms over some runs, beside a minimal Textual app in the same run."""
    home, server = Path(tempfile.mkdtemp(prefix="riffle-bench-")), RedisServer()
    try:
        asyncio.run(fill(server, 1_000))
        runs = [(_minimal(home), *_attach(home, server)) for _ in range(2 if quick else 5)]
    finally:
        server.close()
    minimal, shown, echoes, whole = zip(*runs, strict=True)
    ratios = [last / first for first, last, *_ in runs]
    return {
        "minimal app: first frame ms": Figure(statistics.median(minimal) * 1000),
        "100,000 events: last screen ms": Figure(statistics.median(shown) * 1000, most=600),
        "last screen, in first frames of the minimal app": Figure(statistics.median(ratios)),
        "slowest key until all is there ms": Figure(max(echoes) * 1000, most=120),
        "all of it is there s": Figure(statistics.median(whole)),
    }


def _minimal(home: Path) -> float:
    host = Host(MINIMAL, environment(home))
    try:
        return host.wait_for(b"minimal-ready")
    finally:
        host.close()


def _attach(home: Path, server: RedisServer) -> tuple[float, float, float]:
    """When the last screen was there, the slowest echo of a key, and when Home showed the beginning."""
    argv = [sys.executable, "-m", "tui", "--redis", server.url, "attach", SESSION]
    host = Host(argv, environment(home))
    try:
        shown = host.wait_for(LAST)
        slowest = 0.0
        # In turns: one that took the place of its like within one frame would not be written again.
        for keys, key in enumerate(itertools.cycle(("¤".encode(), "§".encode())), 1):
            if host.output.find(FIRST) >= 0 or time.perf_counter() - host.began > LOADED_SECONDS:
                break
            mark, began = len(host.output), time.perf_counter()
            host.type(key)
            host.wait_for(key, after=mark)
            slowest = max(slowest, time.perf_counter() - began)
            host.type(BACKSPACE)
            host.settle(0.05)
            if keys % 10 == 0:
                host.type(HOME)
                host.settle(0.1)
        return shown, slowest, time.perf_counter() - host.began
    finally:
        host.close()
