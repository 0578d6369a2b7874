"""`riffle doctor --acl ROLE`: the command that makes a Redis user with the rights of that role and no others."""

from __future__ import annotations

from bus.errors import BusError
from bus.redis.roles import CAN, KEYS, set_user
from tui.cli.commands import Role
from tui.cli.context import Context, open_store
from tui.cli.errors import OK
from tui.cli.printing import say

OLDEST = (6, 2)


async def acl(role: Role, ctx: Context) -> int:
    """Print it for the version of the server that is used; where none is named or answers, for 6.2."""
    version = await _version(ctx)
    what = f"Redis {'.'.join(map(str, version))}" if version else "Redis 6.2 and newer"
    say(f"# A user that {CAN[role]}. For {what}.")
    say("# CHANGE-ME is to become a password. Send this with redis-cli as an administrator, and then ACL SAVE,")
    say("# or CONFIG REWRITE where the server has no aclfile. It is used as redis://riffle-ROLE:PASSWORD@host:port.")
    if role != "engine":
        say(f"# For one session only: riffle:{{SESSION}}:* in the place of {KEYS}, and riffle:sessions beside it.")
    if role == "viewer":
        say("# For streams of other programs (--stream KEY): add their keys beside it.")
    say(set_user(role, version or OLDEST))
    return OK


async def _version(ctx: Context) -> tuple[int, ...]:
    if ctx.embedded:
        return ()  # a user of its own there would be nobody's
    try:
        async with open_store(ctx) as store:
            return (await store.server_info()).numbers
    except BusError:
        return ()
