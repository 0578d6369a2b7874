"""`riffle run`: one prompt, answered in this process, printed as it comes back from the stream."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from bus.errors import BusError
from bus.events import Error, Event, RunFailed, RunFinished, RunStopped, UserMessage
from bus.feed import ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from bus.session import Queue, SessionInfo
from engine.profiles import Profile
from engine.providers import resolve
from tui.cli.answering import seat_of, service_at
from tui.cli.commands import Run
from tui.cli.connection_notes import ConnectionNotes
from tui.cli.context import Context, open_store
from tui.cli.errors import FAILED, INTERRUPTED, OK, CliError, complain
from tui.cli.loop import Signals
from tui.cli.tail import Printer, RecordPrinter, TextPrinter, line_ended
from tui.cli.transcript import Transcript
from tui.ownership import author
from tui.submit import new_prompt, put_files, submit
from tui.version import version

if TYPE_CHECKING:
    from bus.redis.store import Store


async def run(command: Run, ctx: Context, signals: Signals) -> int:
    """Ask, answer, print. A first Ctrl+C stops the answer and keeps what there is of it, a second one ends at once."""
    async with open_store(ctx) as store:
        info = await _session(store, command, ctx)
        profile = ctx.profile or await _last_profile(store, info, ctx)
        prompt = new_prompt(
            command.prompt,
            author=author(),
            model=command.model or (profile and profile.model) or "",
            options=profile.options() if profile else None,
            attachments=await put_files(store, info.id, command.files),
        )
        turn = _Turn(prompt.id, _printer(command))
        feed = store.watch(info.id, after=(await store.stream(info.id).info()).last_id)
        try:
            await submit(store, info.id, prompt)
            return await _answered(store, info, ctx, signals, turn, feed)
        finally:
            if not turn.begun:
                # Nobody waits for it any more, and nobody shall answer it behind our back.
                with contextlib.suppress(BusError):
                    await store.withdraw(info.id, prompt.id)


async def _answered(
    store: Store, info: SessionInfo, ctx: Context, signals: Signals, turn: _Turn, feed: AsyncGenerator[FeedItem]
) -> int:
    """The exit code, once the turn has ended."""
    # A session that a chat has open is answered by its own engine.
    if await store.lease(info.id) is None:
        return await _answer_here(store, info, ctx, signals, turn, feed)

    def stop() -> bool:
        if turn.begun:
            stopping.append(asyncio.ensure_future(store.interrupt(info.id, author())))
        return turn.begun

    stopping: list[asyncio.Future[None]] = []
    signals.taker = _once(stop)
    return await turn.follow(feed, engine_needed=True)


async def _session(store: Store, command: Run, ctx: Context) -> SessionInfo:
    if command.session:
        return await store.find(command.session)
    if command.continue_last:
        found = [info for info in await store.sessions() if info.messages]
        if not found:
            raise CliError("There is no session to go on with.", "Leave -c out to begin one.")
        return found[0]
    # What keeps it from being answered is better noticed before there is a session without an answer in it.
    await resolve(ctx.model, os.environ, ctx.config.providers).close()
    if await store.role() == "producer":
        raise CliError(
            f"The Redis user {store.user} may only write events of its own: it may neither ask nor read an answer.",
            "`riffle doctor --acl engine` prints how to make a user that may.",
        )
    return await store.create_session(
        SessionInfo(id="", model=ctx.model, owner=author(), cwd=os.getcwd(), version=version())
    )


async def _last_profile(store: Store, info: SessionInfo, ctx: Context) -> Profile | None:
    """By which the session's last prompt was answered: a session that is gone on with keeps it, as in a chat."""
    stream, count = store.stream(info.id), 256
    while True:
        entries = await stream.read_last(count)
        asked = next((e.event for e in reversed(entries) if isinstance(e.event, UserMessage)), None)
        if asked is not None or len(entries) < count:
            break
        count *= 8
    name = (asked and asked.profile) or ""
    if name and name not in ctx.config.profiles:
        complain(f"The profile {name!r} is not in the configuration here: answered without it.")
    return ctx.config.profiles.get(name)


