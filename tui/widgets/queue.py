"""Prompts that wait for an engine, in sight above the prompt."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from bus.session import Prompt, Queue
from tui.clean import clean_line

SHOWN = 4
ROOMY = 30


class QueuePanel(Widget):
    """One line per waiting prompt; a click takes one back for editing. No line at all where none waits."""

    ALLOW_SELECT = False
    queue: reactive[Queue] = reactive(Queue(), layout=True)
    answering: reactive[bool] = reactive(False)

    @dataclass
    class Clicked(Message):
        """Somebody wants the queued prompt `prompt_id` back."""

        prompt_id: str

    def watch_queue(self, queue: Queue) -> None:
        """Stand there only while something waits."""
        self.display = bool(queue.prompts)

    def on_click(self, event: events.Click) -> None:
        """A click on a line takes its prompt back."""
        if event.y < min(SHOWN, len(self.queue.prompts)):
            self.post_message(self.Clicked(self.queue.prompts[event.y].id))

    def render(self) -> Content:
        """The waiting prompts, the next one on top."""
        prompts = self.queue.prompts
        lines = [self._line(prompt, last=prompt is prompts[-1]) for prompt in prompts[:SHOWN]]
        if len(prompts) > SHOWN:
            lines.append(Content.styled(f"and {len(prompts) - SHOWN} more", "$text-muted"))
        return Content("\n").join(lines)

    def _line(self, prompt: Prompt, *, last: bool) -> Content:
        paused = self.queue.paused
        word = "paused" if paused else "queued" if self.answering or len(self.queue.prompts) > 1 else "sent"
        hint = "  ↑ edit" if last and self.content_size.width > ROOMY else ""
        room = max(4, self.content_size.width - len(word) - len(hint) - 2)
        text = Content(clean_line(prompt.text)).truncate(room, ellipsis=True)
        return Content.assemble(
            (word, "$text-warning" if paused else "$text-accent"), "  ", (text.plain, "$text"), (hint, "$text-muted")
        )
