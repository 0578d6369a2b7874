"""A Redis at some address: commands with deadlines of our own, and errors in words for a person.

Nothing is sent twice: an error never means that a command was not executed, so whoever calls decides what to repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError

from ..errors import BusError, StoreLoading, StoreUnavailable
from .address import Address, parse_address
from .deadline import Deadline
from .node import Arg, Command, Dialer, Node
from .routing import key_of
from .words import NotPermitted, in_words

ANSWER_SECONDS = 3.0
"""How long a command that does not block may take, connecting included; longer with much data: see `deadline`."""

GRACE_SECONDS = 1.0
"""How much later than it was asked to a blocking command may answer."""

REVIVE_SECONDS = 5.0
"""How long after an attempt to revive the server the next one is made."""


class Script:
    """A Lua script that lies beside this file, sent by its digest."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Servers(Protocol):
    """What stands behind an address. Errors are redis-py's, or a `BusError` where there is more to say."""

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Replies in order, refusals as values. A command without a key runs on the socket of the one before it."""
        ...

    async def primaries(self) -> list[Node]:
        """The nodes that together hold all keys."""
        ...

    async def doubt(self) -> None:
        """Something went wrong: trust no socket and no topology that was known before."""
        ...

    async def close(self) -> None:
        """Close all sockets."""
        ...


class OneServer:
    """The server at an address without more to it."""

    def __init__(self, address: Address, *, client_name: str) -> None:
        dialer = Dialer(address, address.options, client_name=client_name)
        self._node = Node(dialer, address.places[0])

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Replies in order, refusals as values."""
        return await self._node.execute(*commands)

    async def primaries(self) -> list[Node]:
        """The one node."""
        return [self._node]

    async def doubt(self) -> None:
        """Sockets may be dead that look alive."""
        await self._node.forget()

    async def close(self) -> None:
        """Close all sockets."""
        await self._node.close()


def _servers(address: Address, client_name: str) -> Servers:
    match address.kind:
        case "server":
            return OneServer(address, client_name=client_name)
        case "cluster":
            from .cluster import Cluster  # few need one

            return Cluster(address, client_name=client_name)
        case "sentinel":
            from .sentinel import Sentinels

            return Sentinels(address, client_name=client_name)


class Connection:
    """A client of the Redis at `url`, in any form that `address` knows. Replies are as RESP2 sends them: raw bytes.

    Commands that run at the same time each have a socket of their own, so a blocking one never holds up another.
    `revive`, which must return at once, is called now and then while the server cannot be reached.
    Raises `StoreRefused` when `url` is no address.
    """

    def __init__(self, url: str, *, client_name: str, revive: Callable[[], None] | None = None) -> None:
        self.url = url
        self._revive = revive
        self._revive_at = 0.0
        self._address = parse_address(url)
        self._servers = _servers(self._address, client_name)
        self._had_worked = False

    @property
    def safe_url(self) -> str:
        """The URL to be shown: without a password."""
        return self._address.safe

    async def call(self, *command: Arg, within: float = ANSWER_SECONDS) -> Any:
        """Run one command; raises a `BusError` when it fails or takes longer than `within` seconds."""
        (reply,) = await self.call_many([command], within)
        return reply

    async def call_many(self, commands: Sequence[Command], within: float = ANSWER_SECONDS) -> list[Any]:
        """Run commands in one round trip (one for each node), without atomicity; their replies in order."""
        if not commands:
            return []
        async with self._in_words(commands[0], within):
            return _checked(await self._servers.run(commands))

    async def call_each(self, *command: Arg, within: float = ANSWER_SECONDS) -> list[Any]:
        """Run one command without a key on every primary: one for a single server, several for a cluster."""
        async with self._in_words(command, within):
            primaries = await self._servers.primaries()
            replies = await asyncio.gather(*(node.execute(command) for node in primaries))
            return _checked([reply for (reply,) in replies])

    async def run(self, script: Script, keys: Sequence[str], *args: Arg, within: float = ANSWER_SECONDS) -> Any:
        """Run a script; one that the server does not know yet is sent whole."""
        (reply,) = await self._run(script, keys, args, within=within)
        return reply

    async def run_then(self, after: Sequence[Arg], script: Script, keys: Sequence[str], *args: Arg) -> tuple[Any, Any]:
        """Run a script, and the command `after` behind it on the same socket, in one round trip; both replies."""
        reply, confirmed = await self._run(script, keys, args, after)
        return reply, confirmed

    async def scan(self, pattern: str) -> AsyncIterator[str]:
        """All keys of `pattern`, in no order, each once."""
        async with self._in_words(("SCAN",), ANSWER_SECONDS):
            primaries = await self._servers.primaries()
        seen = set[bytes]()
        for node in primaries:
            cursor = b"0"
            while True:
                command = ("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
                async with self._in_words(command, ANSWER_SECONDS):
                    ((cursor, keys),) = _checked(await node.execute(command))
                for key in keys:
                    if key not in seen:
                        seen.add(key)
                        yield key.decode(errors="replace")
                if cursor == b"0":
                    break

    async def greet(self) -> None:
        """See whether the server answers and lets this user in."""
        try:
            await self.call("PING")
        except NotPermitted:
            pass  # a user who may only read streams has logged in by then
        except StoreLoading:
            raise
        except StoreUnavailable:
            from .tls import mismatch

            if told := await mismatch(self._address):
                raise told from None
            raise

    async def close(self) -> None:
        """Close all sockets."""
        await self._servers.close()
        await asyncio.sleep(0)  # those that were closed in haste end in the loop's next step

    async def _run(
        self, script: Script, keys: Sequence[str], args: Sequence[Arg], *after: Command, within: float = ANSWER_SECONDS
    ) -> list[Any]:
        for head in (("EVALSHA", script.digest), ("EVAL", script.text)):
            command = (*head, len(keys), *keys, *args)
            async with self._in_words(command, within):
                replies = await self._servers.run([command, *after])
                if head[0] == "EVAL" or not isinstance(replies[0], NoScriptError):
                    return _checked(replies)
        raise AssertionError("a script that is sent whole is known")

    @asynccontextmanager
    async def _in_words(self, command: Command, within: float) -> AsyncGenerator[None]:
        deadline = Deadline(within)
        try:
            async with deadline:
                yield
            self._had_worked = True
        except TimeoutError:
            await self._note_trouble()
            raise StoreUnavailable(
                f"Redis at {self.safe_url} did not answer within {round(deadline.seconds, 1):g} s.",
                "It may be overloaded or stopped, or the address may lead to something else than a Redis server.",
            ) from None
        except (RedisError, OSError) as error:
            key = (key_of(command) or b"").decode(errors="replace")
            told = in_words(error, self.safe_url, key, had_worked=self._had_worked)
            if isinstance(told, StoreUnavailable):
                await self._note_trouble()
            raise told from None
        except StoreUnavailable:
            await self._note_trouble()
            raise

    async def _note_trouble(self) -> None:
        await self._servers.doubt()
        now = time.monotonic()
        if self._revive and now >= self._revive_at:
            self._revive_at = now + REVIVE_SECONDS
            with suppress(BusError, OSError):  # what the caller is told is that the server is away
                self._revive()


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies
