"""What a session's events say of its prompts: which were begun, and which may not be answered (again).

Redis hands a prompt out again when an engine died with it, or when Redis itself came back older, without the word that
it was answered. So every claim is checked here: an answer costs money, and a tool may change things.
"""

from __future__ import annotations

from enum import IntEnum

from ..events import Event, RunFailed, RunFinished, RunStopped, ToolCallExecute, UserMessage
from ..session import Prompt


class _State(IntEnum):
    BEGUN = 1
    TOOL_RAN = 2
    ENDED = 3


class Answered:
    """A fold over the events of a session, oldest first. To take some again changes nothing."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._current: str | None = None

    def take(self, event: Event) -> None:
        """Take the next event in."""
        match event:
            case UserMessage():
                self._current = event.prompt_id or event.meta.turn_id
                self._reach(_State.BEGUN)
            case ToolCallExecute():
                self._reach(_State.TOOL_RAN)
            case RunStopped(reason="engine-lost"):
                pass  # so the next engine closes the turn: an answer it is not
            case RunFinished() | RunStopped() | RunFailed():
                self._reach(_State.ENDED)
            case _:
                pass

    def end(self, prompt_id: str) -> None:
        """The prompt was answered, whatever becomes of its events."""
        self._current = prompt_id
        self._reach(_State.ENDED)

    def may_answer(self, prompt: Prompt) -> bool:
        """Whether the claimed prompt is to be answered.

        Always while nothing of it was begun. One that was begun by an engine that was lost: only where that means
        `retry`, and no tool has run. Else its turn stays cut off.
        """
        match self._states.get(prompt.id):
            case None:
                return True
            case _State.BEGUN:
                return prompt.on_loss == "retry"
            case _:
                return False

    def messages(self, claimed: str) -> int:
        """How many prompts and answers there are; the prompt `claimed` counts, begun or not."""
        ended = sum(state is _State.ENDED for state in self._states.values())
        return len(self._states.keys() | {claimed}) + ended

    def _reach(self, state: _State) -> None:
        if self._current:
            self._states[self._current] = max(state, self._states.get(self._current, state))
