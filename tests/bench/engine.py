"""The engine beside the bare SDK: what a delta costs, what a long answer takes, and whether it keeps up."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import anthropic
import openai

from bus.events import Event, EventSink, Partial
from bus.writer import Writer
from engine.engine import Engine, EngineConfig
from engine.history import History
from engine.models import Endpoint
from engine.openai_chat import OpenAIChatProvider
from engine.tools import Toolbox
from tests.support.provider_http import HELLO, Answer, Api, FakeServer, provider, sse
from tests.support.seat import work

from .delivery import fresh_store
from .table import Figure, Figures, latencies

TEXT = " water and stones "
PER_SECOND = 2_000
KB = 1024


def measure_engine(*, quick: bool) -> Figures:
    """All of this module."""
    figures: Figures = {}
    for api in BODIES:
        figures |= asyncio.run(_overhead(api, 500 if quick else 5_000, rounds=3 if quick else 7))
    figures |= asyncio.run(_memory())
    return figures | asyncio.run(_keeps_up(seconds=2.0 if quick else 10.0))


# -- bodies ----------------------------------------------------------------------------------------------------


def _chat(texts: list[str]) -> bytes:
    head: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    return sse(*chunks, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]")


def _responses(texts: list[str]) -> bytes:
    item: dict[str, Any] = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    delta: dict[str, Any] = {"type": "response.output_text.delta", **place, "logprobs": []}
    response: dict[str, Any] = {"id": "r", "object": "response", "status": "completed", "output": []}
    return sse(
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({**delta, "delta": text} for text in texts),
        {"type": "response.completed", "response": response},
    )


def _anthropic(texts: list[str]) -> bytes:
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {},
    }
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts
    ]
    return sse(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    )


BODIES: dict[Api, Callable[[list[str]], bytes]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic-messages": _anthropic,
}


# -- the cost of a delta ---------------------------------------------------------------------------------------


class _Counting:
    """A sink that counts deltas."""

    def __init__(self) -> None:
        self.deltas = 0

    async def publish(self, event: Event) -> None:
        """Take `event`."""
        self.deltas += isinstance(event, Partial)


async def _overhead(api: Api, count: int, rounds: int) -> Figures:
    """The SDK's own iteration, our adapter, and a whole turn of the engine, in turn; the best of some rounds."""
    body = BODIES[api]([TEXT] * count)

    async def bare() -> None:
        found = 0
        async for _ in await _ask_sdk(api, body):
            found += 1
        assert found >= count

    async def adapted() -> None:
        asked = provider(api, FakeServer(Answer(body=body, size=4 * KB)))
        found = [event async for event in asked.stream(HELLO) if isinstance(event, Partial)]
        assert len(found) == count

    async def whole() -> None:
        sink = _Counting()
        asked = provider(api, FakeServer(Answer(body=body, size=4 * KB)))
        assert await _engine(sink).run(work("Hello?"), asked, "m") == "finished"
        assert sink.deltas == count

    times = [await _round(bare, adapted, whole) for _ in range(rounds)]
    best = [min(column) / count * 1e6 for column in zip(*times, strict=True)]
    return {
        f"{api}: the bare SDK, us a delta": Figure(best[0]),
        f"{api}: our adapter, us a delta": Figure(best[1]),
        f"{api}: the engine, us a delta": Figure(best[2]),
        f"{api}: the engine beside the bare SDK": Figure(best[2] / best[0], most=1.2),
    }


async def _round(*ways: Callable[[], Awaitable[None]]) -> list[float]:
    times: list[float] = []
    for way in ways:
        gc.collect()
        began = time.process_time()
        await way()
        times.append(time.process_time() - began)
    return times


async def _ask_sdk(api: Api, body: bytes) -> AsyncIterator[object]:
    """The SDK's own stream of raw events, as its users iterate over it."""
    http = FakeServer(Answer(body=body, size=4 * KB)).client()
    messages: Any = [{"role": "user", "content": "Hello?"}]
    if api == "anthropic-messages":
        claude = anthropic.AsyncAnthropic(api_key="k", http_client=http)
        return cast(
            AsyncIterator[object],
            await claude.messages.create(model="m", max_tokens=9, messages=messages, stream=True),
        )
    client = openai.AsyncOpenAI(api_key="k", http_client=http)
    if api == "openai-chat":
        return await client.chat.completions.create(model="m", messages=messages, stream=True)
    return await client.responses.create(model="m", input="Hello?", stream=True)


def _engine(sink: Any) -> Engine:
    return Engine("s", sink, history=History(), tools=Toolbox(), config=EngineConfig())


# -- memory ----------------------------------------------------------------------------------------------------


async def _memory() -> Figures:
    """What an answer of 100 KB takes beside one of 1 KB."""
    figures: Figures = {}
    peaks: list[float] = []
    for size in (1, 100):
        body = _chat([TEXT] * (size * KB // len(TEXT)))
        engine, asked = _engine(_Counting()), provider("openai-chat", FakeServer(Answer(body=body, size=4 * KB)))
        gc.collect()
        tracemalloc.start()
        assert await engine.run(work("Hello?"), asked, "m") == "finished"
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        peaks.append(peak / KB)
        figures[f"an answer of {size} KB: kept, KB"] = Figure(kept / KB)
        figures[f"an answer of {size} KB: at most, KB"] = Figure(peak / KB)
    figures["100 KB more of answer: KB more at most"] = Figure(peaks[1] - peaks[0], most=1_000)
    return figures


# -- a fast provider -------------------------------------------------------------------------------------------


async def _keeps_up(seconds: float) -> Figures:
    """Over a socket into Redis: how old each delta is when it is published, and the last ones above all."""
    count = round(seconds * PER_SECOND)
    server, port = await asyncio.to_thread(_start_provider, count)
    place = Endpoint(name="fast", label="fast", api="openai-chat", base_url=f"http://127.0.0.1:{port}/v1")
    lags: list[float] = []
    try:
        asked = OpenAIChatProvider(place)
        async with fresh_store() as (_, store), Writer(store.stream("fast"), writer="w", epoch=1) as writer:
            began = time.process_time()
            assert await _engine(_Lagging(writer, lags)).run(work("Hello?"), asked, "m") == "finished"
            busy = time.process_time() - began
            ended = time.monotonic()
            await writer.flush()
            flushed = time.monotonic() - ended
        await asked.close()
    finally:
        server.kill()
        server.communicate()
    assert len(lags) == count
    return {
        "deltas a second": Figure(PER_SECOND),
        **latencies("from the provider to `publish`", lags, p50=10, p99=50),
        "lag of the last tenth: p50 ms": Figure(sorted(lags[-count // 10 :])[count // 20] * 1000, most=10),
        "until the last one is in Redis, ms": Figure(flushed * 1000, most=50),
        "CPU, us a delta": Figure(busy / count * 1e6),
    }


def _start_provider(count: int) -> tuple[subprocess.Popen[str], int]:
    """It, and its port."""
    command = [sys.executable, "-m", "tests.bench.fast_provider", str(PER_SECOND), str(count)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


class _Lagging:
    """A sink before another one: how long ago each delta was sent stands in its text."""

    def __init__(self, sink: EventSink, lags: list[float]) -> None:
        self._sink = sink
        self._lags = lags

    async def publish(self, event: Event) -> None:
        """Pass `event` on."""
        if isinstance(event, Partial):
            self._lags.append(time.monotonic() - float(event.delta))
        await self._sink.publish(event)
