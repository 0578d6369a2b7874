"""What the real engine writes when its provider fails: for the pictures of what a person then sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from bus.events import Event, Retry
from engine.engine import Engine, EngineConfig
from engine.history import History
from engine.tools import Toolbox
from tests.support.provider_http import Answer, FakeServer, provider, sse
from tests.support.seat import ListSink, work

MODEL = "gpt-4o"

Asked = tuple[str, Sequence[Answer | bytes]]
"""A prompt, and what the provider says to each request for it."""


def said(text: str, finish_reason: str | None = "stop", **delta: str) -> bytes:
    """A stream; without a `finish_reason` it breaks off."""
    begun: list[dict[str, Any]] = [{"choices": [{"delta": {"content": text, **delta}}]}]
    if finish_reason:
        begun.append({"choices": [{"delta": {}, "finish_reason": finish_reason}]})
    return sse(*begun)


def refused(status: int, message: str, code: str = "", *, wait_ms: int = 0) -> Answer:
    """An error instead of a stream."""
    body = json.dumps({"error": {"message": message, "code": code or None}}).encode()
    return Answer(status=status, body=body, headers={"retry-after-ms": str(wait_ms)} if wait_ms else {})


def told(*asked: Asked, up_to_retry: int = 0) -> list[Event]:
    """What the session's stream says of these prompts, or of them up to that retry.

    Waits for a retry are shown a thousand times as long as they are.
    """
    events = asyncio.run(_told(asked))
    retries = [at for at, event in enumerate(events) if isinstance(event, Retry)]
    if up_to_retry:
        events = events[: retries[up_to_retry - 1] + 1]
    return [e.model_copy(update={"delay_ms": e.delay_ms * 1000}) if isinstance(e, Retry) else e for e in events]


async def _told(asked: Sequence[Asked]) -> list[Event]:
    sink = ListSink()
    # The first waits would differ by chance, were they not shorter than what the provider asks for.
    engine = Engine("s", sink, history=History(), tools=Toolbox(), config=EngineConfig(backoff=0.0005))
    for words, answers in asked:
        faulty = provider("openai-chat", FakeServer(*answers))
        await engine.run(work(words, author="ada@desk"), faulty, MODEL)
        await faulty.close()
    return sink.events
