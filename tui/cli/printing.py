"""What goes to stdout and stderr: help, entries for programs, and nothing that could command a terminal."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from tui.clean import clean, clean_controls, escaped

if TYPE_CHECKING:
    from bus.stream import Entry

Style = Literal["plain", "bold", "dim", "red"]
_SGR: dict[Style, str] = {"plain": "", "bold": "1", "dim": "2", "red": "31"}


def tidy(text: str, stream: TextIO, style: Style = "plain") -> str:
    """`text` as it may go to `stream`: cleaned and styled for a terminal; else without what could command one later."""
    if not stream.isatty():
        return clean_controls(text)
    text = clean(text)
    if style == "plain" or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return re.sub(r"[^\n]+", lambda line: f"\x1b[{_SGR[style]}m{line[0]}\x1b[0m", text)


def say(text: str, style: Style = "plain") -> None:
    """Write `text` and a newline to stdout."""
    sys.stdout.write(tidy(f"{text}\n", sys.stdout, style))


def say_page(text: str) -> None:
    """Write a help page. A line at the margin without a full stop is a heading."""
    for line in text.splitlines():
        say(line, "bold" if line and not line.startswith(" ") and not line.endswith(".") else "plain")


def prepare_stdout() -> None:
    """Data in a file or a pipe is UTF-8 whatever the locale; a terminal gets what it can show."""
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        encoding = None if sys.stdout.isatty() else "utf-8"
        cast("io.TextIOWrapper[Any]", stdout).reconfigure(encoding=encoding, errors="replace")


def json_line(entry: Entry, *, as_read: bool = False) -> str:
    """`{"id", "ts", "event"}` on one line, the payload unchanged. A broken entry has `raw` and `error` instead.

    The id is null where the reader made the entry up: a gap. `as_read`: the event as it was understood, for streams
    whose entries hold no event.
    """
    head = f'{{"id":{json_text(entry.id or None)},"ts":{entry.ts},'
    if reason := _broken(entry):
        raw = entry.payload.decode(errors="replace")
        return f'{head}"raw":{json_text(raw)},"error":{json_text(reason)}}}\n'
    # Between the tokens of valid JSON a newline means nothing, and inside of a text there is none.
    event = re.sub("[\r\n]+", " ", _payload(entry, as_read=as_read))
    return f'{head}"event":{_without_controls(event)}}}\n'


def json_text(value: object) -> str:
    """`value` as JSON for people's eyes too: other scripts stay as they are, what commands a terminal is escaped."""
    return _without_controls(json.dumps(value, ensure_ascii=False))


def _without_controls(text: str) -> str:
    # JSON itself escapes the controls below these. Outside of its texts it has none.
    return escaped(text, lambda character: json.dumps(character)[1:-1])


def size_text(count: int) -> str:
    """So many bytes, for a person."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count //= 1024
    return f"{count:,} GB"


def yaml_document(entry: Entry, *, as_read: bool = False) -> str:
    """The same as `json_line` as one YAML document."""
    from tui.cli import yaml_text

    return "---\n" + yaml_text.dumps(json.loads(json_line(entry, as_read=as_read)))


RECORDS: dict[str, Callable[..., str]] = {"json": json_line, "yaml": yaml_document}


def _broken(entry: Entry) -> str:
    from bus.events import Broken

    return entry.event.reason or "It cannot be read." if isinstance(entry.event, Broken) else ""


def _payload(entry: Entry, *, as_read: bool) -> str:
    from bus.codec import encode

    return (encode(entry.event) if as_read or not entry.payload else entry.payload).decode(errors="replace")
