"""`riffle doctor`: what is there, what is wrong, and the fix. Keys are looked for and never shown."""

from __future__ import annotations

import contextlib
import json
import locale
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Literal

from bus.errors import BusError
from bus.redis.store import ServerInfo
from bus.redis_binary import choose_binary
from bus.server import has_keeper, server_folder
from engine.errors import EngineError
from engine.models import SERVICES, key_of
from engine.providers import parse
from tui.cli.context import Context, open_store
from tui.cli.errors import FAILED, OK
from tui.cli.printing import Style, say
from tui.version import version

Mark = Literal["ok", "note", "odd", "bad"]
_MARKS: dict[Mark, tuple[str, Style]] = {
    "ok": ("ok ", "plain"),
    "note": ("-  ", "dim"),
    "odd": ("!  ", "bold"),
    "bad": ("✗  ", "red"),
}

PACKAGES = ("textual", "redis", "hiredis", "pydantic", "openai", "anthropic")

DURABILITY = {
    "memory": "nothing is kept when the server ends",
    "process": "kept when the server ends; a power cut may cost the last second",
    "disk": "kept, also through a power cut",
    "unknown": "this user may not see it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do if it is `odd` (a warning) or `bad`."""

    mark: Mark
    what: str
    found: str
    fix: str = ""


async def doctor(ctx: Context) -> int:
    """Look at everything, print it, and say by the exit code whether something is wrong."""
    say(f"riffle {version()} · Python {platform.python_version()} · {platform.system()} {platform.machine()}", "bold")
    bad = False
    for title, findings in (
        ("Redis", await _redis(ctx)),
        ("Models", list(_models(ctx))),
        ("Terminal", list(_terminal())),
        ("Files", list(_files(ctx))),
        ("Settings", list(_settings(ctx))),
        ("Packages", list(_packages())),
    ):
        say(f"\n{title}", "bold")
        for finding in findings:
            mark, style = _MARKS[finding.mark]
            say(f"  {mark} {finding.what:<20} {finding.found}", style)
            if finding.fix:
                say(f"      {'':<20} → {finding.fix}")
        bad = bad or any(finding.mark == "bad" for finding in findings)
    return FAILED if bad else OK


async def _redis(ctx: Context) -> list[Finding]:
    findings: list[Finding] = []
    if ctx.embedded:
        try:
            binary = choose_binary()
        except BusError as error:
            return [Finding("bad", "program", str(error), error.hint)]
        findings.append(Finding("ok", "program", f"{binary.path} ({binary.version_text})"))
    try:
        async with open_store(ctx) as store:
            findings += _keeper(ctx)
            whose = "riffle's own" if ctx.embedded else f"from {ctx.config.sources['redis.url']}"
            findings.append(Finding("ok", "address", f"{store.safe_url} ({whose})"))
            try:
                return [*findings, *_server(await store.server_info())]
            except BusError as error:
                return [*findings, Finding("note", "server", f"its set-up cannot be seen: {error}")]
    except BusError as error:
        return [*findings, Finding("bad", "connection", str(error), error.hint)]


def _keeper(ctx: Context) -> Iterator[Finding]:
    """The process of our own server, as its keeper wrote it down, and whether there is a keeper."""
    if ctx.embedded:
        folder = server_folder(ctx.paths.data)
        with contextlib.suppress(OSError, ValueError, LookupError):
            state = json.loads((folder / "server.json").read_text(encoding="utf-8"))
            yield Finding("ok", "server", f"process {state['pid']}")
        if has_keeper(folder):
            yield Finding("ok", "keeper", "ends the server some minutes after the last riffle")
        else:
            yield Finding("odd", "keeper", "none: nobody ends the server", "The next riffle command starts one.")


def _server(info: ServerInfo) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in info.version.split(".")[:2] if part.isdigit())
    if numbers < (6, 2):
        yield Finding("bad", "version", info.version or "unknown", "riffle needs Redis 6.2 or newer.")
    else:
        yield Finding("ok", "version", info.version)
    if info.durability == "memory":
        fix = "redis-cli CONFIG SET appendonly yes"
        yield Finding("odd", "durability", DURABILITY["memory"], fix)
    else:
        yield Finding("ok", "durability", DURABILITY[info.durability])
    limit = f"of {_size(info.maxmemory)}" if info.maxmemory else "no limit"
    yield Finding("ok", "memory", f"{_size(info.used_memory)} used, {limit}")
    if info.maxmemory_policy in ("", "noeviction"):
        yield Finding("ok", "when it is full", info.maxmemory_policy or "not to be seen")
    else:
        fix = "redis-cli CONFIG SET maxmemory-policy noeviction"
        yield Finding("bad", "when it is full", f"{info.maxmemory_policy}: it would delete conversations", fix)
    if info.role not in ("master", ""):
        yield Finding("bad", "role", info.role, "Use the address of the master: a replica cannot be written to.")
    yield Finding("ok", "clients", str(info.clients))


