"""`riffle engine`: answers prompts without a screen, for one session or for all that are open to any engine."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import aclosing
from typing import TYPE_CHECKING

from bus.errors import BusError, Fenced, LeaseTaken, StoreUnavailable, UnknownSession
from bus.retry import insist
from bus.session import SessionInfo
from tui.cli.answering import seat_of, service_at
from tui.cli.commands import Engine
from tui.cli.connection_notes import ConnectionNotes
from tui.cli.context import Context, open_store
from tui.cli.doctor.server import warn
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
POOL_STAY_SECONDS = 20.0
"""How long it stays with one that always has more, so that the others have their turn."""
LEASE_POLL_SECONDS = 0.2


async def engine(command: Engine, ctx: Context, signals: Signals) -> int:
    """Answer until nobody needs this engine any more; without a session, until it is stopped."""
    async with open_store(ctx) as store:
        await warn(store, ctx)
        notes = ConnectionNotes()
        if command.session is not None:
            await _answer_one(store, command.session, ctx, signals, notes)
        else:
            complain("Answering sessions that are open to any engine. Ctrl+C ends.")
            await _answer_pool(store, ctx, signals, notes)
    return TERMINATED if signal.SIGTERM in signals.received else OK


async def _answer_one(store: Store, name: str, ctx: Context, signals: Signals, notes: ConnectionNotes) -> None:
    """Answer one session until nobody has needed its engine for long, or it is deleted."""
    try:
        # By its id first, as chats name it: another session may have that id for its title.
        info = await store.session(name)
        if info is None and await store.was_deleted(name):
            raise UnknownSession(f"The session {name} was deleted.")
        info = info or await store.find(name)
        name = info.id
        await _wait_for_a_dead_engine(store, info.id)
        await _sit(store, info, ctx, signals, notes)
    except (Fenced, LeaseTaken, UnknownSession):
        if not await store.was_deleted(name):
            raise
        complain(f"The session {name} was deleted: its engine ends.")


async def _wait_for_a_dead_engine(store: Store, session_id: str) -> None:
    """Wait until the lease has run out of an engine that died on this machine."""
    while (lease := await store.lease(session_id)) and lease.host == socket.gethostname():
        if is_running(lease.pid):
            return
        await asyncio.sleep(LEASE_POLL_SECONDS)


async def _answer_pool(store: Store, ctx: Context, signals: Signals, notes: ConnectionNotes) -> None:
    """Answer one session after the other until this process is told to end."""
    refused: set[str] = set()
    async with aclosing(store.pool_sessions(notes.note)) as waiting:
        async for session_id in waiting:
            if session_id in refused:
                continue
            try:
                info = await insist(lambda session_id=session_id: store.session(session_id))
                if info is not None and info.answering == "pool":
                    await _sit(store, info, ctx, signals, notes, pooled=True)
            except (LeaseTaken, Fenced, UnknownSession, StoreUnavailable):
                pass  # another engine was faster, or the session is gone, or Redis: it is offered again if need be
            except BusError as error:
                refused.add(session_id)
                complain(f"The session {session_id} cannot be answered: {error}", error.hint)
            if signal.SIGTERM in signals.received:
                return


async def _sit(
    store: Store, info: SessionInfo, ctx: Context, signals: Signals, notes: ConnectionNotes, *, pooled: bool = False
) -> None:
    """Answer the session's prompts until none has come for long; a `pooled` one not for ever, where others wait too."""
    idle_seconds = POOL_IDLE_SECONDS if pooled else IDLE_SECONDS
    async with seat_of(store, info.id, ctx, idle_seconds=idle_seconds, note=notes.note) as seat:
        service = service_at(seat, info, ctx)

        def take(number: int) -> bool:
            if number == signal.SIGTERM:
                # The answer that is being given is given to its end.
                service.leave()
                return True
            # Ctrl+C here, and Esc in the terminal that started this engine, stop the answer; without one, the engine.
            return service.interrupt(author())

        signals.taker = take
        if pooled:
            asyncio.get_running_loop().call_later(POOL_STAY_SECONDS, service.leave)
        try:
            await service.run()
        finally:
            signals.taker = None
    if pooled and (await store.queue(info.id)).prompts:
        await store.offer_to_pool(info.id)
