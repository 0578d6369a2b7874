"""The tools that every engine has: they read the working folder, change nothing and need no approval."""

from __future__ import annotations

from pathlib import Path

from ..tools import Toolbox
from .folder import Folder
from .list_files import list_files
from .read_file import read_file
from .search_files import search_files


def read_only_tools(root: Path) -> Toolbox:
    """The tools over the folder `root`."""
    folder = Folder(root)
    return Toolbox([read_file(folder), list_files(folder), search_files(folder)])
