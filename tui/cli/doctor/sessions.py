"""What `riffle doctor` finds about sessions: how many are kept, where, how large, and what moves when."""

from __future__ import annotations

from collections.abc import Iterator

from bus.errors import BusError
from bus.redis.archiving import Kept
from bus.redis.store import ServerInfo
from tui.clean import clean_line
from tui.cli.context import Context, open_store
from tui.cli.doctor.finding import Finding
from tui.cli.printing import size_text

MUCH_BYTES = 1024**3
MUCH_SHARE = 0.8
LARGEST = 3
LARGE_BYTES = 10 * 1024**2
"""Smaller ones are not worth a line."""


async def sessions(ctx: Context) -> list[Finding]:
    """All that is kept of sessions; nothing where Redis cannot be asked, which is said elsewhere."""
    try:
        async with open_store(ctx) as store:
            kept = await store.archiving.kept()
            info = await store.server_info()
            damaged = store.archiving.damaged
    except BusError as error:
        return [Finding("note", "sessions", f"they cannot be counted: {error}")]
    broken = [Finding("bad", "damaged", str(error), error.hint) for error in damaged]
    return [_in_redis(kept, info, ctx), *_in_files(kept, ctx), *_largest(kept), *broken, *_undone(ctx)]


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def _in_redis(kept: Kept, info: ServerInfo, ctx: Context) -> Finding:
    sizes = [size for _, size in kept.in_redis]
    held = sum(size or 0 for size in sizes)
    found = _sessions(len(sizes))
    if None not in sizes:
        found += f", {size_text(held)}"
    share = info.used_memory > MUCH_SHARE * info.maxmemory if info.maxmemory else False
    if held < MUCH_BYTES and info.used_memory < MUCH_BYTES and not share:
        return Finding("ok", "in Redis", found)
    if ctx.embedded:
        fix = "Let them move to files sooner: retention.after_days in the config. Or: riffle sessions delete"
    else:
        fix = "They stay there until somebody deletes them: riffle sessions delete"
    return Finding("odd", "in Redis", f"{found}: all of it is memory", fix)


def _in_files(kept: Kept, ctx: Context) -> Iterator[Finding]:
    days = ctx.config.retention_days
    if ctx.archive is None:
        yield Finding("note", "in files", "none: only out of riffle's own Redis do sessions move to files")
        return
    size = size_text(sum(file.size for file in kept.in_files))
    yield Finding("ok", "in files", f"{_sessions(len(kept.in_files))}, {size}, in {ctx.archive}")
    when = f"{days} days after the last word in it" if days else "never (retention.after_days = 0)"
    yield Finding("ok" if days else "note", "moved to a file", when)


def _largest(kept: Kept) -> Iterator[Finding]:
    named = [(f"{info.id} “{clean_line(info.title)}”", size or 0) for info, size in kept.in_redis]
    named += [(str(file.path), file.size) for file in kept.in_files]
    for name, size in sorted(named, key=lambda pair: pair[1], reverse=True)[:LARGEST]:
        if size >= LARGE_BYTES:
            yield Finding("note", "large", f"{size_text(size)}: {name}")


def _undone(ctx: Context) -> Iterator[Finding]:
    """What the last housekeeping could not do."""
    try:
        said = ctx.paths.housekeeping_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    if said:
        yield Finding("odd", "housekeeping", clean_line(said[0]), f"All of it: {ctx.paths.housekeeping_log}")
