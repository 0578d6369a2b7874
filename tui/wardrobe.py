"""What the app wears: the first theme, another one, what suits the terminal, a theme file that is edited."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from textual import work
from textual.app import App, ReturnType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter, Monochrome
from textual.theme import Theme

from tui import config as configuration
from tui import themes
from tui.background import AskingDriver, Background, guessed_dark
from tui.config import AUTO, Config
from tui.no_color import ColorlessFilter
from tui.paths import Paths
from tui.screens.choices import plain_choices
from tui.screens.picker import Picker
from tui.upright import UprightFilter, is_in_screen
from tui.window_title import TitledDriver

LOOK_SECONDS = 2.0
"""How often the theme's file is looked at: not every terminal says that somebody comes back to it."""


class Wardrobe(App[ReturnType]):
    """An app that wears the themes of this program, and those of its user."""

    config: Config
    paths: Paths

    def get_driver_class(self) -> type[Driver]:
        """The toolkit's driver; on a terminal, the one that can ask for its background."""
        found = super().get_driver_class()
        return AskingDriver if found is LinuxDriver else found

    def name_window(self, title: str) -> None:
        """Name the terminal's window after a session."""
        if isinstance(self._driver, TitledDriver):
            self._driver.show_title(title)

    def on_mount(self) -> None:
        """Wear what the theme's file says, whenever that changes."""
        self._read_again()
        self.set_interval(LOOK_SECONDS, self._read_again)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The toolkit's own, but for the one that makes colors gray where there should be none."""
        filters = [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]
        return [*filters, *self._wanted_filters]

    def wear_first_theme(self) -> None:
        """Read the one theme that the first frame needs. A name that is not ours may be one of Textual's."""
        self._chosen_theme = self.config.theme
        """A theme's name, or `auto`."""
        self._terminal_dark = guessed_dark(os.environ)
        # The toolkit takes an empty value for a wish, too.
        self.no_color = bool(os.environ.get("NO_COLOR"))
        self._wanted_filters: list[LineFilter] = []
        if self.no_color:
            self._wanted_filters.append(ColorlessFilter(lambda: self.current_theme))
        if is_in_screen(os.environ):
            self._wanted_filters.append(UprightFilter())
        self._worn_file: tuple[Path, float] | None = None
        found = {theme.name: theme for theme in themes.find_themes(self._theme_folders)}
        wanted = self._name_of(self._chosen_theme)
        if wanted not in found and wanted in self.available_themes:
            self.theme = wanted
            return
        try:
            if wanted not in found:
                raise themes.BrokenTheme(f"There is no theme {wanted!r}. There are: {AUTO}, {', '.join(found)}.")
            theme = themes.load_theme(found[wanted])
        except themes.BrokenTheme as error:
            self.config.warnings.append(str(error))
            theme = themes.load_theme(themes.default_theme())
        self._take_in(theme)
        # Nothing is styled yet: set it without the watcher, which would parse all styles a second time.
        self.set_reactive(App.theme, theme.name)
        self.stylesheet.set_variables(self.get_css_variables())

    # -- the terminal's background ------------------------------------------------------------------------------

    def ask_background(self) -> None:
        """Ask the terminal, where the theme depends on it. The Linux console would show the question."""
        if self._chosen_theme == AUTO and isinstance(self._driver, AskingDriver) and os.environ.get("TERM") != "linux":
            self._driver.ask_background()

    def on_background(self, message: Background) -> None:
        """The terminal has answered."""
        self._terminal_dark = message.dark
        if self._chosen_theme == AUTO:
            self._try_on(AUTO)

    def on_app_focus(self) -> None:
        """Somebody comes back, maybe from another theme of the terminal, or from an editor with a theme of ours."""
        self.ask_background()
        self._read_again()

    # -- choosing -----------------------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def pick_theme(self, name: str = "") -> None:
        """Choose the colors: each is tried on while the list is open, and the choice is kept in the config file."""
        before = self._chosen_theme
        names = self._register_all_themes()
        if not name:
            by_terminal = (AUTO, "by the terminal's background")
            choices = plain_choices([by_terminal, *((own, "dark" if dark else "light") for own, dark in names.items())])
            picker = Picker("Theme", choices, chosen=before, preview=self._try_on)
            name = await self.push_screen_wait(picker) or before
        if name not in names and name != AUTO:
            self.notify(f"There is no theme {name!r}. There are: {AUTO}, {', '.join(names)}.", severity="warning")
            return
        self._chosen_theme = name
        self._try_on(name)
        self.ask_background()
        if name != before:
            self._remember_theme(name)

    def _try_on(self, name: str) -> None:
        name = self._name_of(name)
        if name not in self.available_themes:
            found = {theme.name: theme for theme in themes.find_themes(self._theme_folders)}
            try:
                self._take_in(themes.load_theme(found.get(name, themes.default_theme())))
            except themes.BrokenTheme as error:
                self.notify(str(error), severity="warning")
                return
        self.theme = name

    def _name_of(self, name: str) -> str:
        if name != AUTO:
            return name
        return configuration.LIGHT_THEME if self._terminal_dark is False else configuration.DEFAULT_THEME

    def _remember_theme(self, name: str) -> None:
        try:
            configuration.remember(self.paths, "theme", name)
        except (OSError, UnicodeError) as error:
            self.notify(f"The theme is not kept: {self.paths.config_file}: {error}", severity="warning")

    # -- files --------------------------------------------------------------------------------------------------

    @property
    def _theme_folders(self) -> list[Path]:
        return [themes.own_folder(), self.paths.themes]

    def _take_in(self, theme: Theme) -> None:
        self.register_theme(themes.for_few_colors(theme) if self.console.color_system == "standard" else theme)

    def _register_all_themes(self) -> dict[str, bool]:
        """Every usable theme's name, and whether it is dark. Broken ones are named."""
        names: dict[str, bool] = {}
        for theme in themes.load_all(self._theme_folders):
            if isinstance(theme, Theme):
                self._take_in(theme)
                names[theme.name] = theme.dark
            else:
                self.notify(str(theme), severity="warning")
        return names

    def _read_again(self) -> None:
        """Wear what the theme's file says now, if somebody has edited it."""
        path = self.paths.themes / f"{self.theme}.toml"
        try:
            changed = path.stat().st_mtime
        except OSError:
            return
        before, self._worn_file = self._worn_file, (path, changed)
        if before is None or before[0] != path or before == self._worn_file:
            return
        try:
            theme = themes.load_theme(themes.Found(self.theme, path))
        except themes.BrokenTheme as error:
            self.notify(f"{error} Until that is mended, the colors stay.", severity="warning")
            return
        self._take_in(theme)
        # The toolkit looks at a theme only when another one was worn.
        self.theme = "textual-dark"
        self.theme = theme.name
