"""The app: which screens there are, which theme they wear, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.text import Text
from textual import work
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen

from bus.errors import BusError
from bus.session import SessionInfo
from tui import clipboard, commands, crash, lending
from tui.clean import clean, clean_line
from tui.config import Config
from tui.drafts import Drafts, History
from tui.models import Listing, Models
from tui.openings import Chat, Opening
from tui.output_filter import ControlFilter
from tui.paths import Paths
from tui.screens.choices import (
    NO_PROFILE,
    command_choices,
    model_choices,
    plain_choices,
    profile_choices,
    session_choices,
)
from tui.screens.help import HelpScreen
from tui.screens.picker import Choice, Picker
from tui.screens.session import SessionScreen
from tui.sources import Library
from tui.terse_output import terse_driver
from tui.wardrobe import Wardrobe

if TYPE_CHECKING:
    from engine.prices import Prices

LEAVE_SECONDS = 0.4
"""How long letting go of a session may hold up quitting."""

WIDTHS, HEIGHTS = [(0, "-narrow"), (60, "-normal")], [(0, "-short"), (16, "-tall")]
"""From how many columns and lines on a screen has which class."""

OPENED_SCHEMES = ("https://", "http://", "mailto:")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of the app ended: the session that was open, and the error that ended it, if one did."""

    session: SessionInfo | None = None
    error: BusError | None = None


