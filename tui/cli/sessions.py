"""`riffle sessions`: what Redis holds, as a table or as JSON."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bus.session import EngineLease, SessionInfo
from tui.clean import clean_line
from tui.cli.commands import (
    Command,
    SessionsDelete,
    SessionsExport,
    SessionsFork,
    SessionsImport,
    SessionsList,
    SessionsRename,
    SessionsShow,
)
from tui.cli.context import Context, open_store
from tui.cli.errors import FAILED, OK, UsageError, complain
from tui.cli.printing import json_text, say, size_text

if TYPE_CHECKING:
    from bus.redis.store import Store

SHORTEST_ID = 8


async def sessions(command: Command, ctx: Context) -> int:
    """Run one of the commands of `riffle sessions`."""
    async with open_store(ctx) as store:
        match command:
            case SessionsList(json=as_json):
                found = await store.sessions()
                damaged = store.archiving.damaged
                if found or not damaged:
                    print_sessions(found, as_json=as_json)
                for error in damaged:
                    complain(str(error), error.hint)
            case SessionsShow():
                await _show(store, command)
            case SessionsRename(session=name, title=title):
                info = await store.find(name)
                if not title.strip():
                    raise UsageError("A title is not empty.")
                await store.rename_session(info.id, title.strip())
            case SessionsExport() | SessionsImport() | SessionsFork():
                from tui.cli.copies import copy

                await copy(store, command)
            case SessionsDelete(sessions=names, yes=yes):
                return await _delete(store, [await store.find(name) for name in names], yes=yes)
            case _:
                raise AssertionError(command)
    return OK


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """The shortest beginning of each id that is not the beginning of another one; `SHORTEST_ID` characters at least."""
    ordered = sorted(ids)
    short: dict[str, str] = {}
    for at, name in enumerate(ordered):
        neighbours = [ordered[i] for i in (at - 1, at + 1) if 0 <= i < len(ordered)]
        shared = max((_shared(name, other) for other in neighbours), default=0)
        short[name] = name[: max(SHORTEST_ID, shared + 1)]
    return short


def _shared(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def print_sessions(found: Sequence[SessionInfo], *, as_json: bool) -> None:
    """A table for people, or one JSON object per session."""
    if as_json:
        sys.stdout.writelines(json_text(asdict(info)) + "\n" for info in found)
    elif not found:
        complain("There are no sessions yet.", "riffle begins one.")
    else:
        short = short_ids([info.id for info in found])
        rows = [_row(info, short[info.id]) for info in found]
        head = ("ID", "TITLE", "MODEL", "WHEN", "MESSAGES", "")
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        for number, row in enumerate((head, *rows)):
            cells = [
                f"{cell:>{w}}" if i == 4 else f"{cell:<{w}}"
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            say("  ".join(cells).rstrip(), "bold" if number == 0 else "plain")


def _row(info: SessionInfo, short: str) -> tuple[str, ...]:
    title = _cut(clean_line(info.title) or "(no title)", 44)
    state = "live" if info.live else "open to any engine" if info.answering == "pool" else "ended"
    return short, title, _cut(clean_line(info.model), 28), _when(info.updated_ms), str(info.messages), state


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _when(ms: int) -> str:
    """The time of today, else the date and time."""
    if not ms:
        return ""
    then, now = time.localtime(ms / 1000), time.localtime()
    same_day = then[:3] == now[:3]
    return time.strftime("today %H:%M" if same_day else "%Y-%m-%d %H:%M", then)


async def _show(store: Store, command: SessionsShow) -> None:
    info = await store.find(command.session)
    lease = await store.lease(info.id)
    queue = await store.queue(info.id)
    aside = await store.set_aside(info.id)
    size = await store.stream(info.id).info()
    file = await store.archiving.file_of(info.id)
    if command.json:
        facts = {
            **asdict(info),
            "engine": asdict(lease) if lease else None,
            "waiting": len(queue.prompts),
            "set_aside": [asdict(prompt) for prompt in aside],
            "entries": size.length,
            "file": str(file.path) if file else None,
        }
        sys.stdout.write(json_text(facts) + "\n")
        return
    rows = {
        "id": info.id,
        "title": clean_line(info.title) or "(no title)",
        "model": clean_line(info.model),
        "created": _when(info.created_ms),
        "changed": _when(info.updated_ms),
        "messages": str(info.messages),
        "entries": f"{size.length:,}",
        "waiting": f"{len(queue.prompts)} prompts{', paused' if queue.paused else ''}" if queue.prompts else "",
        "set aside": "; ".join(f"“{_cut(clean_line(p.text), 60)}” of {clean_line(p.author)}" for p in aside),
        "engine": _engine(lease),
        "answered by": "the engine of its own chat" if info.answering == "private" else "any riffle engine",
        "owner": clean_line(info.owner),
        "folder": clean_line(info.cwd),
        "stream": "" if file else store.stream(info.id).key,
        "file": f"{file.path} ({size_text(file.size)})" if file else "",
    }
    for name, value in rows.items():
        if value:
            say(f"{name:<13}{value}")


def _engine(lease: EngineLease | None) -> str:
    if lease is None:
        return "none now"
    return f"{'answering' if lease.busy else 'waiting'}, process {lease.pid} on {clean_line(lease.host)}"


async def _typed_line() -> str:
    """A line from the terminal, without blocking the loop: Ctrl+C would not be heard."""
    loop = asyncio.get_running_loop()
    typed = loop.create_future()
    loop.add_reader(sys.stdin, typed.set_result, None)
    try:
        await typed
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


async def _delete(store: Store, infos: Sequence[SessionInfo], *, yes: bool) -> int:
    """Delete them all, or none of them."""
    for info in infos if not yes else ():
        if not sys.stdin.isatty():
            raise UsageError("There is nobody to ask whether to delete it.", "Add --yes to delete without asking.")
        title = clean_line(info.title) or "(no title)"
        sys.stderr.write(f"Delete {info.id} “{title}”, {info.messages} messages, for ever? [y/N] ")
        sys.stderr.flush()
        if (await _typed_line()).strip().lower() not in ("y", "yes"):
            complain("Nothing was deleted.")
            return FAILED
    await store.delete_session(*(info.id for info in infos))
    return OK
