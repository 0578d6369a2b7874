"""The state that all folds share: the ordered entities, the turns, the messages, and the changes of one event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..entities import (
    Appended,
    AssistantText,
    Change,
    Citations,
    Created,
    Entity,
    Failure,
    Interruption,
    Notice,
    Removed,
    TextBuffer,
    Thinking,
    ToolUse,
    TurnSummary,
    Updated,
)
from ..events import Event, Partial, PartialThinking
from ..meta import ZERO_ID, Metadata
from .pieces import Pieces

Outcome: TypeAlias = Literal["finished", "stopped", "failed"]

_REMEMBERED = 8192
"""So many entry ids, and up to twice as many, are known again when an entry is repeated."""


@dataclass(slots=True, eq=False)
class Segment:
    """One stretch of answer text or of reasoning. `key` is its segment id, empty where the stream has none.

    `sealed`: whatever still comes is late. `pieces` is there only while the text has holes. `source` tells who feeds
    it, where two producers say the same. Where entries are missing in the middle of it (`cut`), what comes next is
    another part, behind the mark: it begins `base` code points into the text, and `before` is the part before it.
    """

    entity: AssistantText | Thinking
    delta_type: type[Partial] | type[PartialThinking]
    message: Message
    key: str
    source: str | None = None
    sealed: bool = False
    pieces: Pieces | None = None
    cut: bool = False
    base: int = 0
    before: Segment | None = None


@dataclass(slots=True, eq=False)
class Message:
    """One provider call: its segments, and what it cost. `id` is made here where the stream gives none."""

    id: str
    turn: Turn
    model: str | None = None
    provider: str | None = None
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    duration_ms: int | None = None
    first_token_after_ms: int | None = None
    first_delta_ms: int | None = None
    last_delta_ms: int | None = None
    # Its `start` was seen: a viewer that came late saw only a part of its tokens.
    started: bool = False
    reasoned: bool = False
    done: bool = False
    segments: list[Segment] = field(default_factory=list[Segment])
    items: dict[tuple[type[Entity], str], Entity] = field(default_factory=dict[tuple[type[Entity], str], Entity])
    tools: list[ToolUse] = field(default_factory=list[ToolUse])
    citations: Citations | None = None

    def take(self, meta: Metadata) -> None:
        """Learn from an event's metadata. Counts are cumulative, so the larger one is the later one."""
        self.model = meta.model or self.model
        self.stop_reason = meta.stop_reason or self.stop_reason
        self.duration_ms = meta.duration_ms or self.duration_ms
        usage = meta.usage
        if usage is not None:
            cached = usage.cached_tokens or usage.cache_read_input_tokens
            self.input_tokens = _larger(self.input_tokens, usage.told_tokens)
            self.output_tokens = _larger(self.output_tokens, usage.output_tokens)
            self.cached_tokens = _larger(self.cached_tokens, cached)
            self.cache_write_tokens = _larger(self.cache_write_tokens, usage.cache_creation_input_tokens)
        if meta.extra:
            provider = meta.extra.get("provider")
            self.provider = provider if isinstance(provider, str) else self.provider
            self.reasoning_tokens = _larger(self.reasoning_tokens, meta.extra.get("reasoning_tokens"))
            self.first_token_after_ms = _larger(self.first_token_after_ms, meta.extra.get("first_token_ms"))


def _larger(known: int | None, new: object) -> int | None:
    if not isinstance(new, int):
        return known
    return new if known is None else max(known, new)


@dataclass(slots=True, eq=False)
class Turn:
    """A prompt and all that answers it. `named`: the stream says its id; else it was made here.

    Of a turn whose beginning nobody has read, `started_ms` is None; `seen_ms` is then the first that is known of it.
    """

    id: str
    named: bool
    seen_ms: int | None
    started_ms: int | None = None
    ended_ms: int | None = None
    # The stream tells when a turn is over; streams of Geppetto do not.
    has_run_events: bool = False
    over: bool = False
    outcome: Outcome | None = None
    parent_turn_id: str | None = None
    supersedes: str | None = None
    entities: list[Entity] = field(default_factory=list[Entity])
    messages: list[Message] = field(default_factory=list[Message])
    interruption: Interruption | None = None
    failure: Failure | None = None
    summary: TurnSummary | None = None


