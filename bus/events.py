"""The vocabulary: one frozen model per event type, with Geppetto's names and fields, and ours beside them.

Three families: `chat` events (a provider call and its text), `tool` events, and events of this project (`riffle-*`).
Events of a provider's own tools are in `builtin_events`. `codec` turns payloads into these models and back.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from .attachment import Attachment
from .meta import Correlation, Metadata, Wire


class Event(Wire):
    """What every event has: its `type`, its `meta`, and (ours) where it belongs."""

    # Every event narrows this to its own name; `str` here would forbid that to a type checker.
    type: Any
    meta: Metadata = Field(default_factory=Metadata)
    correlation: Correlation | None = None


# -- chat ------------------------------------------------------------------------------------------------------


class Start(Event):
    """A provider call begins. `text` is set only by Geppetto's unused text event of the same name."""

    type: Literal["start"] = "start"
    text: str | None = None


class Partial(Event):
    """Answer text: `delta` goes in at `offset` (code points of the segment's text before it).

    `completion`, where it is there and not empty, is the whole text so far and wins over any sum of deltas.
    """

    type: Literal["partial"] = "partial"
    delta: str = ""
    completion: str | None = None
    offset: int | None = None


class PartialThinking(Event):
    """Reasoning text, in the shape of `Partial`."""

    type: Literal["partial-thinking"] = "partial-thinking"
    delta: str = ""
    completion: str | None = None
    offset: int | None = None


class Final(Event):
    """One provider call ends (not the user's turn). `text` is all its answer text; None: not repeated here."""

    type: Literal["final"] = "final"
    text: str | None = None


class Interrupt(Event):
    """The call was stopped; `text` is what there was of the answer. No `final` follows."""

    type: Literal["interrupt"] = "interrupt"
    text: str | None = None
    author: str | None = None


class Error(Event):
    """The call failed. No `final` follows. `code` is a short machine name, `hint` says what to do next (both ours)."""

    type: Literal["error"] = "error"
    error_string: str = ""
    code: str | None = None
    hint: str | None = None
    # Until April 2025 the message stood here; Go errors encode as {}.
    error: Any = None

    @property
    def message(self) -> str:
        """What went wrong, from whichever field has it."""
        return self.error_string or (self.error if isinstance(self.error, str) else "")


class Status(Event):
    """A short word on what is going on. One that is `passing` (ours) goes away when anything else comes."""

    type: Literal["status"] = "status"
    message: str | None = None
    passing: bool | None = None


class Log(Event):
    """A line of a producer's log."""

    type: Literal["log"] = "log"
    level: str = ""
    message: str = ""
    fields: dict[str, Any] | None = None


class Info(Event):
    """A marker or a note. Known messages: `thinking-started`, `thinking-ended`, `output-started`, `output-ended`,
    `reasoning-summary` (data.text: the whole summary), `reasoning-summary-started`, `reasoning-summary-ended`.
    """

    type: Literal["info"] = "info"
    message: str = ""
    data: dict[str, Any] | None = None


class AgentModeSwitch(Event):
    """The producer's agent works in another mode now: `data` holds `from`, `to`, `analysis`."""

    type: Literal["agent-mode-switch"] = "agent-mode-switch"
    message: str = ""
    data: dict[str, Any] | None = None


class DebuggerPause(Event):
    """The producer waits for somebody to step on, until `deadline_ms` (Unix time in ms)."""

    type: Literal["debugger.pause"] = "debugger.pause"
    pause_id: str = ""
    phase: str = ""
    summary: str = ""
    deadline_ms: int | None = None
    extra: dict[str, Any] | None = None


# -- a user's turn ---------------------------------------------------------------------------------------------


class RunStarted(Event):
    """Work on a user's turn begins, or, with `prompt_id` (ours), on a command that was sent as a prompt."""

    type: Literal["run-started"] = "run-started"
    prompt: str | None = None
    prompt_id: str | None = None


class RunFinished(Event):
    """The turn is answered."""

    type: Literal["run-finished"] = "run-finished"
    status: str | None = None


class RunStopped(Event):
    """The turn was interrupted; `reason` says by what (`interrupt`, `engine-lost`, `max-calls`)."""

    type: Literal["run-stopped"] = "run-stopped"
    reason: str | None = None


class RunFailed(Event):
    """The turn failed."""

    type: Literal["run-failed"] = "run-failed"
    error_string: str | None = None


# -- segments of a message -------------------------------------------------------------------------------------


class TextSegmentStarted(Event):
    """A new piece of answer text begins."""

    type: Literal["text-segment-started"] = "text-segment-started"
    role: str | None = None


class TextSegmentFinished(Event):
    """A piece of answer text is complete: `text` is all of it."""

    type: Literal["text-segment-finished"] = "text-segment-finished"
    text: str | None = None
    finish_reason: str | None = None


class ReasoningSegmentStarted(Event):
    """A new piece of reasoning begins; `source` is `provider`, `summary` or `thinking`."""

    type: Literal["reasoning-segment-started"] = "reasoning-segment-started"
    source: str | None = None


class ReasoningSegmentFinished(Event):
    """A piece of reasoning is complete: `text` is all of it, where there is any to show."""

    type: Literal["reasoning-segment-finished"] = "reasoning-segment-finished"
    text: str | None = None
    finish_reason: str | None = None
    source: str | None = None


