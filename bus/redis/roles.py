"""Redis users with no more rights than they need: the lines that make a viewer, a producer, an engine.

A test runs riffle as each of them on real servers, and compares what was sent with what is listed here. Scripts have
the rights of whoever runs them, so the commands inside them are listed too.
"""

from __future__ import annotations

from typing import Literal

Role = Literal["viewer", "producer", "engine"]

ROLES: tuple[Role, ...] = ("viewer", "producer", "engine")

CAN: dict[Role, str] = {
    "viewer": "lists and watches sessions, and changes nothing",
    "producer": "makes sessions and writes events of its own into them; it reads none, and asks nobody",
    "engine": "everything but the server itself: asks, answers, stops, renames, deletes",
}

_CONNECT = ("ping", "client|setname")

_WATCH = (
    *("exists", "get", "hget", "hgetall", "zrange"),
    *("xrange", "xrevrange", "xread", "xinfo|stream", "xpending"),
)

_WRITE = ("eval", "evalsha", "exists", "hget", "hgetall", "hmget", "hset", "set", "xadd", "zadd")

_ANSWER = (
    *_WATCH,
    *_WRITE,
    *("dbsize", "scan", "info"),
    *("bzpopmin", "del", "hexists", "pexpire", "pttl", "time", "zrem"),
    *("xack", "xclaim", "xdel", "xgroup|create", "xlen", "xreadgroup"),
)

_COMMANDS: dict[Role, tuple[str, ...]] = {"viewer": _WATCH, "producer": _WRITE, "engine": _ANSWER}

KEYS = "riffle:*"


def commands(role: Role, version: tuple[int, ...]) -> list[str]:
    """The commands of a role on a server of that version, as ACL rules name them."""
    found = {*_CONNECT, *_COMMANDS[role]}
    if version >= (7, 2):
        found.add("client|setinfo")
    if role != "viewer":
        found.add("wait")  # durability replica
        if version >= (7, 2):
            found.add("waitaof")  # durability disk
    return sorted(found)


def set_user(role: Role, version: tuple[int, ...]) -> str:
    """The command that makes a user of that role, with a password to be changed."""
    keys = f"%R~{KEYS}" if role == "viewer" and version >= (7, 0) else f"~{KEYS}"
    rights = " ".join(f"+{command}" for command in commands(role, version))
    return f"ACL SETUSER riffle-{role} reset on >CHANGE-ME {keys} resetchannels {rights}"
