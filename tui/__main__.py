"""riffle: the command line's entry, and the place where the parts are put together.

Nothing is imported before it is known to be needed: the time from the first byte of this file to the first frame is
what a person waits for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.cli.commands import Attach, Chat, Command, Doctor, Engine, Models, Replay, Run, Say, Send, Tail
from tui.cli.errors import INTERRUPTED, OK, report

if TYPE_CHECKING:
    from tui.cli.context import Context


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    from tui.cli.parser import parse
    from tui.cli.printing import prepare_stdout

    try:
        prepare_stdout()
        code = _run(parse(sys.argv[1:] if argv is None else argv))
        # Here a reader who has gone away is still ours to deal with.
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as problem:  # the top frame: whatever it is becomes a sentence and an exit code
        return report(problem)


def _run(command: Command) -> int:
    if isinstance(command, Say):
        from tui.cli.printing import say_page

        say_page(command.text)
        return OK
    from tui.cli.context import by_profile, context

    ctx = context(command)
    command = by_profile(command, ctx)
    match command:
        case Doctor(acl=role) if role:
            from tui.cli import loop
            from tui.cli.acl import acl

            return loop.run(acl(role, ctx))
        case Chat():
            from tui.cli.chat import chat

            return chat(command, ctx)
        case Attach():
            from tui.cli.attach import attach

            return attach(command, ctx)
        case Replay():
            from tui.cli.replay import replay

            return replay(command, ctx)
        case Models():
            from tui.cli import loop
            from tui.cli.models import models

            ctx.show_warnings()
            return loop.run(models(command, ctx))
        case _:
            return _run_without_a_screen(command, ctx)


def _run_without_a_screen(command: Command, ctx: Context) -> int:
    from tui.cli import loop
    from tui.cli.context import with_piped

    ctx.start_redis_early()
    ctx.show_warnings()
    # Before the loop runs: Ctrl+C must reach a read that waits.
    command = with_piped(command)
    signals = loop.Signals()
    match command:
        case Run():
            from tui.cli.run import run

            return loop.run(run(command, ctx, signals), signals)
        case Tail():
            from tui.cli.tail import tail

            return loop.run(tail(command, ctx))
        case Send():
            from tui.cli.send import send

            return loop.run(send(command, ctx))
        case Engine():
            from tui.cli.engine import engine

            return loop.run(engine(command, ctx, signals), signals)
        case Doctor():
            from tui.cli.doctor.report import doctor

            return loop.run(doctor(ctx))
        case _:
            from tui.cli.sessions import sessions

            return loop.run(sessions(command, ctx))


if __name__ == "__main__":
    sys.exit(main())
