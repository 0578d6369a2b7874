"""Plain mode: a session for screen readers, and for terminals that cannot draw.

Lines are appended and never changed; prompts are read as lines. It is the screen's other half: the same sources, the
same fold, other words.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

from bus.errors import BusError
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem
from bus.session import ConnectionState
from tui.attaching import NotAttached, pick
from tui.fold import Fold
from tui.plain_text import PlainText
from tui.silences import Silences
from tui.sources import Source

QUIT_SECONDS = 2.0
"""Within this time a second Ctrl+C quits."""

PATIENCE_SECONDS = 3.0
"""How long a prompt may wait for an engine before somebody is told."""

LABEL = "User: "
HELP = (
    "Write a prompt and press Enter. A backslash at the end of a line goes on with the next one. "
    "Control C stops an answer; twice, or Control D, quits. "
    "/engine starts an engine here, /help says this again, /quit quits."
)


class Keyboard(Protocol):
    """Where lines are typed."""

    async def line(self) -> str | None:
        """The next line, without its end; None: there will be no more."""
        ...


class TerminalKeyboard:
    """Lines of the terminal, edited and echoed by the terminal itself, as screen readers expect it."""

    def __init__(self, file: int = 0) -> None:
        self._file = file
        self._rest = b""

    async def line(self) -> str | None:
        """Read without a thread: nothing is left waiting when the program ends."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._rest:
            ready = asyncio.Event()
            loop.add_reader(self._file, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._file)
            data = os.read(self._file, 65536)
            if not data:
                break
            self._rest += data
        line, newline, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace") if newline or line else None


class NoKeyboard:
    """Nobody types: what is only watched needs no keys."""

    async def line(self) -> str | None:
        """Never."""
        await asyncio.Event().wait()


