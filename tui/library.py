"""The sessions of the Redis that the user has: opens what the command line, or the session picker, names.

Importing this loads nothing heavy; opening does, in a thread, so that keys are echoed meanwhile.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus.errors import BusError, UnknownSession
from bus.session import SessionInfo
from tui.cli.context import Context
from tui.engine_process import EngineProcess
from tui.housekeeping import keep_house
from tui.models import Models
from tui.openings import Attach, Chat, Opening, Replay, StreamName
from tui.ownership import author, is_own, may_be_answered_here, who_answers
from tui.player import Player
from tui.positions import start_of
from tui.sources import LocalEngine, Source
from tui.version import version

if TYPE_CHECKING:
    from bus.redis.store import Store
    from bus.stream import Stream


class StoreLibrary:
    """Connects on first use, and stays connected until `close`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._store: Store | None = None
        self._connecting = asyncio.Lock()
        self.say: Callable[[str], object] = lambda message: None
        """Tells the person why it takes longer."""

    async def sessions(self) -> list[SessionInfo]:
        """All in which something was said, newest first."""
        store = await self._connected()
        return [info for info in await store.sessions() if info.messages or info.live]

    async def open(self, opening: Opening) -> Source:
        """Open what is named."""
        match opening:
            case Chat():
                return await self._chat(opening)
            case Attach():
                return await self._attach(opening)
            case Replay():
                return await self._replay(opening)

    async def fork(self, session_id: str, at: str) -> SessionInfo:
        """Make a session that begins as that one, up to the end of the turn that holds the entry `at`."""
        module, store = await _load("tui.fork"), await self._connected()
        try:
            return await module.fork(store, session_id, at)
        except OSError as error:
            raise BusError(f"The session cannot be copied: {error.strerror or error}.") from error

    async def close(self) -> None:
        """Close all connections."""
        if self._store is not None:
            await self._store.close()
            keep_house(self._ctx)

    async def _connected(self) -> Store:
        async with self._connecting:
            store = self._store
            if store is None:
                module = await _load("bus.redis.store")
                loop = asyncio.get_running_loop()
                url = await asyncio.to_thread(
                    self._ctx.redis_url, lambda error: loop.call_soon_threadsafe(self._tell, error)
                )
                store = self._store = await module.open_store(
                    url,
                    client_name="riffle",
                    revive=self._ctx.start_redis_early,
                    durability=self._ctx.config.durability,
                    archive=self._ctx.archive,
                    on_loading=self._tell,
                )
            return store

    def _tell(self, error: BusError) -> None:
        self.say(f"{error} {error.hint}")

    async def _chat(self, chat: Chat) -> Source:
        live, store = await _load("tui.live_source"), await self._connected()
        model = chat.model or self._ctx.model
        known = await self._chat_session(store, chat)
        session = known or SessionInfo(
            id="",
            model=model,
            answering=self._ctx.config.answering,
            owner=author(),
            cwd=str(Path.cwd()),
            version=version(),
        )
        # The engine of a session that there is may have been started where other keys are set.
        asked_here = session.answering == "private" and is_own(session) and (known is None or chat.model is not None)
        await self._check_model(model, asked_here=asked_here)
        source: Source = live.LiveSource(
            store,
            session,
            mode="chat",
            author=author(),
            make_engine=self._engine_maker(session),
            engine_allowed=is_own(session),
            unanswered=who_answers(session, embedded=self._ctx.embedded),
        )
        return source

    async def _check_model(self, model: str, *, asked_here: bool) -> None:
        """What keeps a model from being asked is better told before there is a prompt for it.

        `asked_here`: by an engine of this terminal, with the keys that are set here.
        """
        providers = await _load("engine.providers")
        try:
            providers.parse(model, self._ctx.config.providers)
            if asked_here:
                providers.check(model, os.environ, self._ctx.config.providers)
        except (providers.UnknownModel, providers.MissingKey) as error:
            raise BusError(str(error), error.hint) from None
        if doubt := await asyncio.to_thread(Models(self._ctx.config, self._ctx.paths).doubt, model):
            self.say(doubt)

    async def _chat_session(self, store: Store, chat: Chat) -> SessionInfo | None:
        if chat.session:
            return await store.find(chat.session)
        if chat.continue_last:
            spoken = [info for info in await store.sessions() if info.messages]
            if not spoken:
                raise UnknownSession("There is no session to continue.", "Begin one with: riffle")
            return spoken[0]
        return None

    async def _attach(self, attach: Attach) -> Source:
        live, store = await _load("tui.live_source"), await self._connected()
        source: Source
        if attach.stream is not None:
            stream = _named(store, attach.stream)
            await stream.info()  # a key that holds something else ends the program with the reason
            source = live.StreamSource(store, stream, after=await start_of(stream, attach.position or "start"))
            return source
        session = await store.find(attach.session or "")
        after = await start_of(store.stream(session.id), attach.position or "start")
        may_not = "" if attach.read_only else await _may_not(store, session.id)
        watches = attach.read_only or bool(may_not)
        source = live.LiveSource(
            store,
            session,
            mode="attach",
            author=author(),
            after=after,
            last_first=attach.position is None,
            read_only=attach.read_only,
            may_not=may_not,
            make_engine=None if watches else self._engine_maker(session),
            engine_allowed=False,
            unanswered="" if watches else who_answers(session, embedded=self._ctx.embedded),
        )
        return source

    async def _replay(self, replay: Replay) -> Source:
        recording, reader = await _load("tui.replay_source"), await _load("bus.reader")
        file = Path(replay.session) if replay.session else None
        if file is not None and file.is_file():
            session = SessionInfo(id=file.name, title=file.name)
            entries = await recording.read_file(file)
            can_fork = False
        else:
            session, stream = await self._recorded(replay)
            can_fork = replay.stream is None
            entries = await reader.read_all(stream, await start_of(stream, replay.position))
        if not entries:
            raise BusError(f"There is nothing to replay in {session.title or session.id}.")
        player = Player(
            [entry.ts for entry in entries], speed=replay.speed or float("inf"), idle_limit=replay.idle_limit
        )
        source: Source = recording.ReplaySource(session, entries, player, can_fork=can_fork)
        return source

    async def _recorded(self, replay: Replay) -> tuple[SessionInfo, Stream]:
        store = await self._connected()
        if replay.stream is not None:
            return SessionInfo(id=replay.stream.key, title=replay.stream.key), _named(store, replay.stream)
        session = await store.find(replay.session or "")
        return session, store.stream(session.id)

    def _engine_maker(self, session: SessionInfo) -> Callable[[SessionInfo], LocalEngine] | None:
        return self._engine if may_be_answered_here(session, embedded=self._ctx.embedded) else None

    def _engine(self, session: SessionInfo) -> LocalEngine:
        store = self._store
        assert store is not None, "a session comes from a store"
        return EngineProcess(
            session.id,
            lease=lambda: store.lease(session.id),
            redis_url=self._ctx.config.redis_url,
            log=self._ctx.engine_log,
        )


async def _load(module: str) -> Any:
    return await asyncio.to_thread(importlib.import_module, module)


async def _may_not(store: Store, session_id: str) -> str:
    """What keeps this user of Redis from sending anything; empty: nothing does."""
    if await store.may_send(session_id):
        return ""
    return f"the Redis user {store.user} may only watch: it has no right to write"


def _named(store: Store, name: StreamName) -> Any:
    from tui.cli.context import stream_at

    return stream_at(store, name)
