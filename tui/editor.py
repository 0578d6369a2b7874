"""A text in the user's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from tui import lending, paths


def edited(app: App[Any], text: str) -> str | None:
    """What `text` is after $VISUAL or $EDITOR had it; None, after a note, if no editor ended well."""
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        editor = shlex.split(wanted)
    except ValueError:  # a quote without its end
        editor = []
    if not editor:
        app.notify(f"{wanted!r} is not a command that starts an editor. Set $VISUAL or $EDITOR.", severity="error")
        return None
    handle, name = tempfile.mkstemp(prefix="riffle-", suffix=".md")  # mkstemp makes it 0600
    path = Path(name)
    try:
        os.close(handle)
        paths.write_private(path, text)
        with lending.lent(app):
            done = subprocess.run([*editor, name], check=False)
        if done.returncode == 0:
            return path.read_text(encoding="utf-8", errors="replace")
        app.notify(f"The editor {editor[0]!r} ended with {done.returncode}: nothing is changed.", severity="warning")
    except SuspendNotSupported:
        app.notify("This terminal cannot be lent to an editor.", severity="warning")
    except OSError as error:
        app.notify(
            f"The editor {editor[0]!r} does not start ({error.strerror}). Set $VISUAL or $EDITOR.", severity="error"
        )
    finally:
        path.unlink(missing_ok=True)
    return None
