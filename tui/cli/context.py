"""What every command starts from: who and where we are, the configuration, the way to Redis."""

from __future__ import annotations

import dataclasses
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.models import default_model
from engine.profiles import Profile
from tui.attaching import NotAttached, pick, plain
from tui.cli.errors import UsageError, complain
from tui.config import Config, Value, load_config
from tui.openings import Command, StreamName
from tui.paths import Paths, find_paths, make_private

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from bus.errors import StoreLoading
    from bus.redis.store import Store
    from bus.redis.stream import RedisStream
    from tui.cli.commands import Run, Send


AnyCommand = TypeVar("AnyCommand", bound=Command)
Asking = TypeVar("Asking", bound="Run | Send")


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one command."""

    paths: Paths
    config: Config
    profile: Profile | None = None
    """The one that the command line names."""

    @property
    def embedded(self) -> bool:
        """Whether Redis is the server of our own."""
        return self.config.redis_url is None

    @property
    def model(self) -> str:
        """Who answers where a session does not say: the configured model, else by the key that is set, else demo."""
        return self.config.model or default_model(os.environ, self.config.providers)

    @property
    def engine_log(self) -> Path:
        """What engines complain about that nobody looks at."""
        return self.paths.state / "engine.log"

    @property
    def model_was_named(self) -> bool:
        """Whether the command line says who answers."""
        return self.config.sources["model"] == "command line"

    @property
    def archive(self) -> Path | None:
        """The folder of ended sessions. Out of a server of somebody else's nothing is moved."""
        return self.paths.sessions if self.embedded else None

    def redis_url(self, on_loading: Callable[[StoreLoading], object] = lambda error: None) -> str:
        """The address of Redis; starts our own server where none is named. Blocks, and says where that takes long."""
        if url := self.config.redis_url:
            return url
        from bus.server import ensure_server

        return ensure_server(make_private(self.paths.data), self.config.durability.level or "process", on_loading)

    def show_warnings(self) -> None:
        """Say on stderr what is odd in the configuration."""
        for warning in self.config.warnings:
            complain(warning)

    def start_redis_early(self) -> None:
        """Get our own server going (again), without waiting for it; a server of somebody else's is left alone."""
        if self.embedded:
            from bus.server import start_server_early

            start_server_early(make_private(self.paths.data))


def context(command: Command, flags: Mapping[str, Value | None] | None = None) -> Context:
    """The surroundings of `command`, whose options override the settings, as `flags` do."""
    paths = find_paths(os.environ)
    if command.redis:
        _check_address(command.redis)
    name: str | None = getattr(command, "profile", None)  # not every command takes one
    profile = _profile(name, paths) if name else None
    said: dict[str, Value | None] = {
        "redis.url": command.redis,
        "model": command.model or (profile and profile.model) or None,
    }
    return Context(paths, load_config(paths, os.environ, said | dict(flags or {})), profile)


def _profile(name: str, paths: Paths) -> Profile:
    config = load_config(paths, os.environ)
    if name in config.bad_profiles:
        raise UsageError(config.bad_profiles[name], f"Mend it in {paths.config_file}.")
    if name not in config.profiles:
        known = ", ".join(config.profiles) or "none"
        hint = f"There are: {known}. A [profiles.{name}] table in {paths.config_file} makes it."
        raise UsageError(f"There is no profile {name!r} in the configuration.", hint)
    return config.profiles[name]


def by_profile(command: AnyCommand, ctx: Context) -> AnyCommand:
    """`command` with the model of its profile, where it names none itself."""
    if ctx.profile is None or command.model is not None:
        return command
    return dataclasses.replace(command, model=ctx.profile.model or None)


def _check_address(url: str) -> None:
    from bus.errors import StoreRefused
    from bus.redis.address import parse_address

    try:
        parse_address(url)
    except StoreRefused as error:
        raise UsageError(str(error), error.hint) from None


@asynccontextmanager
async def open_store(ctx: Context) -> AsyncGenerator[Store]:
    """The store of this context, closed at the end."""
    import asyncio

    from bus.redis.store import open_store as connect
    from tui.housekeeping import keep_house

    def tell(error: StoreLoading) -> None:
        complain(str(error), error.hint)

    url = await asyncio.to_thread(ctx.redis_url, tell)
    store = await connect(
        url,
        client_name="riffle",
        revive=ctx.start_redis_early,
        durability=ctx.config.durability,
        archive=ctx.archive,
        on_loading=tell,
    )
    try:
        yield store
    finally:
        await store.close()
        keep_house(ctx)


def full_prompt(prompt: str, *, needed: bool = True) -> str:
    """The prompt with what was piped in below it. Blocks until that ends."""
    # Only what the person wrote names files: what is piped in is text, whatever stands behind its @.
    piped = "" if sys.stdin is None or sys.stdin.isatty() else plain(_read_piped())
    text = "\n\n".join(part for part in ("" if prompt == "-" else prompt, piped.strip("\n")) if part.strip())
    if needed and not text:
        raise UsageError("There is no prompt.", 'Give one in quotes, or pipe one in: riffle run "Why is the sky blue?"')
    return text


def with_files(command: Asking) -> Asking:
    """`command` with the files that its prompt names."""
    try:
        prompt, files = pick(command.prompt, Path.cwd())
    except NotAttached as error:
        raise UsageError(str(error)) from None
    return dataclasses.replace(command, prompt=prompt, files=tuple(files))


def _read_piped() -> str:
    raw = sys.stdin.buffer.read()
    if b"\0" in raw[:8192]:
        raise UsageError("What is piped in is not text.", "Only text can be added to a prompt.")
    return raw.decode("utf-8", errors="replace")


def stream_at(store: Store, name: StreamName) -> RedisStream:
    """The stream of somebody's that the command line names."""
    return store.stream_at(name.key, text_field=name.text_field, id_field=name.id_field, end_value=name.end_value)
