"""What a writer asks for behind each append, where the server's own answer does not promise enough.

WAIT and WAITAOF count for what their own connection has written. So they go over the socket of the append, and a
repeated append writes something too: over a fresh connection that has written nothing, WAIT answers that every
replica has it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..durability import Durability
from ..errors import StoreUnavailable

WAIT_MS = 1000
"""How long one answer may take; the writer asks again."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A command to send behind an append, and the number of confirmations that it must answer with."""

    command: tuple[str | int, ...]
    needed: int

    def check(self, reply: Any) -> None:
        """Raise `StoreUnavailable` unless `reply` confirms what was written."""
        if isinstance(reply, list):  # WAITAOF: [this server, replicas]
            if reply[0] < self.needed:
                raise StoreUnavailable(
                    "Redis has not confirmed that the events are on its disk.",
                    "Its disk may be slow or full. What is not confirmed yet is kept, and written again.",
                )
        elif reply < self.needed:
            raise StoreUnavailable(
                f"{reply} of {self.needed} replicas have confirmed the events.",
                "`riffle doctor` shows the replicas. What is not confirmed yet is kept, and written again.",
            )


def confirmation(chosen: Durability, version: tuple[int, ...], *, keeps_file: bool) -> Confirmation | None:
    """What keeps the chosen level on a server of that version. None: nothing needs to be asked, or nothing can be.

    `keeps_file` is whether it has an append-only file: without one it refuses WAITAOF.
    """
    match chosen.level:
        case "replica":
            return Confirmation(("WAIT", chosen.replicas, WAIT_MS), chosen.replicas)
        case "disk" if keeps_file and version >= (7, 2):
            return Confirmation(("WAITAOF", 1, 0, WAIT_MS), 1)
        case _:
            return None