class Riffle(Wardrobe[Ending]):
    """The terminal program. `run()` gives back an `Ending`, or None after a crash, which has been told already.

    `default_model` is who answers where nobody chose; `models` are offered in the model picker until the providers have
    said what they have, whom `offered` asks.
    """

    TITLE = "riffle"
    CSS_PATH = Path(__file__).with_name("riffle.tcss")
    DEFAULT_MODE = "session 1"
    ENABLE_COMMAND_PALETTE = False  # ours is a picker like the others
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(
        self,
        opening: Opening,
        *,
        library: Library,
        config: Config,
        paths: Paths,
        default_model: str = "",
        demo_since_no_key: bool = False,
        models: Sequence[str] = (),
        offered: Models | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.config = config
        self.paths = paths
        self.default_model = default_model
        self.demo_since_no_key = demo_since_no_key
        self.models = models
        self.offered = offered
        self.now = now
        """The wall clock, in Unix seconds."""
        self._opening = opening
        self._library = library
        self._history = History(paths.history_file)
        self._drafts = Drafts(paths.drafts_file)
        self._filter = ControlFilter()
        self._sessions_shown = 1
        self.wear_first_theme()
        self.set_keymap(dict(config.keys))

    def get_default_screen(self) -> Screen[None]:
        """The session that the command line asked for."""
        return self._session_screen(self._opening)

    def _session_screen(self, opening: Opening) -> SessionScreen:
        model = (isinstance(opening, Chat) and opening.model) or self.config.model
        screen = SessionScreen(opening, self._library, self._history, self._drafts, model)
        # The toolkit tells a screen its size after its first frame, and would style and lay out all of it again.
        for cells, sizes in zip(self.size, (WIDTHS, HEIGHTS), strict=True):
            screen.add_class(max(size for size in sizes if size[0] <= cells)[1], update=False)
        return screen

    def on_mount(self) -> None:
        """Say what is wrong with the config."""
        # The first screen came up as the default one, which is quicker; as a mode it can be left for another.
        self.add_mode(self.DEFAULT_MODE, self.get_default_screen)  # pyright: ignore[reportUnknownMemberType]
        for warning in self.config.warnings:
            self.notify(warning, severity="warning", timeout=10)
        self.call_after_refresh(self.ask_background)
        if not self.is_headless:
            lending.listen(self)

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, which then writes no style twice."""
        return terse_driver(super().get_driver_class())

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own, and last our wall: no control character leaves, whoever drew it."""
        return [*super().get_line_filters(), self._filter]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: Literal["information", "warning", "error"] = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a note in the corner. Its text is shown as it is, never as markup."""
        super().notify(clean(message), title=clean(title), severity=severity, timeout=timeout, markup=False)

    @cached_property
    def prices(self) -> Prices:
        """What answers cost."""
        from engine.prices import Prices  # no first frame waits for it

        return Prices(self.config.prices)

    # -- sessions -----------------------------------------------------------------------------------------------

    @property
    def session_screen(self) -> SessionScreen:
        """The session screen below whatever dialog is open."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, SessionScreen))

    def opening_of(self, session_id: str, *, like: Opening) -> Opening:
        """What opens `session_id` in the way of `like`."""
        if isinstance(like, Chat):
            return Chat(session=session_id, redis=like.redis, model=like.model)
        return replace(like, session=session_id)

    async def show(self, opening: Opening) -> None:
        """Leave the present session for another one. Each is a mode of its own: a base screen cannot be switched."""
        await self.session_screen.stop()
        left = self.current_mode
        self.switch_mode(self._add_session(opening))
        self.remove_mode(left)

    def _add_session(self, opening: Opening) -> str:
        self._sessions_shown += 1
        mode = f"session {self._sessions_shown}"
        self.add_mode(mode, lambda: self._session_screen(opening))  # pyright: ignore[reportUnknownMemberType]
        return mode

    @work(exclusive=True, group="dialog")
    async def start_session(self) -> None:
        """Begin a new session."""
        screen = self.session_screen
        await self.show(Chat(model=screen.model or None, profile=screen.active_profile or None))

    @work(exclusive=True, group="dialog")
    async def pick_session(self) -> None:
        """Choose a session, and open it as the present one is open."""
        try:
            sessions = await self._library.sessions()
        except BusError as error:
            self.notify(f"{error} {error.hint}".strip(), severity="error")
            return
        source = self.session_screen.source
        picker = Picker("Sessions", session_choices(sessions, self.now()), chosen=source.session.id if source else None)
        if chosen := await self.push_screen_wait(picker):
            await self.show(self.opening_of(chosen, like=self.session_screen.opening))

    @work(exclusive=True, group="dialog")
    async def fork_session(self, session_id: str, at: str) -> None:
        """Begin a session as that one was up to the turn that holds the entry `at`, and go on there."""
        try:
            made = await self._library.fork(session_id, at)
        except BusError as error:
            self.notify(f"{error} {error.hint}".strip(), severity="error", timeout=15)
        else:
            await self.show(Chat(session=made.id, redis=self.session_screen.opening.redis))
            self.notify(f"“{made.title}”: a new session, which goes on from here.")

    @work(exclusive=True, group="leave")
    async def leave(self) -> None:
        """Quit. Answers go on without us, and the session is kept."""
        screen = self.session_screen
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await screen.stop()
        self.exit(Ending(screen.source.session if screen.source else None))

    async def action_quit(self) -> None:
        """Textual's own Ctrl+Q leaves as every other way does."""
        self.leave()

    def fail(self, error: BusError) -> None:
        """The session cannot be shown. What the command line named ends the program; another one is only told."""
        if self.session_screen.opening is self._opening:
            # Later: the app itself may still be coming up.
            self.call_later(self.exit, Ending(error=error), return_code=1)
        else:
            self.notify(f"{error} {error.hint}".strip(), severity="error", timeout=15)

    # -- dialogs ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def pick_command(self) -> None:
        """All commands, by name."""
        screen = self.session_screen
        offered = command_choices(commands.available(prompts=screen.can_send), self.config.keys)
        if name := await self.push_screen_wait(Picker("Commands", offered)):
            commands.by_name(name).run(screen, "")

    def show_help(self) -> None:
        """The help page."""
        self.push_screen(HelpScreen(self.config.keys))

    @work(exclusive=True, group="dialog")
    async def pick_model(self, name: str = "") -> None:
        """Choose who answers from the next prompt on."""
        if not name:
            shown = self.session_screen.shown_model
            picker = Picker(
                "Model, as PROVIDER:MODEL",
                self._model_choices([]),
                free_text=True,
                chosen=shown,
                refresh=lambda: self._fill_with_models(picker, again=True),
            )
            self._fill_with_models(picker)
            name = await self.push_screen_wait(picker) or ""
            self.workers.cancel_group(self, "models")  # pyright: ignore[reportUnknownMemberType]
        if name:
            await self._use_model(name)

    @work(exclusive=True, group="models")
    async def _fill_with_models(self, picker: Picker, *, again: bool = False) -> None:
        """Ask the providers, and offer what each one has as soon as it has answered. `again`: those, too, that have."""
        if self.offered is None:
            return
        listings: list[Listing] = []
        picker.offer(self._model_choices([]), "asking the providers …")
        async with aclosing(self.offered.ask(again=again)) as answers:
            async for listing in answers:
                listings.append(listing)
                picker.offer(self._model_choices(listings), "asking the providers …")
        picker.offer(self._model_choices(listings))

    def _model_choices(self, listings: Sequence[Listing]) -> list[Choice]:
        # Until the providers have answered, what is known without them.
        names = [self.session_screen.shown_model, *(() if listings else self.models)]
        return model_choices(filter(None, names), listings)

    async def _use_model(self, name: str) -> None:
        """Let `name` answer the prompts to come, unless it is known that it cannot."""
        if self.offered is not None:
            if refusal := await asyncio.to_thread(self.offered.refusal, name):
                self.notify(refusal, severity="error", timeout=15)
                return
            if doubt := await asyncio.to_thread(self.offered.doubt, name):
                self.notify(doubt, severity="warning", timeout=15)
        self.session_screen.model = name
        self.session_screen.refresh_facts()
        self.notify(f"{name} answers from the next prompt on.")

    @work(exclusive=True, group="dialog")
    async def pick_profile(self, name: str = "") -> None:
        """Choose the profile that prompts are answered by."""
        profiles, screen = self.config.profiles, self.session_screen
        if not name:
            picker = Picker("Profile", profile_choices(profiles.values()), chosen=screen.active_profile or NO_PROFILE)
            name = await self.push_screen_wait(picker) or ""
        if name and name != NO_PROFILE and name not in profiles:
            known = (
                f"There are: {', '.join(profiles)}." if profiles else "[profiles.NAME] in the configuration makes one."
            )
            said = self.config.bad_profiles.get(name) or f"There is no profile {name!r}. {known}"
            self.notify(said, severity="error", timeout=15)
        elif name:
            screen.profile = "" if name == NO_PROFILE else name
            if name in profiles and profiles[name].model:
                await self._use_model(profiles[name].model)
            screen.refresh_facts()
            self.notify(f"Profile: {name}, from the next prompt on.")

    @work(exclusive=True, group="dialog")
    async def ask_about_link(self, url: str) -> None:
        """Open a link of a conversation only after its real target was shown and somebody agreed."""
        target = clean_line(url)
        if not target.lower().startswith(OPENED_SCHEMES):
            self.notify(f"riffle opens web and mail addresses only, not {target}", severity="warning")
            return
        choices = plain_choices([("Leave it", ""), ("Copy the address", ""), ("Open in the browser", "")])
        match await self.push_screen_wait(Picker(target, choices)):
            case "Copy the address":
                self.copy_to_clipboard(target)
            case "Open in the browser":
                self.open_url(target)
            case _:
                pass

    # -- the terminal -------------------------------------------------------------------------------------------

    def copy_to_clipboard(self, text: str) -> None:
        """Put `text` into the clipboard, and say what became of it."""
        if not text:
            self.notify("There is nothing to copy here.")
            return
        self._clipboard = text
        self._copy(text)

    @work(group="clipboard")
    async def _copy(self, text: str) -> None:
        copied = await clipboard.copy(text, os.environ)
        if copied.sequence and self._driver is not None:
            self._driver.write(copied.sequence)
        self.notify(copied.said(text), severity="information" if copied.program or copied.sequence else "warning")

    def _fatal_error(self) -> None:
        # Textual would print a traceback with the values of all locals: keys and conversations among them.
        if self._exit_renderables:
            return  # what breaks while the app already ends says nothing new
        sentence = crash.write_report(self._exception, self.paths.state)
        self.panic(Text(sentence))
