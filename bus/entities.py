"""What a conversation adds up to: the entities that `Timeline` keeps, and the changes that it reports.

Plain dataclasses without pydantic, so that a screen can import them before its first frame. Entities are changed
in place by `Timeline` alone; everybody else reads them. `revision` grows with every change of an entity.
Times are Unix milliseconds of the writer's clock, or None where the stream does not say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .attachment import Attachment

ToolState = Literal["writing", "waiting", "running", "done", "failed", "interrupted"]
"""writing: the model writes the arguments; waiting: asked for, not running yet."""


class TextBuffer:
    """A text that grows by deltas: appending is O(1), reading joins once."""

    # Most texts are whole and never grow again: they keep no list.
    __slots__ = ("_length", "_more", "_text")

    def __init__(self, text: str = "") -> None:
        self.replace(text)

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        if self._more:
            self._text = "".join((self._text, *self._more))
            self._more = None
        return self._text

    def append(self, delta: str) -> None:
        """Add `delta` to the end."""
        if not self._length:
            self._text = delta
        elif self._more is None:
            self._more = [delta]
        else:
            self._more.append(delta)
        self._length += len(delta)

    def replace(self, text: str) -> None:
        """Make `text` the whole text."""
        self._text = text
        self._more: list[str] | None = None
        self._length = len(text)


@dataclass(slots=True, kw_only=True)
class Entity:
    """One thing on the timeline. `done` entities are never reopened by a late delta."""

    id: str
    turn_id: str | None = None
    message_id: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    first_entry_id: str = ""
    last_entry_id: str = ""
    revision: int = 0
    done: bool = False


@dataclass(slots=True, kw_only=True)
class UserText(Entity):
    """What a person asked. `profile` is the name of the one that it is answered by."""

    text: str = ""
    author: str | None = None
    prompt_id: str | None = None
    profile: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(slots=True, kw_only=True)
class AssistantText(Entity):
    """A segment of an answer, in Markdown. `interrupted`: by a person or a lost engine; `failed`: by an error."""

    text: TextBuffer = field(default_factory=TextBuffer)
    model: str | None = None
    interrupted: bool = False
    failed: bool = False


@dataclass(slots=True, kw_only=True)
class Thinking(Entity):
    """One segment of reasoning, in Markdown. `redacted`: there was reasoning, the provider shows none of it."""

    text: TextBuffer = field(default_factory=TextBuffer)
    redacted: bool = False


@dataclass(slots=True, kw_only=True)
class ToolUse(Entity):
    """A tool call: its arguments (`input`), its execution, its result. `source` is `provider` for a server tool."""

    tool_call_id: str = ""
    name: str = ""
    input: TextBuffer = field(default_factory=TextBuffer)
    result: str | None = None
    state: ToolState = "waiting"
    source: str | None = None


@dataclass(slots=True, kw_only=True)
class WebSearch(Entity):
    """A search on the web at the provider."""

    queries: list[str] = field(default_factory=list[str])
    urls: list[str] = field(default_factory=list[str])
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True, kw_only=True)
class FileSearch(Entity):
    """A search in files at the provider."""

    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True, kw_only=True)
class CodeInterpreter(Entity):
    """Code that the provider runs, and what it wrote."""

    code: TextBuffer = field(default_factory=TextBuffer)
    running: bool = False
    result: str | None = None


@dataclass(slots=True, kw_only=True)
class McpCall(Entity):
    """An MCP call (or, with `listing`, the listing of a server's tools) that the provider makes."""

    name: str = ""
    arguments: TextBuffer = field(default_factory=TextBuffer)
    listing: bool = False
    failed: bool = False
    result: str | None = None


@dataclass(slots=True, kw_only=True)
class GeneratedImage(Entity):
    """An image that the provider makes; `image_base64` is the newest preview or the picture."""

    image_base64: str | None = None


@dataclass(slots=True, kw_only=True)
class Source:
    """One cited source; indexes count characters of the answer's text."""

    title: str | None = None
    url: str | None = None
    start_index: int | None = None
    end_index: int | None = None


@dataclass(slots=True, kw_only=True)
class Citations(Entity):
    """The numbered sources of one message."""

    sources: list[Source] = field(default_factory=list[Source])


@dataclass(slots=True, kw_only=True)
class Notice(Entity):
    """One line that somebody should see: a log line, an info, a status, a retry, a pause."""

    kind: Literal["log", "info", "status", "retry", "pause"] = "info"
    level: str = ""
    message: str = ""
    fields: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class ModeSwitch(Entity):
    """The agent's mode changed."""

    from_mode: str = ""
    to_mode: str = ""
    analysis: str = ""


@dataclass(slots=True, kw_only=True)
class Failure(Entity):
    """An error, in words for a person; `hint` says what to do."""

    message: str = ""
    code: str | None = None
    hint: str | None = None


@dataclass(slots=True, kw_only=True)
class CompactedTurns(Entity):
    """What came before is told to the model as `text`, a summary in Markdown; `undone`: it was taken back."""

    text: TextBuffer = field(default_factory=TextBuffer)
    turns: int = 0
    tokens_before: int | None = None
    tokens_after: int | None = None
    author: str | None = None
    undone: bool = False


@dataclass(slots=True, kw_only=True)
class Interruption(Entity):
    """The answer stopped here: by `author`, or because its engine was lost (`reason` is `engine-lost`)."""

    author: str | None = None
    reason: str = "interrupt"


@dataclass(slots=True, frozen=True, kw_only=True)
class CallUsage:
    """What one provider call was told and said, in tokens. `input_tokens` are all, the other two are a part of them.

    `provider` is who answered, `name@host` where that was not at its own address; empty where the stream does not say.
    """

    model: str = ""
    provider: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(slots=True, kw_only=True)
class TurnSummary(Entity):
    """The footer of an answered turn, over all its provider calls; `usage` has those that were counted one by one.

    `output_tokens_per_second` counts from the first token to the last; times in ms.
    """

    model: str | None = None
    stop_reason: str | None = None
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    duration_ms: int | None = None
    first_token_ms: int | None = None
    output_tokens_per_second: float | None = None
    usage: tuple[CallUsage, ...] = ()


@dataclass(slots=True, kw_only=True)
class UnknownEvent(Entity):
    """An event of an unregistered type, or an entry that could not be read (`broken`): shown folded."""

    type: str = ""
    payload: str = ""
    broken: str | None = None


@dataclass(slots=True, kw_only=True)
class GapMarker(Entity):
    """`count` events are missing here (None: nobody knows how many)."""

    count: int | None = None
    reason: str = ""


@dataclass(slots=True, frozen=True)
class Created:
    """`entity` is new, at the end of the timeline (or before `before`, where it belongs higher up)."""

    entity: Entity
    before: str | None = None


# Not frozen: there is one for every token, and a frozen dataclass takes twice as long to make.
@dataclass(slots=True)
class Appended:
    """`delta` was added to the end of `entity`'s text (`text`, `input`, `code` or `arguments`)."""

    entity: Entity
    delta: str


@dataclass(slots=True, frozen=True)
class Updated:
    """`entity` changed in another way than by text added to its end."""

    entity: Entity


@dataclass(slots=True, frozen=True)
class Removed:
    """`entity` is not on the timeline any more: a footer that moves to the end, a loss that was none."""

    entity: Entity


Change = Created | Appended | Updated | Removed
"""What `Timeline.apply` reports; the entities are the truth, changes say where to look."""


@dataclass(slots=True, frozen=True, kw_only=True)
class TurnSpan:
    """Where a turn stands on the timeline, for jumps and retries: its first and last entity, and how it ended.

    `outcome` is None while it runs (or where nobody says). `supersedes` is the turn that it replaces.
    """

    id: str
    first: Entity | None
    last: Entity | None
    outcome: Literal["finished", "stopped", "failed"] | None
    parent_turn_id: str | None
    supersedes: str | None


@dataclass(slots=True, frozen=True, kw_only=True)
class TimelineState:
    """What is going on now: the running turn and since when (as far as was read), or `idle` with what was known last.

    Tokens are those of the newest turn, over all its provider calls, so far; None where nobody counts; `usage` has them
    by call. `next_try_ms` is when a call that failed is tried again, while that is waited for.
    """

    status: Literal["idle", "answering"]
    turn_id: str | None = None
    since_ms: int | None = None
    next_try_ms: int | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    stop_reason: str | None = None
    context_tokens: int = 0
    """About what the next call sends: what the last one counted, and an estimate for what came since."""
    usage: tuple[CallUsage, ...] = ()
