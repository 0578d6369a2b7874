"""A producer written from docs/delivery.md alone, without a line of ours: what it writes is counted like our own.

It has the rights of a producer and no others.
"""

from __future__ import annotations

import re
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bus.reader import read_all
from bus.redis.roles import set_user
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer

DOCS = Path(__file__).parent.parent / "docs"
SCRIPT = DOCS.parent / "bus" / "redis" / "append.lua"


class Producer:
    """Speaks RESP over a socket; knows the script, and what the page says of its arguments and answers."""

    def __init__(self, path: str, session: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._answers = self._socket.makefile("rb")
        self._session = session
        self._ask("AUTH", "riffle-producer", "CHANGE-ME")
        self.writer = uuid.uuid4().hex
        before = int(self._ask("HGET", f"riffle:{{{session}}}:state", "e") or 0)
        self.epoch = max(before + 1, time.time_ns() // 1_000_000)

    def write(self, first: int, *deltas: str, follows: int | None = None) -> tuple[str, int, int]:
        """Append deltas with numbers from `first` on: {status, last, n}."""
        keys = [f"riffle:{{{self._session}}}:{name}" for name in ("events", "state", "tombstone")]
        records = [self._fields(q, delta) for q, delta in enumerate(deltas, first)]
        head = (self.writer, self.epoch, first, first - 1 if follows is None else follows, len(records[0]))
        texts = [text for record in records for text in record]
        status, last, n = self._ask("EVAL", SCRIPT.read_text(), 3, *keys, *head, *texts)
        return status.decode(), last, n

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _fields(self, q: int, delta: str) -> list[object]:
        payload = f'{{"type":"partial","meta":{{"message_id":"m1"}},"delta":"{delta}"}}'
        return [
            *("_watermill_message_uuid", uuid.uuid4(), "metadata", "", "payload", payload),
            *("v", 1, "ts", 1_700_000_000_000, "w", self.writer, "e", self.epoch, "q", q),
        ]

    def _ask(self, *words: object) -> Any:
        raw = [str(word).encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw))
        return self._answer()

    def _answer(self) -> Any:
        kind, rest = (line := self._answers.readline().rstrip())[:1], line[1:]
        match kind:
            case b"*":
                return [self._answer() for _ in range(int(rest))]
            case b"$":
                return None if rest == b"-1" else self._answers.read(int(rest) + 2)[:-2]
            case b":":
                return int(rest)
            case b"+":
                return rest.decode()
            case _:
                raise AssertionError(line)


@pytest.fixture
async def producer(redis_server: RedisServer, store: Store) -> AsyncIterator[Producer]:
    await store.create_session(SessionInfo(id="s1"))
    redis_server.command(set_user("producer", (await store.server_info()).numbers))
    with closing(Producer(redis_server.socket, "s1")) as made:
        yield made


async def test_what_it_writes_is_shown_once_and_counted(producer: Producer, store: Store) -> None:
    async with Viewer(store.watch("s1")) as viewer:
        assert producer.write(1, "a", "b") == ("ok", 2, 2)
        assert producer.write(1, "a", "b") == ("duplicate", 2, 2)
        assert producer.write(2, "b", "c") == ("ok", 3, 3)
        await viewer.sees("a", "b", "c")
        assert [entry.n for entry in viewer.entries] == [1, 2, 3]


async def test_it_is_told_what_redis_has_lost(producer: Producer, store: Store, redis_server: RedisServer) -> None:
    async with Viewer(store.watch("s1")) as viewer:
        assert producer.write(1, "a", "b") == ("ok", 2, 2)
        await viewer.sees("a", "b")
        redis_server.command("FLUSHALL")
        assert producer.write(3, "c") == ("gap", 0, 0)
        assert producer.write(1, "a", "b", "c") == ("ok", 3, 3)
        await viewer.sees("a", "b", "c")


async def test_what_it_does_not_keep_any_more_may_follow_a_gap(producer: Producer, redis_server: RedisServer) -> None:
    producer.write(1, "a", "b", "c")
    redis_server.command("FLUSHALL")
    assert producer.write(4, "d") == ("gap", 0, 0)
    assert producer.write(3, "(in place of the lost ones)", "d", follows=0) == ("ok", 4, 2)


async def test_a_greater_epoch_fences_it(producer: Producer, store: Store, redis_server: RedisServer) -> None:
    assert producer.write(1, "a") == ("ok", 1, 1)
    with closing(Producer(redis_server.socket, "s1")) as later:
        assert later.write(1, "b") == ("ok", 1, 2)
    assert producer.write(2, "c") == ("fenced", 1, 2)
    async with Viewer(store.watch("s1")) as viewer:
        await viewer.sees("a", "b")


async def test_what_it_writes_while_the_session_lies_in_a_file_comes_behind_that(
    redis_server: RedisServer, producer: Producer, tmp_path: Path
) -> None:
    store = await open_store(redis_server.url, client_name="t", archive=tmp_path)
    assert producer.write(1, "a", "b", "c") == ("ok", 3, 3)
    assert await store.archiving.put_away("s1", before_ms=time.time_ns() // 1_000_000 + 60_000)
    with closing(Producer(redis_server.socket, "s1")) as later:
        assert later.write(1, "d", "e") == ("ok", 2, 5)
        wanted = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
        assert await _shown(store) == wanted
        assert [entry.n for entry in await store.stream("s1").read_last(3)] == [3, 4, 5]
        assert [entry.n for entry in await store.stream("s1").read(count=4)] == [1, 2, 3, 4]
        info = await store.stream("s1").info()
        assert (info.length, info.n) == (5, 5)
        async with Viewer(store.watch("s1")) as viewer:
            await viewer.sees("a", "b", "c", "d", "e")
            assert later.write(3, "f") == ("ok", 3, 6)
            await viewer.sees("a", "b", "c", "d", "e", "f")
    await store.archiving.bring_back("s1")
    assert await _shown(store) == [*wanted, ("f", 6)]
    await store.close()


async def _shown(store: Store) -> list[tuple[str, int | None]]:
    entries = await read_all(store.stream("s1"))
    return [(getattr(entry.event, "delta", entry.event.type), entry.n) for entry in entries]


def test_the_pages_point_to_what_there_is() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
