"""The sending part of the session screen: prompts, their files and profiles, commands to the engine, the queue."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work

from bus.errors import BusError, StoreUnavailable
from bus.retry import insist
from bus.session import Prompt as QueuedPrompt
from engine.profiles import COMPACT, UNDO
from tui.attaching import NotAttached, pick
from tui.facts import Facts
from tui.screens.choices import plain_choices
from tui.screens.picker import Picker
from tui.screens.watching import WatchingScreen
from tui.sources import Source
from tui.widgets.composer import Composer
from tui.widgets.prompt import Prompt
from tui.widgets.queue import QueuePanel

if TYPE_CHECKING:
    from bus.attachment import Attachment

OFFER_COMPACTION = 0.85
"""How full the context is when this terminal says what can be done."""

PATIENCE_SECONDS = 3.0
"""How long a prompt waits before this terminal says so or offers to start an engine: another one may be coming."""


class SendingScreen(WatchingScreen):
    """Sends what the person writes to the source that it watches."""

    _begun = False
    _held = False
    """Redis has not taken what is being sent, and the person knows."""
    _again: str | None = None
    """The turn whose prompt is just being sent again, or taken back."""
    _offered_compaction = False
    _stranded = False

    @cached_property
    def _one_by_one(self) -> asyncio.Lock:
        """Prompts go out in the order in which they were sent."""
        return asyncio.Lock()

    # -- sending ------------------------------------------------------------------------------------------------

    @on(WatchingScreen.Opened)
    def _send_early(self) -> None:
        early, self.early = self.early, []
        for text in early:
            self.send(text)

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        self.send(event.text, prompt_id=event.prompt_id)

    def send(
        self,
        text: str,
        *,
        prompt_id: str = "",
        supersedes: str | None = None,
        files: Sequence[Attachment] | None = None,
    ) -> None:
        """Send a prompt, now or as soon as the session is open. `prompt_id`: it was tried before under that id.

        With `files`, those of an earlier prompt, its text is sent as it is; else the files are those that it names.
        """
        if self.source is None:
            self.early.append(text)
            self.refresh_facts()
        else:
            if self.view:
                self.view.follow()
            self._again = supersedes or self._again
            prompt = QueuedPrompt(id=prompt_id or str(uuid.uuid4()), text=text, author="", supersedes=supersedes)
            self.going[prompt.id] = prompt
            self.refresh_facts()
            self.run_worker(self._submit(self.source, prompt, files), group=f"send {prompt.id}")

    async def _submit(self, source: Source, prompt: QueuedPrompt, files: Sequence[Attachment] | None) -> None:
        """Send it once, however often Redis has to be asked for that: nobody else's prompt comes in between."""
        text, prompt_id, supersedes = prompt.text, prompt.id, prompt.supersedes
        sent, going, options, model = text, files, self.options(), self.model
        try:
            async with self._one_by_one:
                if going is None:
                    sent, going = await asyncio.to_thread(pick, text, Path.cwd())
                call = partial(source.submit, sent, prompt_id=prompt_id, model=model, supersedes=supersedes)
                await insist(partial(call, options=options, files=going), self._note)
        except NotAttached as error:
            self.notify(str(error), severity="error", timeout=10)
            self.composer.give_back(text)
        except BusError as error:
            self._say(error)
            self.composer.give_back(text, prompt_id)
        finally:
            self._again = None if supersedes == self._again else self._again
            self.going.pop(prompt_id, None)
            self._held = self._held and bool(self.going)
        self.refresh_facts()

    def _note(self, trouble: StoreUnavailable | None) -> None:
        """Say once that prompts wait for Redis."""
        if trouble and not self._held:
            why = f"{trouble} {trouble.hint}".strip()
            self.notify(f"{why} The prompt is sent when Redis is back.", severity="warning")
        self._held = trouble is not None

    async def stop(self) -> None:
        """Leave. What waits for Redis cannot wait without us: it is a draft, or in the history."""
        for prompt in list(self.going.values()) if self._held else ():
            self._hold_back(prompt)
        await super().stop()

    def _hold_back(self, prompt: QueuedPrompt) -> None:
        """Put into the prompt line what Redis has not taken. It may have: so it keeps its id."""
        self.workers.cancel_group(self, f"send {prompt.id}")  # pyright: ignore[reportUnknownMemberType]
        self.going.pop(prompt.id, None)
        self.composer.give_back(prompt.text, prompt.id)

    def asked_again(self, turn_id: str | None) -> bool:
        """Whether the prompt of that turn waits already to be asked again, from wherever it was sent."""
        waiting = (*self.source.unbegun, *self.fold.queue.prompts) if self.source and self.fold else ()
        return turn_id is not None and (turn_id == self._again or any(p.supersedes == turn_id for p in waiting))

    @work(group="send")
    async def _unask(self, source: Source, prompt: QueuedPrompt) -> None:
        """The answer that was taken for lost goes on: nobody wants a second one."""
        self._again = prompt.supersedes
        with contextlib.suppress(BusError):  # what comes next of the answer is the next chance
            if await source.withdraw(prompt.id):
                self.notify("The engine is there after all, and goes on: what was asked again is taken back.")
        self._again = None

    def options(self) -> dict[str, str]:
        """What the profile says, to go with a prompt."""
        name = self.active_profile
        profile = self.app.config.profiles.get(name)
        if name and profile is None:
            self.notify(f"The profile {name!r} is not in the configuration here: answered without it.", timeout=10)
        return profile.options() if profile else {}

    def noticed(self, facts: Facts) -> None:
        """Offer once to make room, when the context gets full."""
        full = facts.context is not None and facts.context >= OFFER_COMPACTION
        if full and not self._offered_compaction and facts.answering_seconds is None and self.can_send:
            part = f"{facts.context or 0:.0%}".replace("%", " %")
            self.notify(f"The context is {part} full: /compact sums the conversation up to make room.", timeout=12)
            self._offered_compaction = True
        elif not full:
            self._offered_compaction = False

    def took(self, source: Source) -> None:
        """Something came: see whether a prompt waits that nobody here or elsewhere will answer, or shall."""
        going_on = self.fold.state.turn_id if self.fold and self.fold.answering else None
        for prompt in source.unbegun if going_on else ():
            if prompt.supersedes == going_on != self._again:
                self._unask(source, prompt)
        stranded = source.engine_wanted or bool(source.unanswered)
        if stranded and not self._stranded:
            self.set_timer(PATIENCE_SECONDS, partial(self._offer_engine, source))
        self._stranded = stranded

    @work(exclusive=True, group="engine")
    async def _offer_engine(self, source: Source) -> None:
        """What is only watched, or somebody else's, gets no engine unasked: its calls cost this user money."""
        if source.unanswered:
            self.notify(f"No engine is there: the prompt waits. {source.unanswered}", timeout=10)
        if not source.engine_wanted:
            return
        choices = plain_choices([("Leave the prompt waiting", ""), ("Start an engine here", "")])
        answer = await self.app.push_screen_wait(Picker("No engine answers this session", choices))
        if answer == "Start an engine here":
            self._call(source.allow_engine())

    @on(Composer.Typing)
    def _typing(self) -> None:
        if self.source is not None and not self._begun:
            self._begun = True
            self._begin(self.source)

    @work(group="begin")
    async def _begin(self, source: Source) -> None:
        """Start the engine while the person is still writing."""
        try:
            await source.begin()
        except BusError as error:
            self._begun = False
            self._say(error)

    @on(Composer.Resumed)
    def _resume(self) -> None:
        if self.source and self.fold and self.fold.queue.paused:
            self._call(self.source.resume_queue())

    @on(Prompt.Recalled)
    def _recalled(self) -> None:
        if there := [prompt.id for prompt in self.waiting().prompts if prompt.id]:
            self._take_back(there[-1])

    @on(QueuePanel.Clicked)
    def _clicked(self, event: QueuePanel.Clicked) -> None:
        self._take_back(event.prompt_id)

    @work(group="send")
    async def _take_back(self, prompt_id: str) -> None:
        """Put a queued prompt into the prompt line again; what stands there goes into the history."""
        if self.source is None:
            return
        going = self.going.get(prompt_id)
        if going and not (self.fold and any(prompt.id == prompt_id for prompt in self.fold.queue.prompts)):
            self.composer.clear_into_history()
            self._hold_back(going)
            self.refresh_facts()
            return
        try:
            prompt = await self.source.withdraw(prompt_id)
        except BusError as error:
            self._say(error)
            return
        if prompt is None:
            self.notify("Too late: the engine has taken that prompt up.")
            return
        self.composer.clear_into_history()
        self.composer.prompt.set_text(prompt.text)

    @work(group="send")
    async def _call(self, call: Awaitable[None]) -> None:
        try:
            await call
        except BusError as error:
            self._say(error)

    def _say(self, error: BusError) -> None:
        self.notify(f"{error} {error.hint}".strip(), severity="error")

    def compact(self, argument: str) -> None:
        """Sum up what the model is told, or, with `undo`, take that back."""
        if argument not in ("", "undo"):
            self.notify("/compact sums the conversation up, /compact undo takes that back.", severity="warning")
        elif self.source is None or not (self.fold and self.fold.last_prompt):
            self.notify("There is nothing to compact yet.")
        else:
            self._command(self.source, f"/compact {argument}".rstrip(), UNDO if argument else COMPACT)

    @work(group="send")
    async def _command(self, source: Source, text: str, command: str) -> None:
        """Send a command to the engine, the way that prompts go: it waits its turn behind them."""
        options = {**self.options(), "command": command}
        try:
            await source.submit(text, prompt_id=str(uuid.uuid4()), model=self.model, options=options)
        except BusError as error:
            self._say(error)
