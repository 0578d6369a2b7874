"""What a session's events say of its prompts: which were begun, and which may not be answered (again).

Redis hands a prompt out again when an engine died with it, or when Redis itself came back older, without the word that
it was answered. So every claim is checked here: an answer costs money, and a tool may change things.
"""

from __future__ import annotations

from enum import IntEnum

from ..events import Event, Final, RunFailed, RunFinished, RunStarted, RunStopped, ToolCallExecute, UserMessage
from ..fold.turns import TOOL_STOPS
from ..session import Prompt


class _State(IntEnum):
    BEGUN = 1
    TOOL_RAN = 2
    ENDED = 3


class Answered:
    """A fold over the events of a session, oldest first. To take some again changes nothing."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._turns: dict[str, str] = {}
        """The newest turn of each prompt."""
        self._current: str | None = None
        self._commands: set[str] = set()
        """Those that asked for nothing that is answered."""

    def take(self, event: Event) -> None:
        """Take the next event in."""
        match event:
            case UserMessage():
                self._current = event.prompt_id or event.meta.turn_id
                if self._current and event.meta.turn_id:
                    self._turns[self._current] = event.meta.turn_id
                self._reach(_State.BEGUN)
            case RunStarted(prompt_id=str(prompt_id)):
                self._current = prompt_id
                self._commands.add(prompt_id)
                self._turns[prompt_id] = event.meta.turn_id or ""
                self._reach(_State.BEGUN)
            case ToolCallExecute():
                self._reach(_State.TOOL_RAN)
            case RunStopped(reason="engine-lost"):
                pass  # so the next engine closes the turn: an answer it is not
            case Final() if event.meta.stop_reason not in TOOL_STOPS:
                self._reach(_State.ENDED)
            case RunFailed() if self._is_elsewhere(event):
                pass  # what was said of a prompt that was lost, in a turn of its own
            case RunFinished() | RunStopped() | RunFailed():
                self._reach(_State.ENDED)
            case _:
                pass

    def end(self, prompt: Prompt) -> None:
        """The prompt was answered, whatever becomes of its events."""
        self._current = prompt.id
        if prompt.command:
            self._commands.add(prompt.id)
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

    def begun_in(self, prompt_id: str) -> str | None:
        """The turn in which the prompt was begun by an engine that was lost: the next try takes its place."""
        return self._turns.get(prompt_id)

    def knows(self, prompt_id: str) -> bool:
        """Whether the prompt was ever begun."""
        return prompt_id in self._states

    def messages(self, claimed: str) -> int:
        """How many prompts and answers there are; the prompt `claimed` counts, begun or not."""
        asked = {prompt_id: state for prompt_id, state in self._states.items() if prompt_id not in self._commands}
        return len(asked.keys() | {claimed}) + sum(state is _State.ENDED for state in asked.values())

    def _is_elsewhere(self, event: Event) -> bool:
        turn_id = event.meta.turn_id
        return turn_id is not None and self._current in self._turns and self._turns[self._current] != turn_id

    def _reach(self, state: _State) -> None:
        if self._current:
            self._states[self._current] = max(state, self._states.get(self._current, state))
