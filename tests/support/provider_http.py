"""A provider's HTTP side, in memory: the real SDK clients talk to it through their own HTTP library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import httpx2

from bus.events import Error, Event, Final, Partial, PartialThinking, ProviderBlock, ToolCall, ToolCallStarted
from bus.events import ToolCallArgumentsDelta as ArgumentsDelta
from engine.anthropic import AnthropicProvider
from engine.models import Settings, endpoint
from engine.openai_chat import OpenAIChatProvider
from engine.openai_responses import OpenAIResponsesProvider
from engine.ports import Block, Request
from engine.remote import RemoteProvider
from engine.servers import SERVERS

Api = Literal["openai-chat", "openai-responses", "anthropic-messages"]

KEY = "sk-a-secret-that-nobody-may-see"
HELLO = Request(model="a-model", blocks=[Block(kind="user", text="Hello")])


def story(name: str) -> bytes:
    """A stream of our own, from `tests/sse`."""
    return (Path(__file__).parents[1] / "sse" / f"{name}.sse").read_bytes()


def sse(*events: Mapping[str, Any] | str) -> bytes:
    """A body of these events, each with its type in front if it has one."""
    lines: list[str] = []
    for event in events:
        if not isinstance(event, str) and "type" in event:
            lines.append(f"event: {event['type']}\n")
        lines.append(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return "".join(lines).encode()


class _Body(httpx2.AsyncByteStream):
    """A body that comes in pieces of `size` bytes; then it ends, raises, or (`hangs`) stays open and silent."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data, size = self._answer.body, self._answer.size or max(1, len(self._answer.body))
        for at in range(0, len(data), size):
            yield data[at : at + size]
        if self._answer.raises is not None:
            raise self._answer.raises
        if self._answer.hangs:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self._answer.closed = True


@dataclass(kw_only=True)
class Answer:
    """What the server says to a request. `closed` turns true when the client has put the response away."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    size: int | None = None
    raises: Exception | None = None
    hangs: bool = False
    closed: bool = False


class FakeServer:
    """Gives each request the next of `answers` (the last one again and again); keeps the `requests`."""

    def __init__(self, *answers: Answer | bytes | Exception) -> None:
        self.answers = [Answer(body=a) if isinstance(a, bytes) else a for a in answers]
        self.requests: list[httpx2.Request] = []

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of every request."""
        return [json.loads(request.content) for request in self.requests]

    def client(self) -> httpx2.AsyncClient:
        """An HTTP client whose every request comes here."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle))

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        kind = "text/event-stream" if answer.status == 200 else "application/json"
        headers = {"content-type": kind, **answer.headers}
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer), request=request)


def provider(
    api: Api, server: FakeServer, *, base_url: str | None = None, key: str | None = KEY, idle_seconds: float = 60.0
) -> RemoteProvider[Any]:
    """The provider of `api`, connected to `server`."""
    match api:
        case "openai-chat":
            kind, name = OpenAIChatProvider, "openai-chat"
        case "openai-responses":
            kind, name = OpenAIResponsesProvider, "openai"
        case "anthropic-messages":
            kind, name = AnthropicProvider, "anthropic"
    settings: Settings = {name: {"base_url": base_url}} if base_url else {}
    place = endpoint(name, {}, settings)
    assert place is not None
    place = replace(place, key=key, key_variable=SERVERS[name].key_variable, idle_seconds=idle_seconds)
    return kind(place, http_client=server.client())


async def ask(
    api: Api,
    server: FakeServer,
    request: Request = HELLO,
    *,
    base_url: str | None = None,
    key: str | None = KEY,
    idle_seconds: float = 60.0,
) -> list[Event]:
    """All events of one call."""
    asked = provider(api, server, base_url=base_url, key=key, idle_seconds=idle_seconds)
    try:
        return [event async for event in asked.stream(request)]
    finally:
        await asked.close()


@dataclass
class Outcome:
    """What the events of one call add up to. `written`: the calls as the model wrote them; `asked`: those to run."""

    text: str = ""
    thinking: str = ""
    written: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    asked: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    end: Final | Error | None = None

    @property
    def error(self) -> Error | None:
        """How it failed."""
        return self.end if isinstance(self.end, Error) else None

    @property
    def stop_reason(self) -> str | None:
        """Why it ended."""
        return self.end.meta.stop_reason if self.end else None


class Folding:
    """Adds events up, one by one; checks offsets, and that nothing follows the end."""

    def __init__(self) -> None:
        self._out = Outcome()
        self._segments: dict[str, tuple[str, str]] = {}

    def fork(self) -> Folding:
        """Another one, that goes on by itself from here."""
        other, out = Folding(), self._out
        written = {call: list(words) for call, words in out.written.items()}
        other._out = replace(out, written=written, asked=dict(out.asked), blocks=list(out.blocks))
        other._segments = dict(self._segments)
        return other

    def take(self, event: Event) -> None:
        """Add `event`."""
        out = self._out
        assert out.end is None, f"{event.type} after the end"
        match event:
            case Partial() | PartialThinking():
                assert event.correlation is not None
                key = event.correlation.segment_id or ""
                kind, text = self._segments.get(key, (event.type, ""))
                assert kind == event.type
                assert event.offset == len(text) or event.completion is not None
                self._segments[key] = (kind, event.completion or text + event.delta)
            case ToolCallStarted() if not _at_provider(event):
                out.written[event.tool_call_id] = [event.tool_name or "", ""]
            case ArgumentsDelta() if event.tool_call_id in out.written:  # on the wire it does not say who runs it
                assert event.offset == len(out.written[event.tool_call_id][1])
                out.written[event.tool_call_id][1] += event.delta
            case ToolCall() if not _at_provider(event):
                assert event.tool_call.id not in out.asked
                out.asked[event.tool_call.id] = (event.tool_call.name, event.tool_call.input)
            case ProviderBlock(block=dict(block)):
                out.blocks.append(block)
            case Final() | Error():
                out.end = event
            case _:
                pass

    def outcome(self) -> Outcome:
        """What they add up to so far."""
        segments = self._segments.values()
        self._out.text = "".join(text for kind, text in segments if kind == "partial")
        self._out.thinking = "".join(text for kind, text in segments if kind == "partial-thinking")
        if isinstance(self._out.end, Final):
            assert self._out.end.text == self._out.text
        return self._out


def fold(events: Iterable[Event]) -> Outcome:
    """All of them added up."""
    folding = Folding()
    for event in events:
        folding.take(event)
    return folding.outcome()


def _at_provider(event: Event) -> bool:
    return event.correlation is not None and event.correlation.source == "provider"
