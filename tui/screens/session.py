"""The session screen: timeline above, prompt below, one status line. Chat, attach and replay are this one screen.

This is the acting half, what keys and commands do; `watching` is the reading half.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType

from bus.errors import BusError
from tui.keys import bind
from tui.screens.choices import plain_choices
from tui.screens.picker import Picker
from tui.screens.watching import WatchingScreen
from tui.sources import Source
from tui.widgets.composer import Composer
from tui.widgets.prompt import Prompt
from tui.widgets.queue import QueuePanel

if TYPE_CHECKING:
    from bus.entities import UserText
    from tui.timeline.view import TimelineView

QUIT_SECONDS = 1.5

PATIENCE_SECONDS = 3.0
"""How long a prompt waits before this terminal says so or offers to start an engine: another one may be coming."""


class SessionScreen(WatchingScreen):
    """Sends what the person wants to the source that it watches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("interrupt", "interrupt"),
        bind("stop", "stop"),
        bind("retry", "retry"),
        bind("sessions", "pick_session"),
        bind("new", "new"),
        bind("palette", "pick_command"),
        bind("help", "help"),
        bind("page_up", "page(-1)"),
        bind("page_down", "page(1)"),
        bind("top", "top"),
        bind("follow", "follow_end"),
        bind("thinking", "toggle_thinking", priority=True),
        bind("tools", "toggle_tools", priority=True),
        bind("copy", "copy_answer"),
        bind("editor", "open_editor"),
        bind("pause", "play('pause')", priority=True),
        bind("step", "play('step')", priority=True),
        bind("faster", "play('faster')", priority=True),
        bind("slower", "play('slower')", priority=True),
        bind("show_end", "play('show_end')", priority=True),
        bind("quit", "quit_view", priority=True),
    ]

    _begun = False
    _stranded = False

    # -- sending ------------------------------------------------------------------------------------------------

    @on(WatchingScreen.Opened)
    def _send_early(self) -> None:
        early, self.early = self.early, []
        for text in early:
            self.send(text)

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        self.send(event.text, prompt_id=event.prompt_id)

    def send(self, text: str, *, prompt_id: str = "", supersedes: str | None = None) -> None:
        """Send a prompt, now or as soon as the session is open. `prompt_id`: it was tried before under that id."""
        if self.source is None:
            self.early.append(text)
            self.refresh_facts()
        else:
            self.action_follow_end()
            self._submit(self.source, text, prompt_id or str(uuid.uuid4()), supersedes)

    @work(group="send")
    async def _submit(self, source: Source, text: str, prompt_id: str, supersedes: str | None) -> None:
        try:
            await source.submit(text, prompt_id=prompt_id, model=self.model, supersedes=supersedes)
        except BusError as error:
            self._say(error)
            self.composer.give_back(text, prompt_id)
            return

    def took(self, source: Source) -> None:
        """Something came: see whether a prompt waits that nobody here or elsewhere will answer."""
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
        if self.fold and self.fold.queue.prompts:
            self._take_back(self.fold.queue.prompts[-1].id)

    @on(QueuePanel.Clicked)
    def _clicked(self, event: QueuePanel.Clicked) -> None:
        self._take_back(event.prompt_id)

    @work(group="send")
    async def _take_back(self, prompt_id: str) -> None:
        """Put a queued prompt into the prompt line again; what stands there goes into the history."""
        if self.source is None:
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

    # -- keys and commands --------------------------------------------------------------------------------------

    @on(Composer.Called)
    def _called(self, event: Composer.Called) -> None:
        event.command.run(self, event.argument)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of a replay and of a view without a prompt are free for typing elsewhere."""
        match action:
            case "play":
                return self.source is not None and self.source.player is not None
            case "quit_view":
                return not self.can_send
            case "retry" | "open_editor":
                return self.can_send
            case _:
                return True

    def action_interrupt(self) -> None:
        """Esc: put the completions away, or stop the answer, or go back to the prompt."""
        if not self.can_send or self.composer.close_suggestions():
            return
        if self._answering and self.source:
            self.stop_pending = True
            self.refresh_facts()
            self._call(self.source.interrupt())
        else:
            self.composer.prompt.focus()

    def action_stop(self) -> None:
        """Ctrl+C: copy what is selected, or stop the answer, or lay the draft aside, or quit at the second press."""
        if selected := self._selected_text():
            self.app.copy_to_clipboard(selected)
            self.clear_selection()
        elif self.quit_armed:
            self.app.leave()
        elif self.can_send and self._answering and not self.stop_pending:
            self.action_interrupt()
        elif not (self.can_send and self.composer.clear_into_history()):
            self.quit_armed = True
            self.set_timer(QUIT_SECONDS, self._disarm)
            self.refresh_facts()

    def _selected_text(self) -> str:
        in_prompt = self.composer.prompt.selected_text if self.can_send else ""
        return in_prompt or self.get_selected_text() or ""

    def _disarm(self) -> None:
        self.quit_armed = False
        self.refresh_facts()

    @property
    def _answering(self) -> bool:
        return self.fold is not None and self.fold.answering

    @on(Prompt.Left)
    def _left(self) -> None:
        self.app.leave()

    def action_quit_view(self) -> None:
        """Quit."""
        self.app.leave()

    def on_timeline_view_retry_requested(self, event: TimelineView.RetryRequested) -> None:
        """The timeline's own retry was chosen: it is about the turn that it stands in."""
        if self.can_send:
            self._ask_again(self.fold.prompt_of(event.entity.turn_id) if self.fold else None)
        else:
            self.notify("Nothing can be sent from here: it is read-only.")

    def on_timeline_view_link_activated(self, event: TimelineView.LinkActivated) -> None:
        """A link of the timeline was chosen."""
        self.app.ask_about_link(event.url)

    def action_retry(self) -> None:
        """Ask the last prompt again, in the place of its answer."""
        self._ask_again(self.fold.last_prompt if self.fold else None)

    def _ask_again(self, prompt: UserText | None) -> None:
        if prompt is None:
            self.notify("There is no prompt to ask again.")
        elif self._answering:
            self.notify("The answer is still coming: Esc stops it.")
        else:
            self.send(prompt.text, supersedes=prompt.turn_id)

    def action_copy_answer(self) -> None:
        """Copy the last answer as Markdown."""
        answer = self.fold.last_answer() if self.fold else ""
        if answer:
            self.app.copy_to_clipboard(answer)
        else:
            self.notify("There is no answer to copy yet.")

    def action_play(self, key: str) -> None:
        """A key of the replay."""
        if self.source is not None:
            self.source.play(key)
            self.refresh_facts()

    def action_page(self, pages: int) -> None:
        """Scroll the timeline from wherever the focus is."""
        if self.view:
            self.view.action_page_up() if pages < 0 else self.view.action_page_down()

    def action_top(self) -> None:
        """Go to the beginning of the timeline."""
        if self.view:
            self.view.action_scroll_home()

    def action_follow_end(self) -> None:
        """Go to the end of the timeline and follow it."""
        if self.view:
            self.view.follow()

    def action_toggle_thinking(self) -> None:
        """Open or close all thinking."""
        if self.view:
            self.view.action_toggle_thinking()

    def action_toggle_tools(self) -> None:
        """Open or close all tool calls."""
        if self.view:
            self.view.action_toggle_tools()

    def action_open_editor(self) -> None:
        """Write the prompt in an editor."""
        self.composer.open_editor()

    def choose_model(self, name: str) -> None:
        """Let `name` answer from now on; empty: ask for one."""
        self.app.pick_model(name)

    def choose_theme(self, name: str) -> None:
        """Wear the theme `name`; empty: ask for one."""
        self.app.pick_theme(name)

    def action_new(self) -> None:
        """Start a new session."""
        self.app.start_session()

    def action_pick_command(self) -> None:
        """Show all commands."""
        self.app.pick_command()

    def action_help(self) -> None:
        """Show the keys and commands."""
        self.app.show_help()

    def action_pick_session(self) -> None:
        """Open another session."""
        self.app.pick_session()
