"""What is left of a crash: one sentence for the person, and a report without anybody's data."""

from __future__ import annotations

import platform
import re
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from tui.clean import clean_line
from tui.paths import write_private

_SECRETS = re.compile(r"(?<=://)[^/@\s]+@|\bsk-[\w-]{8,}|(?i:bearer\s+)\S+")


def write_report(error: BaseException | None, folder: Path) -> str:
    """Write where `error` was raised to a new 0600 file in `folder`; what to tell the person.

    The report holds types and places in the code, no locals and no messages: those may quote the conversation.
    """
    if error is None:
        return "riffle stopped for an unknown reason."
    name = type(error).__name__
    path = folder / time.strftime("crash-%Y%m%d-%H%M%S.txt")
    try:
        write_private(path, f"Python {platform.python_version()}\n\n{''.join(_frames(error))}")
    except OSError:
        return f"riffle stopped: {name}: {_words(error)}. Nothing that was sent is lost."
    return f"riffle stopped: {name}: {_words(error)}. Nothing that was sent is lost. The report: {path}"


def _frames(error: BaseException) -> Iterator[str]:
    """The frames of `error` behind those of what it came from, each with the type."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _frames(before)
        yield "\nwhich led to\n\n"
    yield from (f"{at.filename}:{at.lineno} in {at.name}\n" for at in traceback.extract_tb(error.__traceback__))
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield "\none of its parts\n\n"
            yield from _frames(inner)


def _words(error: BaseException) -> str:
    return clean_line(_SECRETS.sub("•••", str(error)))[:200]
