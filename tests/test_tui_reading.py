"""Reading in the whole app: the search line, the menu of a block, details, and what is said about a copy."""

from __future__ import annotations

import base64
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from bus.entities import GeneratedImage
from bus.errors import AccessDenied
from bus.session import SessionInfo
from tests.support.gallery import PICTURE
from tests.support.riffle_app import Screen
from tests.support.scripted_source import LIVE, ScriptedLibrary, ScriptedSource, Story
from tests.support.timeline import answer, created, show
from tests.support.waiting import wait_until
from tui.openings import Chat, Replay
from tui.player import Player
from tui.replay_source import ReplaySource
from tui.screens.details import DetailsScreen
from tui.screens.picker import Picker
from tui.widgets.search_bar import SearchBar


def talk(home: Path) -> Screen:
    told = Story().ask("Where do trout live?", model="demo").say("In **streams**:\n\n```sh\nls trout\n```").finish()
    told.ask("And pike?", model="demo").say("Pike eat trout.").finish()
    return Screen(home, ScriptedLibrary(ScriptedSource(script=[LIVE, told.take()])))


def said(app: Screen) -> str:
    """What stands at the right of the search line; nothing without one."""
    bars = app.session_screen.query(SearchBar)
    return str(bars.first().query_one(".search-count", Static).content) if bars else ""


def asked(app: Screen) -> str:
    """The title of the dialog that is open."""
    titles = app.screen.query("#picker-title")
    return str(titles.first(Static).content) if titles else ""


async def test_a_text_is_found_from_the_prompt_and_escape_leads_back(own_home: Path) -> None:
    app = talk(own_home)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.read(6)
        await pilot.press(*"draft", "ctrl+f")
        await wait_until(lambda: bool(app.session_screen.query(SearchBar)))
        await pilot.press(*"trout")
        await wait_until(lambda: said(app).startswith("3/3"))
        await pilot.press("up")
        await wait_until(lambda: said(app).startswith("2/3"))
        await pilot.press("enter")
        await wait_until(lambda: said(app).startswith("2/3   n next"))
        await pilot.press("N")
        await wait_until(lambda: said(app).startswith("1/3   n next"))
        await pilot.press("escape")
        await wait_until(lambda: not said(app))
        await pilot.press("escape")
        assert app.prompt.has_focus
        assert app.prompt.text == "draft"
        await pilot.press("ctrl+f")
        await wait_until(lambda: bool(app.session_screen.query(SearchBar)))
        await pilot.press(*"nowhere")
        await wait_until(lambda: said(app).startswith("nothing"))
        await pilot.press("escape")
        await wait_until(lambda: not app.session_screen.query(SearchBar))
        assert app.prompt.has_focus
        await pilot.press("ctrl+c", *"/find Pike", "enter")
        await wait_until(lambda: said(app).startswith("1/1"))


async def test_the_keys_of_a_replay_are_letters_while_one_writes_what_to_find(own_home: Path) -> None:
    entries = Story().ask("quit. or not", model="demo").say("Yes.").finish().take().entries
    player = Player([entry.ts for entry in entries], clock=lambda: 0.0)
    app = Screen(own_home, ScriptedLibrary(), Replay(session="x"))
    app.library.source = ReplaySource(SessionInfo(id="x"), entries, player)  # type: ignore[assignment]
    async with app.run_test() as pilot:
        await app.read(1)
        await pilot.press("ctrl+f")
        await wait_until(lambda: bool(app.session_screen.query(SearchBar)))
        await pilot.press("q", "u", "i", "t", "full_stop", "space", "o")
        await wait_until(lambda: said(app).startswith("1/1"))
        assert app.session_screen.query_one(SearchBar).field.value == "quit. o"
        await pilot.press("enter", "end")
        await wait_until(lambda: player.ended)


