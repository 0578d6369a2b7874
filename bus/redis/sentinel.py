"""The master of a service, as its sentinels know it. After any trouble they are asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from ..entry import pair_up
from ..errors import AccessDenied, StoreRefused, StoreUnavailable
from .address import Address, Place
from .asking import ask
from .node import Command, Dialer, Node
from .words import in_words, reason_of

BELIEVED_SECONDS = 10.0
"""How long a master that answers is taken for the master. One that is cut off from its sentinels answers all the same,
and loses what it is told as soon as it sees them again.
"""

ASKED_AGAIN_SECONDS = 0.5
"""How long that question may hold up a command."""


class Sentinels:
    """The master of `address.service`."""

    def __init__(self, address: Address, *, client_name: str) -> None:
        self._address = address
        self._dialer = Dialer(address, address.options, client_name=client_name)
        dialer = Dialer(address, address.sentinel_options, client_name=client_name)
        self._sentinels = [Node(dialer, place) for place in address.places]
        self._node: Node | None = None
        self._believed_until = 0.0

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Replies in order, refusals as values."""
        return await (await self._master()).execute(*commands)

    async def primaries(self) -> list[Node]:
        """The node that holds all keys."""
        return [await self._master()]

    async def doubt(self) -> None:
        """Something went wrong: the master may be another one now."""
        self._believed_until = 0.0
        for node in (*self._sentinels, self._node):
            if node:
                await node.forget()
        self._node = None

    async def close(self) -> None:
        """Close all sockets."""
        await asyncio.gather(*(node.close() for node in (*self._sentinels, self._node) if node))

    async def _master(self) -> Node:
        node = self._node
        if node and time.monotonic() < self._believed_until:
            return node
        try:
            async with asyncio.timeout(ASKED_AGAIN_SECONDS if node else None):
                place = await self._ask()
        except (TimeoutError, StoreUnavailable):
            if node is None:
                raise
            place = node.place  # nobody knows better
        self._believed_until = time.monotonic() + BELIEVED_SECONDS
        if self._node is None or self._node.place != place:
            if self._node:
                await self._node.forget()
            self._node = Node(self._dialer, place)
        return self._node

    async def _ask(self) -> Place:
        where = self._address.safe
        try:
            answers = await ask(self._sentinels, ("SENTINEL", "MASTER", self._address.service))
        except (AuthenticationError, NoPermissionError) as error:
            raise self._denied(error) from None
        except (RedisError, OSError) as error:
            if isinstance(told := in_words(error, where, ""), StoreRefused):
                raise told from None
            raise StoreUnavailable(
                f"None of the sentinels at {where} answers: {reason_of(error)}.",
                "Start them, or check their addresses (their port is 26379 unless it was changed).",
            ) from None
        replies = [reply for _, (reply,) in answers]
        if known := [pair_up(reply) for reply in replies if not isinstance(reply, Exception)]:
            # After a failover it is the sentinel with the highest epoch that has heard of it.
            newest = max(known, key=lambda master: int(master[b"config-epoch"]))
            return Place(newest[b"ip"].decode(), int(newest[b"port"]))
        raise await self._refusal(replies[0])

    def _denied(self, error: Exception) -> AccessDenied:
        return AccessDenied(
            f"The sentinels at {self._address.safe} do not let us in: {str(error).rstrip('.')}.",
            "Their login is ?sentinel_username=…&sentinel_password=… at the end of the address.",
        )

    async def _refusal(self, reply: ResponseError) -> StoreRefused | ResponseError:
        where, service = self._address.safe, self._address.service
        match str(reply):
            case text if "No such master" in text:
                ((_, (masters,)), *_) = await ask(self._sentinels, ("SENTINEL", "MASTERS"))
                names = [] if isinstance(masters, Exception) else [pair_up(flat)[b"name"].decode() for flat in masters]
                return StoreRefused(
                    f"The sentinels at {where} know no service {service!r}.",
                    f"They know {', '.join(sorted(names))}." if names else "They watch over nothing yet.",
                )
            case text if "unknown command" in text.lower():
                return StoreRefused(f"What answers at {where} is not a sentinel.", "Use redis:// for a Redis server.")
            case _ if isinstance(reply, NoPermissionError):
                return self._denied(reply)
            case _:
                return reply
