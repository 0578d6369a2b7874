"""`riffle send`: leave a prompt with a session and go."""

from __future__ import annotations

from tui.clean import clean_line
from tui.cli.commands import Send
from tui.cli.context import Context, open_store
from tui.cli.errors import OK, complain
from tui.ownership import author, who_answers
from tui.submit import new_prompt, put_files, submit


async def send(command: Send, ctx: Context) -> int:
    """Submit the prompt, and say who will answer it."""
    async with open_store(ctx) as store:
        info = await store.find(command.session)
        prompt = new_prompt(
            command.prompt,
            author=author(),
            model=command.model or "",
            options=ctx.profile.options() if ctx.profile else None,
            attachments=await put_files(store, info.id, command.files),
        )
        await submit(store, info.id, prompt)
        lease = await store.lease(info.id)
    name = clean_line(info.title) or info.id
    if lease is not None:
        complain(f"Sent to “{name}”.", f"`riffle attach {info.id}` shows the answer.")
    else:
        complain(f"Sent to “{name}”, where no engine is running now.", who_answers(info, embedded=ctx.embedded))
    return OK
