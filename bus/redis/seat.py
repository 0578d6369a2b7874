"""The seat: the place from which one engine answers one session. The implementation of `engine.ports.Seat`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Protocol, Self

from ..attachment import Attachment
from ..entry import pair_up
from ..errors import LeaseTaken, StoreUnavailable
from ..events import Event, ProviderBlock
from ..pages import Pages
from ..retry import backoff, insist
from ..session import Prompt, SessionInfo
from ..stream import START
from ..writer import Writer
from .answered import Answered
from .commands import Claim, Commands
from .connection import Connection
from .keys import SessionKeys
from .lease import Lease
from .sessions import Sessions, title_of
from .stream import RedisStream, block_on

WAIT_SECONDS = 2.0
CHUNK = 500
LEAVING_SECONDS = 1.0
"""How long the last events may wait without progress when the seat is left: a Redis that is away is not waited for."""

Fate = Literal["answer", "set-aside", "lost"]
"""What an engine does with a prompt: answers it, or says that it was set aside, or that its text is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedPrompt:
    """A prompt that this engine has claimed. The fields of `engine.ports.Work`."""

    prompt_id: str
    text: str
    author: str
    model: str
    supersedes: str | None
    options: Mapping[str, str]
    attachments: Sequence[Attachment] = ()
    deliveries: int = 1
    fate: Fate = "answer"


class Finished(Protocol):
    """What `finish` needs to know of a piece of work."""

    @property
    def prompt_id(self) -> str:
        """The prompt's id."""
        ...


