"""Which key a command is about: it decides which node of a cluster runs it, and is named in messages."""

from __future__ import annotations

from .node import Arg, Command

_KEYLESS = frozenset(
    (
        *("ACL", "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "ECHO", "FUNCTION", "HELLO", "INFO"),
        *("LASTSAVE", "LATENCY", "PING", "ROLE", "SCAN", "SCRIPT", "SELECT", "SENTINEL", "SLOWLOG", "TIME"),
        *("WAIT", "WAITAOF"),
    )
)
_AFTER_SUBCOMMAND = frozenset(("MEMORY", "OBJECT", "XGROUP", "XINFO"))
_AFTER_COUNT = frozenset(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"))
_AFTER_STREAMS = frozenset(("XREAD", "XREADGROUP"))


def key_of(command: Command) -> bytes | None:
    """The first key of `command`; None: it has none."""
    name = str(command[0]).upper()
    if name in _KEYLESS or len(command) < 2:
        return None
    if name in _AFTER_STREAMS:
        return _bytes(command[[str(word).upper() for word in command].index("STREAMS") + 1])
    if name in _AFTER_COUNT:
        return _bytes(command[3]) if int(command[2]) else None
    return _bytes(command[2] if name in _AFTER_SUBCOMMAND else command[1])


def _bytes(word: Arg) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
