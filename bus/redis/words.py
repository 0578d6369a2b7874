"""What redis-py raises, told to a person: one place that says what happened and what to do next."""

from __future__ import annotations

import os
import re
import ssl
from typing import Literal

from redis import exceptions as redis_errors

from ..errors import AccessDenied, AccessWithdrawn, BusError, StoreLoading, StoreRefused, StoreUnavailable, WrongKeyType

_START = "Start the server, or check --redis and RIFFLE_REDIS_URL."

# Replies of a server that answers, refuses now, and may well take the same command later.
_LATER = {
    "OOM": ("is full (maxmemory)", "Give it more memory, or delete old sessions (riffle sessions delete)."),
    "LOADING": ("is loading its data", "It will answer in a moment."),
    "READONLY": ("is a read-only replica now", "It may be failing over; else use the address of the master."),
    "MISCONF": ("cannot save its data", "Its disk may be full: see the server's log."),
    "MASTERDOWN": ("has lost its master", "It will answer when the master is back."),
    "CLUSTERDOWN": ("says that its cluster is down", "It will answer when the cluster is back."),
    "TRYAGAIN": ("is moving data between nodes", "It will answer in a moment."),
    "BUSY": ("is busy with a script", "It will answer when that ends."),
    "UNBLOCKED": (
        "is not the master any more",
        "The next try finds the new one, where sentinels or a cluster know it.",
    ),
    "NOREPLICAS": ("has fewer replicas than it wants", "It takes nothing until they are back (min-replicas-to-write)."),
}

_CLOSED = ("onnection closed", "onnection lost")
"""How a broken connection is called below us."""

_WRONG_NAME = (62, 64)
"""OpenSSL's numbers for a host and an IP address that the certificate does not name."""

_OWN = "?ssl_certfile=/path/to/cert.pem&ssl_keyfile=/path/to/key.pem."

_SCRIPTS = ("eval", "evalsha")
"""All of ours that is written goes through a script."""

_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


_MORE_RIGHTS = "`riffle doctor --acl engine` prints how to make a user that may ask and answer."


class NotPermitted(AccessDenied):
    """The user has logged in, and may not run this command or touch this key."""


def in_words(error: Exception, where: str, key: str, *, had_worked: bool = False) -> BusError:
    """The `BusError` for what a command on `key` at the server `where`, which `had_worked` before, ran into."""
    if isinstance(error, redis_errors.ConnectionError) and isinstance(error.__cause__, redis_errors.RedisError):
        error = error.__cause__  # a refusal during the handshake is wrapped
    match error:
        case redis_errors.AuthenticationError() | redis_errors.AuthorizationError() | redis_errors.NoPermissionError():
            denied = _denied(error, where)
            lets_in = isinstance(denied, NotPermitted)
            return AccessWithdrawn(str(denied), denied.hint) if had_worked and not lets_in else denied
        case redis_errors.ResponseError() | redis_errors.BusyLoadingError():
            return _refused(error, where, key)
        case redis_errors.InvalidResponse():
            # Worth another try: a proxy whose server is away says so in HTTP.
            return StoreUnavailable(f"What answers at {where} is not a Redis server.", "Check the host and the port.")
        case _:
            return _unreachable(error, where, had_worked=had_worked)


def _denied(error: Exception, where: str) -> AccessDenied:
    if isinstance(error, redis_errors.NoPermissionError):
        return _not_permitted(str(error), where)
    if "required" in str(error):
        return AccessDenied(
            f"Redis at {where} wants a password.", "Put it into the address: redis://user:password@host:6379."
        )
    return AccessDenied(f"Redis at {where} does not accept this user or password.", "Check the address for both.")


def _not_permitted(text: str, where: str) -> NotPermitted:
    command = re.search(r"'([\w|]+)' command", text)
    if command is None:
        return NotPermitted(f"Redis at {where} does not permit this user this key.", "Ask for the right to use it.")
    if command[1].lower() in _SCRIPTS:
        return NotPermitted(
            f"The user that riffle has at Redis may only watch: {where} does not let it write.", _MORE_RIGHTS
        )
    name = command[1].upper().replace("|", " ")
    return NotPermitted(f"Redis at {where} does not permit this user the command {name}.", "Ask for the right to it.")