class PlainSession:
    """One session, read aloud. `run` it; `interrupt` is what Ctrl+C does."""

    def __init__(
        self,
        source: Source,
        text: PlainText,
        keyboard: Keyboard,
        *,
        model: str = "",
        options: Mapping[str, str] | None = None,
        sends: bool = True,
    ) -> None:
        self.fold = Fold()
        self._silences = Silences(source.player)
        self._source = source
        self._text = text
        self._keyboard = keyboard
        self._model = model
        self._options = dict(options or {})
        self.sends = sends and not source.read_only and source.mode != "replay"
        """Whether prompts are asked for."""
        self._waiting = ""
        """The prompt from here that nobody has begun to answer."""
        self._listening = False
        """The label stands there, and a line is being typed behind it."""
        self._away = False
        self._caught_up = asyncio.Event()
        self._idle = asyncio.Event()
        self._quit = asyncio.Event()
        self._interrupted_at = float("-inf")
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self, prompt: str = "") -> None:
        """Until the recording ends, or somebody quits. Raises `BusError` when the session cannot be read."""
        tasks: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(self._read()),
            asyncio.ensure_future(self._ask(prompt) if self.sends else self._listen()),
            asyncio.ensure_future(self._quit.wait()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks | self._calls:
                task.cancel()
            await asyncio.gather(*tasks, *self._calls, return_exceptions=True)
            self._text.finish()
            self._text.flush()

    def interrupt(self) -> None:
        """Stop the answer; if there is none, or at a second time, quit."""
        now, before = time.monotonic(), self._interrupted_at
        self._interrupted_at = now
        if now - before < QUIT_SECONDS or not self.sends:
            self._quit.set()
        elif self.fold.answering or self._waiting:
            self.tell("Stopping the answer. Control C again quits.")
            self._call(self._stop())
        else:
            self.tell("Control C again quits.")

    def tell(self, note: str) -> None:
        """Say what is not in the stream."""
        self._text.tell(note)
        self._show()

    # -- reading ------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        async for item in self._source.items():
            if isinstance(item, BeganLate):
                # The fold would wait for them. Who listens does not want a long session from its beginning.
                self._text.tell(_left_out(item.count, self._source.session.id))
            else:
                self._read_out(item)
            self._show()
            await asyncio.sleep(0)

    def _read_out(self, item: FeedItem) -> None:
        for note, part in self._silences.between(item):
            if note:
                self._text.tell(note)
            self._text.show(self.fold.take(part))
            self._take(part)
        if note := self._silences.ahead():
            self._text.tell(note)

    def _take(self, item: FeedItem) -> None:
        prompt = self.fold.last_prompt
        if prompt is not None and prompt.prompt_id == self._waiting:
            self._waiting = ""
        match item:
            case ConnectionChanged(state):
                self._take_connection(state)
            case EntriesRead(caught_up=True):
                self._caught_up.set()
            case _:
                pass
        self._settle()

    def _take_connection(self, state: ConnectionState) -> None:
        is_live = state.status == "live"
        if self._away and is_live:
            self._text.tell("Note: Redis is back.")
        elif not self._away and state.status in ("reconnecting", "denied"):
            self._text.tell(f"Note: {state.detail or 'Redis cannot be reached.'}")
        self._away = not is_live and state.status != "connecting"
        if is_live and not self._source.session.id:
            self._caught_up.set()  # a new chat has nothing to catch up with

    def _settle(self) -> None:
        is_idle = self._caught_up.is_set() and not self._waiting and not self.fold.answering
        self._idle.set() if is_idle else self._idle.clear()

    def _show(self) -> None:
        """Write what was collected, and the label again where somebody was asked."""
        if self._listening and self._text.has_news:
            self._text.ask(LABEL)
        self._text.flush()

    # -- asking -------------------------------------------------------------------------------------------------

    async def _ask(self, prompt: str) -> None:
        """Take prompts, one at a time, until there are no more."""
        while True:
            typed = ""
            if not prompt:
                await self._idle.wait()
                if (typed := await self._typed()) is None:
                    return
            match prompt or typed.strip():
                case "/quit" | "/exit":
                    return
                case "/help":
                    self.tell(HELP)
                case "/engine":
                    await self._do(self._source.allow_engine())
                case "":
                    await self._go_on()
                case text:
                    await self._send(text, typed=not prompt)
            prompt = ""

    async def _typed(self) -> str | None:
        """A prompt: a line, and those that it goes on with; None at the end of input."""
        self._text.ask(LABEL)
        self._text.flush()
        self._listening = True
        typed = ""
        try:
            while (line := await self._keyboard.line()) is not None:
                self._text.answered()
                typed += line.removesuffix("\\")
                if not line.endswith("\\"):
                    return typed
                typed += "\n"
            return typed or None
        finally:
            self._listening = False

    async def _listen(self) -> None:
        """Nothing is sent from here: only the end of input counts."""
        while await self._keyboard.line() is not None:
            pass

    async def _send(self, prompt: str, *, typed: bool) -> None:
        prompt_id = self._waiting = str(uuid.uuid4())
        if typed:
            self._text.typed_here.add(prompt_id)
        self._idle.clear()
        try:
            text, files = await asyncio.to_thread(pick, prompt, Path.cwd())
            await self._source.submit(text, prompt_id=prompt_id, model=self._model, options=self._options, files=files)
        except (NotAttached, BusError) as error:
            self._waiting = ""
            self._settle()
            self.tell(f"Error: {error} {getattr(error, 'hint', '')}".rstrip())
        else:
            self._call(self._watch(prompt_id))

    async def _watch(self, prompt_id: str) -> None:
        """Say why nobody answers, where that takes long."""
        await asyncio.sleep(PATIENCE_SECONDS)
        if self._waiting != prompt_id:
            return
        if self.fold.queue.paused:
            self.tell("Note: prompts are held back since an answer was stopped. They go on now.")
            await self._source.resume_queue()
        elif self._source.engine_wanted:
            self._waiting = ""
            self._settle()
            self.tell("Note: no engine answers this session. Type /engine to start one here.")
        elif self._source.unanswered:
            self.tell(f"Note: no engine is there, the prompt waits. {self._source.unanswered}")

    async def _go_on(self) -> None:
        if self.fold.queue.paused:
            await self._do(self._source.resume_queue())

    async def _stop(self) -> None:
        if self.fold.answering:
            await self._source.interrupt()
        elif self._waiting:
            await self._source.withdraw(self._waiting)
            self._waiting = ""
            self._settle()

    async def _do(self, call: Coroutine[Any, Any, None]) -> None:
        try:
            await call
        except BusError as error:
            self.tell(f"Error: {error} {error.hint}".rstrip())

    def _call(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._do(call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)


def _left_out(count: int, session: str) -> str:
    entries = f"{count:,} earlier entries are" if count != 1 else "1 earlier entry is"
    return f"Note: {entries} not read out. To read them: riffle tail {session} --from start"
