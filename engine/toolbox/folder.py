"""The one folder that tools may look into: confinement, what is skipped, what is kept private."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ..privacy import PRIVATE_FOLDERS, is_private
from ..tools import ToolError

SKIPPED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".jj", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".mypy_cache",
        ".pytest_cache", ".ruff_cache", ".gradle", ".terraform", ".idea", ".DS_Store",
    }
)  # fmt: skip
"""What a listing or a search does not go into: history, caches and other people's code."""


class Folder:
    """A folder and all that lies in it. Symbolic links are followed, but never out of it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def find(self, path: str) -> Path:
        """What `path` (relative to the folder, or absolute) names; a `ToolError` if that may not be looked at."""
        if "\0" in path:
            raise ToolError("A path cannot hold a NUL character.")
        try:
            real = (self.root / Path(path).expanduser()).resolve()
        except (RuntimeError, OSError) as error:  # a loop of links, a name that is too long
            raise ToolError(f"{path!r} cannot be followed: {error}.") from error
        if not real.is_relative_to(self.root):
            raise ToolError(f"{path!r} is outside of the working folder. Tools see only what lies in it.")
        if self.is_private(real) or self.is_private(self.root / path):
            raise ToolError(f"{path!r} is not read: files of that name mostly hold secrets.")
        if not real.exists():
            raise ToolError(f"There is no {path!r} in the working folder.")
        return real

    def name(self, path: Path) -> str:
        """`path` relative to the folder, with forward slashes; the folder itself is `.`."""
        return path.relative_to(self.root).as_posix()

    def is_private(self, path: Path) -> bool:
        """Whether the name of `path`, or of a folder on the way to it, speaks of secrets."""
        return is_private(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def files(self, start: Path, glob: str | None, given_up: threading.Event) -> Iterator[Path]:
        """Every regular file under `start` in a stable order, without what is skipped, private or leads out.

        `glob` is matched against the path relative to `start`; one without a slash against the file's name. It ends
        early when `given_up` is set.
        """
        pattern = None if glob is None else PurePosixPath(glob if "/" in glob else f"**/{glob}").parts
        for folder, folders, names in os.walk(start):
            if given_up.is_set():
                return
            folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS | PRIVATE_FOLDERS)
            for name in sorted(names):
                path = Path(folder, name)
                if pattern is not None and not _matches(path.relative_to(start).parts, pattern):
                    continue
                if path.is_file() and not self.is_private(path) and self._stays_inside(path):
                    yield path

    def _stays_inside(self, path: Path) -> bool:
        if not path.is_symlink():
            return True
        real = path.resolve()
        return real.is_relative_to(self.root) and not self.is_private(real)


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Match name by name: a pattern of many stars over a whole path would backtrack for ever."""
    reachable = {0}
    for part in parts:
        reachable = _past_stars(reachable, pattern)
        reachable = {
            index if pattern[index] == "**" else index + 1
            for index in reachable
            if index < len(pattern) and (pattern[index] == "**" or fnmatchcase(part, pattern[index]))
        }
    return len(pattern) in _past_stars(reachable, pattern)


def _past_stars(reachable: set[int], pattern: tuple[str, ...]) -> set[int]:
    """The positions that can be reached by letting `**` stand for no folder at all."""
    found: set[int] = set()
    for index in reachable:
        found.add(index)
        while index < len(pattern) and pattern[index] == "**":
            index += 1
            found.add(index)
    return found
