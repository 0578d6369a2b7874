"""What was sent from here, until somebody is seen to have begun it: a Redis that comes back empty has lost it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bus.events import RunStarted, UserMessage
from bus.session import Prompt, Queue

if TYPE_CHECKING:
    from bus.attachment import Attachment
    from bus.stream import Entry
    from tui.attaching import Picked


class Outbox:
    """The prompts of one session that its viewer knows of."""

    def __init__(self) -> None:
        self._sent: dict[str, Prompt] = {}
        self._files: dict[str, Sequence[Picked | Attachment]] = {}
        self._begun: set[str] = set()

    @property
    def unbegun(self) -> list[Prompt]:
        """What was sent from here and that nobody has begun, in order. To send it again does no harm."""
        return list(self._sent.values())

    def add(self, prompt: Prompt, files: Sequence[Picked | Attachment] = ()) -> None:
        """It is being sent from here, with these files."""
        if prompt.id not in self._begun:
            self._sent[prompt.id] = prompt
            self._files[prompt.id] = files

    def files(self, prompt_id: str) -> Sequence[Picked | Attachment]:
        """The files of a prompt that nobody has begun."""
        return self._files.get(prompt_id, ())

    def remove(self, prompt_id: str) -> None:
        """It was taken back, or could not be sent."""
        self._sent.pop(prompt_id, None)
        self._files.pop(prompt_id, None)

    def take(self, entries: Iterable[Entry]) -> None:
        """See what was begun."""
        for entry in entries:
            match entry.event:
                case UserMessage(prompt_id=str(prompt_id)) | RunStarted(prompt_id=str(prompt_id)):
                    self._begun.add(prompt_id)
                    self.remove(prompt_id)
                case _:
                    pass

    def unseen(self, queue: Queue) -> list[str]:
        """The ids of what was sent from here, is not begun, and does not wait in the queue."""
        waiting = {prompt.id for prompt in queue.prompts}
        return [prompt_id for prompt_id in self._sent if prompt_id not in waiting]

    def waiting(self, queue: Queue) -> Queue:
        """The queue without prompts whose engine was lost in mid-answer: they are cut off, and wait for nothing."""
        prompts = tuple(p for p in queue.prompts if p.on_loss == "retry" or p.id not in self._begun)
        return replace(queue, prompts=prompts)
