"""One HTTP exchange with a provider: ask through the SDK, read the stream, feed the adapter, whatever happens.

Waiting is bounded by one idle clock of our own, on real events: a proxy's keep-alive comments and a provider's pings
would hold the SDKs' read timeout off for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from typing import Protocol, TypeVar

import httpx2

from bus.events import Event

from .call import Call
from .failures import CutOff, NotAStream, Service, Stalled, StreamError, explain, provider_message
from .loose import JSON, a_count, a_text, an_object
from .sse import EventReader

_TRAILER_SECONDS = 5.0  # a complete answer waits no longer than this for usage that follows it
_READS_APART_SECONDS = 0.004
_BUFFERED_SECONDS = 0.0002
"""A chunk that took no longer was here already, and so may be others."""

_DRAIN_SECONDS = 0.1  # reading a body to its end lets HTTP/1.1 use the connection again

TRANSPORT_FAULTS = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, Stalled, NotAStream, ValueError)
"""What the connection and the data can raise, beside the errors of the SDK."""


class Adapter(ABC):
    """Turns the events of one API's stream into those of one call. Pure and synchronous; `copy.deepcopy` forks it."""

    def __init__(self, call: Call, service: Service) -> None:
        self.call = call
        self.service = service

    @property
    def complete(self) -> bool:
        """Whether the answer is whole: what still comes, if anything, is about it."""
        return self.call.ended

    def feed(self, event: JSON) -> list[Event]:
        """The events that one event of the stream makes."""
        if not self.call.ended:
            self._take(event)
        return self.call.drain()

    def finish(self, error: Exception | None = None, *, done: bool = False) -> list[Event]:
        """The events that end the call at this point, if it has not ended.

        `error` is what broke the stream; `done`: the server said `[DONE]`.
        """
        if not self.call.ended:
            self._flush()
            if self.complete or (done and error is None):
                self._conclude()
            else:
                self.call.error(explain(error or CutOff(), self.service))
        return self.call.drain()

    def fail(self, error: object) -> None:
        """The stream itself reports `error`: an object, or a text."""
        self._flush()
        body = an_object(error) or {"message": a_text(error)}
        self.call.error(explain(StreamError(body), self.service))

    def _flush(self) -> None:  # noqa: B027 (most adapters hold nothing back)
        """Say what was held back: nothing more comes."""

    @abstractmethod
    def _take(self, event: JSON) -> None:
        """Say to the call what `event` means."""

    @abstractmethod
    def _conclude(self) -> None:
        """The stream is over: end the call with what was heard."""


class Streamed(Protocol):
    """What an SDK's `create(stream=True)` gives: the response whose body is the stream."""

    @property
    def response(self) -> httpx2.Response:
        """The HTTP response."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


_DONE: JSON = {"type": "[DONE]"}
_Answer = TypeVar("_Answer")


async def exchange(
    ask: Callable[[], Awaitable[Streamed]],
    adapter: Adapter,
    *,
    faults: tuple[type[Exception], ...],
    idle_seconds: float,
) -> AsyncIterator[Event]:
    """The events of the call that `ask` opens. Cancelling closes the connection; `faults` are what the SDK raises."""
    error: Exception | None = None
    done = False
    async with contextlib.aclosing(_answer(ask, adapter, idle_seconds)) as stream:
        while True:
            try:
                event = await anext(stream)
            except StopAsyncIteration:
                break
            except (*TRANSPORT_FAULTS, *faults) as fault:
                error = fault
                break
            if event is _DONE:
                done = True
                continue
            for out in adapter.feed(event):
                yield out
    for out in adapter.finish(error, done=done):
        yield out


async def _answer(
    ask: Callable[[], Awaitable[Streamed]], adapter: Adapter, idle_seconds: float
) -> AsyncGenerator[JSON]:
    try:
        async with asyncio.timeout(idle_seconds):
            streamed = await ask()
    except TimeoutError:
        raise Stalled(idle_seconds) from None
    try:
        content_type = streamed.response.headers.get("content-type", "")
        if content_type.startswith("text/html"):
            raise NotAStream(content_type)
        chunks = streamed.response.aiter_bytes()
        async with contextlib.aclosing(chunks), contextlib.aclosing(_events(chunks, adapter, idle_seconds)) as events:
            async for event in events:
                yield event
                if event is _DONE or adapter.call.ended:
                    await _drain(chunks)
                    return
    finally:
        await streamed.close()


async def _events(chunks: AsyncIterator[bytes], adapter: Adapter, idle_seconds: float) -> AsyncGenerator[JSON]:
    """The events of a body. A stall is an error, but not once the answer is complete."""
    now = asyncio.get_running_loop().time
    reader = EventReader()
    deadline = now() + idle_seconds
    chunk: bytes | None = b""
    while chunk is not None:
        asked = now()
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, None)
        except TimeoutError:
            if adapter.complete:
                return
            raise Stalled(idle_seconds) from None
        waited = now() - asked
        heard = False
        for data in reader.close() if chunk is None else reader.feed(chunk):
            event = _DONE if data.startswith("[DONE]") else an_object(json.loads(data))
            heard = heard or event.get("type") != "ping"
            yield event
        if heard:
            deadline = now() + (min(_TRAILER_SECONDS, idle_seconds) if adapter.complete else idle_seconds)
        if _BUFFERED_SECONDS < waited < _READS_APART_SECONDS:
            # A flood is read in gulps: it is written in greater ones anyway, and each read costs as much as a delta.
            await asyncio.sleep(_READS_APART_SECONDS)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(TimeoutError, *TRANSPORT_FAULTS):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in chunks:
                pass


async def send_without_refused(
    send: Callable[[JSON], Awaitable[_Answer]],
    body: JSON,
    *,
    optional: Collection[str],
    faults: tuple[type[Exception], ...],
) -> _Answer:
    """`send(body)`, and once more without the `optional` fields that the server names in its refusal.

    Which model takes encrypted reasoning, and which compatible server takes stream options, nobody can list.
    """
    try:
        return await send(body)
    except faults as error:
        refused = _refused(error, [name for name in optional if name in body])
        if not refused:
            raise
    return await send({name: value for name, value in body.items() if name not in refused})


def _refused(error: Exception, names: list[str]) -> list[str]:
    if a_count(getattr(error, "status_code", None)) not in (400, 422):
        return []
    parameter = a_text(getattr(error, "param", None))
    message = provider_message(error)
    return [name for name in names if parameter.partition(".")[0] == name or name in message]
