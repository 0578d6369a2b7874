"""A line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "note", "odd", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do if it is `odd` (a warning) or `bad`."""

    mark: Mark
    what: str
    found: str
    fix: str = ""
