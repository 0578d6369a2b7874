"""What each provider offers, as `riffle models` finds it out and the screen shows it: a record, and the cache of it.

Asking loads an HTTP library, so the screen lets a process of its own do it, which answers a record a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote

from tui.config import Config
from tui.paths import Paths, write_private

State = Literal["live", "cached", "failed", "no-key", "not-running"]
"""`live`: asked just now. `cached`: asked within the last day. `failed`: asked in vain; its models, if there are any,
are what it said before. `not-running`: a server of this machine that nobody has configured, and that is not there."""

FRESH_MS = 24 * 3600 * 1000
_LONGEST_LINE = 64 * 1024 * 1024
_PROGRAM_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one provider offers. `models` are (`PROVIDER:MODEL`, context window in tokens, 0 where it is not known)."""

    provider: str
    label: str
    base_url: str
    state: State
    models: tuple[tuple[str, int], ...] = ()
    asked_ms: int = 0
    """Unix time of the answer that `models` are from; 0: there was none yet."""
    reason: str = ""
    hint: str = ""
    key_variable: str = ""
    """Where there is no key: the variable to set."""

    def json(self) -> dict[str, Any]:
        """As one object."""
        return {
            "provider": self.provider,
            "label": self.label,
            "base_url": self.base_url,
            "state": self.state,
            "asked_ms": self.asked_ms,
            "reason": self.reason,
            "hint": self.hint,
            "key_variable": self.key_variable,
            "models": [{"id": name, "context": context or None} for name, context in self.models],
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Listing:
        """What `json` gave. Raises ValueError, KeyError or TypeError where it is something else."""
        found = cast("dict[str, Any]", json.loads(text))
        models = tuple((str(model["id"]), int(model["context"] or 0)) for model in found.pop("models"))
        return cls(models=models, **found)


class Cache:
    """The last answer of each provider, one file each."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.cache / "models"

    def read(self, provider: str, base_url: str) -> Listing | None:
        """What `provider` said, if it was asked at that address. What cannot be read is as good as not there."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            listing = Listing.from_json(self._file(provider).read_bytes())
            if listing.base_url == base_url:
                return listing
        return None

    def write(self, listing: Listing) -> None:
        """Keep `listing`. A cache that cannot be written costs only time."""
        with contextlib.suppress(OSError):
            write_private(self._file(listing.provider), json.dumps(listing.json()))

    def _file(self, provider: str) -> Path:
        return self._folder / f"{quote(provider, safe='')}.json"


def is_fresh(listing: Listing, now_ms: int) -> bool:
    """Whether what it says need not be asked again."""
    return 0 <= now_ms - listing.asked_ms < FRESH_MS


@dataclass(slots=True)
class Models:
    """The models for the screen: asks in a process of its own, and says what is wrong with a name."""

    config: Config
    paths: Paths
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    async def ask(self, *, again: bool = False) -> AsyncGenerator[Listing]:
        """Each provider's listing, in the order in which they answer. `again`: those, too, that answered today."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", "models", "--json", *(["--refresh"] if again else [])),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            # Where this program lies: Python would import from any other folder that it is started in.
            cwd=_PROGRAM_FOLDER,
            env=dict(self.env),
            limit=_LONGEST_LINE,
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    yield Listing.from_json(line)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def refusal(self, model: str) -> str:
        """Why `model` cannot be asked, as far as can be known without asking; empty: nothing speaks against it."""
        from engine.errors import EngineError
        from engine.providers import check

        try:
            check(model, self.env, self.config.providers)
        except EngineError as error:
            return f"{error} {error.hint}".strip()
        return ""

    def window(self, model: str) -> int:
        """How many tokens `model` takes: as configured, as its provider said, or as is known; 0: nobody knows."""
        from engine.errors import EngineError
        from engine.failures import about
        from engine.models import endpoint
        from engine.providers import parse
        from engine.windows import known_window

        try:
            wanted = parse(model, self.config.providers)
        except EngineError:  # as a stream names it, without its provider
            return known_window(model)
        if configured := self.config.providers.get(wanted.provider, {}).get("context_window"):
            return int(configured)
        place = endpoint(wanted.provider, self.env, self.config.providers)
        listing = place and Cache(self.paths).read(place.name, about(place, "").address)
        listed = {name.partition(":")[2]: tokens for name, tokens in listing.models} if listing else {}
        return listed.get(wanted.name) or known_window("demo" if wanted.provider == "demo" else wanted.name)

    def doubt(self, model: str) -> str:
        """That the provider did not list `model` when it was asked last; empty: it did, or nobody knows."""
        from engine.failures import about
        from engine.models import endpoint
        from engine.providers import parse

        wanted = parse(model, self.config.providers)
        place = endpoint(wanted.provider, self.env, self.config.providers)
        listing = place and Cache(self.paths).read(place.name, about(place, "").address)
        if not listing or not listing.models or not is_fresh(listing, time.time_ns() // 1_000_000):
            return ""
        names = [name.partition(":")[2] for name, _ in listing.models]
        if any(_means(wanted.name, name) for name in names):
            return ""
        import difflib

        near = difflib.get_close_matches(wanted.name, names, n=1)
        meant = f" Did you mean {wanted.provider}:{near[0]}?" if near else " /model lists what there is."
        return f"{listing.label} does not list a model {wanted.name!r}.{meant}"


def _means(wanted: str, listed: str) -> bool:
    """Whether a name that was typed is that of a model on a list: tags and variants are not all listed."""
    return (
        wanted in (listed, listed.removesuffix(":latest"))
        or wanted.endswith("-latest")
        or wanted.startswith(f"{listed}:")
    )