@dataclass(slots=True, eq=False)
class Wait:
    """The engine waits, until something else comes: what tells of it, or when it tries again."""

    notice: Notice | None = None
    until_ms: int | None = None


class Board:
    """Everything known so far. Folds change entities through it, so that every change is reported once."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self.turns: dict[str, Turn] = {}
        self.messages: dict[str, Message] = {}
        self.tools: dict[str, ToolUse] = {}
        self.turn: Turn | None = None
        self.message: Message | None = None
        # The segment that the last delta went to: the next one nearly always follows it.
        self.current: Segment | None = None
        self.wait: Wait | None = None
        self.context_tokens = 0
        """About what the next call tells the model."""
        self.changes: list[Change] = []
        self.entry_id = ""
        self.ts: int | None = None
        self._by_id: dict[str, Entity] = {}
        self._unnamed = 0
        self._seen: set[str] = set()
        self._seen_before: set[str] = set()

    def begin(self, entry_id: str, ts: int | None) -> bool:
        """Start to fold an entry; False when it was folded already."""
        self.changes = []
        if not self.is_new(entry_id):
            return False
        self.entry_id = entry_id
        self.ts = ts
        return True

    def is_new(self, entry_id: str) -> bool:
        """Whether an entry comes for the first time; from now on it does not. One without an id is always new."""
        if entry_id:
            if entry_id in self._seen or entry_id in self._seen_before:
                return False
            if len(self._seen) >= _REMEMBERED:
                self._seen_before, self._seen = self._seen, set()
            self._seen.add(entry_id)
        return True

    # -- entities --------------------------------------------------------------------------------------------------

    def get(self, entity_id: str) -> Entity | None:
        """The entity of that id, if it is on the timeline."""
        return self._by_id.get(entity_id)

    def create(
        self, entity: Entity, turn: Turn | None, message: Message | None = None, before: Entity | None = None
    ) -> None:
        """Put `entity` at the end, or before another one; its id is made unique."""
        entity.id = self._unique(entity.id)
        entity.first_entry_id = entity.last_entry_id = self.entry_id
        if entity.started_ms is None:
            entity.started_ms = self.ts
        if entity.done and entity.ended_ms is None:
            entity.ended_ms = self.ts
        if message is not None:
            entity.message_id = message.id
        if turn is not None:
            entity.turn_id = turn.id
            turn.entities.insert(_index(turn.entities, before), entity)
        self.entities.insert(_index(self.entities, before), entity)
        self._by_id[entity.id] = entity
        self.changes.append(Created(entity, before.id if before else None))

    def update(self, entity: Entity) -> None:
        """Report that `entity` was changed."""
        entity.revision += 1
        entity.last_entry_id = self.entry_id
        self.changes.append(Updated(entity))

    def append(self, entity: Entity, text: TextBuffer, delta: str, *, entries: int = 1) -> None:
        """Add `delta`, which came in so many entries, to a text of `entity`."""
        text.append(delta)
        entity.revision += entries
        entity.last_entry_id = self.entry_id
        self.changes.append(Appended(entity, delta))

    def rewrite(self, entity: Entity, text: TextBuffer, whole: str) -> None:
        """Make `whole` a text of `entity`, as an addition where it is one."""
        shown = str(text)
        if whole == shown:
            return
        if whole.startswith(shown):
            self.append(entity, text, whole[len(shown) :])
        else:
            text.replace(whole)
            self.update(entity)

    def end(self, entity: Entity) -> None:
        """Mark `entity` as done, now."""
        if entity.done:
            return
        entity.done = True
        entity.ended_ms = self.ts
        if isinstance(entity, Thinking) and not len(entity.text):
            entity.redacted = True
        self.update(entity)

    def remove(self, entity: Entity) -> None:
        """Take `entity` off the timeline."""
        self.entities.pop(_index(self.entities, entity))
        turn = self.turns.get(entity.turn_id or "")
        if turn:
            turn.entities.pop(_index(turn.entities, entity))
        del self._by_id[entity.id]
        self.changes.append(Removed(entity))

    def after(self, entity: Entity) -> Entity | None:
        """The entity that follows `entity`."""
        following = _index(self.entities, entity) + 1
        return self.entities[following] if following < len(self.entities) else None

    def position_id(self, kind: str) -> str:
        """An id for an entity that has none of its own: its entry's."""
        return f"{kind}:{self.entry_id or len(self.entities)}"

    def _unique(self, wanted: str) -> str:
        unique, number = wanted, 1
        while unique in self._by_id:
            number += 1
            unique = f"{wanted}#{number}"
        return unique

    # -- turns and messages ----------------------------------------------------------------------------------------

    def turn_of(self, event: Event) -> Turn:
        """The turn that `event` names, else the running one, else a new one."""
        name = event.meta.turn_id or (event.correlation.turn_id if event.correlation else None)
        if name:
            return self.turns.get(name) or self._new_turn(name, named=True)
        if self.turn is not None and not self.turn.over:
            return self.turn
        self._unnamed += 1
        return self._new_turn(f"turn-{self._unnamed}", named=False)

    def message_of(self, event: Event) -> Message:
        """The message that `event` belongs to, told what its metadata say; without an id, the open one."""
        name = event.meta.message_id
        if name and name != ZERO_ID:
            message = self.messages.get(name) or self._new_message(name, event)
        elif self.message is not None and not self.message.done:
            message = self.message
        else:
            message = self.new_anonymous_message(event)
        message.take(event.meta)
        self._settle_turn(message, event)
        return message

    def open_message_of(self, event: Event) -> Message | None:
        """As `message_of`, but an event without a message id makes no message."""
        named = event.meta.message_id not in ("", ZERO_ID)
        return self.message_of(event) if named or (self.message is not None and not self.message.done) else None

    def new_anonymous_message(self, event: Event) -> Message:
        """A message for events without a message id."""
        self._unnamed += 1
        return self._new_message(f"message-{self._unnamed}", event)

    def _new_turn(self, name: str, *, named: bool) -> Turn:
        self.turn = self.turns[name] = Turn(name, named, self.ts)
        return self.turn

    def _new_message(self, name: str, event: Event) -> Message:
        turn = self.turn_of(event)
        self.message = self.messages[name] = Message(name, turn)
        turn.messages.append(self.message)
        turn.over, turn.outcome = False, None
        self.turn = turn
        return self.message

    def _settle_turn(self, message: Message, event: Event) -> None:
        """A viewer that came late learns a message's turn only from a later event."""
        name, guess = event.meta.turn_id, message.turn
        if not name or guess.id == name or guess.named:
            return
        entities = [entity for entity in guess.entities if entity.message_id == message.id]
        if name in self.turns:
            turn = self.turns[name]
            turn.entities += entities
            turn.messages.append(message)
            guess.messages.remove(message)
            guess.entities = [entity for entity in guess.entities if entity.message_id != message.id]
            message.turn = turn
        else:
            entities = guess.entities
            self.turns[name] = self.turns.pop(guess.id)
            guess.id, guess.named = name, True
        for entity in entities:
            entity.turn_id = name


def _index(entities: list[Entity], entity: Entity | None) -> int:
    """Where `entity` stands (None: the end), sought from the end."""
    if entity is not None:
        for index in range(len(entities) - 1, -1, -1):
            if entities[index] is entity:
                return index
    return len(entities)
