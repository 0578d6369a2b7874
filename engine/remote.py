"""What the providers on the network have in common: the key, the address, and how a call goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx2

from bus.events import Event

from .call import Call
from .exchange import Adapter, Streamed, exchange, send_without_refused
from .failures import NoKey, Service
from .loose import JSON
from .models import SERVICES
from .ports import Request

IDLE_SECONDS = 300.0
"""How long a provider may be silent."""

TIMEOUT = httpx2.Timeout(None, connect=10.0)
"""Of the SDKs' clients: reading is bounded by the idle clock of `exchange`."""


class Client(Protocol):
    """What the SDKs' clients have in common."""

    @property
    def base_url(self) -> object:
        """Where it sends to."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


ClientT = TypeVar("ClientT", bound=Client)


class RemoteProvider(ABC, Generic[ClientT]):
    """A provider asked over HTTP through its SDK, at `base_url` (None: the API's own, or what the environment says).

    Only the API's own host cannot do without a key. `name` is that of the user's table in the configuration where the
    server is not one of `SERVICES`; `key_variable` is the environment variable that the key comes from.
    """

    own_name: ClassVar[str]
    """Its name in `SERVICES`."""
    official_host: ClassVar[str]
    optional_fields: ClassVar[tuple[str, ...]]
    """Fields of the body that are left out when the server refuses them."""
    faults: ClassVar[tuple[type[Exception], ...]]
    """What the SDK raises."""
    adapter: ClassVar[type[Adapter]]
    """What reads the stream of one call."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        name: str = "",
        key_variable: str = "",
        idle_seconds: float = IDLE_SECONDS,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        # Never None: an SDK would then look for other credentials of this machine and send those.
        self._client = self._connect(api_key or "none", base_url, http_client)
        self._base_url = str(self._client.base_url)
        host = urlsplit(self._base_url).hostname or ""
        self.name = name or self.own_name
        self.official = host == self.official_host
        self.origin = self.name if self.official else f"{self.name}@{host}"
        """Whose provider blocks these are: what one server signed or encrypted means nothing to another."""
        known = SERVICES.get(self.name)
        self._label = known.label if known else self.name
        self._key_variable = key_variable or (known.key_variable if known else "")
        self._api_key = api_key
        self._idle_seconds = idle_seconds

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """Ask, and yield what comes. An error before any answer comes alone, without a `start`."""
        service = Service(
            name=self._label,
            model=request.model,
            base_url=self._base_url,
            key_variable=self._key_variable,
            secrets=(self._api_key,) if self._api_key else (),
        )
        adapter = self.adapter(Call(request, provider=self.origin), service)

        async def ask() -> Streamed:
            if self.official and not self._api_key:
                raise NoKey
            body = self._body(request)
            return await send_without_refused(self._send, body, optional=self.optional_fields, faults=self.faults)

        async for event in exchange(ask, adapter, faults=(*self.faults, NoKey), idle_seconds=self._idle_seconds):
            yield event

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    @staticmethod
    @abstractmethod
    def _connect(api_key: str, base_url: str | None, http_client: httpx2.AsyncClient | None) -> ClientT:
        """The SDK's client. It leaves retries and waiting to the engine."""

    @abstractmethod
    def _body(self, request: Request) -> JSON:
        """The body that asks for `request`."""

    @abstractmethod
    async def _send(self, body: JSON) -> Streamed:
        """Send `body`, with the stream turned on."""
