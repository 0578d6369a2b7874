"""A provider that says what a test tells it to, through the same `Call` as the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from bus.events import Event
from bus.meta import Usage
from engine.call import Call
from engine.failures import Failure
from engine.ports import Request

Line = Callable[[Call], None]
"""What a provider says at one moment."""

HANG: Line = lambda call: None  # noqa: E731
"""Waits until it is cancelled."""


def say(text: str) -> Line:
    """More answer text."""
    return lambda call: call.text(text)


def think(text: str) -> Line:
    """One whole piece of thinking, with the block that the provider wants back."""

    def line(call: Call) -> None:
        call.thinking(text, "thinking")
        call.provider_block({"type": "thinking", "signature": f"signed {text}"}, call.segment_id("thinking"))
        call.end_segment("thinking")

    return line


def use(tool_id: str, name: str, arguments: str) -> Line:
    """One tool call."""

    def line(call: Call) -> None:
        call.tool_started(tool_id, name)
        call.tool_arguments(tool_id, arguments)
        call.tool_call(tool_id, arguments)

    return line


def end(stop_reason: str = "stop") -> Line:
    """The call is over."""

    def line(call: Call) -> None:
        call.usage(Usage(input_tokens=10, output_tokens=5))
        call.final(stop_reason)

    return line


def fail(message: str, *, retryable: bool = False, retry_after: float | None = None) -> Line:
    """The call fails."""
    failure = Failure(message=message, code="test", hint="Do it.", retryable=retryable, retry_after=retry_after)
    return lambda call: call.error(failure)


def crash(call: Call) -> None:
    """A fault in an adapter."""
    raise ValueError("header: Bearer sk-secret")


@dataclass
class Scripted:
    """Plays one script per call, in turn, and keeps the requests that it got."""

    scripts: Sequence[Sequence[Line]]
    name: str = "scripted"
    requests: list[Request] = field(default_factory=list[Request])
    open_calls: int = 0
    closed: bool = False

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """The next script's events."""
        script = self.scripts[len(self.requests)]
        self.requests.append(request)
        self.open_calls += 1
        call = Call(request, provider=self.name)
        try:
            for line in script:
                if line is HANG:
                    await asyncio.Event().wait()
                line(call)
                for event in call.drain():
                    yield event
        finally:
            self.open_calls -= 1

    async def close(self) -> None:
        """Note it."""
        self.closed = True