# -- tools -----------------------------------------------------------------------------------------------------


class ToolCallPayload(Wire):
    """A call that a model asks for. `input` is a text, mostly JSON, maybe empty or broken."""

    id: str = ""
    name: str = ""
    input: str = ""


class ToolResultPayload(Wire):
    """What a tool said: `result` is a text, mostly JSON. `error` (ours) is true when the tool failed."""

    id: str = ""
    name: str | None = None
    result: str = ""
    error: bool | None = None


class ToolCallStarted(Event):
    """The model begins to write a call; its arguments follow as deltas."""

    type: Literal["tool-call-started"] = "tool-call-started"
    tool_call_id: str = ""
    tool_name: str | None = None


class ToolCallArgumentsDelta(Event):
    """More of a call's arguments; `arguments`, where it is there and not empty, is all of them so far."""

    type: Literal["tool-call-arguments-delta"] = "tool-call-arguments-delta"
    tool_call_id: str = ""
    delta: str = ""
    arguments: str | None = None
    offset: int | None = None


class ToolCall(Event):
    """The model asks for a tool; the arguments are complete."""

    type: Literal["tool-call"] = "tool-call"
    tool_call: ToolCallPayload = Field(default_factory=ToolCallPayload)


class ToolCallExecute(Event):
    """The tool runs now. Geppetto writes no message id here: join by the tool call's id."""

    type: Literal["tool-call-execute"] = "tool-call-execute"
    tool_call: ToolCallPayload = Field(default_factory=ToolCallPayload)


class ToolResult(Event):
    """A tool's result, as told to the model."""

    type: Literal["tool-result"] = "tool-result"
    tool_result: ToolResultPayload = Field(default_factory=ToolResultPayload)


class ToolCallExecutionResult(Event):
    """The tool that ran has ended. Geppetto writes no message id here: join by the tool call's id."""

    type: Literal["tool-call-execution-result"] = "tool-call-execution-result"
    tool_result: ToolResultPayload = Field(default_factory=ToolResultPayload)


class ToolCallFinished(Event):
    """The call is over: `status` is `success`, `error` or `unknown`."""

    type: Literal["tool-call-finished"] = "tool-call-finished"
    tool_call_id: str = ""
    tool_name: str | None = None
    status: str | None = None


class ProviderToolEvent(Event):
    """Any event of a tool that runs at the provider: those are in `builtin_events`, which is loaded for the first."""


# -- ours ------------------------------------------------------------------------------------------------------


class UserMessage(Event):
    """What a person asked. Written by the engine when it takes the prompt up; opens the turn `meta.turn_id`.

    `parent_turn_id` is the turn it follows, `supersedes` the turn it replaces (a retry, an edit). `profile` is the name
    of the one that it is answered by.
    """

    type: Literal["riffle-user-message"] = "riffle-user-message"
    text: str = ""
    prompt_id: str | None = None
    author: str | None = None
    parent_turn_id: str | None = None
    supersedes: str | None = None
    profile: str | None = None
    attachments: list[Attachment] | None = None


class ProviderBlock(Event):
    """A block that the provider needs back verbatim (signature, encrypted reasoning, server tool, phase, …).

    `block` is exactly what goes back; a block over 1 MiB lies in the key `block_key` instead.
    """

    type: Literal["riffle-provider-block"] = "riffle-provider-block"
    provider: str = ""
    segment_id: str | None = None
    block: dict[str, Any] | None = None
    block_key: str | None = None


class Compaction(Event):
    """From here on the model is told `text`, a summary, instead of all up to and with the turn `through_turn_id`.

    `turns` are summed up, which took `tokens_before` and take `tokens_after` now, as far as anybody counts.
    """

    type: Literal["riffle-compaction"] = "riffle-compaction"
    text: str = ""
    through_turn_id: str = ""
    turns: int = 0
    tokens_before: int | None = None
    tokens_after: int | None = None
    author: str | None = None


class CompactionUndone(Event):
    """The compaction of the turn `compaction_turn_id` counts no more: the model is told everything again."""

    type: Literal["riffle-compaction-undone"] = "riffle-compaction-undone"
    compaction_turn_id: str = ""
    author: str | None = None


class Retry(Event):
    """The engine tries a provider call again in `delay_ms`, for the reason given.

    `attempt` counts from 1; there are `attempts` at most.
    """

    type: Literal["riffle-retry"] = "riffle-retry"
    attempt: int = 1
    attempts: int | None = None
    reason: str = ""
    delay_ms: int = 0


class Gap(Event):
    """`count` entries were reported as published and are not in the stream any more (None: nobody knows how many)."""

    type: Literal["riffle-gap"] = "riffle-gap"
    count: int | None = None
    reason: str = ""


class Unknown(Event):
    """An event of a type that nobody registered: carried whole in its extra fields, shown folded."""

    type: str = ""


class Broken(Event):
    """An entry that could not be read: why, and what stood there. Made by the reader, never written to a stream."""

    type: Literal["riffle-broken"] = "riffle-broken"
    reason: str = ""
    raw: str = ""


class EventSink(Protocol):
    """Where events go. All that an engine knows of the bus."""

    async def publish(self, event: Event) -> None:
        """Take `event`. Returns at once, but waits when the journal is full (back-pressure on the provider)."""
        ...
