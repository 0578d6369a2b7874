"""A prompt on its way: made once, and sent until Redis has answered, so that a lost reply does not ask twice."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bus.attachment import Attachment
from bus.errors import StoreUnavailable
from bus.retry import insist
from bus.session import Prompt

if TYPE_CHECKING:
    from bus.redis.store import Store
    from tui.attaching import Picked

PATIENCE_SECONDS = 4.0
"""How long Redis may be away before a person is told. One try is given 3 seconds."""


def new_prompt(
    text: str,
    *,
    author: str,
    model: str = "",
    supersedes: str | None = None,
    id: str = "",
    options: Mapping[str, str] | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> Prompt:
    """A prompt of now. `id` is that of an earlier try, of which nobody knows whether it has arrived."""
    return Prompt(
        id=id or str(uuid.uuid4()),
        text=text,
        author=author,
        model=model,
        supersedes=supersedes,
        submitted_ms=time.time_ns() // 1_000_000,
        options=dict(options or {}),
        attachments=attachments,
    )


async def put_files(store: Store, session_id: str, files: Sequence[Picked | Attachment]) -> tuple[Attachment, ...]:
    """Lay the bytes of `files` into the session, as far as they are not there yet, before the prompt is sent."""
    return tuple([f if isinstance(f, Attachment) else await _put(store, session_id, f) for f in files])


async def _put(store: Store, session_id: str, file: Picked) -> Attachment:
    key = await store.put_file(session_id, file.data)
    return Attachment(name=file.name, media_type=file.media_type, size=len(file.data), block_key=key)


async def submit(store: Store, session_id: str, prompt: Prompt) -> None:
    """Queue `prompt`. Raises `StoreUnavailable` when Redis has not answered in time: then it may be there or not."""
    trouble = StoreUnavailable("Redis did not answer.")

    def note(problem: StoreUnavailable | None) -> None:
        nonlocal trouble
        trouble = problem or trouble

    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await insist(lambda: store.submit(session_id, prompt), note)
    except TimeoutError:
        raise trouble from None
