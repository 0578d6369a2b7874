"""What an event survives that a writer has reported as written, from the weakest to the strongest.

memory    nothing: it is gone when the server ends
process   the end of the server, kill -9 included; a power cut costs its last second (append-only file)
disk      a power cut (append-only file, on the disk before the answer)
replica   the loss of the server: other servers have it too (WAIT)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["memory", "process", "disk", "replica"]

LEVELS: tuple[Level, ...] = ("memory", "process", "disk", "replica")


@dataclass(frozen=True, slots=True)
class Durability:
    """What somebody has chosen. `level` None is whatever the server gives; `replicas` counts for `replica` alone."""

    level: Level | None = None
    replicas: int = 1

    def __str__(self) -> str:
        match self.level:
            case None:
                return "as the server gives it"
            case "replica":
                return f"replica {self.replicas}"
            case level:
                return level


AS_GIVEN = Durability()


def level_named(name: str) -> Level | None:
    """The level of that name."""
    for level in LEVELS:
        if level == name:
            return level
    return None
