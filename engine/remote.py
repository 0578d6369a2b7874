"""What the providers on the network have in common: the key, the address, and how a call goes."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx2

from bus.events import Event

from .call import Call
from .exchange import Adapter, Streamed, exchange, send_without_refused
from .failures import Elsewhere, NoKey, about
from .loose import JSON
from .models import Endpoint, origin
from .ports import Request

TIMEOUT = httpx2.Timeout(None, connect=10.0)
"""Of the SDKs' clients: reading is bounded by the idle clock of `exchange`."""


class Client(Protocol):
    """What the SDKs' clients have in common."""

    async def close(self) -> None:
        """Close connections."""
        ...


ClientT = TypeVar("ClientT", bound=Client)


class RemoteProvider(ABC, Generic[ClientT]):
    """A provider asked over HTTP through its SDK, at `place`. Only the API's own host cannot do without a key.

    What the request carries, the key above all, goes to that server only: a redirect to another one is refused.
    """

    official_host: ClassVar[str]
    optional_fields: ClassVar[tuple[str, ...]]
    """Fields of the body that are left out when the server refuses them."""
    faults: ClassVar[tuple[type[Exception], ...]]
    """What the SDK raises."""
    adapter: ClassVar[type[Adapter]]
    """What reads the stream of one call."""

    def __init__(self, place: Endpoint, *, http_client: httpx2.AsyncClient | None = None) -> None:
        self.place = place
        with contextlib.nullcontext() if place.named_here else _hidden_environment():
            # The key is never None: an SDK would then look for other credentials of this machine and send those.
            self._client = self._connect(place, place.key or "none", http_client)
        host = urlsplit(place.base_url).hostname or ""
        self.name = place.name
        self.official = host == self.official_host
        self.origin = self.name if self.official else f"{self.name}@{host}"
        """Whose provider blocks these are: what one server signed or encrypted means nothing to another."""

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """Ask, and yield what comes. An error before any answer comes alone, without a `start`."""
        adapter = self.adapter(Call(request, provider=self.origin), about(self.place, request.model))

        async def ask() -> Streamed:
            if self.official and not self.place.key:
                raise NoKey
            body = self._body(request)
            return await send_without_refused(self._send, body, optional=self.optional_fields, faults=self.faults)

        async for event in exchange(
            ask, adapter, faults=(*self.faults, NoKey, Elsewhere), idle_seconds=self.place.idle_seconds
        ):
            yield event

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    @staticmethod
    @abstractmethod
    def _connect(place: Endpoint, api_key: str, http_client: httpx2.AsyncClient | None) -> ClientT:
        """The SDK's client. It leaves retries and waiting to the engine."""

    @abstractmethod
    def _body(self, request: Request) -> JSON:
        """The body that asks for `request`."""

    @abstractmethod
    async def _send(self, body: JSON) -> Streamed:
        """Send `body`, with the stream turned on."""


def staying_at(base_url: str) -> dict[str, list[Callable[[httpx2.Request], Awaitable[None]]]]:
    """The event hooks of an HTTP client that follows no redirect to another server, nor from https to http."""
    scheme, host, port = origin(base_url)

    async def stay(request: httpx2.Request) -> None:
        to = origin(str(request.url))
        # The HTTP library drops `Authorization` on the way to another host, but neither other headers nor the prompt.
        if to != (scheme, host, port) and not (to == ("https", host, 443) and (scheme, port) == ("http", 80)):
            raise Elsewhere(f"{to[0]}://{request.url.netloc.decode('ascii', 'replace')}")

    return {"request": [stay]}


@contextlib.contextmanager
def _hidden_environment() -> Generator[None]:
    """Hide from an SDK what its variables say: organization, project and headers are for its own API only."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("OPENAI_", "ANTHROPIC_"))}
    try:
        yield
    finally:
        os.environ.update(hidden)
