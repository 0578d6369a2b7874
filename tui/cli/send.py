"""`riffle send`: leave a prompt with a session and go."""

from __future__ import annotations

import time
import uuid

from bus.session import Prompt
from tui.clean import clean_line
from tui.cli.commands import Send
from tui.cli.context import Context, author, open_store
from tui.cli.errors import OK, complain


async def send(command: Send, ctx: Context) -> int:
    """Submit the prompt, and say who will answer it."""
    async with open_store(ctx) as store:
        info = await store.find(command.session)
        await store.submit(info.id, new_prompt(command.prompt, model=command.model or ""))
        lease = await store.lease(info.id)
    name = clean_line(info.title) or info.id
    if lease is not None:
        complain(f"Sent to “{name}”.", f"riffle attach {info.id} shows the answer.")
    elif info.answering == "pool":
        complain(f"Sent to “{name}”: the next free engine answers.", f"riffle attach {info.id} shows the answer.")
    else:
        complain(
            f"Sent to “{name}”, where no engine is running now: the prompt waits.",
            f"riffle chat -s {info.id} starts one.",
        )
    return OK


def new_prompt(text: str, *, model: str = "", options: dict[str, str] | None = None) -> Prompt:
    """A prompt of this user's, of now."""
    return Prompt(
        id=str(uuid.uuid4()),
        text=text,
        author=author(),
        model=model,
        submitted_ms=int(time.time() * 1000),
        options=options or {},
    )
