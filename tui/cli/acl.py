"""`riffle doctor --acl ROLE`: the command that makes a Redis user with the rights of that role and no others."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bus.errors import BusError
from bus.redis.address import parse_address
from bus.redis.health import ServerInfo
from bus.redis.roles import CAN, KEYS, set_user, user_name
from tui.cli.commands import Role
from tui.cli.context import Context, open_store
from tui.cli.errors import OK
from tui.cli.printing import say

OLDEST = (6, 2)


async def acl(role: Role, ctx: Context) -> int:
    """Print it for the version of the server that is used; where none is named or answers, for 6.2.

    What is to be known about it goes to stderr, so that the command can be piped into redis-cli.
    """
    info = await _server_info(ctx)
    for line in _remarks(role, info, ctx):
        sys.stderr.write(f"# {line}\n")
    sys.stderr.flush()
    say(set_user(role, info.numbers or OLDEST))
    return OK


def _remarks(role: Role, info: ServerInfo, ctx: Context) -> Iterator[str]:
    yield f"A user that {CAN[role]}. For Redis {info.version or '6.2 and newer'}."
    yield "CHANGE-ME is to become a password. Send this with redis-cli as an administrator, and then ACL SAVE,"
    yield f"or CONFIG REWRITE where the server has no aclfile. Then: redis://{user_name(role)}:PASSWORD@host:port."
    kind = parse_address(ctx.config.redis_url).kind if ctx.config.redis_url else "server"
    if kind == "cluster" or info.cluster:
        yield "In a cluster every node has users of its own: redis-cli --cluster call HOST:PORT ACL SETUSER …"
    if kind == "sentinel" or info.replicas or info.watches is not None:
        yield "Every replica has users of its own: send it to all of them too, or a failover locks it out."
    if role != "engine":
        yield f"For one session only: riffle:{{SESSION}}:* in the place of {KEYS}, and riffle:sessions beside it."
    if role == "viewer":
        yield "For streams of other programs (--stream KEY): add their keys beside it."


async def _server_info(ctx: Context) -> ServerInfo:
    if ctx.embedded:
        return ServerInfo()  # a user of its own there would be nobody's
    try:
        async with open_store(ctx) as store:
            return await store.server_info()
    except BusError:
        return ServerInfo()
