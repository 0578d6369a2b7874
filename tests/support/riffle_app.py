"""The app over a scripted session, or over a real Redis, as the tests of the screen need it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.scripted_source import LIVE, STARTED_MS, ScriptedLibrary, ScriptedSource, Story
from tests.support.waiting import wait_until
from tui.app import Riffle
from tui.cli.context import Context
from tui.config import load_config
from tui.fold import Fold
from tui.library import StoreLibrary
from tui.openings import Chat, Opening
from tui.paths import find_paths
from tui.sources import Library
from tui.widgets.prompt import Prompt
from tui.widgets.status import StatusLine


class AnyScreen(Riffle):
    """riffle in a home of its own, with the notes that it showed."""

    def __init__(
        self,
        home: Path,
        library: Library,
        opening: Opening | None = None,
        *,
        theme: str = "dusk",
        demo_since_no_key: bool = False,
        models: Sequence[str] = (),
        seconds: float = 5.0,
    ) -> None:
        paths = find_paths({"RIFFLE_HOME": str(home)})
        super().__init__(
            opening or Chat(),
            library=library,
            config=load_config(paths, {}, {"theme": theme}),
            paths=paths,
            default_model="demo",
            demo_since_no_key=demo_since_no_key,
            models=models,
            now=lambda: STARTED_MS / 1000 + seconds,
        )
        self.notes: list[str] = []
        self.press: Callable[..., Awaitable[None]]
        """Press keys; of an app from `attached`."""
        self.copied: list[str] = []

    @property
    def prompt(self) -> Prompt:
        """Where the person types."""
        return self.session_screen.composer.prompt

    @property
    def status(self) -> str:
        """The status line as it stands there."""
        return self.session_screen.query_one(StatusLine).render().plain

    @property
    def timeline(self) -> str:
        """The timeline as it stands there."""
        view = self.session_screen.view
        return "\n".join(view.plain_lines()) if view else ""

    @property
    def folded(self) -> Fold:
        """What was read so far."""
        fold = self.session_screen.fold
        assert fold is not None
        return fold

    async def opened(self) -> None:
        """Wait until the session is open."""
        await wait_until(lambda: self.session_screen.fold is not None, what="the session is open")

    async def read(self, count: int) -> None:
        """Wait until the timeline holds `count` entities."""
        await self.opened()
        await wait_until(lambda: len(self.folded.timeline.entities) >= count, what=f"{count} entities")

    async def note(self, words: str) -> None:
        """Wait for a note with these words."""
        await wait_until(lambda: any(words in note for note in self.notes), what=f"a note with {words!r}")

    def notify(self, message: str, **more: object) -> None:  # type: ignore[override]
        self.notes.append(message)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)
        super().copy_to_clipboard(text)


class Screen(AnyScreen):
    """The app over what a test scripts."""

    def __init__(self, home: Path, library: ScriptedLibrary, opening: Opening | None = None, **more: Any) -> None:
        super().__init__(home, library, opening, **more)
        self.library = library

    @property
    def source(self) -> ScriptedSource:
        """The session that is open."""
        return self.library.source


@asynccontextmanager
async def attached(home: Path, url: str, opening: Opening) -> AsyncGenerator[AnyScreen]:
    """The app in a home of its own, open on what is in the Redis at `url`."""
    paths = find_paths({"RIFFLE_HOME": str(home)})
    library = StoreLibrary(Context(paths, load_config(paths, {"RIFFLE_REDIS_URL": url})))
    app = AnyScreen(home, library, opening)
    library.say = app.notify
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            app.press = pilot.press
            await app.opened()
            yield app
            await app.session_screen.stop()
    finally:
        await library.close()


def screen(home: Path, *script: object, **more: object) -> Screen:
    """The app over a source that plays `script`."""
    source = ScriptedSource(script=[LIVE, *script])  # type: ignore[list-item]
    return Screen(home, ScriptedLibrary(source), **more)  # type: ignore[arg-type]


def answering() -> Story:
    """An answer that is still coming."""
    return Story().ask("Why is water wet?").say("Because ", "it ", "is")


def answered() -> Story:
    """A whole answer."""
    return answering().say(".").finish()
