"""The session screen: timeline above, prompt below, one status line. Chat, attach and replay are this one screen.

This is the acting part, what keys and commands do; `watching` takes in what comes, `sending` is the
writing part, `reading` what one does with the timeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.binding import BindingType
from textual.widgets import Input

from bus.errors import BusError
from tui.bindings import bind
from tui.screens.reading import ReadingScreen
from tui.sources import Source
from tui.widgets.composer import Composer
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from bus.entities import UserText
    from tui.timeline.view import TimelineView

QUIT_SECONDS = 1.5


class SessionScreen(ReadingScreen):
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
        bind("prompt_up", "to_prompt(-1)", priority=True),
        bind("prompt_down", "to_prompt(1)", priority=True),
        bind("find", "find", priority=True),
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

    def on_resize(self, event: events.Resize) -> None:
        """Draw everything if the terminal was of another size only for a moment: it lost then what stood there.

        Resizes that come close together arrive as one, and the toolkit draws nothing where a size is as it was.
        """
        if event.size == self.size:
            self.refresh()

    # -- keys and commands --------------------------------------------------------------------------------------

    @on(Composer.Called)
    def _called(self, event: Composer.Called) -> None:
        event.command.run(self, event.argument)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of a replay and of a view without a prompt are free for typing elsewhere."""
        match action:
            case "play" | "quit_view" if isinstance(self.focused, Input):
                return False
            case "play":
                return self.source is not None and self.source.player is not None
            case "quit_view":
                return not self.can_send
            case "retry":
                return self.can_send or self.denied
            case "open_editor":
                return self.can_send
            case _:
                return True

    def action_interrupt(self) -> None:
        """Esc: put the completions away, or stop the answer, or go back to the prompt."""
        if not self.can_send or self.composer.close_suggestions():
            return
        if self._answering and self.source and self.fold:
            prompt = self.fold.last_prompt
            self.stop_pending, self.turn_to_stop = True, self.fold.state.turn_id
            self.refresh_facts()
            self._interrupt(self.source, (prompt and prompt.prompt_id) or "")
        else:
            self.composer.prompt.focus()

    @work(exclusive=True, group="interrupt")
    async def _interrupt(self, source: Source, prompt_id: str) -> None:
        """See to it that the engine hears of it, however long Redis is away; when the answer has ended, forget it."""
        try:
            await source.interrupt(prompt_id)
        except BusError as error:
            self.stop_pending = False
            self._say(error)

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

    def action_retry(self) -> None:
        """Ask the last prompt again, in the place of its answer; where access is denied, see whether it still is."""
        if self.denied and self.source:
            self.source.reconnect()
        else:
            self._ask_again(self.fold.last_prompt if self.fold else None)

    def _ask_again(self, prompt: UserText | None) -> None:
        if prompt is None:
            self.notify("There is no prompt to ask again.")
        elif self._answering:
            self.notify("The answer is still coming: Esc stops it.")
        elif self.asked_again(prompt.turn_id):
            self.notify("It is asked again already, and waits for an engine.")
        else:
            self.send(prompt.text, supersedes=prompt.turn_id, files=prompt.attachments)

    def action_play(self, key: str) -> None:
        """A key of the replay."""
        if self.source is not None:
            self.source.play(key)
            self.refresh_facts()

    def action_open_editor(self) -> None:
        """Write the prompt in an editor."""
        self.composer.open_editor()

    def choose_model(self, name: str) -> None:
        """Let `name` answer from now on; empty: ask for one."""
        self.app.pick_model(name)

    def choose_profile(self, name: str) -> None:
        """Let the profile `name` answer from now on; empty: ask for one."""
        self.app.pick_profile(name)

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
