"""What is said of an answer that ended before it was whole: by the stop reason, whatever the API."""

from __future__ import annotations

_LIMIT = "The answer was cut off: the limit of output tokens was reached. Ask it to go on, or set a higher max_tokens."
_NOTICES = {
    "length": _LIMIT,
    "max_tokens": _LIMIT,
    "max_output_tokens": _LIMIT,
    "content_filter": "The answer was cut off by the provider's content filter. Ask in other words.",
    "error": "The provider broke the answer off with an error that it does not name. Ask it to go on, or ask again.",
    "model_context_window_exceeded": "The answer was cut off: the model's context window is full. "
    "Ask a model with a larger one, or begin a new session.",
}


def notice(reason: str | None) -> str:
    """The sentence for a person; empty where the answer is whole."""
    return _NOTICES.get(reason or "", "")
