"""Whose a session is, and so whose engine may answer it and what a prompt that waits there waits for."""

from __future__ import annotations

import getpass
import os
import socket

from bus.session import SessionInfo
from tui.clean import clean_line


def author() -> str:
    """Who asks: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())  # a user without a name, as in some containers
    return f"{user}@{socket.gethostname()}"


def is_own(info: SessionInfo) -> bool:
    """Whether this user made the session here, for an engine of his own."""
    return info.answering == "private" and info.owner == author()


def may_be_answered_here(info: SessionInfo, *, embedded: bool) -> bool:
    """Whether an engine of this machine belongs there, once somebody has agreed.

    All sessions of the `embedded` server are this user's, whatever the machine was called when they were made.
    """
    host = info.owner.rpartition("@")[2]
    return info.answering == "private" and (embedded or host == socket.gethostname())


def who_answers(info: SessionInfo, *, embedded: bool) -> str:
    """What a prompt waits for in a session that no engine answers now: a sentence."""
    if info.answering == "pool":
        return "The next free engine answers it: `riffle engine` starts one."
    if is_own(info):
        return f"`riffle chat -s {info.id}` starts its engine."
    if may_be_answered_here(info, embedded=embedded):
        return f"`riffle chat -s {info.id}` can start an engine for it here."
    return f"It waits until {clean_line(info.owner) or 'whoever made the session'} opens it again."
