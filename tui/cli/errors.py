"""Every way to end with an error: one sentence on stderr, what to do next below it, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import cast

OK, FAILED, USAGE, INTERRUPTED, PIPE_CLOSED, TERMINATED = 0, 1, 2, 130, 141, 143
"""Exit codes. The last three are 128 plus the number of the signal (SIGINT, SIGPIPE, SIGTERM)."""


class CliError(Exception):
    """The command cannot be done. `hint` says what to do next."""

    exit_code = FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CliError):
    """The command line itself is wrong."""

    exit_code = USAGE


def complain(message: str, hint: str = "") -> None:
    """Say what is wrong on stderr, and below it what to do."""
    from tui.cli.printing import tidy

    lines = [f"riffle: {message}", *(f"  {line}" for line in hint.splitlines())]
    sys.stderr.write("".join(f"{tidy(line, sys.stderr)}\n" for line in lines))
    sys.stderr.flush()


def mute(*outputs: int) -> None:
    """Let what is still to be written there go nowhere: Python would complain of it when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in outputs:
        os.dup2(nowhere, output)
    os.close(nowhere)


def report(problem: Exception) -> int:
    """Tell a person what went wrong, without a traceback (`RIFFLE_DEBUG=1` shows it), and return the exit code."""
    if os.environ.get("RIFFLE_DEBUG"):
        traceback.print_exception(problem)
    while isinstance(problem, ExceptionGroup):
        # What ran side by side ended by one fault; the others are only its consequences.
        problem = cast("ExceptionGroup[Exception]", problem).exceptions[0]
    if isinstance(problem, BrokenPipeError):
        mute(sys.stdout.fileno())
        return PIPE_CLOSED
    hint = getattr(problem, "hint", None)
    if isinstance(hint, str):
        complain(str(problem), hint)
        return problem.exit_code if isinstance(problem, CliError) else FAILED
    if isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        hint = "RIFFLE_HOME chooses the folder that riffle keeps its files in." if where else ""
        complain(f"{where}{problem.strerror or problem}.", hint)
        return FAILED
    complain(
        f"This should not have happened: {type(problem).__name__}: {problem}",
        "RIFFLE_DEBUG=1 in front of the command shows where.",
    )
    return FAILED
