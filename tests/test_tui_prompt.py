"""The prompt: what the keys do to a text, the history, the drafts, the slash commands."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from textual import events
from textual.app import App, ComposeResult

from tui import commands
from tui.drafts import Drafts, History
from tui.widgets.composer import Composer
from tui.widgets.prompt import Prompt


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class PromptApp(App[None]):
    """A prompt alone, with what it said."""

    CSS = "Prompt { height: auto; max-height: 8; border: none; }"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.clock = Clock()
        self.prompt = Prompt(History(folder / "history.jsonl"), clock=self.clock)
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.prompt

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        self.said.append(event.text)

    def on_prompt_left(self) -> None:
        self.said.append("left")

    def on_prompt_recalled(self) -> None:
        self.said.append("recalled")


@pytest.fixture
def app(tmp_path: Path) -> PromptApp:
    return PromptApp(tmp_path)


async def test_enter_sends_and_ctrl_j_breaks_the_line(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+j", "b", "shift+enter", "c", "enter")
        await pilot.pause()
        assert app.said == ["a\nb\nc"]
        assert app.prompt.text == ""


async def test_keys_in_one_burst_stay_in_order(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        for key in ("a", "ctrl+j", "b", "left", "x", "enter", "y"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert (app.said, app.prompt.text) == (["a\nxb"], "y")


async def test_the_prompt_grows_and_stops_growing(app: PromptApp) -> None:
    async with app.run_test(size=(60, 30)) as pilot:
        for lines, height in ((1, 1), (5, 5), (20, 8)):
            app.prompt.set_text("x\n" * (lines - 1) + "x")
            await pilot.pause()
            assert app.prompt.size.height == height


async def test_a_paste_keeps_its_lines_and_never_sends(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        app.prompt.post_message(events.Paste("one\r\ntwo\rthree\n"))
        await pilot.pause()
        # What follows at once belongs to the paste: it has broken out of its brackets.
        await pilot.press("enter")
        assert (app.said, app.prompt.text) == ([], "one\ntwo\nthree\n\n")
        app.clock.now += 1
        await pilot.press("enter")
        await pilot.pause()
        assert app.said == ["one\ntwo\nthree"]


async def test_a_paste_is_cleaned(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        app.prompt.post_message(events.Paste("safe\x1b[201~\x9b2J\x00"))
        await pilot.pause()
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in app.prompt.text)
        assert app.prompt.text.startswith("safe")


async def test_up_and_down_walk_the_history_at_the_edges_only(app: PromptApp) -> None:
    history = app.prompt.history_of_prompts
    history.add("first")
    history.add("second\nlines")
    async with app.run_test() as pilot:
        await pilot.press("d", "up")
        assert app.prompt.text == "second\nlines"
        await pilot.press("up", "up")
        assert app.prompt.text == "first"
        await pilot.press("up")
        assert app.prompt.text == "first"
        await pilot.press("down")
        assert app.prompt.text == "second\nlines"
        await pilot.press("down")
        assert app.prompt.text == "d"


async def test_up_takes_a_queued_prompt_back_from_an_empty_prompt_only(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        app.prompt.recallable = True
        await pilot.press("x", "up", "backspace", "up")
        await pilot.pause()
        assert app.said == ["recalled"]


async def test_ctrl_d_quits_from_an_empty_prompt_only(app: PromptApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "home", "ctrl+d")
        assert (app.prompt.text, app.said) == ("b", [])
        await pilot.press("ctrl+d", "ctrl+d")
        await pilot.pause()
        assert app.said == ["left"]


def test_the_history_survives_without_repetitions(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.jsonl"
    history = History(path)
    for prompt in ("a", "b", "a", "a", "  ", "c\nd"):
        history.add(prompt)
    assert History(path).prompts == ["b", "a", "c\nd"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_history_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'"good"\nnot json\n3\n\xff\xfe\n"better"\n')
    assert History(path).prompts == ["good", "better"]


def test_drafts_are_kept_by_session(tmp_path: Path) -> None:
    path = tmp_path / "drafts.json"
    drafts = Drafts(path)
    drafts.put("one", "half a\nthought")
    drafts.put("two", "another")
    drafts.put("two", "")
    assert (Drafts(path).get("one"), Drafts(path).get("two")) == ("half a\nthought", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("[]")
    assert Drafts(path).get("one") == ""


class ComposerApp(App[None]):
    """A composer alone, with what it said."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.composer = Composer(History(folder / "history.jsonl"), Drafts(folder / "drafts.json"))
        self.said: list[str] = []
        self.notes: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.composer

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.said.append(event.text)

    def on_composer_called(self, event: Composer.Called) -> None:
        self.said.append(f"{event.command.name}({event.argument})")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/help", ["help()"]),
        ("/model demo:fast", ["model(demo:fast)"]),
        ("/quit", ["exit()"]),
        ("//help", ["/help"]),
        ("/etc/hosts is what?", ["/etc/hosts is what?"]),
        ("/nonsense", []),
        ("1 / 2", ["1 / 2"]),
    ],
)
async def test_a_slash_begins_a_command(tmp_path: Path, typed: str, said: list[str]) -> None:
    app = ComposerApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press(*typed, "enter")
        await pilot.pause()
        assert app.said == said
        # What was not understood stays where it is, to be mended.
        assert app.composer.prompt.text == ("" if said else typed)


async def test_a_command_is_completed_by_tab_and_by_enter(tmp_path: Path) -> None:
    app = ComposerApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("/", "t", "down")
        await pilot.pause()
        await pilot.press("tab")
        assert app.composer.prompt.text == "/thinking"
        await pilot.press("ctrl+u", "/", "m", "o")
        await pilot.pause()
        await pilot.press("enter")
        assert (app.composer.prompt.text, app.said) == ("/model ", [])


async def test_a_draft_comes_back(tmp_path: Path) -> None:
    app = ComposerApp(tmp_path)
    async with app.run_test() as pilot:
        await pilot.press(*"half a")
        await pilot.pause()
    again = ComposerApp(tmp_path)
    async with again.run_test() as pilot:
        again.composer.use_draft_of("")
        assert again.composer.prompt.text == "half a"
        assert again.composer.clear_into_history()
        await pilot.press("up")
        assert again.composer.prompt.text == "half a"


@pytest.mark.parametrize("editor", ["no-such-editor-anywhere", "vim '", " "])
async def test_an_editor_that_does_not_start_leaves_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    monkeypatch.setenv("EDITOR", editor)
    app = ComposerApp(tmp_path)
    async with app.run_test():
        app.composer.prompt.set_text("kept")
        app.composer.open_editor()
        assert app.composer.prompt.text == "kept"


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(commands.UnknownCommand, match=r"Did you mean /sessions\?"):
        commands.parse("/sesions")


def test_every_command_has_its_own_name_and_a_line_of_help() -> None:
    names = [name for c in commands.COMMANDS for name in (c.name, *c.aliases)]
    assert len(names) == len(set(names))
    assert all(c.help and c.title for c in commands.COMMANDS)
    assert [c.name for c in commands.completions("/res", prompts=True)] == ["sessions"]
    assert "retry" not in [c.name for c in commands.available(prompts=False)]
