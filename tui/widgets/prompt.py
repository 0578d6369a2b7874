"""The prompt: several lines, a history, and keys that never lose what was written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea

from tui.attaching import dropped
from tui.bindings import bind
from tui.clean import clean
from tui.drafts import History

PASTE_GUARD_SECONDS = 0.08
"""An Enter that comes this soon after a paste belongs to it: a paste that breaks out of its brackets sends nothing."""


class Prompt(TextArea):
    """Where a person writes. It knows the history, and nothing of sessions: what is wanted goes up as messages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("send", "submit"),
        bind("newline", "newline"),
        bind("previous", "previous"),
        bind("next", "next"),
        bind("focus", "complete"),
        bind("leave", "leave"),
        bind("stop", "screen.stop"),
        bind("page_up", "screen.page(-1)"),
        bind("page_down", "screen.page(1)"),
        bind("top", "screen.top"),
        bind("follow", "screen.follow_end"),
        bind("copy", "screen.copy_answer"),
        bind("into_timeline", "into_timeline"),
    ]

    @dataclass
    class Submitted(Message):
        """The person wants to send `text`; empty when Enter was pressed on an empty prompt."""

        text: str

    class Recalled(Message):
        """Up on an empty prompt: a queued prompt is wanted back."""

    class Left(Message):
        """The person wants to quit."""

    class Away(Message):
        """The person wants to read in the timeline."""

    @dataclass
    class Suggesting(Message):
        """The completions for what stands here may have changed, or `move` asks for the next one."""

        text: str
        move: int = 0

    def __init__(self, history: History, *, clock: Callable[[], float] = time.monotonic) -> None:
        # A blinking cursor costs a frame twice a second for nothing.
        super().__init__(soft_wrap=True, tab_behavior="focus", show_line_numbers=False, highlight_cursor_line=False)
        self.cursor_blink = False
        self.history_of_prompts = history
        self.recallable = False
        """Whether a queued prompt waits, so that Up on an empty prompt takes it back."""
        self.offered: tuple[str, str] | None = None
        """For this text, what Tab, or Enter on a command not yet complete, puts in its place."""
        self._clock = clock
        self._pasted_at = float("-inf")

    @property
    def completion(self) -> str | None:
        """What was offered, unless the text has changed since."""
        return self.offered[1] if self.offered and self.offered[0] == self.text else None

    async def on_key(self, event: events.Key) -> None:
        """Run the prompt's own keys here and now.

        Otherwise a key would go up to the app first, and what is typed behind it would overtake it.
        """
        active = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if active is not None and active.node is self and active.enabled:
            event.stop()
            event.prevent_default()
            await self.run_action(active.binding.action)

    def render_line(self, y: int) -> Strip:
        """A row. Where there is no room for one column, nothing: the toolkit would divide by it."""
        return super().render_line(y) if self.content_size.width > 0 else Strip.blank(self.size.width)

    def set_text(self, text: str) -> None:
        """Replace what stands here, with the cursor at its end. It may be a file's name, or somebody else's prompt."""
        self.text = clean(text)
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Send, unless this Enter was part of a paste."""
        if self._clock() - self._pasted_at < PASTE_GUARD_SECONDS:
            self.insert("\n")
            return
        if self.completion is not None and self.completion.rstrip() != self.text.strip():
            self.action_complete()
            return
        text = self.text.strip("\n")
        # At once, not when the message has arrived: what is typed meanwhile is the next prompt.
        self.set_text("")
        self.post_message(self.Submitted(text))

    def action_newline(self) -> None:
        """Start a new line."""
        self.insert("\n")
        self.scroll_cursor_visible()

    def action_into_timeline(self) -> None:
        """From an empty prompt into the timeline; else select, as everywhere."""
        if self.text:
            self.action_cursor_up(select=True)
        else:
            self.post_message(self.Away())

    def action_complete(self) -> None:
        """Take the completion; without one, let the focus go on."""
        if self.completion is None:
            self.screen.focus_next()
            return
        self.set_text(self.completion)

    def action_previous(self) -> None:
        """One line up; from the first line to the prompt before."""
        if self.completion is not None:
            self.post_message(self.Suggesting(self.text, -1))
        elif not self.text and self.recallable:
            self.post_message(self.Recalled())
        elif self._on_first_row:
            self._recall(self.history_of_prompts.back(self.text))
        else:
            self.action_cursor_up()

    def action_next(self) -> None:
        """One line down; from the last line to the prompt after."""
        if self.completion is not None:
            self.post_message(self.Suggesting(self.text, 1))
        elif self._on_last_row:
            self._recall(self.history_of_prompts.forward())
        else:
            self.action_cursor_down()

    def action_leave(self) -> None:
        """Quit from an empty prompt; else delete to the right, as everywhere."""
        if self.text:
            self.action_delete_right()
        else:
            self.post_message(self.Left())

    def on_text_area_changed(self) -> None:
        """Look for completions of what stands here now."""
        self.post_message(self.Suggesting(self.text))

    async def on_paste(self, event: events.Paste) -> None:
        """Insert a paste, cleaned, with its line ends; it never sends. Paths of files become attachments."""
        event.prevent_default()
        event.stop()
        self._pasted_at = self._clock()
        text = clean(event.text.replace("\r\n", "\n").replace("\r", "\n"))
        self.replace(dropped(text) or text, *self.selection, maintain_selection_offset=False)
        self.scroll_cursor_visible()

    @property
    def _on_first_row(self) -> bool:
        return self.wrapped_document.location_to_offset(self.cursor_location).y == 0

    @property
    def _on_last_row(self) -> bool:
        last = self.wrapped_document.location_to_offset(self.document.end).y
        return self.wrapped_document.location_to_offset(self.cursor_location).y == last

    def _recall(self, prompt: str | None) -> None:
        if prompt is not None:
            self.set_text(prompt)
