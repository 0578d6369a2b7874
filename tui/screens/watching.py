"""The reading half of the session screen: from a source over the fold into the timeline and the status line."""

from __future__ import annotations

import asyncio
import importlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import getters, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from bus.errors import BusError
from bus.session import Prompt as QueuedPrompt
from bus.session import Queue
from tui import collector
from tui.clean import clean_line
from tui.drafts import Drafts, History
from tui.facts import Facts, Mode, Playing
from tui.openings import Attach, Chat, Opening
from tui.screens.choices import session_choices
from tui.screens.picker import Picker
from tui.sources import Library, Source
from tui.widgets.composer import Composer
from tui.widgets.status import StatusLine
from tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from bus.feed import FeedItem
    from tui.app import Riffle
    from tui.fold import Fold
    from tui.timeline.view import TimelineView

TICK_SECONDS = 0.5

SLICES_APART_SECONDS = 0.004
"""A key that is pressed while a long history is read takes several turns of the loop to be seen."""


class WatchingScreen(Screen[None]):
    """Reads a source, folds it and shows it. `SessionScreen` adds what a person can do."""

    if TYPE_CHECKING:
        app = getters.app(Riffle)

    class Opened(Message):
        """The source is open: prompts can be sent."""

    def __init__(self, opening: Opening, library: Library, history: History, drafts: Drafts, model: str) -> None:
        super().__init__()
        self.opening = opening
        self.model = model
        """Who is asked; empty: whoever the engine takes."""
        self.profile: str | None = opening.profile if isinstance(opening, Chat) else None
        """The profile that was chosen here; empty: none, whatever the session was asked by."""
        self.source: Source | None = None
        self.fold: Fold | None = None
        self._windows: dict[str, int] = {}
        """By model, how many tokens it takes; 0: not known."""
        self._library = library
        self.view: TimelineView | None = None
        """The timeline; not there yet while the first frame is drawn, which needs nothing of it."""
        self.composer = Composer(history, drafts)
        self._stage = Container(id="stage")
        self._welcome = Welcome()
        self._status = StatusLine()
        self.quit_armed = False
        """The next Ctrl+C quits."""
        self.stop_pending = False
        """A stop was asked for and the answer has not ended yet."""
        self.turn_to_stop: str | None = None
        self.early: list[str] = [opening.prompt] if isinstance(opening, Chat) and opening.prompt else []
        self.going: dict[str, QueuedPrompt] = {}
        """What was sent from here and Redis has not taken yet, by id and in order."""
        self.mode: Mode = "chat" if isinstance(opening, Chat) else "attach" if isinstance(opening, Attach) else "replay"

    @property
    def can_send(self) -> bool:
        """Whether there is a prompt."""
        if self.source is not None and self.source.may_not:
            return False
        return self.mode != "replay" and not (isinstance(self.opening, Attach) and self.opening.read_only)

    @property
    def denied(self) -> bool:
        """Whether the store lets nobody in now, and may do so again."""
        state = self.fold.connection if self.fold else None
        return state is not None and state.status == "denied" and state.retry_at is not None

    def compose(self) -> ComposeResult:
        """The stage (welcome or timeline), the prompt or what stands for it, the status line."""
        with self._stage:
            yield self._welcome
        if self.can_send:
            yield self.composer
        else:
            yield Static(self._keys_line(), id="keys-line", markup=False)
        yield self._status

    def on_mount(self) -> None:
        """Draw first; whatever is heavy begins after the first frame."""
        self._tick = self.set_interval(TICK_SECONDS, self.refresh_facts, pause=True)
        if self.can_send:
            self.composer.prompt.focus()
        self._show_welcome()
        self.refresh_facts()
        self.call_after_refresh(self.follow)

    # -- reading ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Open the source and show what comes, for as long as the screen is there."""
        try:
            opening = await self._chosen_opening()
            if opening is None:
                self.app.leave()
                return
            self.source = await self._library.open(opening)
            loaded = await self._load()
            if loaded is None:
                return
            fold, view = loaded
            from bus.feed import BeganLate  # the first frame did not wait for it

            self._opened(self.source)
            collector.resume()
            async for item in self.source.items():
                self._take(item, fold, view)
                if isinstance(item, BeganLate):
                    self._fill(self.source, fold, view)
                # A long history comes in chunks: between two of them keys are echoed.
                await asyncio.sleep(0)
        except BusError as error:
            self.app.fail(error)

    @work(group="follow")
    async def _fill(self, source: Source, fold: Fold, view: TimelineView) -> None:
        """Read what stands before the last turns, and put it above them when it is whole."""
        shown = asyncio.Event()
        self.call_after_refresh(shown.set)
        await shown.wait()  # the last turns are what somebody waits for
        try:
            async for entries in source.earlier():
                view.prepare(fold.take_earlier(entries))
                self.refresh_facts()
                await asyncio.sleep(SLICES_APART_SECONDS)
            while fold.lags:
                view.prepare(fold.catch_up())
                await asyncio.sleep(SLICES_APART_SECONDS)
        except BusError as error:
            self.app.fail(error)
        else:
            view.prepare(fold.join())
            if self.stop_pending:
                self.turn_to_stop = fold.state.turn_id  # its name may stand before what was read then
            view.join(fold.timeline.entities)
            self.refresh_facts()

    async def _load(self) -> tuple[Fold, TimelineView] | None:
        """Import what shows a timeline, in a thread, and put it on the screen; None: that was left meanwhile."""
        fold_module = await asyncio.to_thread(importlib.import_module, "tui.fold")
        view_module = await asyncio.to_thread(importlib.import_module, "tui.timeline.view")
        # The first answer needs it: drawing that would hold up the keys.
        await asyncio.to_thread(importlib.import_module, "markdown_it")
        if not self._stage.is_attached:
            return None
        fold: Fold = fold_module.Fold()
        view: TimelineView = view_module.TimelineView()
        view.display = False
        view.prices = self.app.prices
        await self._stage.mount(view)
        view.show_pictures(self.app.config.pictures)
        self.fold, self.view = fold, view
        return fold, view

    async def stop(self) -> None:
        """Read no further, and let go of the session."""
        self.workers.cancel_group(self, "follow")  # pyright: ignore[reportUnknownMemberType]
        if self.source is not None:
            await self.source.close()

    async def _chosen_opening(self) -> Opening | None:
        """What to open; asked for where the command line named nothing. None: the person left the list."""
        opening = self.opening
        if isinstance(opening, Chat) or opening.session or opening.stream:
            return opening
        sessions = await self._library.sessions()
        picker = Picker(
            "Sessions", session_choices(sessions, self.app.now()), empty="There is no session. Begin one with: riffle"
        )
        chosen = await self.app.push_screen_wait(picker)
        return self.app.opening_of(chosen, like=opening) if chosen else None

    def _opened(self, source: Source) -> None:
        self._show_welcome()
        if source.may_not:
            self._take_prompt_away()
        if self.view is not None:
            self.view.me = source.author
            self.view.can_retry = self.can_send
        if self.can_send:
            self.composer.use_draft_of(source.session.id)
            self.post_message(self.Opened())
        elif self.view is not None:
            self.view.focus()

    def _take_prompt_away(self) -> None:
        """It was there before anybody knew that this user may not send; what was written in it stays a draft."""
        if self.early:
            self.composer.give_back(self.early.pop(), "")
        self.composer.display = False
        self.mount(Static(self._keys_line(), id="keys-line", markup=False), after=self.composer)
        self.refresh_bindings()

    def _take(self, item: FeedItem, fold: Fold, view: TimelineView) -> None:
        if changes := fold.take(item):
            if not view.display:
                self._welcome.display = False
                view.display = True
                if not self.can_send:
                    view.focus()
            view.show(changes)
        elif fold.caught_up and not view.display:
            self._show_welcome()
        if self.stop_pending and not (fold.answering and fold.state.turn_id == self.turn_to_stop):
            self.stop_pending = False
            self.workers.cancel_group(self, "interrupt")  # pyright: ignore[reportUnknownMemberType]
        # While an answer only grows, the clock's tick says its figures soon enough: they are not worth a frame each.
        if self.mode == "replay" or not fold.only_grew(changes):
            self.refresh_facts()
        if self.source is not None:
            self.took(self.source)

    def took(self, source: Source) -> None:
        """Something came, and is on the screen."""

    # -- showing ------------------------------------------------------------------------------------------------

    def refresh_facts(self) -> None:
        """Bring the status line and the queue up to date."""
        fold = self.fold
        facts = Facts(
            mode=self.mode,
            read_only=not self.can_send,
            title=self.source.session.title if self.source else "",
            model=self.shown_model,
            profile=self.active_profile,
            quit_armed=self.quit_armed,
            stop_pending=self.stop_pending,
            following=self.view is None or self.view.following,
            new_below=self.view.new_below if self.view else 0,
            playing=self._playing(),
        )
        if fold is not None:
            facts = replace(
                facts,
                connection=fold.connection,
                retry_seconds=max(0.0, (fold.connection.retry_at or 0.0) - time.monotonic()),
                behind=fold.behind,
                earlier=round(fold.earlier_left, -4),
                answering_seconds=self._answering_seconds(fold),
                next_try_seconds=self._next_try_seconds(fold),
                tokens_per_second=fold.rate() if fold.answering else None,
                input_tokens=fold.state.input_tokens,
                output_tokens=fold.state.output_tokens,
                cost=self._cost(fold),
                context=self._context_share(fold),
                engine_lost=fold.engine_lost,
                engine_trouble=fold.lease.trouble if fold.lease else "",
                queue_paused=fold.queue.paused and bool(fold.queue.prompts),
            )
        self._status.facts = facts
        self.app.name_window(facts.title)
        self.noticed(facts)
        playing = facts.playing
        moving = facts.answering_seconds is not None or (playing and not (playing.paused or playing.ended))
        self._tick.resume() if moving else self._tick.pause()
        if self.can_send:
            self.composer.show_queue(self.waiting(), answering=facts.answering_seconds is not None)

    def _cost(self, fold: Fold) -> str:
        from tui.prices import dollars  # the first frame did not wait for it

        return dollars(self.app.prices.cost(fold.state.usage))

    def waiting(self) -> Queue:
        """What waits: in the queue, on its way to there, and for the session to be open."""
        queue = self.fold.queue if self.fold else Queue()
        there = {prompt.id for prompt in queue.prompts}
        going = tuple(prompt for prompt in self.going.values() if prompt.id not in there)
        early = tuple(QueuedPrompt(id="", text=text, author="") for text in self.early)
        return Queue(queue.prompts + going + early, queue.paused)

    def _playing(self) -> Playing | None:
        player = self.source.player if self.source else None
        return player and Playing(
            elapsed=player.elapsed,
            total=player.total,
            speed=player.speed,
            paused=player.paused,
            ended=player.ended,
            unfinished=self.fold is not None and self.fold.answering,
        )

    def _answering_seconds(self, fold: Fold) -> float | None:
        since = fold.state.since_ms
        if not fold.answering or since is None or self.mode == "replay":
            return None
        return max(0.0, self.app.now() - since / 1000)

    def _next_try_seconds(self, fold: Fold) -> float | None:
        at = fold.state.next_try_ms
        return None if at is None else max(0.0, at / 1000 - self.app.now())

    def noticed(self, facts: Facts) -> None:
        """What the status line knows has changed."""

    def _context_share(self, fold: Fold) -> float | None:
        model = self.shown_model
        if model and model not in self._windows:
            self._windows[model] = 0
            self._ask_for_window(model)
        window = self._windows.get(model)
        return fold.state.context_tokens / window if window and fold.state.context_tokens else None

    @work(group="window")
    async def _ask_for_window(self, model: str) -> None:
        """See how many tokens a model takes: it is looked up in files."""
        if self.app.offered is not None:
            self._windows[model] = await asyncio.to_thread(self.app.offered.window, model)
            self.refresh_facts()

    @property
    def active_profile(self) -> str:
        """By which profile the next prompt is answered: the one that was chosen, else the last prompt's."""
        if self.profile is not None:
            return self.profile
        last = self.fold.last_prompt if self.fold and self.mode == "chat" else None
        return (last and last.profile) or ""

    @property
    def shown_model(self) -> str:
        """Who answers, as far as anybody knows."""
        if self.mode == "chat" and self.model:
            return self.model
        session = self.source.session.model if self.source else ""
        answered = (self.fold and self.fold.state.model) or ""
        if self.mode != "chat":
            # Who watches sees who answers now, whoever did when the session began.
            return answered or session
        return session or answered or self.app.default_model

    def _show_welcome(self) -> None:
        welcome = self._welcome
        if self.mode == "chat":
            welcome.show_chat(self.shown_model, demo_since_no_key=self.app.demo_since_no_key)
        elif self.mode == "attach" and not (self.fold and self.fold.caught_up):
            welcome.update("")  # nobody knows yet whether there is something; the status line says why
        elif isinstance(self.opening, Attach) and self.opening.stream:
            welcome.show_line("Nothing here yet", "There is no such stream yet, or it is empty: waiting for an entry.")
        elif self.mode == "attach":
            welcome.show_line("Nothing here yet", "What happens in this session shows up here.")
        else:
            welcome.show_line("Replay", "Space pauses, . goes one entry on, + and - change the speed.")

    def _keys_line(self) -> str:
        if self.mode == "replay":
            return "q quit   space pause   . step   + - speed   End all at once"
        why = self.source.may_not if self.source else ""
        return f"q quit   read-only: {clean_line(why) or 'nothing is sent from here'}"

    # By name: to name the class, the first frame would have to wait for the timeline's modules.
    def on_timeline_view_follow_changed(self) -> None:
        """The timeline follows its end, or something is new below."""
        self.refresh_facts()
