"""The lower part of a session screen: what waits, the prompt, its completions and its draft."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, on, work
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.message import Message

from bus.session import Queue
from tui import attaching, commands
from tui.drafts import Drafts, History
from tui.editor import edited
from tui.widgets.prompt import Prompt
from tui.widgets.queue import QueuePanel
from tui.widgets.suggestions import Suggestion, Suggestions

NEW_DRAFT = "new"
"""The key under which the draft of a chat lies that has no session yet."""

KEEP_SECONDS = 1.0


class Composer(Vertical):
    """Turns what is typed into prompts and commands. It knows no session: what is wanted goes up as messages."""

    if TYPE_CHECKING:
        app = getters.app(App[object])

    @dataclass
    class Submitted(Message):
        """A prompt is to be sent. `prompt_id` is that of an earlier try with the same text, else empty."""

        text: str
        prompt_id: str = ""

    @dataclass
    class Called(Message):
        """A slash command is to be run."""

        command: commands.Command
        argument: str

    class Typing(Message):
        """Something was written: whoever answers may get ready."""

    class Resumed(Message):
        """Enter on an empty prompt: a paused queue may go on."""

    def __init__(self, history: History, drafts: Drafts) -> None:
        super().__init__()
        self.prompt = Prompt(history)
        """Where the person writes."""
        self.prompt.placeholder = "Ask anything"
        self._history = history
        self._drafts = drafts
        self._key = NEW_DRAFT
        self._kept = ""
        self._given_back = ("", "")
        """A text that could not be sent, and the id that it was sent with."""

    def compose(self) -> ComposeResult:
        """What waits, above the prompt."""
        yield Suggestions()
        yield QueuePanel()
        yield self.prompt

    def on_mount(self) -> None:
        """Keep the draft in a while after each change, not at each key."""
        self._timer = self.set_interval(KEEP_SECONDS, self.keep_draft, pause=True)

    def on_unmount(self) -> None:
        """Whatever ends the screen, the draft is kept."""
        self.keep_draft()

    # -- queue --------------------------------------------------------------------------------------------------

    def show_queue(self, queue: Queue, *, answering: bool) -> None:
        """Show the prompts that wait."""
        panel = self.query_one(QueuePanel)
        panel.queue = queue
        panel.answering = answering
        self.prompt.recallable = bool(queue.prompts)

    # -- draft --------------------------------------------------------------------------------------------------

    def use_draft_of(self, session_id: str) -> None:
        """The prompt belongs to this session from now on: its draft comes back, unless something stands there."""
        self._key = session_id or NEW_DRAFT
        if not self.prompt.text and (draft := self._drafts.get(self._key)):
            self._kept = draft
            self.prompt.set_text(draft)

    def keep_draft(self) -> None:
        """Write the draft down, where it has changed."""
        self._timer.pause()
        text = self.prompt.text
        if text == self._kept:
            return
        self._kept = text
        # A full disk loses the draft at quit and nothing else; typing goes on.
        with contextlib.suppress(OSError):
            self._drafts.put(self._key, text)

    def clear_into_history(self) -> bool:
        """Empty the prompt; Up brings its text back. False: it was empty."""
        text = self.prompt.text
        if not text:
            return False
        self._remember(text)
        self.prompt.set_text("")
        self._given_back = ("", "")
        return True

    def give_back(self, text: str, prompt_id: str = "") -> None:
        """A prompt cannot be sent: it stands in the line again, or in the history where something else stands there."""
        if self.prompt.text:
            self._remember(text)
        else:
            self.prompt.set_text(text)
            self._given_back = (text, prompt_id)

    def _remember(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._history.add(text)

    # -- what the prompt says -----------------------------------------------------------------------------------

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
        text = event.text
        if not text.strip():
            self.post_message(self.Resumed())
            return
        try:
            called = commands.parse(text)
        except commands.UnknownCommand as error:
            self.notify(str(error), severity="warning")
            self.give_back(text)
            return
        self._remember(text)
        self.keep_draft()
        (given_back, prompt_id), self._given_back = self._given_back, ("", "")
        if called is None:
            sent = text.removeprefix("/") if text.startswith("//") else text
            self.post_message(self.Submitted(sent, prompt_id if sent == given_back else ""))
        else:
            self.post_message(self.Called(*called))

    @on(Prompt.Suggesting)
    def _suggest(self, event: Prompt.Suggesting) -> None:
        event.stop()
        suggestions = self.query_one(Suggestions)
        if event.move:
            suggestions.move(event.move)
        else:
            suggestions.offer([_command(c) for c in commands.completions(event.text, prompts=True)])
            if (begun := attaching.begun(event.text)) is not None:
                self._suggest_paths(event.text, *begun)
            self._timer.resume()
            if event.text:
                self.post_message(self.Typing())
        self._set_completion()

    @work(exclusive=True, group="paths")
    async def _suggest_paths(self, text: str, before: str, path: str) -> None:
        """Offer what a path may become, once the folder was read, if nothing was typed meanwhile."""
        found = await asyncio.to_thread(attaching.completions, path, Path.cwd())
        if self.prompt.text == text:
            self.query_one(Suggestions).offer([_path(before, name) for name in found])
            self._set_completion()

    def close_suggestions(self) -> bool:
        """Put the list of completions away; False: there was none."""
        shown = self.query_one(Suggestions).suggestion is not None
        self.query_one(Suggestions).offer(())
        self._set_completion()
        return shown

    def _set_completion(self) -> None:
        suggestions, text = self.query_one(Suggestions), self.prompt.text
        suggestion = suggestions.suggestion
        if suggestion is None or (commands.is_name(text) and suggestions.chosen == 0):
            self.prompt.offered = None
        else:
            self.prompt.offered = (text, suggestion.becomes)

    # -- editor -------------------------------------------------------------------------------------------------

    def open_editor(self) -> None:
        """Write the prompt in $VISUAL or $EDITOR. The text comes back when the editor ends well."""
        text = edited(self.app, self.prompt.text)
        if text is not None:
            self.prompt.set_text(text.rstrip("\n"))


def _command(command: commands.Command) -> Suggestion:
    call = f"/{command.name}"
    return Suggestion(f"{call} {command.argument}".rstrip(), command.help, call + (" " if command.argument else ""))


def _path(before: str, name: str) -> Suggestion:
    """A folder is gone into; behind a file the prompt goes on."""
    mention = attaching.mention(name)
    if name.endswith("/"):
        return Suggestion(name, "", before + mention.removesuffix('"'))
    return Suggestion(name, "", f"{before}{mention} ")
