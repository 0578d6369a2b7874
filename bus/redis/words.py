"""What redis-py raises, told to a person: one place that says what happened and what to do next."""

from __future__ import annotations

import os
import ssl

from redis import exceptions as redis_errors

from ..errors import AccessDenied, BusError, StoreRefused, StoreUnavailable, WrongKeyType

_START = "Start the server, or check --redis and RIFFLE_REDIS_URL."

# redis-py takes the code off the replies that it has a class for.
_CODES: dict[type[Exception], str] = {
    redis_errors.OutOfMemoryError: "OOM",
    redis_errors.BusyLoadingError: "LOADING",
    redis_errors.ReadOnlyError: "READONLY",
    redis_errors.MasterDownError: "MASTERDOWN",
    redis_errors.ClusterDownError: "CLUSTERDOWN",
    redis_errors.TryAgainError: "TRYAGAIN",
}

# Replies of a server that answers, refuses now, and may well take the same command later.
_LATER = {
    "OOM": ("is full (maxmemory)", "Give it more memory, or delete old sessions. What is not written yet is kept."),
    "LOADING": ("is loading its data", "It will answer in a moment."),
    "READONLY": ("is a read-only replica now", "It may be failing over; else use the address of the master."),
    "MISCONF": ("cannot save its data", "Its disk may be full: see the server's log."),
    "MASTERDOWN": ("has lost its master", "It will answer when the master is back."),
    "CLUSTERDOWN": ("says that its cluster is down", "It will answer when the cluster is back."),
    "TRYAGAIN": ("is moving data between nodes", "It will answer in a moment."),
    "BUSY": ("is busy with a script", "It will answer when that ends."),
}

_CLOSED = ("onnection closed", "onnection lost", "Connection has data", "Connection not ready")
"""How a broken connection is called below us; the last two are redis-py's words for one that it kept for later."""


class NotPermitted(AccessDenied):
    """The user has logged in, and may not run this command or touch this key."""


def in_words(error: Exception, where: str, key: str) -> BusError:
    """The `BusError` for what a command on `key` at the server `where` ran into."""
    if isinstance(error, redis_errors.ConnectionError) and isinstance(error.__cause__, redis_errors.RedisError):
        error = error.__cause__  # a refusal during the handshake is wrapped
    match error:
        case redis_errors.AuthenticationError() | redis_errors.AuthorizationError() | redis_errors.NoPermissionError():
            return _denied(error, where)
        case redis_errors.ResponseError() | redis_errors.BusyLoadingError():
            return _refused(error, where, key)
        case redis_errors.MaxConnectionsError():
            return StoreUnavailable(f"Redis at {where} takes no more connections.", "Raise its maxclients.")
        case _:
            return _unreachable(error, where)


def _denied(error: Exception, where: str) -> BusError:
    if isinstance(error, redis_errors.NoPermissionError):
        return NotPermitted(f"Redis at {where} does not permit this: {error}.", "Ask for the right to do it.")
    if "required" in str(error):
        return AccessDenied(
            f"Redis at {where} wants a password.", "Put it into the address: redis://user:password@host:6379."
        )
    return AccessDenied(f"Redis at {where} does not accept this user or password.", "Check the address for both.")


def _refused(error: Exception, where: str, key: str) -> BusError:
    text = str(error)
    code = _CODES.get(type(error), text.partition(" ")[0])
    if "-OOM" in text or "OOM command" in text:
        code = "OOM"  # raised inside a script
    if code in _LATER:
        what, hint = _LATER[code]
        return StoreUnavailable(f"Redis at {where} {what}.", hint)
    if "WRONGTYPE" in text:
        return WrongKeyType(
            f"The key {key!r} at {where} is not a stream.", "Name a stream's key, or rename what is stored there."
        )
    if "max number of clients" in text:
        return StoreUnavailable(f"Redis at {where} takes no more connections.", "Raise its maxclients.")
    if code in ("MOVED", "ASK", "CROSSSLOT"):
        return StoreRefused(
            f"Redis at {where} is a node of a cluster, and {key!r} lies on another one.", "Use the node that holds it."
        )
    return StoreRefused(f"Redis at {where} refused: {text}.")


def _unreachable(error: BaseException, where: str) -> BusError:
    cause = _root(error)
    text = f"{error} {cause}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return StoreRefused(
            f"The certificate of Redis at {where} cannot be trusted: {cause.verify_message}.",
            "Name your authority's file in the address: ?ssl_ca_certs=/path/to/ca.pem.",
        )
    if isinstance(cause, ssl.SSLError):
        return StoreUnavailable(f"Redis at {where} does not speak TLS.", "Use redis:// for a port without TLS.")
    if "max number of clients" in text:
        return StoreUnavailable(f"Redis at {where} takes no more connections.", "Raise its maxclients.")
    number = cause.errno if isinstance(cause, OSError) else None
    reason = os.strerror(number) if number and number > 0 else str(cause)
    reason = reason.strip().rstrip(".") or type(cause).__name__
    if any(sign in text for sign in _CLOSED) or "reset" in reason:
        return StoreUnavailable(f"Redis at {where} closed the connection.", "If its port is a TLS port, use rediss://.")
    return StoreUnavailable(f"Redis at {where} cannot be reached: {reason}.", _START)


def _root(error: BaseException) -> BaseException:
    """What the system said, where it did; else what all began with."""
    while not isinstance(error, OSError) and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
