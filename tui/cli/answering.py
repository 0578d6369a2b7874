"""Where an engine gets its parts: the providers, the tools of a folder, the seat at a session's queue."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bus.errors import StoreUnavailable
from bus.session import SessionInfo
from engine.engine import EngineConfig
from engine.ports import Provider, Seat
from engine.providers import resolve
from engine.service import Service
from engine.toolbox import read_only_tools
from engine.tools import Toolbox
from tui.cli.context import Context
from tui.cli.errors import complain
from tui.ownership import is_own
from tui.version import version

if TYPE_CHECKING:
    from bus.redis.seat import SessionSeat
    from bus.redis.store import Store


@asynccontextmanager
async def seat_of(
    store: Store,
    session_id: str,
    ctx: Context,
    *,
    idle_seconds: float | None,
    note: Callable[[StoreUnavailable | None], None] = lambda trouble: None,
) -> AsyncGenerator[SessionSeat]:
    """A seat for this process at a session; without prompts it is left after `idle_seconds`.

    What Redis did not take is told to the person. `note` hears why it does not answer, and None when it does.
    """
    seat = store.seat(
        session_id,
        # Never an id that another process has: it would be taken for that one.
        engine_id=str(uuid.uuid4()),
        version=version(),
        lease_seconds=ctx.config.lease_seconds,
        idle_seconds=idle_seconds,
        note=note,
    )
    try:
        async with seat:
            yield seat
    finally:
        if seat.unwritten:
            events = "event" if seat.unwritten == 1 else "events"
            complain(f"The last {seat.unwritten} {events} of this answer did not get into Redis, and are lost.")


def service_at(seat: Seat, info: SessionInfo, ctx: Context) -> Service:
    """An engine for the seat: the session's model unless a prompt names another, and tools where `_folder` has one."""
    settings = ctx.config.providers

    def provider(model: str) -> Provider:
        return resolve(model, os.environ, settings)

    folder = _folder(info, ctx)
    return Service(
        seat,
        make_provider=provider,
        tools=read_only_tools(folder) if folder else Toolbox(),
        config=EngineConfig(
            model=ctx.model if ctx.model_was_named else info.model or ctx.model,
            folder=folder,
            max_calls=ctx.config.max_calls,
            retries=ctx.config.retries,
            providers=settings,
        ),
    )


def _folder(info: SessionInfo, ctx: Context) -> Path | None:
    """The folder that the tools read: the one that this user's own session was begun in.

    Whoever can write to this Redis can name any folder in a session, so those of others get no tools.
    """
    folder = Path(info.cwd)
    return folder if ctx.config.tools and is_own(info) and folder.is_absolute() and folder.is_dir() else None
