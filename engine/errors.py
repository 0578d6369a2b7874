"""What stops an engine, in words for a person: `message` says what happened, `hint` what to do next.

EngineError
├── UnknownModel    no provider answers to that model name
└── MissingKey      the provider wants a key and none is set
"""

from __future__ import annotations

import traceback
from pathlib import Path

from bus.events import Error
from bus.meta import Metadata


class EngineError(Exception):
    """Base of what keeps an engine from asking a provider at all."""

    code = "engine"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UnknownModel(EngineError):
    """No provider answers to that model name."""

    code = "unknown-model"


class MissingKey(EngineError):
    """The provider wants a key, and the variable that would hold it is not set."""

    code = "missing-key"


def refused(error: EngineError, meta: Metadata) -> Error:
    """The event for a provider that could not be asked."""
    return Error(meta=meta, error_string=str(error), code=error.code, hint=error.hint or None)


def cut_off(provider: str, meta: Metadata) -> Error:
    """The event for a provider that stopped without an end. Worth another try."""
    return Error(
        meta=meta.model_copy(update={"extra": {"retryable": True}}),
        error_string=f"The answer of {provider} broke off.",
        code="cut-off",
        hint="Ask again; what was shown is kept.",
    )


def unexpected(fault: Exception, meta: Metadata) -> Error:
    """The event for a fault of our own. Not its text: a library may have put a header with a key into it."""
    where = traceback.extract_tb(fault.__traceback__)[-1] if fault.__traceback__ else None
    place = f" at {Path(where.filename).name}:{where.lineno}" if where else ""
    return Error(
        meta=meta,
        error_string=f"riffle itself failed while it talked to the provider: {type(fault).__name__}{place}.",
        code="internal",
        hint="Ask again. If it happens again, report this line.",
    )
