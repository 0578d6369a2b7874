"""A session in Redis, live: the source of chat and attach. Imported after the first frame only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

from bus.errors import BusError, StoreUnavailable
from bus.feed import ConnectionChanged, FeedItem, LeaseChanged, QueueChanged
from bus.redis.sessions import title_of
from bus.redis.store import Store
from bus.redis.stream import RedisStream
from bus.session import ConnectionState, Prompt, SessionInfo
from bus.stream import START
from tui.facts import Mode
from tui.sources import LocalEngine
from tui.submit import new_prompt, submit

INTERRUPT_SECONDS = 1.0
"""How long Redis may take to hear of an interrupt before the local engine gets a signal instead."""


class LiveSource:
    """Follows `session` and sends to it. A session without an id is made when it is first needed.

    `make_engine` gives the local engine of a session; None where this terminal may start none. Without
    `engine_allowed` it is not started before somebody has agreed. `unanswered` is what a prompt waits for where nobody
    is there to answer it.
    """

    player = None

    def __init__(
        self,
        store: Store,
        session: SessionInfo,
        *,
        mode: Mode,
        author: str,
        after: str = START,
        read_only: bool = False,
        make_engine: Callable[[SessionInfo], LocalEngine] | None = None,
        engine_allowed: bool = True,
        unanswered: str = "",
        durability: str = "",
    ) -> None:
        self.mode: Mode = mode
        self.read_only = read_only
        self.session = session
        self._store = store
        self.author = author
        self._after = after
        self._make_engine = make_engine
        self._engine_allowed = engine_allowed
        self._unanswered = unanswered
        self._durability = durability
        self._engine: LocalEngine | None = None
        self._exists = asyncio.Event()
        self._making = asyncio.Lock()
        self._made_here = False
        self._asked = False
        self._live = True
        self._waiting = False
        self._has_engine = False
        self._lease_known = False
        if session.id:
            self._exists.set()

    async def items(self) -> AsyncIterator[FeedItem]:
        """The session's feed; of a new chat from the moment on that there is something."""
        if not self._exists.is_set():
            yield ConnectionChanged(ConnectionState("live", detail=self._durability))
            await self._exists.wait()
        async with aclosing(self._store.watch(self.session.id, after=self._after)) as feed:
            async for item in feed:
                match item:
                    case ConnectionChanged(state):
                        self._live = state.status == "live"
                        item = ConnectionChanged(replace(state, detail=self._durability)) if self._live else item
                    case QueueChanged(queue):
                        self._waiting = bool(queue.prompts) and not queue.paused
                    case LeaseChanged(lease):
                        self._has_engine, self._lease_known = lease is not None, True
                    case _:
                        pass
                yield item
                await self._wake_engine(item)

    async def _wake_engine(self, item: FeedItem) -> None:
        """Start our engine for prompts that wait, whoever sent them, where none is there: it left, or it died."""
        stirred = isinstance(item, QueueChanged | LeaseChanged)
        if stirred and self._waiting and not self._has_engine and self._make_engine is not None:
            # What keeps an engine from starting is told to whoever sends a prompt here.
            with contextlib.suppress(BusError):
                await self.begin()

    async def begin(self) -> None:
        """Make the session, where it is new, and start its engine, where that is ours to do."""
        async with self._making:
            if not self._exists.is_set():
                self.session = await self._store.create_session(self.session)
                self._made_here = True
                self._exists.set()
            if self._make_engine is not None and self._engine_allowed:
                self._engine = self._engine or self._make_engine(self.session)
                await self._engine.ensure()

    @property
    def engine_wanted(self) -> bool:
        """Whether prompts wait, nobody is there to answer, and `allow_engine` would change that."""
        return self._make_engine is not None and not self._engine_allowed and self._stranded

    @property
    def unanswered(self) -> str:
        """What prompts wait for that wait here and that no engine of this terminal will answer; else empty."""
        return self._unanswered if self._make_engine is None and self._stranded else ""

    @property
    def _stranded(self) -> bool:
        return self._lease_known and self._waiting and not self._has_engine

    async def allow_engine(self) -> None:
        """Somebody agreed that this terminal starts the session's engine."""
        self._engine_allowed = True
        await self.begin()

    async def submit(self, text: str, *, prompt_id: str = "", model: str = "", supersedes: str | None = None) -> None:
        """Queue the prompt, then see to it that somebody answers."""
        # The engine is asked for first: it needs longer to start than a prompt to arrive.
        await self.begin()
        self._asked = True
        prompt = new_prompt(text, author=self.author, model=model, supersedes=supersedes, id=prompt_id)
        await submit(self._store, self.session.id, prompt)
        if not self.session.title:
            self.session = replace(self.session, title=title_of(text))

    async def interrupt(self) -> None:
        """Ask over Redis; where that does not get through, and the engine is ours, by a signal."""
        if self._engine is None:
            await self._store.interrupt(self.session.id, self.author)
            return
        if not self._live:
            self._engine.interrupt()
            return
        try:
            async with asyncio.timeout(INTERRUPT_SECONDS):
                await self._store.interrupt(self.session.id, self.author)
        except (TimeoutError, StoreUnavailable):
            self._engine.interrupt()

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back."""
        return await self._store.withdraw(self.session.id, prompt_id)

    async def resume_queue(self) -> None:
        """Let a paused queue go on."""
        await self._store.resume_queue(self.session.id)

    def play(self, key: str) -> None:
        """Nothing is being replayed."""

    async def close(self) -> None:
        """Take away a session in which nothing was ever asked: it would be an empty line in every list."""
        if self._made_here and not self._asked:
            self._made_here = False
            if self._engine is not None:
                self._engine.stop()
            with contextlib.suppress(BusError):
                await self._store.delete_session(self.session.id)


class StreamSource(LiveSource):
    """A stream of somebody's, live: nothing can be sent to it."""

    def __init__(self, store: Store, stream: RedisStream, *, after: str) -> None:
        super().__init__(store, SessionInfo(id=stream.key, title=stream.key), mode="attach", author="", read_only=True)
        self._stream = stream
        self._after = after

    async def items(self) -> AsyncIterator[FeedItem]:
        """The stream's feed."""
        async with aclosing(self._store.watch(self._stream, after=self._after)) as feed:
            async for item in feed:
                yield item
