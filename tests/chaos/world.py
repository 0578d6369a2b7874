"""What a run is about: a Redis server, the ways to it, the engine, the viewers."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Self

from bus.entry import position
from bus.errors import StoreUnavailable
from bus.redis.connection import Connection
from bus.redis.keys import SessionKeys
from bus.redis.store import Store, open_store
from bus.retry import insist
from bus.session import EngineLease, SessionInfo
from bus.stream import START, Entry
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

from .engine import Engine, Ledger, Place
from .script import Script, numbers, numbers_of
from .viewer import ChaosViewer

SESSION = "chaos"
EVENTS = f"riffle:{{{SESSION}}}:events"

OVERTAKEN = 5_000_000
"""From here on, numbers are what an engine said when another one had taken over: nobody may see them."""

LEASE_MS = 6_000
_LEASE = EngineLease(engine_id="chaos", epoch=1, host="here", pid=1, version="1", busy=True, started_ms=0)

MOMENT = 20
"""Records that are written between one fault and the next."""


class World:
    """Use `open`, then `close`. Faults change it; `calm` undoes what can be undone."""

    def __init__(self, seed: int, server: RedisServer, *, big: bool) -> None:
        self.server = server
        self.script = Script(seed, big=big)
        self.ledger = Ledger()
        self.engines: list[Engine] = []
        self.viewers: list[ChaosViewer] = []
        self.replacements = 0
        """How often data were destroyed, so that a viewer may say that Redis came back."""
        self.removed: set[int] = set()
        """The numbers `n` of entries that somebody deleted: one that is written again is too late for some viewers."""
        self.not_rewound = 0
        """How many numbers of a running turn were lost, though its engine must still have held them."""
        self.ended = False
        """Whether the last turn is over, and all of it written."""
        self._seed = seed
        self._servers = [server]
        self._socket = server.socket
        self._proxies: dict[str, Proxy] = {}
        self._stores: list[Store] = []
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, seed: int, *, big: bool = True) -> Self:
        """Start the server, and the first engine."""
        world = cls(seed, await asyncio.to_thread(new_server), big=big)
        store = await world.way("keeper")
        await store.create_session(SessionInfo(id=SESSION))
        world._keeper = asyncio.create_task(world._keep_session(store))
        await world.new_engine()
        return world

    @property
    def engine(self) -> Engine:
        """The one that answers now."""
        return self.engines[-1]

    @property
    def proxies(self) -> list[Proxy]:
        """All ways to the server."""
        return list(self._proxies.values())

    def proxy(self, name: str) -> Proxy:
        """One of them."""
        return self._proxies[name]

    async def way(self, name: str) -> Store:
        """A store behind a proxy of that name."""
        if name not in self._proxies:
            proxy = Proxy(self._socket, name)
            proxy.target = self.server.socket
            self._proxies[name] = await proxy.__aenter__()
        store = await insist(lambda: open_store(self._proxies[name].url, client_name=name))
        self._stores.append(store)
        return store

    async def new_engine(self) -> Engine:
        """An engine in a new epoch, which closes the turn of the one before it; returns when it has written."""
        epoch = len(self.engines) + 1
        store = await self.way(f"engine{epoch}")
        pace = random.Random(f"{self._seed} pace {epoch}")
        engine = Engine(store, SESSION, self.proxy(f"engine{epoch}"), epoch, self.ledger, pace)
        if self.engines:
            fake = Script(self._seed, big=False)
            fake.last = OVERTAKEN
            self.engine.overtaken(fake.turns())
        self.engines.append(engine)
        engine.start(self.script.closing() if epoch > 1 else (), self.script.turns())
        await self.until(lambda: self.ledger.acked.get(epoch), "a new engine to write")
        return engine

    async def watch(self, name: str, way: str, *, from_now: bool = False) -> ChaosViewer:
        """A viewer, from the beginning or from now on."""
        store = await self.way(way)
        after, first = "0-0", 1
        if from_now:
            newest = (await insist(lambda: store.stream(SESSION).read_last(1)))[0]
            after, first = newest.id, (numbers(newest.event) or [0])[-1] + 1
        viewer = ChaosViewer(name, store.watch(SESSION, after=after), first=first)
        self.viewers.append(viewer)
        # Until it has found the place where it begins, it cannot know what is missing behind that.
        await self.until(lambda: viewer.reads, f"{name} to read")
        return viewer

    async def moves(self, records: int = MOMENT) -> None:
        """Wait until that many more records have been written."""
        before = self.ledger.acknowledged
        await self.until(lambda: self.ledger.acknowledged >= before + records, "more records to be written")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition is true."""
        await wait_until(condition, timeout=30, what=what)

    async def entries(self) -> list[Entry]:
        """All that the stream holds now."""
        entries, stream = list[Entry](), self.engine.store.stream(SESSION)

        async def more() -> list[Entry]:
            return await stream.read(entries[-1].id if entries else START, 100)

        while some := await insist(more):
            entries += some
        return entries

    async def holds(self, place: Place, *, before_ms: int) -> bool:
        """Whether the stream still holds this record as it was written before that time."""
        for entry in await self.entries():
            if (entry.epoch, entry.seq) == place:
                return position(entry.id)[0] <= before_ms
        return self.ledger.n(place) in self.removed

    async def check_written_again(self, first: int, last: int) -> None:
        """All that this turn has said must be there again, but for what somebody deleted."""
        lost = 0
        for _ in range(10):  # what was acknowledged just before the loss may still be on its way here
            there = numbers_of(entry.event for entry in await self.entries())
            lost = sum(
                first <= number <= last and number not in there
                for place, event in self.ledger.records.items()
                if self.ledger.has_acked(place) and self.ledger.n(place) not in self.removed
                for number in numbers(event)
            )
            if not lost:
                return
            await self.moves(5)
        self.not_rewound += lost

    async def command(self, *words: str) -> str:
        """Run a Redis command, past all proxies."""
        return await asyncio.to_thread(self.server.command, *words)

    async def move_to(self, server: RedisServer) -> None:
        """From now on, all ways lead to another server; the one before is gone."""
        old, self.server = self.server, server
        self._servers.append(server)
        for proxy in self.proxies:
            proxy.target = server.socket
            proxy.cut()
            proxy.away = False
        await asyncio.to_thread(old.kill9)

    def calm(self) -> None:
        """End what goes on by itself. An engine that was replaced stays away."""
        with suppress(ProcessLookupError):
            self.server.cont()
        for name, proxy in self._proxies.items():
            if not any(name == f"engine{engine.epoch}" for engine in self.engines[:-1]):
                restore(proxy)
        for viewer in self.viewers:
            viewer.go_on()
        self.engine.may_speak.set()

    async def end(self, patience: float) -> int:
        """The engine says its last event and writes everything; the number of that event."""
        self.calm()
        await self.engine.stop()
        await self.engine.publish(self.script.end())
        await self.engine.writer.flush()
        self.ended = True
        for engine in self.engines:
            restore(engine.proxy)
        with suppress(AssertionError):  # the report says so
            await wait_until(lambda: all(engine.fenced for engine in self.engines[:-1]), timeout=patience)
        return self.script.last

    async def close(self) -> None:
        """Leave nothing behind."""
        try:
            await self._close_clients()
        finally:
            for server in reversed(self._servers):
                await asyncio.to_thread(server.close)

    async def _close_clients(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        for viewer in self.viewers:
            await viewer.close()
        for engine in self.engines:
            await engine.close()
        for store in self._stores:
            await store.close()
        for proxy in self.proxies:
            await proxy.__aexit__(None, None, None)

    async def _keep_session(self, store: Store) -> None:
        """As an engine does: renew its lease, and make the session anew where Redis has forgotten it."""
        connection = Connection(self._proxies["keeper"].url, client_name="lease")
        try:
            while True:
                with suppress(StoreUnavailable):
                    lease = json.dumps(asdict(replace(_LEASE, busy=not self.ended, epoch=len(self.engines))))
                    await connection.call("SET", SessionKeys(SESSION).lease, lease, "PX", LEASE_MS)
                    if await store.session(SESSION) is None:
                        await store.create_session(SessionInfo(id=SESSION))
                await asyncio.sleep(0.2)
        finally:
            await connection.close()


def restore(proxy: Proxy) -> None:
    """Let everything through again."""
    proxy.lose_replies_to, proxy.away, proxy.silent = None, False, False
    proxy.delay, proxy.rate, proxy.split = 0.0, None, False
    proxy.release()


def new_server() -> RedisServer:
    """A server that can have a replica: only over TCP do they speak with each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return RedisServer("--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
