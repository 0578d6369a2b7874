"""What goes wrong in a run. Each fault has a real effect before it ends, and says in a few words what it was.

Its choices come from the `draw` that it is given. Those below DESTROYING take data away that may have been shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from bus.retry import insist
from tests.support.proxy import Direction, Proxy

from .viewer import ChaosViewer
from .world import EVENTS, SESSION, World, new_server

Fault = Callable[[World, Random], Awaitable[str]]

DEADLINE = 3.0
"""How long a client waits for an answer, in seconds."""


# -- on the way ------------------------------------------------------------------------------------------------


def _a_way(world: World, draw: Random) -> tuple[str, Proxy]:
    """A way that is in use: the engine's, or that of some viewers."""
    name = draw.choice((f"engine{world.engine.epoch}", f"engine{world.engine.epoch}", "far", "near"))
    return name, world.proxy(name)


async def cut(world: World, draw: Random) -> str:
    """A connection breaks behind some byte, in either direction."""
    name, proxy = _a_way(world, draw)
    direction: Direction = draw.choice(("requests", "replies"))
    times, cuts = draw.randint(1, 3), proxy.cuts
    for i in range(times):
        proxy.cut_at(direction, draw.randint(1, 600))
        await world.until(lambda i=i: proxy.cuts > cuts + i, f"a cut of {name}")
    return f"{times} x cut in the {direction} of {name}"


async def drop_reply(world: World, draw: Random) -> str:
    """What was asked for is done, and its reply is lost, whole or in part."""
    name, proxy = _a_way(world, draw)
    losses, proxy.cut_after = proxy.losses, draw.choice((0, 0, draw.randint(1, 8)))
    times = draw.randint(1, 4)
    proxy.lose_replies_to = EVENTS.encode()
    await world.until(lambda: proxy.losses >= losses + times, f"lost replies to {name}")
    proxy.lose_replies_to = None
    return f"{times} x reply to {name} lost after {proxy.cut_after} bytes"


async def black_hole(world: World, draw: Random) -> str:
    """Nothing comes through, either way; what was sent arrives late, even when its sender has given up."""
    name, proxy = _a_way(world, draw)
    proxies = draw.choice(([proxy], [proxy], [world.engine.proxy, world.proxy("far"), world.proxy("near")]))
    seconds = draw.choice((draw.uniform(0.1, 0.8), DEADLINE + draw.uniform(0.2, 0.6)))
    for proxy in proxies:
        proxy.hold()
    await asyncio.sleep(seconds)
    for proxy in proxies:
        proxy.release()
    return f"black hole on {name if len(proxies) == 1 else 'every way'} for {seconds:.1f} s"


async def delay(world: World, draw: Random) -> str:
    """A long way."""
    name, proxy = _a_way(world, draw)
    proxy.delay = draw.uniform(0.02, 0.3)
    await asyncio.sleep(0.8)
    told, proxy.delay = f"{proxy.delay * 1000:.0f} ms delay to {name}", 0.0
    return told


async def throttle(world: World, draw: Random) -> str:
    """A slow way; or one on which every byte comes alone."""
    name, proxy = _a_way(world, draw)
    if draw.random() < 0.3:
        proxy.split = True
        await asyncio.sleep(0.4)
        proxy.split = False
        return f"every byte alone to {name}"
    proxy.rate = draw.randint(2_000, 40_000)
    await asyncio.sleep(0.8)
    told, proxy.rate = f"{proxy.rate} bytes/s to {name}", None
    return told


# -- at the server ---------------------------------------------------------------------------------------------


async def stop(world: World, draw: Random) -> str:
    """SIGSTOP: the server is there and says nothing; sometimes for longer than anybody waits."""
    seconds = draw.choice((draw.uniform(0.1, 0.8), draw.uniform(0.1, 0.8), DEADLINE + draw.uniform(0.1, 0.5)))
    world.server.stop()
    await asyncio.sleep(seconds)
    world.server.cont()
    return f"SIGSTOP for {seconds:.1f} s"


async def kill(world: World, draw: Random) -> str:
    """kill -9; the server comes back with its data."""
    seconds = draw.choice((0.0, draw.uniform(0.1, 1.0)))
    newest = world.ledger.newest
    world.server.kill9()
    killed_ms = time.time_ns() // 1_000_000
    await asyncio.sleep(seconds)
    await asyncio.to_thread(world.server.start)
    # While a slow disk is still busy with the last fsync, Redis acknowledges what it has not yet written (2 s at most).
    lost = not await world.holds(newest, before_ms=killed_ms)
    world.replacements += lost
    return f"kill -9, away for {seconds:.1f} s" + (", the disk was slow" if lost else "")


async def client_kill(world: World, draw: Random) -> str:
    """The server closes all connections."""
    times = draw.randint(1, 3)
    for _ in range(times):
        await world.command("CLIENT KILL TYPE normal")
        await world.moves(3)
    return f"{times} x CLIENT KILL"


async def client_pause(world: World, draw: Random) -> str:
    """The server lets every command wait."""
    ms = draw.randint(100, 900)
    await world.command(f"CLIENT PAUSE {ms}")
    await asyncio.sleep(ms / 1000)
    return f"CLIENT PAUSE for {ms} ms"


async def full(world: World, draw: Random) -> str:
    """The server has no memory left for a while."""
    await world.command("CONFIG SET maxmemory 1")
    await world.until(lambda: world.engine.writer.trouble, "trouble with a full Redis")
    await asyncio.sleep(draw.uniform(0, 0.5))
    await world.command("CONFIG SET maxmemory 0")
    return "maxmemory reached, and given back"


