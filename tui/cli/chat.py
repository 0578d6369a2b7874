"""`riffle` and `riffle chat`: the screen on a session that this terminal owns."""

from __future__ import annotations

import dataclasses

from tui.cli import loop, plain, screen
from tui.cli.context import Context, full_prompt, with_files
from tui.cli.errors import UsageError
from tui.openings import Chat


def chat(command: Chat, ctx: Context) -> int:
    """Open the screen. Where there is none, a prompt is answered as `riffle run` does."""
    prompt = full_prompt(command.prompt, needed=False)
    if plain.is_wanted(command, ctx):
        return plain.show(dataclasses.replace(command, prompt=prompt), ctx)
    if screen.is_there():
        screen.take_the_keyboard()
        return screen.show(dataclasses.replace(command, prompt=prompt), ctx)
    if not prompt:
        raise UsageError(screen.NO_TERMINAL, 'To ask without one: riffle run "Why is the sky blue?"')
    from tui.cli.commands import Run
    from tui.cli.run import run

    ctx.start_redis_early()
    ctx.show_warnings()
    asked = Run(
        redis=command.redis,
        model=command.model,
        prompt=prompt,
        session=command.session,
        continue_last=command.continue_last,
        profile=command.profile,
    )
    signals = loop.Signals()
    return loop.run(run(with_files(asked), ctx, signals), signals)