class SessionSeat:
    """Use it as a context: entering claims the lease (a new epoch), leaving writes the rest and gives it up.

    Redis being away makes every method wait, not fail: `note` is told why it does not answer, and None when it does.
    Each raises `LeaseTaken` or `Fenced` when another engine has taken over. `idle_seconds` is how long `next_work`
    waits for a prompt; None is for ever. A prompt that `max_deliveries` engines have died with is set aside.
    `unwritten` is how many events Redis is not known to have, once the seat was left.
    """

    def __init__(
        self,
        connection: Connection,
        stream: RedisStream,
        session_id: str,
        *,
        engine_id: str,
        version: str = "",
        lease_seconds: float = 6.0,
        idle_seconds: float | None = 600.0,
        max_deliveries: int,
        completions: bool = False,
        note: Callable[[StoreUnavailable | None], None] = lambda trouble: None,
    ) -> None:
        self.session_id = session_id
        self._connection = connection
        self._keys = SessionKeys(session_id)
        self._stream = stream
        self._sessions = Sessions(connection)
        self._commands = Commands(connection, self._keys)
        self._lease = Lease(
            connection,
            self._keys,
            engine_id=engine_id,
            version=version,
            seconds=lease_seconds,
            on_forgotten=self._restore_session,
            trouble=self._trouble,
            newest=lambda: self.sink.newest,
            note=note,
        )
        self._engine_id = engine_id
        self._idle_seconds = idle_seconds
        self._max_deliveries = max_deliveries
        self._completions = completions
        self._claim: Claim | None = None
        self._fate: Fate = "answer"
        self._answered = Answered()
        self._missing: list[Claim] = []
        """Prompts that somebody trimmed away before they were begun."""
        self._history_read = False
        self._info: SessionInfo | None = None
        self._heard = {self._keys.prompts: START, self._keys.control: START}
        self.sink: Writer
        self.unwritten = 0

    @property
    def epoch(self) -> int:
        """The epoch of its writes."""
        return self._lease.held.epoch

    async def __aenter__(self) -> Self:
        await self._stream.prepare()
        epoch = await self._lease.claim()
        self.sink = Writer(self._stream, writer=self._engine_id, epoch=epoch, completions=self._completions)
        self._info = await self._sessions.get(self.session_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.unwritten = await self.sink.aclose(patience=LEAVING_SECONDS)
        finally:
            await self._lease.release()

    async def next_work(self) -> ClaimedPrompt | None:
        """The next prompt, claimed for this engine; waits for one. None: nobody has needed the engine for long.

        Cancelled, it claims nothing, or returns what it has just claimed.
        """
        began, attempt = time.monotonic(), 0
        while True:
            self._check_lease()
            idle = time.monotonic() - began
            if self._idle_seconds is not None and idle >= self._idle_seconds:
                return None
            try:
                work = await self._try_claim()
                if work:
                    return work
                attempt = 0
                await self._wait_for_stir(WAIT_SECONDS, idle)
            except StoreUnavailable:
                await asyncio.sleep(backoff(attempt))
                attempt += 1

    async def interrupted(self) -> str:
        """Wait until somebody asks to stop the running turn; the author."""
        after, attempt = self._claim.control_id if self._claim else START, 0
        while True:
            try:
                reply = await block_on(self._connection, {self._keys.control: after}, WAIT_SECONDS, CHUNK)
            except StoreUnavailable:
                await asyncio.sleep(backoff(attempt))
                attempt += 1
                continue
            attempt = 0
            for entry_id, flat in reply.get(self._keys.control, ()):
                after = entry_id.decode()
                fields = pair_up(flat)
                if fields.get(b"type") == b"interrupt" and self._is_meant(fields.get(b"prompt_id")):
                    return fields.get(b"author", b"").decode(errors="replace")

    async def finish(self, work: Finished) -> None:
        """All events of `work` are published: when they are in the stream, it will not be claimed again.

        One that was set aside goes where `riffle sessions show` finds it.
        """
        claim = self._claim
        if claim is None or claim.prompt.id != work.prompt_id:
            raise ValueError(f"The prompt {work.prompt_id} is not the one that was claimed.")
        await self.sink.flush()
        self._answered.end(claim.prompt)
        set_aside = self._fate == "set-aside"
        await insist(lambda: self._commands.finish(claim, set_aside=set_aside))
        self._claim = None
        await self._lease.set_busy(False)
        await self._note(claim.prompt, model="")

    async def history(self) -> AsyncIterator[Event]:
        """All events of the session's stream, oldest first; blocks that lie elsewhere are put back in."""
        pages, after, more = Pages(self._stream), START, True
        try:
            while more:
                entries, more = await insist(lambda after=after: pages.read(after))
                for entry in entries:
                    after, event = entry.id, entry.event
                    self._answered.take(event)
                    yield await self._whole(event)
        finally:
            await pages.close()
        missing = await insist(self._commands.missing)
        self._missing = [claim for claim in missing if not self._answered.knows(claim.prompt.id)]
        self._history_read = True

    async def file(self, block_key: str) -> bytes | None:
        """The bytes of an attachment; None: they are gone, or were never with this session."""
        # A prompt names the key, and whoever may write one may not read other keys by it. The session that it names is
        # not looked at: in a copy of a session that is the first one, and the bytes lie here.
        if not block_key.partition("}:")[2].startswith("block:"):
            return None
        return await insist(lambda: self._stream.get_block(block_key))

    # ----------------------------------------------------------------------------------------------------------

    def _is_meant(self, prompt_id: bytes | None) -> bool:
        return not prompt_id or (self._claim is not None and self._claim.prompt.id.encode() == prompt_id)

    def _check_lease(self) -> None:
        if self._lease.lost:
            raise self._lease.lost

    async def _try_claim(self) -> ClaimedPrompt | None:
        await self._know_history()
        claim = self._missing.pop(0) if self._missing else await self._claim_next()
        if claim is None:
            return None
        prompt = claim.prompt
        if not self._answered.may_answer(prompt):
            await self._commands.finish(claim)
            return None
        self._claim = claim
        self._fate = self._fate_of(claim)
        # From here on it is this engine's: one that is leaving answers it too.
        with suppress(asyncio.CancelledError):
            await self._lease.set_busy(True)
            await self._note(prompt, model=prompt.model)
        return ClaimedPrompt(
            prompt_id=prompt.id,
            text=prompt.text,
            author=prompt.author,
            model=prompt.model,
            # An attempt that was lost is no part of the conversation that the next one goes on with.
            supersedes=self._answered.begun_in(prompt.id) or prompt.supersedes,
            options=prompt.options,
            attachments=prompt.attachments,
            deliveries=claim.deliveries,
            fate=self._fate,
        )

    def _fate_of(self, claim: Claim) -> Fate:
        if claim.entry_id == START:
            return "lost"
        return "set-aside" if claim.deliveries > self._max_deliveries else "answer"

    async def _claim_next(self) -> Claim | None:
        try:
            return await self._ask_for_claim()
        except LeaseTaken:
            # Maybe it has only run out, since this engine slept for long and nobody else has come.
            await self._lease.renew()
            self._check_lease()
            return await self._ask_for_claim()

    async def _ask_for_claim(self) -> Claim | None:
        asking = asyncio.ensure_future(self._commands.claim(self._engine_id, self.epoch))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            # Redis may have handed a prompt out by now: then it is answered, and not lost between here and there.
            with suppress(StoreUnavailable):
                if claim := await asking:
                    return claim
            raise

    async def _know_history(self) -> None:
        """Read it where nobody has: nobody but this seat adds to it, and `finish` says what becomes of its turns."""
        if not self._history_read:
            async for _ in self.history():
                pass

    async def _wait_for_stir(self, seconds: float, idle: float) -> None:
        """Wait until something comes into prompts or control, at most until it is time to leave."""
        if self._idle_seconds is not None:
            seconds = min(seconds, max(self._idle_seconds - idle, 0.01))
        reply = await block_on(self._connection, self._heard, seconds, CHUNK)
        for key, entries in reply.items():
            self._heard[key] = entries[-1][0].decode()

    async def _whole(self, event: Event) -> Event:
        if not isinstance(event, ProviderBlock) or event.block is not None or event.block_key is None:
            return event
        key = event.block_key
        raw = await insist(lambda: self._stream.get_block(key))
        return event if raw is None else event.model_copy(update={"block": json.loads(raw), "block_key": None})

    def _trouble(self) -> str:
        return str(self.sink.trouble or "")

    async def _note(self, prompt: Prompt, *, model: str) -> None:
        """Bring what is listed of the session up to date, and remember it."""
        if prompt.command:
            return
        title, messages = title_of(prompt.text), self._answered.messages(prompt.id)
        await insist(lambda: self._sessions.note(self.session_id, messages=messages, title=title, model=model))
        listed = await insist(lambda: self._sessions.get(self.session_id))
        if listed and listed.stream_epoch:
            self._info = listed
        elif known := self._info:  # Redis has just lost the rest
            self._info = replace(known, title=known.title or title, model=model or known.model, messages=messages)

    async def _restore_session(self) -> None:
        """Redis came back without the session: what is known of it is written again, as of a new stream."""
        if self._info:
            self._info = await self._sessions.create(replace(self._info, stream_epoch="", updated_ms=0))
