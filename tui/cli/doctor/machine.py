"""What `riffle doctor` finds on this machine: keys, terminal, files, settings, packages. Keys are never shown."""

from __future__ import annotations

import locale
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from bus.server import server_folder
from engine.errors import EngineError
from engine.models import endpoint
from engine.providers import check, parse, resolve
from engine.servers import SERVERS
from tui.cli.context import Context
from tui.cli.doctor.finding import Finding

PACKAGES = ("textual", "redis", "hiredis", "pydantic", "openai", "anthropic")


def models(ctx: Context) -> Iterator[Finding]:
    """The keys that are set, and who answers."""
    own = [server.key_variable for server in SERVERS.values() if server.url_variable]
    for variable in dict.fromkeys(own):
        there = bool(os.environ.get(variable))
        yield Finding("ok" if there else "note", variable, "set" if there else "not set")
    others = {name: server.key_variable for name, server in SERVERS.items() if not server.url_variable}
    for variable in others.values():
        if os.environ.get(variable):
            yield Finding("ok", variable, "set")
    without = [n for n, variable in others.items() if not SERVERS[n].local and not os.environ.get(variable)]
    if without := [name for name in without if name not in ctx.config.providers]:
        yield Finding("note", "no key set for", ", ".join(without))
    for name in ctx.config.providers:
        yield _provider(name, ctx)
    for name, profile in ctx.config.profiles.items():
        yield Finding("ok", f"profiles.{name}", profile.model or "with any model")
    try:
        check(ctx.model, os.environ, ctx.config.providers)
        if parse(ctx.model, ctx.config.providers).provider == "demo":
            resolve(ctx.model, os.environ, ctx.config.providers)  # only the demo itself knows its variants
    except EngineError as error:
        yield Finding("bad", "model", ctx.model, f"{error} {error.hint}".strip())
        return
    why = ctx.config.sources["model"] if ctx.config.model else "by the keys that are set"
    fix = "For a real one set OPENAI_API_KEY or ANTHROPIC_API_KEY." if ctx.model == "demo" else ""
    yield Finding("ok", "model", f"{ctx.model} ({why})", fix)


def _provider(name: str, ctx: Context) -> Finding:
    """What there is under `[providers.NAME]`."""
    place = endpoint(name, os.environ, ctx.config.providers)
    what = f"providers.{name}"
    if place is None:
        return Finding("odd", what, "has no address", f"Set base_url under [providers.{name}].")
    if place.key:
        return Finding("ok", what, "has a key")
    if place.key_needed:
        return Finding("note", what, f"has no key: {place.key_variable} is not set")
    return Finding("ok", what, "has no key, and needs none" if place.is_local else "has no key")


def terminal() -> Iterator[Finding]:
    """What the terminal can show."""
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
    if os.environ.get("NO_COLOR"):
        return Finding("note", "colors", "off, as NO_COLOR asks")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Finding("ok", "colors", "16 million")
    if "256" in term:
        return Finding("ok", "colors", "256", "Does it show more? Then: export COLORTERM=truecolor")
    return Finding("odd", "colors", "16", "If it shows more: export TERM=xterm-256color")


def files(ctx: Context) -> Iterator[Finding]:
    """Where riffle keeps what, and who can look in."""
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


def settings(ctx: Context) -> Iterator[Finding]:
    """What was set, and what is odd there."""
    for warning in ctx.config.warnings:
        yield Finding("odd", "config", warning)
    chosen = [(name, value, source) for name, value, source in ctx.config.shown() if source != "default"]
    for name, value, source in chosen:
        yield Finding("ok", name, f"{value} ({source})")
    if not chosen and not ctx.config.warnings:
        yield Finding("note", "all", "as they come")


def packages() -> Iterator[Finding]:
    """The versions of what riffle stands on."""
    for name in PACKAGES:
        try:
            yield Finding("ok", name, installed(name))
        except PackageNotFoundError:
            yield Finding("bad", name, "not installed", "Install riffle again: make chat")
