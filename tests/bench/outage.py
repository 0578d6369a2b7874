"""What an outage costs: how soon a viewer is back, and what a publisher keeps meanwhile."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

from bus.feed import ConnectionChanged
from bus.redis.store import Store
from bus.session import ConnectionState
from tests.support.redis_server import RedisServer

from .delivery import fresh_store
from .table import Figure, Figures, percentile

CAPPED = 8
"""After so many attempts the wait between them grows no more, as after a minute."""


def measure_outage(*, quick: bool) -> Figures:
    """All of this module."""
    return asyncio.run(_recoveries(quick)) | asyncio.run(_memory(3 if quick else 30))


async def _recoveries(quick: bool) -> Figures:
    async with fresh_store() as (server, store):
        short = await _recover(server, store, attempts=1, times=4 if quick else 20)
        long = await _recover(server, store, attempts=CAPPED, times=1 if quick else 6)
    return {
        "back after a kill, from Redis's first answer: p50 ms": Figure(percentile(short, 0.5) * 1000),
        "back after a kill, from Redis's first answer: p95 ms": Figure(percentile(short, 0.95) * 1000, most=1_000),
        "back after a long outage: p95 ms": Figure(percentile(long, 0.95) * 1000, most=2_500),
    }


async def _recover(server: RedisServer, store: Store, *, attempts: int, times: int) -> list[float]:
    """Seconds from the first answer of a server that was killed to a viewer that is live again."""
    states: asyncio.Queue[tuple[ConnectionState, float]] = asyncio.Queue()

    async def view() -> None:
        async for item in store.watch(store.stream("s")):
            if isinstance(item, ConnectionChanged):
                states.put_nowait((item.state, time.monotonic()))

    async def reaches(status: str, attempt: int = 0) -> float:
        while True:
            state, at = await states.get()
            if state.status == status and state.attempt >= attempt:
                return at

    viewing = asyncio.create_task(view())
    await reaches("live")
    taken: list[float] = []
    for _ in range(times):
        server.kill9()
        await reaches("reconnecting", attempts)
        await asyncio.to_thread(server.start)
        answered = time.monotonic()
        taken.append(max(0.0, await reaches("live") - answered))
    viewing.cancel()
    await asyncio.wait([viewing])
    return taken


def _start_publisher(url: str, kind: str, seconds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.publisher", url, kind, str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def _memory(seconds: int) -> Figures:
    """A publisher of its own process, whose Redis goes away under it and comes back."""
    figures: Figures = {}
    for kind, what in (("deltas", "deltas, which merge"), ("logs", "logs, which do not")):
        async with fresh_store() as (server, store):
            publisher = _start_publisher(server.url, kind, seconds)
            assert publisher.stdin and publisher.stdout
            await asyncio.to_thread(publisher.stdout.readline)
            server.kill9()
            print("away", file=publisher.stdin, flush=True)
            report = json.loads(await asyncio.to_thread(publisher.stdout.readline))
            await asyncio.to_thread(server.start)
            print("back", file=publisher.stdin, flush=True)
            left = json.loads(await asyncio.to_thread(publisher.stdout.readline))
            publisher.wait()
            entries = (await store.stream("s").info()).length
        figures |= {
            f"outage of {seconds} s, {what}: published per s": Figure(report["published"] / seconds),
            f"outage of {seconds} s, {what}: RSS grew by MiB": Figure(report["grown"]),
            f"outage of {seconds} s, {what}: kept MiB": Figure(report["kept"], most=8.1),
            f"outage of {seconds} s, {what}: publish waited for room, s": Figure(
                report["waited"], least=0.3 if kind == "logs" else None
            ),
            f"outage of {seconds} s, {what}: events lost": Figure(left["published"] - left["written"], most=0),
            f"outage of {seconds} s, {what}: entries written": Figure(entries),
        }
    return figures