async def _answer_here(
    store: Store, info: SessionInfo, ctx: Context, signals: Signals, turn: _Turn, feed: AsyncGenerator[FeedItem]
) -> int:
    """Run an engine beside the printer until all is printed. The engine's fault ends both."""

    def stop() -> bool:
        stopped = service.interrupt(author())
        if stopped:
            turn.stop()
        return stopped

    async with seat_of(store, info.id, ctx, idle_seconds=None) as seat, asyncio.TaskGroup() as group:
        service = service_at(seat, info, ctx)
        signals.taker = _once(stop)
        group.create_task(service.run())
        code = await turn.follow(feed)
        # It still has to mark the prompt as answered.
        service.leave()
        return code


def _once(stop: Callable[[], bool]) -> Callable[[int], bool]:
    """A taker for the first signal, which stops the answer; a second one ends the program."""
    taken: list[int] = []

    def take(number: int) -> bool:
        taken.append(number)
        return len(taken) == 1 and stop()

    return take


def _printer(command: Run) -> Printer:
    if command.output != "text":
        return RecordPrinter(command.output)
    if command.quiet:
        return TextPrinter(Transcript(sys.stdout, None))
    return TextPrinter(Transcript(sys.stdout, sys.stderr, only_notes=not sys.stderr.isatty()))


class _Turn:
    """The part of a session's feed that answers one prompt, on its way to a printer."""

    def __init__(self, prompt_id: str, printer: Printer) -> None:
        self._prompt_id = prompt_id
        self._printer = printer
        self.begun = False
        self._error: Error | None = None
        self._said: tuple[str, str] | None = None
        """How it ended, for the person: a sentence and what to do next. It is said below the answer."""
        self._connection = ConnectionNotes(printer.end_line)
        self._stopping = False

    def stop(self) -> None:
        """The answer shall stop; where that has to wait for Redis, the person is told."""
        self._stopping = True
        if self._connection.away:
            self._printer.end_line()
            complain("The answer stops as soon as Redis is back.", "Ctrl+C again ends at once.")

    async def follow(self, feed: AsyncGenerator[FeedItem], *, engine_needed: bool = False) -> int:
        """Print until the turn ends; the exit code says how. `engine_needed`: without one it fails."""
        with line_ended(self._printer):
            async with aclosing(feed):
                return await self._follow(feed, engine_needed=engine_needed)

    async def _follow(self, feed: AsyncGenerator[FeedItem], *, engine_needed: bool) -> int:
        async for item in feed:
            code = None
            match item:
                case EntriesRead():
                    code = self._take(item)
                case ConnectionChanged(state):
                    was_away = self._connection.away
                    self._connection.tell(state)
                    if self._stopping and self._connection.away and not was_away:
                        self.stop()
                case LeaseChanged(None, sure=True) if engine_needed:
                    raise CliError("The engine of this session was lost.", "Ask again.")
                case QueueChanged(Queue(paused=True)) if not self.begun:
                    raise CliError(
                        "The prompts of this session are held back, since an answer was interrupted.",
                        "Let them go on first: open it with riffle chat -s, and press Enter.",
                    )
                case _:
                    pass
            # In a thread, so that a reader who does not read never holds up the engine.
            await asyncio.to_thread(self._printer.flush)
            if code is not None:
                if self._said:
                    complain(*self._said)
                return code
        return FAILED

    def _take(self, item: EntriesRead) -> int | None:
        for at, entry in enumerate(item.entries):
            if isinstance(entry.event, UserMessage) and entry.event.prompt_id == self._prompt_id:
                self.begun = True
                del item.entries[:at]
                break
        if not self.begun:
            return None
        for at, entry in enumerate(item.entries, 1):
            code = self._end(entry.event)
            if code is not None:
                self._printer.take(EntriesRead(item.entries[:at], caught_up=True))
                self._printer.finish()
                return code
        self._printer.take(item)
        return None

    def _end(self, event: Event) -> int | None:
        """The exit code, if this event ends the turn."""
        match event:
            case Error():
                self._error = event
            case RunFinished():
                return OK
            case RunFailed(error_string=why):
                what = (self._error and self._error.error_string) or why or "The answer failed."
                self._said = what, (self._error and self._error.hint) or ""
                return FAILED
            case RunStopped(reason="interrupt"):
                self._said = "Interrupted.", ""
                return INTERRUPTED
            case RunStopped(reason=reason):
                self._said = f"The answer is not complete: it was stopped ({reason or 'nobody says why'}).", ""
                return FAILED
            case _:
                pass
        return None
