"""riffle: the command line's entry, and the order in which a screen comes up.

1. Here: the words are read (`tui.cli.parser`), then the configuration (`tui.cli.context`).
2. `tui.cli.screen` gets our own Redis going, which starts while Python reads what the first frame is made of.
3. `tui.app` draws the first frame: welcome, prompt, status line. It needs neither Redis nor pydantic nor the timeline.
4. `tui.screens.watching` then imports those in a thread, connects, and shows what there is.

Nothing is imported before it is known to be needed: the time from the first byte of this file to the first frame is
what a person waits for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tui import collector
from tui.cli.errors import INTERRUPTED, OK, report
from tui.openings import Attach, Chat, Command, Replay


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    collector.rest()
    # None is used, and to look for some in every installed distribution takes as long as a frame.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
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
    finally:
        collector.resume()


def _run(command: Command) -> int:
    if not isinstance(command, Chat | Attach | Replay):
        return _run_without_a_screen(command)
    from tui.cli.context import by_profile, context

    ctx = context(command)
    match by_profile(command, ctx):
        case Chat() as command:
            from tui.cli.chat import chat

            return chat(command, ctx)
        case Attach() as command:
            from tui.cli.attach import attach

            return attach(command, ctx)
        case Replay() as command:
            from tui.cli.replay import replay

            return replay(command, ctx)


def _run_without_a_screen(command: Command) -> int:
    from tui.cli.commands import Say

    if isinstance(command, Say):
        from tui.cli.printing import say_page

        say_page(command.text)
        return OK
    from tui.cli.screenless import run

    return run(command)


if __name__ == "__main__":
    sys.exit(main())
