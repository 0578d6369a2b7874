"""A file that goes with a prompt: what is known of it without its bytes. Plain: a screen imports it at its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """`name` is as the person wrote it; `size` counts the bytes that lie in the session's key `block_key`."""

    name: str = ""
    media_type: str = ""
    size: int = 0
    block_key: str = ""
