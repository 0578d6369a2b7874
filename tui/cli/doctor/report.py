"""The whole report: looked at, printed, and summed up in the exit code."""

from __future__ import annotations

import platform

from tui.cli.context import Context
from tui.cli.doctor.finding import Mark
from tui.cli.doctor.machine import files, models, packages, settings, terminal
from tui.cli.doctor.server import server
from tui.cli.doctor.sessions import sessions
from tui.cli.errors import FAILED, OK
from tui.cli.printing import Style, say
from tui.version import version

_MARKS: dict[Mark, tuple[str, Style]] = {
    "ok": ("ok ", "plain"),
    "note": ("-  ", "dim"),
    "odd": ("!  ", "bold"),
    "bad": ("✗  ", "red"),
}


async def doctor(ctx: Context) -> int:
    """Look at everything, print it, and say by the exit code whether something is wrong."""
    say(f"riffle {version()} · Python {platform.python_version()} · {platform.system()} {platform.machine()}", "bold")
    bad = False
    for title, findings in (
        ("Redis", await server(ctx)),
        ("Sessions", await sessions(ctx)),
        ("Models", list(models(ctx))),
        ("Terminal", list(terminal())),
        ("Files", list(files(ctx))),
        ("Settings", list(settings(ctx))),
        ("Packages", list(packages())),
    ):
        say(f"\n{title}", "bold")
        for finding in findings:
            mark, style = _MARKS[finding.mark]
            say(f"  {mark} {finding.what:<20} {finding.found}", style)
            if finding.fix:
                say(f"      {'':<20} → {finding.fix}")
        bad = bad or any(finding.mark == "bad" for finding in findings)
    return FAILED if bad else OK
