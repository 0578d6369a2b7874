"""What a feed adds up to for one screen: the timeline, and what stands beside it.

Imported after the first frame only: the events bring pydantic in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bus.earlier import SLICE
from bus.entities import (
    Appended,
    AssistantText,
    Change,
    Created,
    Thinking,
    TimelineState,
    UserText,
)
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem, LeaseChanged, QueueChanged
from bus.session import ConnectionState, EngineLease, Queue
from bus.stream import Entry
from bus.timeline import Timeline

CHARACTERS_PER_TOKEN = 4
"""A rough mean over models, for the rate of a running answer; its real count comes with its end."""

RATE_SECONDS = 3.0
"""The rate is that of these last seconds."""


class Fold:
    """Takes feed items in, gives changes of the timeline out, and remembers what stands beside it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeline = Timeline()
        self.connection = ConnectionState("connecting")
        self.queue = Queue()
        self.lease: EngineLease | None = None
        self.engine_lost = False
        """The last answer was cut off because its engine is gone, and no other one has begun since."""
        self.caught_up = False
        """All that stood there at the beginning was read."""
        self.behind = 0
        """About so many entries are still to be read; 0 where they are few or nobody knows."""
        self.last_prompt: UserText | None = None
        self._clock = clock
        self.earlier_left = 0
        """About so many entries stand before what is shown, and are still to be read; 0 where nobody knows."""
        self._earlier: Timeline | None = None
        """Folded from the beginning, out of sight, while `timeline` holds the last turns."""
        self._since: deque[Entry] = deque()
        """What `timeline` was told and `_earlier` was not."""
        self._alone = False
        self._grown: deque[tuple[float, int]] = deque()

    @property
    def state(self) -> TimelineState:
        """What is going on in the timeline."""
        return self.timeline.state

    @property
    def answering(self) -> bool:
        """Whether a turn is being answered."""
        return self.state.status == "answering"

    def only_grew(self, changes: Sequence[Change]) -> bool:
        """Whether these changes made the answer that is being given longer, and nothing else."""
        return bool(changes) and self.answering and all(isinstance(change, Appended) for change in changes)

    def take(self, item: FeedItem) -> list[Change]:
        """Fold one item. The changes are for the timeline's view."""
        changes: list[Change] = []
        match item:
            case BeganLate(count):
                self._earlier, self.earlier_left = Timeline(), count
            case EntriesRead(entries, caught_up, behind):
                self.behind = behind
                changes = self.timeline.apply_all(entries)
                self._note(changes)
                if self._earlier is not None:
                    self._since += entries
                # Whoever writes lives, with a lease or without; where it falls silent the reader says so again.
                self._alone = self._alone and not any(entry.id for entry in entries)
                self.caught_up = self.caught_up or caught_up
            case QueueChanged(queue):
                self.queue = queue
            case LeaseChanged(lease, sure):
                self.lease = lease
                self._alone = lease is None and sure
            case ConnectionChanged(state):
                self.connection = state
        return changes + self._look_for_loss()

    def take_earlier(self, entries: Iterable[Entry]) -> list[Change]:
        """Fold what stands before all that `take` was given; the changes are of a timeline that nobody sees yet."""
        entries = list(entries)
        self.earlier_left = max(0, self.earlier_left - len(entries))
        return self._earlier.apply_all(entries) if self._earlier else []

    def catch_up(self) -> list[Change]:
        """All that stands before was taken: fold a little of what came since, as `take_earlier` does."""
        return self.take_earlier([self._since.popleft() for _ in range(min(len(self._since), SLICE))])

    @property
    def lags(self) -> bool:
        """Whether there is something to catch up with."""
        return bool(self._since)

    def join(self) -> list[Change]:
        """The whole timeline takes the place of the last turns. Changes of the whole one, as of `catch_up`."""
        if self._earlier is not None:
            self.timeline, self._earlier, self.earlier_left = self._earlier, None, 0
            prompts = (entity for entity in reversed(self.timeline.entities) if isinstance(entity, UserText))
            self.last_prompt = next(prompts, None)
        return self._look_for_loss()

    def rate(self) -> float | None:
        """Tokens per second now, estimated by characters; None while too little has come."""
        now = self._clock()
        while self._grown and now - self._grown[0][0] > RATE_SECONDS:
            self._grown.popleft()
        if len(self._grown) < 2:
            return None
        seconds = max(0.25, now - self._grown[0][0])
        return sum(count for _, count in self._grown) / CHARACTERS_PER_TOKEN / seconds

    def last_answer(self) -> str:
        """The text of the newest answer, its segments apart; empty where there is none."""
        texts: list[str] = []
        for entity in reversed(self.timeline.entities):
            match entity:
                case AssistantText():
                    texts.append(str(entity.text))
                case UserText() if texts:
                    break
                case _:
                    pass
        return "\n\n".join(reversed(texts))

    def prompt_of(self, turn_id: str | None) -> UserText | None:
        """What was asked in that turn."""
        asked = (entity for entity in self.timeline.entities if isinstance(entity, UserText))
        return next((prompt for prompt in asked if turn_id and prompt.turn_id == turn_id), None)

    def _note(self, changes: Sequence[Change]) -> None:
        grown = 0
        for change in changes:
            match change:
                case Appended(entity=AssistantText() | Thinking()):
                    grown += len(change.delta)
                case Created(entity=UserText() as prompt):
                    self.last_prompt = prompt
                case _:
                    pass
        if not self.answering:
            self._grown.clear()
        elif grown:
            self.engine_lost = False
            self._grown.append((self._clock(), grown))

    def _look_for_loss(self) -> list[Change]:
        if self.answering and self.caught_up and self._alone:
            self.engine_lost = True
            return self.timeline.mark_engine_lost()
        if self.lease is not None:
            self.engine_lost = False
        return []