def _refused(error: Exception, where: str, key: str) -> BusError:
    text = str(error)
    # redis-py takes the code off the replies that it has a class for; what a script ran into has it in the middle.
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    code = next((later for later in _LATER if f"-{later} " in text), code)
    if "OOM command" in text:
        code = "OOM"
    if code in _LATER:
        what, hint = _LATER[code]
        kind = StoreLoading if code == "LOADING" else StoreUnavailable
        return kind(f"Redis at {where} {what}.", hint)
    if "user executing the script can't" in text or "ACL failure in script" in text:
        return NotPermitted(f"Redis at {where} does not permit this user to do this.", _MORE_RIGHTS)
    if code == "DENIED":
        return AccessDenied(
            f"Redis at {where} is in protected mode: it serves only its own machine.",
            "Give it a password (requirepass), and put that into the address.",
        )
    if "WRONGTYPE" in text:
        return WrongKeyType(
            f"Redis at {where} says that {key!r} is not a stream.",
            "Name a stream's key, or rename what is stored there.",
        )
    if "max number of clients" in text:
        return StoreUnavailable(f"Redis at {where} takes no more connections.", "Raise its maxclients.")
    if code == "CROSSSLOT":
        return StoreRefused(f"Redis at {where} is a cluster, and the keys of one command lie in several slots there.")
    if code in ("MOVED", "ASK"):
        return StoreRefused(
            f"Redis at {where} is a node of a cluster, and {key!r} lies on another one.",
            f"Use the address of the cluster: {as_kind('cluster', where)}.",
        )
    if unknown := re.match(r"unknown command [`'](\w+)", text, re.IGNORECASE):
        return StoreRefused(
            f"Redis at {where} does not know the command {unknown[1]}.",
            f"If it is a sentinel: {as_kind('sentinel', where)}/SERVICE. `riffle doctor` tells what it is.",
        )
    return StoreRefused(f"Redis at {where} refused: {text.rstrip('.')}.")


def as_kind(kind: Literal["cluster", "sentinel"], address: str) -> str:
    """The address of a cluster or of sentinels, for somebody who took that of one node for a server's."""
    scheme, _, place = address.partition("://")
    return f"{scheme}+{kind}://{place}"


def _unreachable(error: BaseException, where: str, *, had_worked: bool) -> BusError:
    cause = _root(error)
    text = f"{error} {cause}"
    if isinstance(cause, ssl.SSLError):
        return _tls(cause, where)
    if "SSL handshake is taking longer" in text:
        return StoreUnavailable(
            f"Redis at {where} does not answer in TLS.", "Use redis:// for a port without TLS; else it may be stopped."
        )
    if "max number of clients" in text:
        return StoreUnavailable(f"Redis at {where} takes no more connections.", "Raise its maxclients.")
    reason = reason_of(error)
    if any(sign in text for sign in _CLOSED) or "reset" in reason:
        tls = where.startswith("rediss")
        hint = f"If it wants a certificate of yours: {_OWN}" if tls else "If its port is a TLS port, use rediss://."
        if had_worked:
            hint = "It may have been restarted or stopped."
        return StoreUnavailable(f"Redis at {where} closed the connection.", hint)
    return StoreUnavailable(f"Redis at {where} cannot be reached: {reason}.", _START)


def _tls(error: ssl.SSLError, where: str) -> BusError:
    if isinstance(error, ssl.SSLCertVerificationError):
        mismatch = error.verify_code in _WRONG_NAME
        return StoreRefused(
            f"The certificate of Redis at {where} cannot be trusted: {error.verify_message.rstrip('.')}.",
            "Write the host as the certificate names it."
            if mismatch
            else "Name your authority's file in the address: ?ssl_ca_certs=/path/to/ca.pem.",
        )
    reason = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return StoreRefused(f"Redis at {where} wants a certificate of yours.", f"Name it in the address: {_OWN}")
    if reason in _NOT_TLS:
        return StoreRefused(f"Redis at {where} does not speak TLS.", "Use redis:// for a port without TLS.")
    return StoreUnavailable(f"TLS with Redis at {where} broke: {reason}.", "Its log may say why.")


def reason_of(error: BaseException) -> str:
    """Why a server cannot be reached, in the system's words."""
    cause = _root(error)
    number = cause.errno if isinstance(cause, OSError) else None
    reason = os.strerror(number) if number and number > 0 and not isinstance(cause, ssl.SSLError) else str(cause)
    return reason.strip().rstrip(".") or type(cause).__name__


def _root(error: BaseException) -> BaseException:
    """What the system said, where it did; else what all began with."""
    while not isinstance(error, OSError) and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
