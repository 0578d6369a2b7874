"""What stops an engine, in words for a person: `message` says what happened, `hint` what to do next.

EngineError
├── UnknownModel    no provider answers to that model name
├── MissingKey      the provider wants a key and none is set
├── SetAside        the prompt has cost too many engines
├── PromptLost      the prompt was gone from the queue before it was begun
├── BadProfile      the profile that came with the prompt makes no sense
├── FileGone        the bytes of an attached file are not in Redis any more
└── NotCompacted    there is nothing to compact, or no summary, or nothing to take back
"""

from __future__ import annotations

import traceback
from pathlib import Path

from bus.events import Error
from bus.meta import Metadata


class EngineError(Exception):
    """Base of what keeps an engine from asking a provider at all, or from asking it once more."""

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


class SetAside(EngineError):
    """So many engines died with the prompt that no other one shall."""

    code = "set-aside"

    def __init__(self, engines: int) -> None:
        super().__init__(
            f"This prompt was set aside: {engines} engines took it up, and each died before its answer was complete.",
            "Retry asks it again. `riffle sessions show` lists what was set aside.",
        )


class PromptLost(EngineError):
    """Only the prompt's id is left of it."""

    code = "prompt-lost"

    def __init__(self) -> None:
        super().__init__(
            "A prompt was lost: it was removed from the queue in Redis before it was answered, and its text with it.",
            "Ask it again.",
        )


class BadProfile(EngineError):
    """The profile that came with the prompt makes no sense."""

    code = "bad-profile"


class FileGone(EngineError):
    """The bytes of an attached file are not in Redis any more."""

    code = "file-gone"

    def __init__(self, names: str) -> None:
        super().__init__(f"The attached file is gone from Redis: {names}.", "Ask again, and attach it once more.")


class NotCompacted(EngineError):
    """There is nothing to compact, or no summary came, or there is nothing to take back."""

    code = "not-compacted"


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
