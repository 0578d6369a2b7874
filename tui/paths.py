"""Where riffle keeps its files. Everything that it creates is for its user alone: folders 0700, files 0600."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP_NAME = "riffle"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one user. Nothing exists until something is written there."""

    config_file: Path
    themes: Path
    """Themes of the user's own."""
    data: Path
    """Conversations: the Redis data folder lies in here."""
    state: Path
    """Prompt history, drafts, crash reports: lost without harm."""
    cache: Path
    """What can be asked for again."""

    @property
    def sessions(self) -> Path:
        """Ended sessions that were moved out of the Redis in `data`, one file each."""
        return self.data / "sessions"

    @property
    def housekeeping_log(self) -> Path:
        """What the last housekeeping could not do; as old as that."""
        return self.state / "housekeeping.log"

    @property
    def history_file(self) -> Path:
        """Prompts that were sent, one JSON text per line."""
        return self.state / "history.jsonl"

    @property
    def drafts_file(self) -> Path:
        """Prompts that were begun and not sent, as one JSON object by session."""
        return self.state / "drafts.json"


def find_paths(env: Mapping[str, str]) -> Paths:
    """The paths of this user: `RIFFLE_HOME` puts all of them into one folder, `RIFFLE_CONFIG` names the config file."""
    if home := env.get("RIFFLE_HOME"):
        root = Path(home).expanduser().absolute()
        config, data, state, cache = root / "config", root / "data", root / "state", root / "cache"
    else:
        config = Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))
        data = Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))
        state = Path(platformdirs.user_state_dir(APP_NAME, appauthor=False))
        cache = Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))
    config_file = Path(env["RIFFLE_CONFIG"]).expanduser().absolute() if env.get("RIFFLE_CONFIG") else None
    return Paths(config_file or config / "config.toml", config / "themes", data, state, cache)


def make_private(folder: Path) -> Path:
    """Create `folder`, and the folders above it that are missing, with mode 0700; return it."""
    if not folder.is_dir():
        make_private(folder.parent)  # mkdir's own `parents` would make those readable to others
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, all of it or nothing: a crash leaves the old file."""
    make_private(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def append_private(path: Path, line: str) -> None:
    """Add `line` to the end of `path`, which is created with mode 0600."""
    make_private(path.parent)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.write(line + "\n")
