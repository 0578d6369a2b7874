"""What is left of a crash: one sentence for the person, and a report without anybody's data."""

from __future__ import annotations

import platform
import re
import time
import traceback
from pathlib import Path

from tui.clean import clean_line
from tui.paths import write_private

_SECRETS = re.compile(r"(?<=://)[^/@\s]+@|\bsk-[\w-]{8,}|(?i:bearer\s+)\S+")


def write_report(error: BaseException | None, folder: Path) -> str:
    """Write the traceback of `error`, without locals, to a new 0600 file in `folder`; what to tell the person."""
    if error is None:
        return "riffle stopped for an unknown reason."
    name = type(error).__name__
    path = folder / time.strftime("crash-%Y%m%d-%H%M%S.txt")
    lines = traceback.format_exception(error)
    try:
        write_private(path, _SECRETS.sub("•••", f"Python {platform.python_version()}\n\n{''.join(lines)}"))
    except OSError:
        return f"riffle stopped: {name}: {_words(error)}. Nothing that was sent is lost."
    return f"riffle stopped: {name}: {_words(error)}. Nothing that was sent is lost. The report: {path}"


def _words(error: BaseException) -> str:
    return clean_line(_SECRETS.sub("•••", str(error)))[:200]
