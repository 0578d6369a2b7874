"""What stands beside every event: who sent it, for which message, with which usage.

Field names and order are Geppetto's (`EventMetadata`, `LLMInferenceData`, `Usage`). A field that is None is not
written; numbers that are 0 and texts that are empty are written when somebody set them.
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

ZERO_ID = "00000000-0000-0000-0000-000000000000"
"""The message id of an event that belongs to no message (Go's zero UUID)."""


class Wire(BaseModel):
    """A frozen model whose unknown fields are kept, so that a newer writer's data survives an older reader."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        # 70 validators cost a tenth of a command's start; most commands need none or a few.
        defer_build=True,
    )


class Usage(Wire):
    """Token counts of one provider call, as the provider reports them: cumulative, never to be added up."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None

    @property
    def told_tokens(self) -> int:
        """All that the model was told: Anthropic counts what its cache held apart from `input_tokens`."""
        if self.cache_read_input_tokens is None:
            return self.input_tokens
        return self.input_tokens + self.cache_read_input_tokens + (self.cache_creation_input_tokens or 0)


class Metadata(Wire):
    """The `meta` object of an event. On a delta only `message_id` (and usage, where it changed) is written."""

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    duration_ms: int | None = None
    message_id: str = ZERO_ID
    # Until January 2026 Geppetto wrote `run_id`.
    session_id: str | None = Field(default=None, validation_alias=AliasChoices("session_id", "run_id"))
    inference_id: str | None = None
    turn_id: str | None = None
    extra: dict[str, Any] | None = None


class Correlation(Wire):
    """Where an event belongs: opaque ids, `segment_id` above all (one message can hold several segments).

    `source` says who runs a tool: `provider` for a server tool, else absent.
    """

    session_id: str | None = None
    run_id: str | None = None
    turn_id: str | None = None
    provider_call_id: str | None = None
    segment_id: str | None = None
    tool_call_id: str | None = None
    source: str | None = None
