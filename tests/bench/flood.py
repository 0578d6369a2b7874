"""Much at once for one viewer: 10,000 tokens a second from the stream, and 100,000 entities in memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bus.codec import encode
from bus.events import (
    Event,
    Final,
    Partial,
    RunFinished,
    RunStarted,
    Start,
    ToolCall,
    ToolCallPayload,
    ToolResult,
    ToolResultPayload,
    UserMessage,
)
from bus.meta import Correlation, Metadata
from bus.redis.store import open_store
from bus.session import SessionInfo
from bus.stream import Batch, Record
from tests.support.redis_server import RedisServer

from .answers import MARK
from .host import Host, cpu_seconds, processes_of, pss_mb
from .startup import environment, role
from .table import Figure, Figures, percentile

SESSION = "flood"
PER_SECOND = 10_000
BATCH = 100
ENTITIES = 100_000
PER_TURN = 4
FIRST, LAST = "the-very-first", "the-very-last"
HOME = b"\x1b[1;5H"
PATIENCE = 60.0


def measure_flood(*, quick: bool = False) -> Figures:
    """Lag in ms, memory in MB."""
    return _flood(3.0 if quick else 10.0) | _memory(ENTITIES // (10 if quick else 1))


def _flood(seconds: float) -> Figures:
    with _viewer(_begin()) as (host, url, home):
        host.wait_for(b"begun", PATIENCE)
        before = _terminal_cpu(home)
        command = [sys.executable, "-m", "tests.bench.flood", url, str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as publisher:
            seen: list[tuple[float, int]] = []
            at = len(host.output)
            while publisher.poll() is None:
                host.read(0.005)
                now = time.monotonic()
                marks = [int(mark[1]) for mark in MARK.finditer(host.output, at)]
                at = max(at, len(host.output) - 8)
                if marks:
                    seen.append((now, max(marks)))
            assert publisher.stdout is not None
            sent = json.loads(publisher.stdout.read())
        newest, lags = -1, list[float]()
        for now, mark in seen:
            # Rows that moved are written again, too: only what is new says how far behind the screen is.
            if mark > newest:
                newest = mark
                lags.append(now - sent[mark // BATCH])
        tokens = len(sent) * BATCH
        tenth = max(len(lags) // 10, 1)
        return {
            "tokens a second from the stream": Figure(tokens / (sent[-1] - sent[0]), least=0.95 * PER_SECOND),
            "lag: p50 ms": Figure(percentile(lags, 0.5) * 1000),
            "lag: p99 ms": Figure(percentile(lags, 0.99) * 1000, most=120),
            "lag of the last tenth: p50 ms": Figure(percentile(lags[-tenth:], 0.5) * 1000, most=120),
            "tokens never seen": Figure(tokens - 1 - newest),
            "frames a second": Figure(len(lags) / (sent[-1] - sent[0])),
            "CPU us a token, the terminal's": Figure((_terminal_cpu(home) - before) / tokens * 1e6),
        }


def _memory(entities: int) -> Figures:
    with _viewer([event for turn in range(entities // PER_TURN) for event in _turn(turn, entities // PER_TURN)]) as (
        host,
        _,
        home,
    ):
        host.wait_for(LAST.encode(), PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while host.output.find(FIRST.encode()) < 0 and time.monotonic() < deadline:
            host.type(HOME)
            host.settle(0.5)
        terminal = [pid for pid, command in processes_of(home).items() if role(command) == "terminal"]
        goal = 150 if entities == ENTITIES else None
        return {f"{entities:,} entities: terminal MB (PSS)": Figure(sum(map(pss_mb, terminal)), most=goal)}


def _terminal_cpu(home: Path) -> float:
    return sum(cpu_seconds(pid) for pid, command in processes_of(home).items() if role(command) == "terminal")


@contextmanager
def _viewer(events: list[Event]) -> Generator[tuple[Host, str, Path]]:
    """A terminal that is attached to a session of these events; its Redis, its home."""
    server, home = RedisServer(), Path(tempfile.mkdtemp(prefix="riffle-bench-"))
    try:
        asyncio.run(_write(server.url, events))
        host = Host([sys.executable, "-m", "tui", "--redis", server.url, "attach", SESSION], environment(home))
        try:
            yield host, server.url, home
        finally:
            host.close()
    finally:
        server.close()


async def _write(url: str, events: list[Event]) -> None:
    store = await open_store(url, client_name="riffle-bench")
    await store.create_session(SessionInfo(id=SESSION, title="Much at once"))
    stream = store.stream(SESSION)
    for start in range(0, len(events), 1_000):
        records = [Record(encode(event), 1_790_000_000_000 + start) for event in events[start : start + 1_000]]
        await stream.append(Batch("w", 1, start + 1, records))
    await store.close()


def _begin() -> list[Event]:
    meta = Metadata(turn_id="t", session_id=SESSION)
    asked = UserMessage(meta=meta, text="begun", prompt_id="p", author="ada@desk")
    return [asked, RunStarted(meta=meta), Start(meta=Metadata(turn_id="t", session_id=SESSION, message_id="m"))]


def _turn(number: int, count: int) -> list[Event]:
    meta = Metadata(turn_id=f"t{number}", session_id=SESSION)
    call = Metadata(turn_id=f"t{number}", session_id=SESSION, message_id=f"m{number}", model="demo")
    where = Correlation(tool_call_id=f"c{number}")
    ask = ToolCall(meta=call, tool_call=ToolCallPayload(id=f"c{number}", name="run", input="{}"), correlation=where)
    said = ToolResult(meta=call, tool_result=ToolResultPayload(id=f"c{number}", result="ok"), correlation=where)
    text = LAST if number == count - 1 else f"Answer {number}, in **some** words, not many."
    return [
        UserMessage(
            meta=meta, text=f"Question {number}" if number else FIRST, prompt_id=f"p{number}", author="ada@desk"
        ),
        RunStarted(meta=meta),
        Start(meta=call),
        ask,
        said,
        Final(meta=call, text=text),
        RunFinished(meta=meta),
    ]


async def _publish(url: str, seconds: float) -> None:
    """Write marked tokens, an entry each, at the full rate; print when each batch was sent (monotonic seconds)."""
    store = await open_store(url, client_name="riffle-bench-publisher")
    stream, sent, offset = store.stream(SESSION), list[float](), 0
    slim, where = Metadata(message_id="m"), Correlation(segment_id="m:1")
    began = time.monotonic()
    for batch in range(round(seconds * PER_SECOND / BATCH)):
        records: list[Record] = []
        for number in range(batch * BATCH, (batch + 1) * BATCH):
            token = f"t{number:06d} " + "\n\n" * (number % 60 == 59)
            event = Partial(meta=slim, correlation=where, delta=token, offset=offset)
            records.append(Record(encode(event), 1_790_000_000_000))
            offset += len(token)
        await asyncio.sleep(began + batch * BATCH / PER_SECOND - time.monotonic())
        sent.append(time.monotonic())
        await stream.append(Batch("w", 1, 4 + batch * BATCH, records))
    await asyncio.sleep(1)
    await store.close()
    print(json.dumps(sent))


if __name__ == "__main__":
    asyncio.run(_publish(sys.argv[1], float(sys.argv[2])))
