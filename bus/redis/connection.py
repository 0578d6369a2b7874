"""One Redis server: a client with deadlines of our own, and errors in words for a person.

redis-py retries a command whose reply was lost, which appends twice; and with a `socket_timeout` it swallows
cancellation on Python 3.11 and breaks long blocking reads. So it neither retries nor times out here: `call` has a
deadline for everything, the way there included, and whoever calls decides what to repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ..errors import BusError, StoreRefused, StoreUnavailable
from .words import NotPermitted, in_words

ANSWER_SECONDS = 3.0
"""How long a command that does not block may take, connecting included."""

GRACE_SECONDS = 1.0
"""How much later than it was asked to a blocking command may answer."""

REVIVE_SECONDS = 5.0
"""How long after an attempt to revive the server the next one is made."""

Arg = str | bytes | int | float


class Script:
    """A Lua script that lies beside this file, sent by its digest."""

    def __init__(self, name: str) -> None:
        self.text = Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Connection:
    """A client of the Redis at `url` (redis://, rediss:// or unix://). Replies are as RESP2 sends them: raw bytes.

    Commands that run at the same time each have a socket of their own, so a blocking one never holds up another.
    `revive`, which must return at once, is called now and then while the server cannot be reached.
    """

    def __init__(self, url: str, *, client_name: str, revive: Callable[[], None] | None = None) -> None:
        self.url = url
        self._revive = revive
        self._revive_at = 0.0
        try:
            self._pool: Any = cast(Any, ConnectionPool).from_url(url)
            # What stands in a URL's query would win over arguments; these are not up for choice.
            self._pool.connection_kwargs.update(
                client_name=client_name,
                protocol=2,
                decode_responses=False,
                socket_timeout=None,
                socket_connect_timeout=None,
                health_check_interval=0,
                retry=Retry(NoBackoff(), 0),
            )
            self._pool.make_connection()  # unknown options in the query show only here
        except (ValueError, TypeError):
            raise StoreRefused(
                f"{safe_url(url)!r} is not the address of a Redis server.",
                "Addresses look like redis://host:6379/0, rediss://user:password@host:6379 or unix:///path/to/socket.",
            ) from None
        self._client: Any = Redis(connection_pool=self._pool)
        self._client.auto_close_connection_pool = True
        # The typed replies of redis-py differ between protocols and versions; raw ones do not, and cost less.
        self._client.response_callbacks.clear()

    @property
    def safe_url(self) -> str:
        """The URL to be shown: without a password."""
        return safe_url(self.url)

    async def call(self, *command: Arg, within: float = ANSWER_SECONDS) -> Any:
        """Run one command; raises a `BusError` when it fails or takes longer than `within` seconds."""
        with self._in_words(command, within):
            async with asyncio.timeout(within):
                return await self._client.execute_command(*command)

    async def call_many(self, commands: Sequence[Sequence[Arg]], within: float = ANSWER_SECONDS) -> list[Any]:
        """Run commands in one round trip, without atomicity; their replies in order."""
        if not commands:
            return []
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        with self._in_words(commands[0], within):
            async with asyncio.timeout(within):
                return await pipe.execute()

    async def run(self, script: Script, keys: Sequence[str], *args: Arg) -> Any:
        """Run a script; one that the server does not know yet is sent whole."""
        try:
            with self._in_words(("EVALSHA", *keys), ANSWER_SECONDS, pass_on=NoScriptError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._client.execute_command("EVALSHA", script.digest, len(keys), *keys, *args)
        except NoScriptError:
            with self._in_words(("EVAL", *keys), ANSWER_SECONDS):
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._client.execute_command("EVAL", script.text, len(keys), *keys, *args)

    async def scan(self, pattern: str) -> AsyncIterator[str]:
        """All keys of `pattern`, in no order, each once."""
        cursor, seen = b"0", set[bytes]()
        while True:
            cursor, keys = await self.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            for key in keys:
                if key not in seen:
                    seen.add(key)
                    yield key.decode(errors="replace")
            if cursor == b"0":
                return

    async def greet(self) -> None:
        """See whether the server answers and lets this user in."""
        # A user who may only read streams may neither give a connection its name nor PING, but has logged in by then.
        for _ in range(2):
            try:
                await self.call("PING")
            except NotPermitted:
                self._pool.connection_kwargs["client_name"] = None
                await self._pool.disconnect()
                self._pool.reset()
            else:
                return

    async def close(self) -> None:
        """Close all sockets."""
        await self._client.aclose()

    @contextmanager
    def _in_words(
        self, command: Sequence[Arg], within: float, pass_on: type[Exception] | tuple[()] = ()
    ) -> Generator[None]:
        try:
            yield
        except pass_on:
            raise
        except TimeoutError:
            raise StoreUnavailable(
                f"Redis at {self.safe_url} did not answer within {within:g} s.",
                "It may be overloaded or stopped, or the address may lead to something else than a Redis server.",
            ) from None
        except (RedisError, OSError) as error:
            told = in_words(error, self.safe_url, _key_of(command))
            if isinstance(told, StoreUnavailable):
                self._try_to_revive()
            raise told from None

    def _try_to_revive(self) -> None:
        now = time.monotonic()
        if self._revive and now >= self._revive_at:
            self._revive_at = now + REVIVE_SECONDS
            with suppress(BusError, OSError):  # what the caller is told is that the server is away
                self._revive()


def _key_of(command: Sequence[Arg]) -> str:
    """The first key that the command is about, for a message."""
    words = [str(word) for word in command]
    if "STREAMS" in words:
        return words[words.index("STREAMS") + 1]
    return words[2] if words[0] in ("XINFO", "XGROUP") else words[1] if len(words) > 1 else ""


def safe_url(url: str) -> str:
    """`url` without password and query: the only form in which an address is shown."""
    try:
        parts = urlsplit(url)
        secret = parts.password
    except ValueError:
        return "this address"
    where = parts.netloc.rpartition("@")[2]
    who = f"{parts.username or ''}:•••@" if secret else f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{who}{where}{parts.path}"
