"""One Redis server as a node: sockets to it, each with one command or one batch under way.

Of redis-py it uses the connections (handshake, TLS, parser), and none of the clients and pools above them. Those repeat
commands whose reply was lost, which appends twice; the one for clusters asks for COMMAND, which a user who may only
read is refused, and the one for sentinels believes the first that answers. What is needed here is less than that.

There is no `socket_timeout` either: with one, redis-py swallows cancellation on Python 3.11, and breaks long blocking
reads. Whoever calls has a deadline.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
from redis.asyncio.connection import URL_QUERY_ARGUMENT_PARSERS, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection as PlainConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, InvalidResponse, NoPermissionError, ResponseError

from ..errors import StoreRefused
from .address import UNCLEAR, Address, Place, not_an_address
from .deadline import listening, sending

HANDSHAKE_SECONDS = 2.0
"""How long TLS may take to come about. A server that does not speak it waits for more of what it was sent."""

SHUTDOWN_SECONDS = 0.2
"""How long a TLS connection's end is waited for: nobody who quits waits for a server that is gone."""

FAREWELL_SECONDS = 0.3
"""How long a server that hangs up at once is listened to."""

Arg = str | bytes | int | float
Command = Sequence[Arg]

# Takes a fifth of the time that redis-py's own takes. Its stub knows no command of more than one word.
_pack: Any = cast(Any, hiredis).pack_command


class Dialer:
    """Makes connections: `options` are those of an address, `client_name` is what the server lists them as."""

    def __init__(self, address: Address, options: Mapping[str, str], *, client_name: str) -> None:
        self._context: Any = None
        self._client_name = client_name
        self._kind: Any = TlsConnection if address.tls else PlainConnection
        self._options: dict[str, Any] = {
            **_typed(address, options),
            "protocol": 2,
            "decode_responses": False,
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "health_check_interval": 0,
            "driver_info": None,
            "retry": Retry(NoBackoff(), 0),
            "redis_connect_func": self._greet,
        }
        try:
            probe = self.connection(address.places[0])  # unknown options show only here
            if address.tls:
                self._context = probe.ssl_context
                self._context.get()
        except OSError as error:
            why = error.strerror or str(error)
            raise StoreRefused(
                f"A certificate file that {address.safe!r} names cannot be used: {why}.",
                "ssl_ca_certs, ssl_certfile and ssl_keyfile name PEM files.",
            ) from None
        except Exception as error:
            option = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            named = option if address.safe != UNCLEAR else None
            why = f"it cannot have the option {named[1]!r}" if named else "it has an option that cannot be"
            raise not_an_address(address.url, why) from None

    def connection(self, place: Place) -> Any:
        """A new connection, not yet connected."""
        if not place.port:
            return UnixDomainSocketConnection(path=place.host, **self._options)
        connection = self._kind(host=place.host, port=place.port, **self._options)
        if self._context:
            connection.ssl_context = self._context  # reading the system's certificates takes 30 ms
        return connection

    async def _greet(self, connection: Any) -> None:
        try:
            await connection.on_connect()
            with suppress(NoPermissionError):  # a user who may only read streams has logged in by then
                await connection.send_command("CLIENT", "SETNAME", self._client_name)
                await connection.read_response()
        except ConnectionError as error:
            if type(error) is ConnectionError and (said := await self._farewell(connection)):
                raise ResponseError(said) from None
            raise

    async def _farewell(self, connection: Any) -> str:
        """What the server says to everybody before it hangs up, as one that is full does.

        When it has hung up before we said something, what it said is lost with the connection: so we only listen.
        """
        if self._context:
            return ""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                if isinstance(connection, UnixDomainSocketConnection):
                    reader, writer = await asyncio.open_unix_connection(connection.path)
                else:
                    reader, writer = await asyncio.open_connection(connection.host, connection.port)
                try:
                    line = await reader.readline()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError):
            return ""
        return line[1:].decode(errors="replace").strip() if line.startswith(b"-") else ""


def _typed(address: Address, options: Mapping[str, str]) -> dict[str, Any]:
    """Options as redis-py's connections want them: numbers, yes and no, and nothing that is for a pool."""
    typed: dict[str, Any] = {}
    for name, value in options.items():
        try:
            if name not in ("max_connections", "timeout", "client_name"):
                typed[name] = URL_QUERY_ARGUMENT_PARSERS.get(name, str)(value)
        except ValueError:
            raise not_an_address(address.url, f"its option {name!r} cannot have that value") from None
    return typed


class TlsConnection(SSLConnection):
    """redis-py's, with an end to waiting."""

    def _connection_arguments(self) -> dict[str, Any]:
        arguments = cast("dict[str, Any]", cast(Any, super())._connection_arguments())
        limits = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
        return {**arguments, **limits}


class Node:
    """The server at `place`. Commands that run at the same time each have a socket of their own, so that a blocking one
    never holds up another.
    """

    def __init__(self, dialer: Dialer, place: Place) -> None:
        self.place = place
        self._dialer = dialer
        self._idle: list[Any] = []
        self._age = 0

    async def execute(self, *commands: Command) -> list[Any]:
        """Run commands in one round trip on one socket; their replies in order, refusals as values."""
        try:
            return await self._execute(commands)
        except (ValueError, MemoryError) as error:  # a MOVED that leads nowhere, a text of more bytes than there are
            raise InvalidResponse(f"Protocol error: {error}") from None

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        age, connection = self._age, await self._connected()
        try:
            packed = b"".join([_pack(tuple(command)) for command in commands])
            sending(len(packed))
            with listening(connection._reader):
                await connection.send_packed_command(packed)
                return [await _reply(connection) for _ in commands]
        finally:
            # After an error or a cancellation it is closed already: the rest of a reply may still be on its way.
            if connection.is_connected and age == self._age:
                self._idle.append(connection)
            else:
                await connection.disconnect(nowait=True)

    async def forget(self) -> None:
        """Close the idle sockets now, and those in use after their command: the server behind them may be gone."""
        self._age += 1
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close the idle sockets, and wait until they are."""
        self._age += 1
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect()

    async def _connected(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not await connection.can_read():  # else it is closed, or somebody else's reply is in it
                return connection
            await connection.disconnect(nowait=True)
        connection = self._dialer.connection(self.place)
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
