"""What every model is told before the conversation: where its words are read, and which folder its tools see."""

from __future__ import annotations

from pathlib import Path

_OWN = (
    "You answer in riffle, a terminal chat client. The terminal shows Markdown: headings, lists, tables, quotes, "
    "fenced code with its language. It shows no images and no HTML.\n\n"
    "Be exact and to the point. Say so when you do not know."
)


def instructions(folder: Path | None, system: str = "") -> str:
    """The system prompt; without a `folder` there are no tools. A profile's `system` stands in place of riffle's own.

    It names no date and no machine, so that a provider's cache holds it from turn to turn.
    """
    parts = [system or _OWN]
    if folder is not None:
        parts.append(
            f"Your tools read files in the folder {folder}, and change nothing. Use them when the question is about "
            "that folder; say what you looked at."
        )
    return "\n\n".join(parts)