async def test_a_block_has_a_menu(own_home: Path) -> None:
    app = talk(own_home)
    async with app.run_test(size=(80, 40)) as pilot:
        await app.read(6)
        view = app.session_screen.view
        assert view is not None
        await pilot.press("shift+up")
        await wait_until(lambda: view.has_focus)
        await pilot.press("left_square_bracket", "up", "up", "m")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        await pilot.press("enter")
        await wait_until(lambda: app.copied == ["ls trout"])
        await pilot.press("m")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.press(*"mark")
        await pilot.press("enter")
        await wait_until(lambda: app.copied[1:] == ["In **streams**:\n\n```sh\nls trout\n```"])
        await pilot.press("i")
        await wait_until(lambda: isinstance(app.screen, DetailsScreen))
        shown = [str(each.content) for each in app.screen.query(Static)]
        assert shown[:2] == ["Answer", "id"]
        details = dict(pairwise(shown))
        assert details["first entry"] != details["last entry"]
        assert (details["\nIts turn"], details["model"]) == ("model", "demo")
        await pilot.press("escape")
        assert app.screen is app.session_screen


async def test_what_a_block_leads_to_and_its_picture_are_in_its_menu(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = talk(own_home)
    async with app.run_test(size=(80, 40)) as pilot:
        await app.read(6)
        view = app.session_screen.view
        assert view is not None
        await wait_until(lambda: bool(view.window.rows))
        picture = GeneratedImage(id="i", image_base64=PICTURE, done=True)
        show(view, *created(picture, answer("l", "See [the docs](https://evil.example/x).")))
        await pilot.pause()
        view.focus()
        await wait_until(lambda: view.has_focus)
        view.move_cursor((7, 0))
        await pilot.press("m")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        await pilot.press(*"evil", "enter")
        await wait_until(lambda: asked(app) == "https://evil.example/x")
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.session_screen)
        view.focus()
        view.move_cursor((6, 0))
        await pilot.press("m")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        await pilot.press("enter")
        await app.note(f"Saved: {tmp_path}/riffle-picture-1.png")
        assert (tmp_path / "riffle-picture-1.png").read_bytes() == base64.b64decode(PICTURE + "=")


async def chosen(app: Screen, text: str) -> None:
    """Choose what `text` finds in the menu of the block that the cursor is on."""
    await app.press("m")
    await wait_until(lambda: isinstance(app.screen, Picker))
    await app.press(*text, "enter")
    await wait_until(lambda: not isinstance(app.screen, Picker))


async def test_a_new_session_goes_on_from_an_ended_turn_of_an_old_one(own_home: Path) -> None:
    told = Story().ask("Where do trout live?").say("In streams.").finish()
    end = told.entries[-1].id
    told.ask("And pike?").say("They eat").ask("And eels?")
    app = Screen(own_home, ScriptedLibrary(ScriptedSource(script=[LIVE, told.take()])))
    async with app.run_test(size=(80, 40)) as pilot:
        app.press = pilot.press
        await app.read(6)
        view, first = app.session_screen.view, app.folded.timeline.entities[0]
        assert view is not None
        await wait_until(lambda: bool(view.window.rows))
        view.focus()
        for index, can_fork in ((1, True), (4, False)):
            view.move_cursor((index, 0))
            await pilot.press("m")
            await wait_until(lambda: isinstance(app.screen, Picker))
            await wait_until(lambda: app.screen.query_one(OptionList).option_count > 3)
            offered = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
            assert any("Fork" in each for each in offered) == can_fork, "what is not answered cannot be gone on from"
            await pilot.press("escape")
            await wait_until(lambda: not isinstance(app.screen, Picker))
        view.move_cursor((0, 0))
        app.library.failure = AccessDenied("This user may not write.", "Ask for it.")
        await chosen(app, "fo")
        await app.note("This user may not write. Ask for it.")
        app.library.failure = None
        await chosen(app, "fo")
        await wait_until(lambda: len(app.library.opened) == 2)
        [(session, at)] = app.library.forked
        assert session == app.source.session.id
        assert first.last_entry_id < at <= end
        assert app.library.opened[1] == Chat(session="fork")
        await app.note("“Water (fork)”: a new session, which goes on from here.")


async def test_a_copy_is_called_what_it_is(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "xclip"
    program.write_text(f'#!/bin/sh\ncat > "{tmp_path}/taken"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    app = talk(own_home)
    async with app.run_test():
        await app.opened()
        monkeypatch.delenv("DISPLAY", raising=False)
        app.copy_to_clipboard("one")
        await app.note("3 characters sent to the terminal's clipboard (OSC 52)")
        monkeypatch.setenv("DISPLAY", ":9")
        app.copy_to_clipboard("three")
        await app.note("Copied 5 characters (xclip).")
        assert (tmp_path / "taken").read_text() == "three"
