"""Runs the commands that print, and those that only work: everything that opens no screen."""

from __future__ import annotations

import dataclasses

from tui.cli import loop
from tui.cli.commands import Doctor, Engine, Models, Run, Send, Tail
from tui.cli.context import Context, by_profile, context, full_prompt, with_files
from tui.config import Value
from tui.openings import Command


def run(command: Command) -> int:
    """Run `command` to its end; the exit code."""
    ctx = context(command, _flags(command))
    command = by_profile(command, ctx)
    match command:
        case Doctor(acl=role) if role:
            from tui.cli.acl import acl

            return loop.run(acl(role, ctx))
        case Models():
            from tui.cli.models import models

            ctx.show_warnings()
            return loop.run(models(command, ctx))
        case _:
            return _run_with_redis(command, ctx)


def _run_with_redis(command: Command, ctx: Context) -> int:
    ctx.start_redis_early()
    ctx.show_warnings()
    # Before the loop runs: Ctrl+C must reach a read that waits.
    command = _with_piped(command)
    signals = loop.Signals()
    match command:
        case Run():
            from tui.cli.run import run

            return loop.run(run(command, ctx, signals), signals)
        case Tail():
            from tui.cli.tail import tail

            return loop.run(tail(command, ctx))
        case Send():
            from tui.cli.send import send

            return loop.run(send(command, ctx))
        case Engine():
            from tui.cli.engine import engine

            return loop.run(engine(command, ctx, signals), signals)
        case Doctor():
            from tui.cli.doctor.report import doctor

            return loop.run(doctor(ctx))
        case _:
            from tui.cli.sessions import sessions

            return loop.run(sessions(command, ctx))


def _flags(command: Command) -> dict[str, Value | None]:
    if not isinstance(command, Run):
        return {}
    tools = False if command.no_tools else None
    return {"engine.max_calls": command.max_calls, "engine.retries": command.retries, "engine.tools": tools}


def _with_piped(command: Command) -> Command:
    """A command that takes a prompt with what was piped in added to it, and its files; any other as it is."""
    if isinstance(command, Run | Send):
        return with_files(dataclasses.replace(command, prompt=full_prompt(command.prompt)))
    return command
