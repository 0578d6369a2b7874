"""Housekeeping: once a day, sessions that ended long ago move out of our own Redis, in a process of its own.

Whoever has just finished starts it: then nobody waits for a first frame or a key. Run as `python -m tui.housekeeping`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui.paths import make_private

if TYPE_CHECKING:
    from tui.cli.context import Context

EVERY_SECONDS = 86_400.0


def keep_house(ctx: Context) -> None:
    """Start it if it is due. It is first due a day after the first time that anybody asks. Returns at once."""
    log = ctx.paths.housekeeping_log
    if not ctx.embedded or not ctx.config.retention_days:
        return
    with contextlib.suppress(OSError):  # a full disk, or no process to be had: tomorrow is another day
        last = log.stat().st_mtime if log.exists() else None
        if last is not None and abs(time.time() - last) < EVERY_SECONDS:
            return
        make_private(log.parent)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.utime(handle)  # an empty file that is cut to nothing keeps its time
            if last is not None:
                _start(handle)
        finally:
            os.close(handle)


def _start(log: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tui.housekeeping"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        cwd=Path(__file__).resolve().parent.parent,
        start_new_session=True,
    )
    process.returncode = 0  # it outlives this process on purpose: nobody waits for it


async def _tidy(ctx: Context) -> int:
    from tui.cli.context import open_store
    from tui.cli.errors import OK, complain

    async with open_store(ctx) as store:
        for problem in await store.archiving.tidy(ctx.config.retention_days):
            complain(str(problem), problem.hint)
    return OK


def main() -> int:
    """Do it now, behind everything else that this machine has to do."""
    from tui.cli import loop
    from tui.cli.commands import Doctor
    from tui.cli.context import context
    from tui.cli.errors import OK, report

    os.nice(19)
    try:
        ctx = context(Doctor())
        return loop.run(_tidy(ctx)) if ctx.embedded and ctx.config.retention_days else OK
    except Exception as problem:  # the top frame: it ends in the log
        return report(problem)


if __name__ == "__main__":
    sys.exit(main())
