"""`riffle engine`: answers prompts without a screen, for one session or for all that are open to any engine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from contextlib import aclosing
from typing import TYPE_CHECKING

from bus.errors import Fenced, LeaseTaken, UnknownSession
from bus.session import SessionInfo
from tui.cli.answering import seat_of, service_at
from tui.cli.commands import Engine
from tui.cli.context import Context, open_store
from tui.cli.errors import OK, TERMINATED, complain
from tui.cli.loop import Signals
from tui.engine_process import is_running
from tui.ownership import author

if TYPE_CHECKING:
    from bus.redis.store import Store

IDLE_SECONDS = 600.0
"""How long the engine of one session waits for the next prompt."""
POOL_IDLE_SECONDS = 1.0
"""How long an engine that answers many sessions stays with one that has no more prompts."""
LEASE_POLL_SECONDS = 0.2


async def engine(command: Engine, ctx: Context, signals: Signals) -> int:
    """Answer until nobody needs this engine any more; without a session, until it is stopped."""
    async with open_store(ctx) as store:
        if command.session is not None:
            # By its id first, as chats name it: another session may have that id for its title.
            info = await store.session(command.session) or await store.find(command.session)
            await _answer_one(store, info, ctx, signals)
            return TERMINATED if signal.SIGTERM in signals.received else OK
        complain("Answering sessions that are open to any engine. Ctrl+C ends.")
        async with aclosing(store.pool_sessions()) as waiting:
            async for session_id in waiting:
                info = await store.session(session_id)
                # Another engine was faster, or the session is gone: there is nothing to do here.
                with contextlib.suppress(LeaseTaken, Fenced):
                    if info is not None:
                        await _sit(store, info, ctx, signals, idle_seconds=POOL_IDLE_SECONDS)
                if signal.SIGTERM in signals.received:
                    return TERMINATED
    return OK


async def _answer_one(store: Store, info: SessionInfo, ctx: Context, signals: Signals) -> None:
    """Answer one session until nobody has needed its engine for long, or it is deleted."""
    try:
        await _wait_for_a_dead_engine(store, info.id)
        await _sit(store, info, ctx, signals, idle_seconds=IDLE_SECONDS)
    except (Fenced, LeaseTaken, UnknownSession):
        if await store.session(info.id) is not None:
            raise
        # Whoever deleted the session knows.


async def _wait_for_a_dead_engine(store: Store, session_id: str) -> None:
    """Wait until the lease has run out of an engine that died on this machine."""
    while (lease := await store.lease(session_id)) and lease.host == socket.gethostname():
        if is_running(lease.pid):
            return
        await asyncio.sleep(LEASE_POLL_SECONDS)


async def _sit(store: Store, info: SessionInfo, ctx: Context, signals: Signals, *, idle_seconds: float) -> None:
    """Answer the session's prompts until none has come for `idle_seconds`."""
    async with seat_of(store, info.id, idle_seconds=idle_seconds) as seat:
        service = service_at(seat, info, ctx)

        def take(number: int) -> bool:
            if number == signal.SIGTERM:
                # The answer that is being given is given to its end.
                service.leave()
                return True
            # Ctrl+C here, and Esc in the terminal that started this engine, stop the answer; without one, the engine.
            return service.interrupt(author())

        signals.taker = take
        try:
            await service.run()
        finally:
            signals.taker = None
