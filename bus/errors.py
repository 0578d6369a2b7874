"""What can go wrong on the bus, each with a message for a person.

BusError
├── StoreUnavailable     Redis cannot be reached, or does not answer in time: worth another try
│   └── StoreLoading     it has just started and reads its data: worth waiting
├── StoreRefused         Redis answers and refuses: another try gives the same answer
│   ├── AccessDenied     password or permission
│   │   └── AccessWithdrawn   it was granted before: worth another try, as what is unavailable
│   └── WrongKeyType     the key holds something that is not a stream
├── Fenced               a newer engine writes to the session: this one must stop
├── LeaseTaken           another engine answers the session now
├── NoRedisBinary        no usable redis-server on this machine
├── DamagedArchive       the file of an ended session is cut off or changed
├── UnknownSession       no session of that name
└── AmbiguousSession     several sessions of that name
"""

from __future__ import annotations


class BusError(Exception):
    """Base of all errors of the bus. `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class StoreUnavailable(BusError):
    """Redis cannot be reached, or does not answer in time. Another try may succeed."""


class StoreLoading(StoreUnavailable):
    """Redis has just started and reads its data. It will answer."""


class StoreRefused(BusError):
    """Redis answers and refuses. Another try gives the same answer."""


class AccessDenied(StoreRefused):
    """The password is wrong or missing, or the user may not do this."""


class AccessWithdrawn(AccessDenied, StoreUnavailable):
    """A password that was right is not any more. It may be changed back: an engine holds on to what it has to write."""


class WrongKeyType(StoreRefused):
    """The key exists and is not a stream."""


class Fenced(BusError):
    """A newer engine writes to this session, or the session was deleted. Nothing of this writer is taken any more."""


class LeaseTaken(BusError):
    """Another engine answers this session now."""


class NoRedisBinary(BusError):
    """No redis-server 6.2 or newer was found, or the one found is older than the data."""


class DamagedArchive(BusError):
    """The file that an ended session was moved to is cut off, changed, or too new to be read."""


class UnknownSession(BusError):
    """No session has that id, id prefix or title."""


class AmbiguousSession(BusError):
    """Several sessions begin with that prefix or have that title."""