# -- the engine ------------------------------------------------------------------------------------------------


async def replace(world: World, draw: Random) -> str:
    """The engine is cut off, and another one takes over; the first one hears of it when the run ends."""
    old = world.engine
    old.proxy.hold()
    await world.new_engine()
    return f"engine {old.epoch} replaced"


async def zombie(world: World, draw: Random) -> str:
    """As `replace`, and the old engine comes back at once and goes on."""
    old = world.engine
    old.proxy.hold()
    await world.new_engine()
    await world.moves(draw.randint(1, 30))
    old.proxy.release()
    # Were the data to vanish before it has tried, nothing would be left to fence it with.
    await world.until(lambda: old.fenced or old.stream.intrusions, "an engine to be fenced")
    await world.moves()
    return f"engine {old.epoch} replaced, and back"


# -- data that are taken away ----------------------------------------------------------------------------------


@asynccontextmanager
async def _somebody_misses_it(world: World, draw: Random) -> AsyncGenerator[str]:
    """Maybe a viewer is halted around what happens here, and maybe the engine says nothing just then."""
    halted = draw.choice((None, *world.viewers))
    quiet = draw.random() < 0.25
    began, said = world.script.turn_began, world.script.last
    if halted:
        halted.halt()
        await world.moves()
    if quiet:
        world.engine.may_speak.clear()
    world.replacements += 1
    yield (f", {halted.name} halted" if halted else "") + (", engine quiet" if quiet else "")
    if quiet:
        await asyncio.sleep(2.5)
    world.engine.may_speak.set()
    await world.moves(5)
    if began == world.script.turn_began:
        await world.check_written_again(began, said)
    if halted:
        halted.go_on()


async def empty(world: World, draw: Random) -> str:
    """The server comes back without data."""
    async with _somebody_misses_it(world, draw) as told:
        await asyncio.to_thread(world.server.restart, empty=True)
    return f"restart empty{told}"


async def older(world: World, draw: Random) -> str:
    """The server comes back with data of some time ago."""
    saved: Path = await asyncio.to_thread(world.server.save_data)
    await world.moves(draw.choice((5, 40, 150)))
    async with _somebody_misses_it(world, draw) as told:
        await asyncio.to_thread(lambda: world.server.restart(data=saved))
    return f"restart older{told}"


async def flushall(world: World, draw: Random) -> str:
    """Everything is deleted."""
    async with _somebody_misses_it(world, draw) as told:
        await world.command("FLUSHALL")
    return f"FLUSHALL{told}"


async def delete(world: World, draw: Random) -> str:
    """The stream is deleted, what stands beside it is not."""
    async with _somebody_misses_it(world, draw) as told:
        await world.command(f"DEL {EVENTS}")
    return f"DEL{told}"


async def failover(world: World, draw: Random) -> str:
    """A replica takes over; what it had not received by then is gone."""
    new = await asyncio.to_thread(new_server)
    port = next(line for line in (await world.command("INFO server")).splitlines() if line.startswith("tcp_port:"))
    await asyncio.to_thread(new.command, f"REPLICAOF 127.0.0.1 {port.partition(':')[2]}")
    await world.until(lambda: _follows(new.command("INFO")), "a replica to be in step")
    async with _somebody_misses_it(world, draw) as told:
        await asyncio.to_thread(new.command, "REPLICAOF NO ONE")
        lost = draw.choice((0, 10, 80))
        if world.engine.may_speak.is_set():
            await world.moves(lost)
        await world.move_to(new)
    return f"failover after {lost} more records{told}"


def _follows(info: str) -> bool:
    """Whether a replica has all of its master's data, and has written them to its disk."""
    wanted = ("master_link_status:up", "master_sync_in_progress:0", "aof_rewrite_in_progress:0", "aof_enabled:1")
    return all(line in info for line in (*wanted, "aof_rewrite_scheduled:0"))


async def trim(world: World, draw: Random) -> str:
    """The stream is trimmed to less than a halted viewer has yet to read."""
    viewer = await _far_behind(world, draw)
    left = draw.randint(1, 15)
    await world.command(f"XTRIM {EVENTS} MAXLEN {left}")
    first = (await insist(lambda: world.engine.store.stream(SESSION).read(count=1)))[0]
    world.removed.update(range(1, first.n or 0))
    viewer.go_on()
    return f"XTRIM to {left}, {viewer.name} halted"


async def xdel(world: World, draw: Random) -> str:
    """Some entries are deleted that a halted viewer has yet to read."""
    viewer = await _far_behind(world, draw)
    newest = await insist(lambda: world.engine.store.stream(SESSION).read_last(40))
    chosen = draw.sample(newest[:-1], k=min(draw.randint(1, 12), len(newest) - 1))
    await world.command(f"XDEL {EVENTS} {' '.join(entry.id for entry in chosen)}")
    world.removed.update(entry.n or 0 for entry in chosen)
    viewer.go_on()
    return f"XDEL of {len(chosen)}, {viewer.name} halted"


async def _far_behind(world: World, draw: Random) -> ChaosViewer:
    viewer = draw.choice(world.viewers)
    viewer.halt()
    await world.moves(60)
    return viewer


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        *(cut, drop_reply, black_hole, delay, throttle, stop, kill, client_kill, client_pause, full),
        *(replace, zombie, empty, older, flushall, delete, failover, trim, xdel),
    )
}
