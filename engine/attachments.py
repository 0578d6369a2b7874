"""The files that go with a prompt: their bytes are fetched for a request, and each API has its own form for them.

Texts are sent as text, in a frame that names them; pictures and PDFs as the provider's own blocks.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from bus.attachment import Attachment

from .loose import JSON
from .ports import Block, File

PDF = "application/pdf"
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

Load = Callable[[str], Awaitable[bytes | None]]
"""The bytes that lie under a block key; None: they are gone."""


async def nowhere(block_key: str) -> bytes | None:
    """A `Load` without a store."""
    return None


class Files:
    """Fetches the bytes of attachments, each once."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[str, bytes] = {}

    async def missing(self, attachments: Iterable[Attachment]) -> list[str]:
        """The names of those whose bytes are gone."""
        return [file.name for file in attachments if await self._bytes(file.block_key) is None]

    async def with_bytes(self, blocks: Sequence[Block]) -> list[Block]:
        """`blocks` with the bytes in their files, as far as they are still there."""
        needed = {file.block_key for block in blocks for file in block.files}
        for key in self._known.keys() - needed:
            del self._known[key]  # of turns that were compacted or replaced
        return [
            replace(block, files=[replace(f, data=await self._bytes(f.block_key)) for f in block.files])
            if block.files
            else block
            for block in blocks
        ]

    async def _bytes(self, key: str) -> bytes | None:
        if key not in self._known:
            data = await self._load(key)
            if data is None:
                return None
            self._known[key] = data
        return self._known[key]


def as_text(file: File) -> str | None:
    """What is told of `file` in text: all of it, where it is one. None: it goes as a block of its own."""
    if file.data is None:
        return f"[The file {file.name} was attached here. It is not there any more.]"
    if file.media_type in PICTURES or file.media_type == PDF:
        return None
    text = file.data.decode(errors="replace").rstrip("\n")
    return f"<file name={file.name!r}>\n{text}\n</file>"


def chat_part(file: File) -> JSON:
    """As a part of a Chat Completions message."""
    if (text := as_text(file)) is not None:
        return {"type": "text", "text": text}
    if file.media_type == PDF:
        return {"type": "file", "file": {"filename": file.name, "file_data": _data_url(file)}}
    return {"type": "image_url", "image_url": {"url": _data_url(file)}}


def responses_part(file: File) -> JSON:
    """As a part of a Responses message."""
    if (text := as_text(file)) is not None:
        return {"type": "input_text", "text": text}
    if file.media_type == PDF:
        return {"type": "input_file", "filename": file.name, "file_data": _data_url(file)}
    return {"type": "input_image", "image_url": _data_url(file), "detail": "auto"}


def anthropic_part(file: File) -> JSON:
    """As a content block of an Anthropic message."""
    if (text := as_text(file)) is not None:
        return {"type": "text", "text": text}
    source = {"type": "base64", "media_type": file.media_type, "data": _base64(file)}
    if file.media_type == PDF:
        return {"type": "document", "source": source, "title": file.name}
    return {"type": "image", "source": source}


def _data_url(file: File) -> str:
    return f"data:{file.media_type};base64,{_base64(file)}"


def _base64(file: File) -> str:
    return base64.b64encode(file.data or b"").decode("ascii")
