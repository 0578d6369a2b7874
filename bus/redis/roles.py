"""Redis users with no more rights than they need: the lines that make a viewer, a producer, an engine.

A test runs riffle as each of them on real servers, and compares what was sent with what is listed here. Scripts have
the rights of whoever runs them, so the commands inside them are listed too.
"""

from __future__ import annotations

import uuid
from typing import Literal

from .commands import Commands
from .connection import Arg, Connection
from .keys import SessionKeys
from .words import NotPermitted

Role = Literal["viewer", "producer", "engine"]

ROLES: tuple[Role, ...] = ("viewer", "producer", "engine")

CAN: dict[Role, str] = {
    "viewer": "lists and watches sessions, and changes nothing",
    "producer": "makes sessions and writes events of its own into them; it reads none, and asks nobody",
    "engine": "does everything but change the server: asks, answers, stops, renames, copies, deletes",
}

_CONNECT = ("ping", "client|setname")

_WATCH = (
    *("exists", "get", "hget", "hgetall", "zrange"),
    *("xrange", "xrevrange", "xread", "xinfo|stream", "xpending"),
)

_WRITE = ("eval", "evalsha", "exists", "hget", "hgetall", "hmget", "hset", "set", "xadd", "zadd")

_COPY = ("expire", "persist", "rename", "type", "xgroup|destroy", "xsetid")
"""For a session that is made of a file."""

_ANSWER = (
    *_WATCH,
    *_WRITE,
    *("dbsize", "scan", "info"),
    *("bzpopmin", "del", "hexists", "pexpire", "pttl", "time", "zrem"),
    *("xack", "xclaim", "xdel", "xgroup|create", "xlen", "xreadgroup"),
    *_COPY,
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


def user_name(role: Role) -> str:
    """What the user of a role is called."""
    return f"riffle-{role}"


def set_user(role: Role, version: tuple[int, ...]) -> str:
    """The command that makes a user of that role, with a password to be changed."""
    keys = f"%R~{KEYS}" if role == "viewer" and version >= (7, 0) else f"~{KEYS}"
    rights = " ".join(f"+{command}" for command in commands(role, version))
    return f"ACL SETUSER {user_name(role)} reset on >CHANGE-ME {keys} resetchannels {rights}"


async def role_of(connection: Connection) -> Role | None:
    """The role whose rights this user has, whoever made it; None: not even those of a viewer. Changes nothing."""
    nobody = SessionKeys(uuid.uuid4().hex)
    if await _permitted(connection, "XRANGE", nobody.events, "-", "+", "COUNT", 1):
        return "engine" if await Commands(connection, nobody).permitted() else "viewer"
    return "producer" if await _permitted(connection, "EVAL", "return 0", 1, nobody.events) else None


async def _permitted(connection: Connection, *command: Arg) -> bool:
    try:
        await connection.call(*command)
    except NotPermitted:
        return False
    return True
