"""Numbers as they stand in Redis: decimal digits. Anybody may write there, so nothing else is trusted."""

from __future__ import annotations

MAX_DIGITS = 20
"""They hold every 64-bit number, and stop hostile lengths."""


def number(raw: bytes | str | None) -> int | None:
    """The number; None where there is none, or it is too long for one of 64 bits."""
    # isdigit() alone takes other scripts' digits, and marks like ², which int() refuses.
    return int(raw) if raw is not None and raw.isdigit() and raw.isascii() and len(raw) <= MAX_DIGITS else None
