"""From the words of the command line to the commands without a screen. `parser` has read the words."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tui.cli.commands import (
    Doctor,
    Engine,
    Models,
    Run,
    Send,
    SessionsDelete,
    SessionsExport,
    SessionsFork,
    SessionsImport,
    SessionsList,
    SessionsRename,
    SessionsShow,
    Tail,
)
from tui.cli.errors import UsageError
from tui.cli.parser import check_session_choice, stream_named
from tui.openings import Command


def _run(found: argparse.Namespace) -> Command:
    check_session_choice(found)
    return Run(
        redis=found.redis,
        model=found.model,
        prompt=found.prompt or "",
        session=found.session,
        continue_last=found.continue_last,
        output=found.output or "text",
        max_calls=found.max_calls,
        retries=found.retries,
        no_tools=found.no_tools,
        quiet=found.quiet,
        profile=found.profile,
    )


def _tail(found: argparse.Namespace) -> Command:
    if found.session is None and found.stream is None:
        raise UsageError("Say what to print: a SESSION, or --stream KEY.", "riffle sessions list shows the sessions.")
    return Tail(
        redis=found.redis,
        model=found.model,
        session=found.session,
        stream=stream_named(found, found.session),
        position=found.position or "start",
        follow=not found.no_follow,
        output=found.output or "text",
        with_metadata=found.with_metadata,
        full=found.full,
    )


def _fork(found: argparse.Namespace) -> Command:
    if found.position in ("start", "now"):
        raise UsageError("--from of a fork is the id of an entry.", "riffle tail SESSION --output json shows them.")
    return SessionsFork(redis=found.redis, session=found.session, position=found.position)


COMMANDS: dict[str, Callable[[argparse.Namespace], Command]] = {
    "run": _run,
    "tail": _tail,
    "send": lambda f: Send(redis=f.redis, model=f.model, session=f.session, prompt=f.prompt or "", profile=f.profile),
    "engine": lambda f: Engine(redis=f.redis, model=f.model, session=f.session),
    "sessions list": lambda f: SessionsList(redis=f.redis, json=f.json),
    "sessions show": lambda f: SessionsShow(redis=f.redis, session=f.session, json=f.json),
    "sessions rename": lambda f: SessionsRename(redis=f.redis, session=f.session, title=f.title),
    "sessions export": lambda f: SessionsExport(
        redis=f.redis, session=f.session, file=f.file, output=f.exported or "archive"
    ),
    "sessions import": lambda f: SessionsImport(redis=f.redis, file=f.file),
    "sessions fork": _fork,
    "sessions delete": lambda f: SessionsDelete(redis=f.redis, sessions=tuple(f.session), yes=f.yes),
    "models": lambda f: Models(model=f.model, provider=f.provider, json=f.json, refresh=f.refresh),
    "doctor": lambda f: Doctor(redis=f.redis, model=f.model, acl=f.acl),
}
