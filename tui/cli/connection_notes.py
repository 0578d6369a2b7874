"""What a command without a screen says of its connection: that Redis went away, and that it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.cli.errors import CliError, complain

if TYPE_CHECKING:
    from bus.errors import BusError
    from bus.session import ConnectionState


class ConnectionNotes:
    """Says on stderr when Redis goes away and when it is back, after `before`. `away`: it cannot be reached now."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.away = False
        self._before = before

    def tell(self, state: ConnectionState) -> None:
        """Report a change of the connection, once each way. Raises CliError when Redis refuses for good."""
        match state.status:
            case "denied":
                raise CliError(state.detail)
            case "reconnecting":
                self._note(state.detail or "Redis cannot be reached.")
            case "live":
                self._note("")
            case _:
                pass

    def note(self, trouble: BusError | None) -> None:
        """As `tell`, for what `bus.retry.insist` ran into."""
        self._note(str(trouble or ""))

    def _note(self, trouble: str) -> None:
        if bool(trouble) == self.away:
            return
        self.away = bool(trouble)
        self._before()
        if trouble:
            complain(trouble, "riffle goes on as soon as it is back.")
        else:
            complain("Redis is back.")
