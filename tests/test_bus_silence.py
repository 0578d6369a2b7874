"""Links over which nothing comes any more, though nobody closed them; and quitting in the middle of it."""

from __future__ import annotations

import asyncio
import random
import time
from types import TracebackType
from typing import Self

from bus.events import Info
from bus.redis.connection import Connection
from bus.redis.store import Store, open_store
from bus.session import ConnectionState
from bus.writer import Writer
from tests.support.listening import listening
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

NOTICED_SECONDS = 3.0
"""After so long a dead connection is noticed; a busy machine may take a moment to say so."""


class Burrow:
    """Leads to the server at the socket `target`. After `collapse` nothing comes through what was open by then."""

    def __init__(self, target: str) -> None:
        self.url = f"unix://{target}.burrow"
        self._target = target
        self._server: asyncio.Server | None = None
        self._alive = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._alive.set()
        self._server = await asyncio.start_unix_server(self._serve, f"{self._target}.burrow")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def collapse(self) -> None:
        """All connections of now stay open, and are dead; new ones are not."""
        self._alive.clear()
        self._alive = asyncio.Event()
        self._alive.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        alive = self._alive
        try:
            await asyncio.gather(_pass(reader, far_writer, alive), _pass(far_reader, writer, alive))
        except asyncio.CancelledError:
            pass
        finally:
            for end in (writer, far_writer):
                end.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alive: asyncio.Event) -> None:
    while data := await reader.read(65536):
        await alive.wait()
        writer.write(data)


async def cut_off(viewer: Viewer) -> ConnectionState:
    """Wait until the viewer says that it is cut off."""
    await wait_until(lambda: viewer.states and viewer.states[-1].status == "reconnecting")
    return viewer.states[-1]


async def test_r09_a_black_hole_is_noticed_while_a_viewer_waits(redis_server: RedisServer) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        async with Viewer(store.watch(store.stream("s1"))) as viewer:
            await wait_until(lambda: viewer.chunks)
            proxy.hold()
            began = time.monotonic()
            state = await cut_off(viewer)
            assert time.monotonic() - began < NOTICED_SECONDS + 0.5
            assert "did not answer within 3 s" in state.detail
            proxy.cut()
            proxy.away = False
            proxy.release()
            began = time.monotonic()
            await wait_until(lambda: viewer.states[-1].status == "live")
            assert time.monotonic() - began < 3.0
        await store.close()


async def test_r09_a_black_hole_is_noticed_while_appending_and_by_sockets_that_were_idle(
    redis_server: RedisServer,
) -> None:
    async with Burrow(redis_server.socket) as burrow:
        store = await open_store(burrow.url, client_name="t")
        async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
            await writer.publish(Info(message="1"))
            await writer.flush()
            # Several sockets lie idle now.
            await asyncio.gather(*(store.session("s1") for _ in range(5)))
            burrow.collapse()
            began = time.monotonic()
            await writer.publish(Info(message="2"))
            await writer.flush()
            # Its own socket is given up; not one of the idle ones, dead as well, is tried for its three seconds.
            assert 1 < time.monotonic() - began < 2 * NOTICED_SECONDS
        assert [entry.n for entry in await store.stream("s1").read()] == [1, 2]
        await store.close()


async def test_v05_quitting_is_quick_at_any_moment(redis_server: RedisServer) -> None:
    chance = random.Random(5)
    slowest = 0.0
    async with listening(None) as mute, Proxy(redis_server.socket) as proxy:
        addresses = {
            "blocked": redis_server.url,
            "silent": proxy.url,
            "nobody there": "redis://127.0.0.1:1",
            "mute": f"redis://127.0.0.1:{mute}",
            "mute TLS": f"rediss://127.0.0.1:{mute}",
            "mute cluster": f"redis+cluster://127.0.0.1:{mute}",
            "mute sentinel": f"redis+sentinel://127.0.0.1:{mute}/chats",
        }
        for i in range(105):
            kind = list(addresses)[i % len(addresses)]
            store = Store(Connection(addresses[kind], client_name="t"))
            if kind == "silent":
                proxy.hold()
            viewer = Viewer(store.watch("s1"))
            async with viewer:
                if i % 3:
                    await asyncio.sleep(chance.uniform(0, 0.05))
                else:  # the first steps of a command are where Python 3.11 may lose a cancellation
                    for _ in range(chance.randrange(12)):
                        await asyncio.sleep(0)
                began = time.monotonic()
            await store.close()
            slowest = max(slowest, time.monotonic() - began)
            proxy.release()
    assert slowest < 0.5
