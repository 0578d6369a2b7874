"""The themes: legible, ours complete, a user's beside them, a broken one named and skipped."""

from __future__ import annotations

import os
import time
from itertools import product
from pathlib import Path

import pytest
from textual import constants, events
from textual.theme import Theme

from tests.support.riffle_app import screen
from tests.support.waiting import wait_until
from tui import wardrobe
from tui.background import Background, Parser, guessed_dark
from tui.paths import find_paths
from tui.screens.picker import Picker
from tui.themes import COLORS, BrokenTheme, Found, find_themes, for_few_colors, load_all, load_theme, own_folder

DUSK = (own_folder() / "dusk.toml").read_text(encoding="utf-8")
OURS = find_themes([own_folder()])
GROUNDS = ("background", "surface", "panel")
INKS = tuple(name for name in COLORS if name not in GROUNDS)
READABLE = 4.5
"""WCAG 2.2, success criterion 1.4.3 (AA) for normal text."""


def luminance(color: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def color(theme: Theme, name: str) -> str:
    value = {"text": theme.foreground, "muted": theme.variables["text-muted"]}.get(name) or getattr(theme, name)
    assert isinstance(value, str)
    return value


def test_contrast_is_measured_as_the_standard_says() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


def test_there_are_two_dark_and_two_light_themes() -> None:
    assert sorted(load_theme(found).dark for found in OURS) == [False, False, True, True]


@pytest.mark.parametrize("few", [False, True], ids=["truecolor", "16"])
@pytest.mark.parametrize("found", OURS, ids=lambda found: found.name)
def test_every_ink_is_legible_on_every_ground(found: Found, few: bool) -> None:
    theme = for_few_colors(load_theme(found)) if few else load_theme(found)
    weak = {
        f"{ink} on {ground}": round(contrast(color(theme, ink), color(theme, ground)), 2)
        for ink, ground in product(INKS, GROUNDS)
        if contrast(color(theme, ink), color(theme, ground)) < READABLE
    }
    assert weak == {}


def test_a_theme_of_the_user_wins_by_its_name(tmp_path: Path) -> None:
    own = (own_folder() / "dusk.toml").read_text(encoding="utf-8")
    (tmp_path / "dusk.toml").write_text(own.replace("#15171f", "#000000"), encoding="utf-8")
    themes = {theme.name: theme for theme in load_all([own_folder(), tmp_path]) if isinstance(theme, Theme)}
    assert themes["dusk"].background == "#000000"
    assert len(themes) == len(OURS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[colors", "cannot be read"),
        ('[colors]\ntext = "red"', "lacks colors"),
        ("colors = 3", "lacks colors"),
        (f'variables = "x"\n{DUSK}', "[variables]"),
        (f'{DUSK}\n[variables]\nborder = "nonsense"', "[variables]"),
    ],
)
def test_a_broken_theme_is_named_and_skipped(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "odd.toml").write_text(text, encoding="utf-8")
    loaded = list(load_all([own_folder(), tmp_path]))
    (broken,) = [theme for theme in loaded if isinstance(theme, BrokenTheme)]
    assert str(tmp_path / "odd.toml") in str(broken)
    assert words in str(broken)
    assert len(loaded) == len(OURS) + 1


# -- worn by the app ----------------------------------------------------------------------------------------------


async def test_a_theme_is_tried_on_kept_and_left(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"/theme", "enter")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        await pilot.press("down")
        await wait_until(lambda: app.theme == "paper")
        await pilot.press("escape")
        await wait_until(lambda: app.theme == "dusk")
        assert not app.paths.config_file.exists()
        await pilot.press(*"/theme shoal", "enter")
        await wait_until(lambda: app.theme == "shoal")
        assert app.paths.config_file.read_text() == 'theme = "shoal"\n'
        await pilot.press(*"/theme nope", "enter")
        await app.note("There is no theme 'nope'")


async def test_an_unknown_theme_is_named_and_the_default_worn(own_home: Path) -> None:
    app = screen(own_home, theme="drusk")
    async with app.run_test():
        await app.note("There is no theme 'drusk'")
        await app.opened()
        assert app.theme == "dusk"


@pytest.mark.parametrize("text", ["x = 1\n", f'variables = "x"\n{DUSK}'])
async def test_a_broken_theme_named_like_ours_does_not_stop_riffle(own_home: Path, text: str) -> None:
    themes = find_paths({"RIFFLE_HOME": str(own_home)}).themes
    themes.mkdir(parents=True)
    (themes / "dusk.toml").write_text(text, encoding="utf-8")
    app = screen(own_home)
    async with app.run_test():
        await app.note(str(themes / "dusk.toml"))
        assert app.theme == "dusk"
        await app.opened()


async def test_a_theme_that_cannot_be_kept_is_worn_all_the_same(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        app.paths.config_file.parent.mkdir(parents=True)
        app.paths.config_file.write_bytes(b"\xff")
        await pilot.press(*"/theme paper", "enter")
        await app.note("The theme is not kept")
        assert app.theme == "paper"


async def test_auto_wears_what_suits_the_terminal(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORFGBG", "0;15")
    app = screen(own_home, theme="auto")
    async with app.run_test() as pilot:
        assert app.theme == "paper"
        app.post_message(Background(dark=True))
        await wait_until(lambda: app.theme == "dusk")
        await app.opened()
        await pilot.press(*"/theme peat", "enter")
        await wait_until(lambda: app.theme == "peat")
        app.post_message(Background(dark=False))
        await pilot.pause()
        assert app.theme == "peat", "what somebody chose stays"


async def test_a_theme_file_that_is_edited_is_worn_at_once(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wardrobe, "LOOK_SECONDS", 0.05)  # no terminal here says that somebody came back
    themes = find_paths({"RIFFLE_HOME": str(own_home)}).themes
    themes.mkdir(parents=True)
    mine = themes / "mine.toml"
    mine.write_text(DUSK)
    app = screen(own_home, theme="mine")
    async with app.run_test():
        for number, text in enumerate((DUSK.replace("#15171f", "#000011"), "colors = 3")):
            mine.write_text(text)
            os.utime(mine, (0, number))
            await wait_until(lambda: app.screen.styles.background.hex.lower() == "#000011")
        await app.note(f"The theme {mine} lacks colors")


def test_a_terminal_of_16_colors_gets_those(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "standard")
    assert screen(own_home, theme="dusk").current_theme.background == "#000000"


async def test_without_color_what_is_chosen_is_in_reverse(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"/theme", "enter")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        compositor = app.screen._compositor  # pyright: ignore[reportPrivateUsage]
        shown = [segment for strip in compositor.render_strips() for segment in strip]
        styles = [segment.style for segment in shown if segment.style is not None]
        assert not [style for style in styles if style.color or style.bgcolor]
        loud = "".join(segment.text for segment in shown if segment.style is not None and segment.style.reverse)
        assert "dusk" in loud
        assert "paper" not in loud


@pytest.mark.parametrize(("term", "italics"), [("screen.xterm-256color", ""), ("tmux-256color", "Ask anything")])
async def test_in_gnu_screen_nothing_is_in_italics(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, term: str, italics: str
) -> None:
    """It would show them in reverse. Inside tmux they are shown as they are, wherever that runs."""
    monkeypatch.setenv("STY", "1234.pts-0.host")
    monkeypatch.setenv("TERM", term)
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        app.prompt.styles.text_style = "italic"
        await pilot.pause()
        compositor = app.screen._compositor  # pyright: ignore[reportPrivateUsage]
        shown = [segment for strip in compositor.render_strips() for segment in strip]
        found = "".join(segment.text for segment in shown if segment.style and segment.style.italic)
        assert found.strip() == italics


# -- what the terminal says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "dark"),
    [
        ("\x1b]11;rgb:1515/1717/1f1f\x1b\\", True),
        ("\x1b]11;rgb:fa/f6/ee\x07", False),
        ("\x1b]11;rgba:0000/0000/0000/ffff\x1b\\", True),
    ],
)
def test_the_answer_is_taken_out_of_the_keys_wherever_it_is_cut(said: str, dark: bool) -> None:
    for cut in range(3, len(said)):
        parser = Parser()
        Parser.asked_at = time.monotonic()
        messages = [*parser.feed(f"a\x1b[A{said[:cut]}"), *parser.feed(f"{said[cut:]}b\x1b[B")]
        keys = [message.key for message in messages if isinstance(message, events.Key)]
        assert keys == ["a", "up", "b", "down"], cut
        assert [message.dark for message in messages if isinstance(message, Background)] == [dark]


def test_keys_that_look_like_the_beginning_of_an_answer_are_keys() -> None:
    parser = Parser()
    Parser.asked_at = time.monotonic()
    keys = [message.key for message in parser.feed("x]11;rgb:") if isinstance(message, events.Key)]
    assert keys == ["x", "right_square_bracket", "1", "1", "semicolon", "r", "g", "b", "colon"]


@pytest.mark.parametrize(("value", "dark"), [("15;0", True), ("0;default;15", False), ("12;8", True), ("", None)])
def test_the_environment_may_say_it(value: str, dark: bool | None) -> None:
    assert guessed_dark({"COLORFGBG": value}) is dark