def _models(ctx: Context) -> Iterator[Finding]:
    for service in dict.fromkeys(service.key_variable for service in SERVICES.values()):
        there = bool(os.environ.get(service))
        yield Finding("ok" if there else "note", service, "set" if there else "not set")
    for name in ctx.config.providers:
        there = key_of(name, os.environ, ctx.config.providers) is not None
        yield Finding("ok" if there else "note", f"providers.{name}", "has a key" if there else "has no key")
    try:
        parse(ctx.model, ctx.config.providers)
    except EngineError as error:
        yield Finding("bad", "model", ctx.model, f"{error} {error.hint}".strip())
        return
    why = ctx.config.sources["model"] if ctx.config.model else "by the keys that are set"
    fix = "For a real one set OPENAI_API_KEY or ANTHROPIC_API_KEY." if ctx.model == "demo" else ""
    yield Finding("ok", "model", f"{ctx.model} ({why})", fix)


def _terminal() -> Iterator[Finding]:
    term = os.environ.get("TERM", "")
    if not sys.stdout.isatty():
        yield Finding("note", "stdout", "not a terminal: run, tail and sessions work, the screen does not")
        return
    if term in ("", "dumb"):
        yield Finding("bad", "TERM", term or "not set", "Set it to what your terminal is, mostly: xterm-256color")
    else:
        yield Finding("ok", "TERM", term)
    yield _colors(term)
    columns, rows = shutil.get_terminal_size()
    small = columns < 40 or rows < 10
    fix = "It works, and shows little. 80x24 and more is comfortable." if small else ""
    yield Finding("odd" if small else "ok", "size", f"{columns}x{rows}", fix)
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
    if encoding.replace("-", "") != "utf8":
        yield Finding("bad", "encoding", encoding, "Set a UTF-8 locale: export LANG=C.UTF-8")
    else:
        yield Finding("ok", "encoding", encoding)
    for variable, name in (("TMUX", "tmux"), ("STY", "screen"), ("SSH_CONNECTION", "ssh")):
        if os.environ.get(variable):
            yield Finding("ok", "inside", name)


def _colors(term: str) -> Finding:
    if "NO_COLOR" in os.environ:
        return Finding("note", "colors", "off, as NO_COLOR asks")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Finding("ok", "colors", "16 million")
    if "256" in term:
        return Finding("ok", "colors", "256", "Does it show more? Then: export COLORTERM=truecolor")
    return Finding("odd", "colors", "16", "If it shows more: export TERM=xterm-256color")


def _files(ctx: Context) -> Iterator[Finding]:
    yield _path("config", ctx.paths.config_file, "not there: the defaults are used")
    yield _path("themes of your own", ctx.paths.themes, "not there")
    yield _path("data", ctx.paths.data, "not there yet")
    yield _path("state", ctx.paths.state, "not there yet")
    yield _path("engines' log", ctx.engine_log, "nothing was ever written there")
    if ctx.embedded:
        yield _path("Redis' log", server_folder(ctx.paths.data) / "server.log", "not there yet")


def _path(what: str, path: Path, missing: str) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return Finding("note", what, f"{path} ({missing})")
    except OSError as error:
        return Finding("bad", what, f"{path}: {error.strerror}", "Give yourself the right to read it.")
    if what != "config" and what != "themes of your own" and mode & 0o077:
        return Finding("bad", what, f"{path} (mode {mode:o}: others can look in)", f"chmod go= {path}")
    if what == "config" and mode & 0o077 and "api_key" in path.read_text(encoding="utf-8", errors="replace"):
        return Finding("bad", what, f"{path} (mode {mode:o}, and it seems to hold a key)", f"chmod go= {path}")
    return Finding("ok", what, f"{path} (mode {mode:o})")


def _settings(ctx: Context) -> Iterator[Finding]:
    for warning in ctx.config.warnings:
        yield Finding("odd", "config", warning)
    chosen = [(name, value, source) for name, value, source in ctx.config.shown() if source != "default"]
    for name, value, source in chosen:
        yield Finding("ok", name, f"{value} ({source})")
    if not chosen and not ctx.config.warnings:
        yield Finding("note", "all", "as they come")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("ok", name, installed(name))
        except PackageNotFoundError:
            yield Finding("bad", name, "not installed", "Install riffle again: make chat")


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count //= 1024
    return f"{count:,} GB"
