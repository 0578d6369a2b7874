"""What the providers on the network have in common: the key, the address, and how a call goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import urlsplit

import httpx2

from bus.events import Event

from .call import Call
from .exchange import Adapter, Streamed, exchange, send_without_refused
from .failures import NoKey, Service
from .loose import JSON
from .ports import Request

IDLE_SECONDS = 300.0
"""How long a provider may be silent."""

TIMEOUT = httpx2.Timeout(None, connect=10.0)
"""Of the SDKs' clients: reading is bounded by the idle clock of `exchange`."""


class RemoteProvider(ABC):
    """A provider asked over HTTP through its SDK. Only the API's own host cannot do without a key.

    `label` is the service's name for a person, `key_variable` the environment variable that its key comes from.
    """

    official_host: ClassVar[str]
    optional_fields: ClassVar[tuple[str, ...]]
    """Fields of the body that are left out when the server refuses them."""
    faults: ClassVar[tuple[type[Exception], ...]]
    """What the SDK raises."""

    def __init__(
        self,
        *,
        name: str,
        label: str,
        api_key: str | None,
        base_url: str,
        key_variable: str,
        idle_seconds: float,
    ) -> None:
        host = urlsplit(base_url).hostname or ""
        self.name = name
        self.official = host == self.official_host
        self.origin = name if self.official else f"{name}@{host}"
        """Whose provider blocks these are: what one server signed or encrypted means nothing to another."""
        self._label = label
        self._api_key = api_key
        self._base_url = base_url
        self._key_variable = key_variable
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
        adapter = self._adapter(Call(request, provider=self.origin), service)

        async def ask() -> Streamed:
            if self.official and not self._api_key:
                raise NoKey
            body = self._body(request)
            return await send_without_refused(self._send, body, optional=self.optional_fields, faults=self.faults)

        async for event in exchange(ask, adapter, faults=(*self.faults, NoKey), idle_seconds=self._idle_seconds):
            yield event

    @abstractmethod
    def _adapter(self, call: Call, service: Service) -> Adapter:
        """What reads the stream of one call."""

    @abstractmethod
    def _body(self, request: Request) -> JSON:
        """The body that asks for `request`."""

    @abstractmethod
    async def _send(self, body: JSON) -> Streamed:
        """Send `body`, with the stream turned on."""

    @abstractmethod
    async def close(self) -> None:
        """Close connections."""
