"""A session in Redis, live: the source of chat and attach. Imported after the first frame only."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from bus.earlier import earlier, last_turns
from bus.errors import BusError, StoreUnavailable
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from bus.redis.sessions import title_of
from bus.redis.store import Store
from bus.redis.stream import RedisStream
from bus.retry import backoff, insist
from bus.session import ConnectionState, Prompt, Queue, SessionInfo
from bus.stream import START, Entry
from tui.facts import Mode
from tui.outbox import Outbox
from tui.sources import LocalEngine
from tui.submit import new_prompt, put_files, submit

if TYPE_CHECKING:
    from bus.attachment import Attachment
    from tui.attaching import Picked

GREET_SECONDS = 2.0
"""How long it may take to see that Redis has gone, while a chat has not begun."""

INTERRUPT_SECONDS = 1.0
"""How long Redis may take to hear of an interrupt before the local engine gets a signal instead."""


class LiveSource:
    """Follows `session` and sends to it. A session without an id is made when it is first needed.

    With `last_first` reading a long session from its start begins with its last turns: see `earlier`.

    `make_engine` gives the local engine of a session; None where this terminal may start none. Without
    `engine_allowed` it is not started before somebody has agreed. `unanswered` is what a prompt waits for where nobody
    is there to answer it. With `may_not` nothing can be sent, for the reason that it says.
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
        last_first: bool = True,
        read_only: bool = False,
        may_not: str = "",
        make_engine: Callable[[SessionInfo], LocalEngine] | None = None,
        engine_allowed: bool = True,
        unanswered: str = "",
    ) -> None:
        self.mode: Mode = mode
        self.read_only = read_only or bool(may_not)
        self.may_not = may_not
        self.can_fork = not may_not
        self.session = session
        self._store = store
        self.author = author
        self._after = after
        self._last_first = last_first
        self._make_engine = make_engine
        self._engine_allowed = engine_allowed
        self._unanswered = unanswered
        self._engine: LocalEngine | None = None
        self._exists = asyncio.Event()
        self._hurry = asyncio.Event()
        self._first: Entry | None = None
        self._making = asyncio.Lock()
        self._made_here = False
        self._asked = False
        self._outbox = Outbox()
        self._queue = Queue()
        self._live = True
        self._waiting = False
        self._has_engine = False
        self._lease_known = False
        if session.id:
            self._exists.set()

    async def items(self) -> AsyncIterator[FeedItem]:
        """The session's feed; of a new chat from the moment on that there is something."""
        if not self._exists.is_set():
            async for state in self._before_it_exists():
                yield ConnectionChanged(state)
        was_live, durability = False, ""
        after, last = self._after, await self._last_turns()
        if last:
            self._first, after = last[0], last[-1].id
            self._outbox.take(last)
            yield BeganLate((self._first.n or 1) - 1)
            yield EntriesRead(last, caught_up=False)
        async with aclosing(self._store.watch(self.session.id, after=after, hurry=self._hurry)) as feed:
            async for item in feed:
                match item:
                    case ConnectionChanged(state):
                        if state.status == "live" and not was_live:
                            durability = await self._durability()
                            await self._send_again()
                        self._live = was_live = state.status == "live"
                        if self._live:
                            item = ConnectionChanged(replace(state, detail=durability))
                    case EntriesRead(entries):
                        self._outbox.take(entries)
                        if self._outbox.waiting(self._queue) != self._queue:
                            yield self._take_queue(self._queue)
                    case QueueChanged(queue):
                        await self._settle(queue)
                        item = self._take_queue(queue)
                    case LeaseChanged(lease):
                        self._has_engine, self._lease_known = lease is not None, True
                    case _:
                        pass
                yield item
                await self._wake_engine(item)

    async def _before_it_exists(self) -> AsyncIterator[ConnectionState]:
        """How the connection is while there is no session yet whose feed would tell of it."""
        state = ConnectionState("connecting")
        while not self._exists.is_set():
            wait, old = GREET_SECONDS, state
            try:
                await self._store.greet()
                if old.status != "live":
                    state = ConnectionState("live", detail=await self._durability())
            except StoreUnavailable as error:
                wait, why = backoff(old.attempt), f"{error} {error.hint}".strip()
                state = ConnectionState("reconnecting", old.attempt + 1, why, time.monotonic() + wait)
            except BusError as error:
                state = ConnectionState("denied", 0, f"{error} {error.hint}".strip(), time.monotonic() + wait)
            if state is not old:
                yield state
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._exists.wait()

    async def _last_turns(self) -> list[Entry]:
        """With what reading begins: of a long session that is to be shown whole, with its last turns."""
        if self._after == START and self._last_first:
            with contextlib.suppress(BusError):  # whoever reads then says what is wrong
                return await last_turns(self._store.stream(self.session.id))
        return []

    async def earlier(self) -> AsyncIterator[list[Entry]]:
        """What stands before the entries with which `items` began."""
        if self._first is not None:
            async with aclosing(earlier(self._store.stream(self.session.id), self._first)) as pages:
                async for entries in pages:
                    yield entries

    def _take_queue(self, queue: Queue) -> QueueChanged:
        self._queue = self._outbox.waiting(queue)
        self._waiting = bool(self._queue.prompts) and not queue.paused
        return QueueChanged(self._queue)

    async def _send_again(self) -> None:
        """Redis may have come back without what was sent from here: it takes each prompt once."""
        with contextlib.suppress(BusError):  # away again: the next time is soon
            if self._outbox.unbegun and await self._store.session(self.session.id) is None:
                await self._store.create_session(replace(self.session, stream_epoch=""))
            for prompt in self._outbox.unbegun:
                await put_files(self._store, self.session.id, self._outbox.files(prompt.id))
                await self._store.submit(self.session.id, prompt)

    async def _settle(self, queue: Queue) -> None:
        """See what became of prompts that are neither in the queue nor begun.

        What somebody else took back is not to be sent again to a Redis that has forgotten that; what Redis has
        forgotten otherwise is.
        """
        unseen = self._outbox.unseen(queue)
        with contextlib.suppress(BusError):
            fates = await self._store.fates(self.session.id, unseen)
            for prompt_id, fate in zip(unseen, fates, strict=True):
                if fate == "settled":
                    self._outbox.remove(prompt_id)
            if "unknown" in fates:
                await self._send_again()

    async def _durability(self) -> str:
        """What an event survives, asked after each loss of the connection: another server may have come back."""
        try:
            return await self._store.durability(written_here=self.mode == "chat")
        except BusError:
            return ""

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
    def unbegun(self) -> list[Prompt]:
        """What was sent from here and that nobody has begun or taken back, as far as it is known here."""
        return self._outbox.unbegun

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

    async def submit(
        self,
        text: str,
        *,
        prompt_id: str = "",
        model: str = "",
        supersedes: str | None = None,
        options: Mapping[str, str] | None = None,
        files: Sequence[Picked | Attachment] = (),
    ) -> None:
        """Queue the prompt, then see to it that somebody answers."""
        # The engine is asked for first: it needs longer to start than a prompt to arrive.
        await self.begin()
        self._asked = True
        prompt = new_prompt(
            text,
            author=self.author,
            model=model,
            supersedes=supersedes,
            id=prompt_id,
            options=options,
            attachments=await put_files(self._store, self.session.id, files),
        )
        # Its answer may begin before Redis is heard to have taken it.
        self._outbox.add(prompt, files)
        try:
            await submit(self._store, self.session.id, prompt)
        except (BusError, asyncio.CancelledError):
            self._outbox.remove(prompt.id)
            raise
        if not self.session.title and not prompt.command:
            self.session = replace(self.session, title=title_of(text))

    async def interrupt(self, prompt_id: str = "") -> None:
        """Ask over Redis; while it is away, by a signal where the engine is ours, else as soon as it is back."""
        if self._live:
            with contextlib.suppress(TimeoutError, StoreUnavailable):
                async with asyncio.timeout(INTERRUPT_SECONDS):
                    await self._store.interrupt(self.session.id, self.author, prompt_id)
                    return
        if self._engine is None or not self._engine.interrupt():
            await insist(lambda: self._store.interrupt(self.session.id, self.author, prompt_id))

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back."""
        prompt = await self._store.withdraw(self.session.id, prompt_id)
        self._outbox.remove(prompt_id)
        return prompt

    async def resume_queue(self) -> None:
        """Let a paused queue go on."""
        await self._store.resume_queue(self.session.id)

    def reconnect(self) -> None:
        """Try to reach Redis now."""
        self._hurry.set()

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
        self.can_fork = False
        self._stream = stream
        self._after = after

    async def items(self) -> AsyncIterator[FeedItem]:
        """The stream's feed."""
        async with aclosing(self._store.watch(self._stream, after=self._after, hurry=self._hurry)) as feed:
            async for item in feed:
                yield item
