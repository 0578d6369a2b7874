"""The session screen over a scripted session: chat, attach and replay, what keys do, what goes wrong."""

from __future__ import annotations

import importlib
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from bus.errors import UnknownSession
from bus.feed import EntriesRead
from bus.session import EngineLease, Prompt, Queue, SessionInfo
from tests.support.riffle_app import answered, answering, screen
from tests.support.scripted_source import STARTED_MS, Sent, Story
from tests.support.waiting import wait_until
from tui.app import Ending
from tui.clean import is_clean_line
from tui.facts import Facts
from tui.openings import Attach, Chat, Replay
from tui.player import Player
from tui.replay_source import ReplaySource
from tui.screens import watching
from tui.screens.picker import Picker
from tui.widgets.status import StatusLine, fit, left_segments, right_segments
from tui.widgets.welcome import Welcome

LEASE = EngineLease(engine_id="e1", epoch=1, host="desk", pid=1, version="1", busy=True, started_ms=0)
WAITING = Queue((Prompt(id="q1", text="one", author="ada@desk"), Prompt(id="q2", text="two", author="ada@desk")))


async def test_a_prompt_is_sent_and_the_answer_shown(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"Why?", "enter")
        await wait_until(lambda: app.source.sent)
        assert app.source.sent == [Sent("Why?", "", None)]
        assert app.source.calls == ["begin", "submit"]
        app.source.push(answering().take())
        await app.read(2)
        await wait_until(lambda: "Because it is" in app.timeline)
        assert "answering" in app.status
        assert "esc to interrupt" in app.status


async def test_the_first_frame_is_laid_out_for_the_terminal_that_there_is(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test(size=(50, 16)):
        begun = app.get_default_screen()
        assert begun.has_class("-narrow", "-tall")
        assert not begun.has_class("-normal") and not begun.has_class("-short")


async def test_an_answer_whose_beginning_is_not_in_the_stream_can_be_stopped(own_home: Path) -> None:
    app = screen(own_home, Story(STARTED_MS + 3_000).say("and so on").take(), seconds=5.0)
    async with app.run_test() as pilot:
        await app.read(1)
        await wait_until(lambda: "answering 1 s  esc to interrupt" in app.status)
        await pilot.press("escape")
        await wait_until(lambda: app.source.stopped)


async def test_who_leaves_while_the_timeline_is_still_imported_leaves_in_peace(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, left = threading.Event(), threading.Event()

    def import_slowly(name: str) -> ModuleType:
        begun.set()
        assert left.wait(10)
        return importlib.import_module(name)

    monkeypatch.setattr(watching, "importlib", SimpleNamespace(import_module=import_slowly))
    app = screen(own_home)
    async with app.run_test():
        await wait_until(begun.is_set)
        # The first that goes of a screen is what stands in it; what it does is cancelled last.
        await app.session_screen.query_one("#stage").remove()
        left.set()
        await wait_until(lambda: not app.workers)
        assert app.session_screen.view is None


async def test_what_is_typed_before_the_session_is_open_is_sent_when_it_is(own_home: Path) -> None:
    import asyncio

    app = screen(own_home)
    app.library.gate = asyncio.Event()
    async with app.run_test() as pilot:
        await pilot.press(*"early", "enter", *"still writing")
        await pilot.pause()
        assert (app.source.sent, app.prompt.text) == ([], "still writing")
        assert "connecting" in app.status
        app.library.gate.set()
        await wait_until(lambda: app.source.sent)
        assert [sent.text for sent in app.source.sent] == ["early"]
        assert app.prompt.text == "still writing"


def test_of_a_title_as_much_is_shown_as_there_is_room_for() -> None:
    facts = Facts(title="Why does the reader stop after the first page?", model="demo")
    left, _ = fit(left_segments(facts), right_segments(facts), 60)
    assert [segment.text for segment in left] == ["Why does the reader stop after the firs…"]
    assert fit(left_segments(facts), right_segments(facts), 30)[0] == []


async def test_a_session_is_called_empty_only_when_it_was_read(own_home: Path) -> None:
    app = screen(own_home, opening=Attach(session="x"))
    async with app.run_test():
        await wait_until(lambda: "live" in app.status)
        welcome = app.session_screen.query_one(Welcome)
        assert str(welcome.content) == ""
        app.source.push(EntriesRead([], caught_up=True))
        await wait_until(lambda: "Nothing here yet" in str(welcome.content))


async def test_the_prompt_of_the_command_line_is_sent_at_once(own_home: Path) -> None:
    app = screen(own_home, opening=Chat(prompt="hello", model="demo:fast"))
    async with app.run_test():
        await wait_until(lambda: app.source.sent)
        assert app.source.sent == [Sent("hello", "demo:fast", None)]


async def test_esc_stops_the_answer(own_home: Path) -> None:
    app = screen(own_home, answering().take())
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press("escape")
        await wait_until(lambda: "interrupt" in app.source.calls)
        assert "stop pending" in app.status


async def test_ctrl_c_stops_then_clears_then_quits(own_home: Path) -> None:
    app = screen(own_home, answering().take())
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press(*"draft", "ctrl+c")
        await wait_until(lambda: "interrupt" in app.source.calls)
        assert app.prompt.text == "draft"
        await pilot.press("ctrl+c")
        assert app.prompt.text == ""
        await pilot.press("up")
        assert app.prompt.text == "draft"
        await pilot.press("ctrl+c", "ctrl+c")
        assert "Ctrl+C again to quit" in app.status
        await pilot.press("ctrl+c")
    assert app.return_value == Ending(app.source.session)


async def test_the_second_ctrl_c_must_come_soon(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.session.QUIT_SECONDS", 0.01)
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press("ctrl+c")
        await wait_until(lambda: "again to quit" not in app.status)
        await pilot.press("ctrl+c")
        assert app.return_value is None


async def test_prompts_wait_in_sight_and_can_be_taken_back(own_home: Path) -> None:
    app = screen(own_home, answering().take())
    async with app.run_test() as pilot:
        app.source.push_queue(WAITING)
        await wait_until(lambda: app.prompt.recallable)
        await pilot.press("up")
        await wait_until(lambda: app.prompt.text == "two")
        assert [prompt.text for prompt in app.source.queue.prompts] == ["one"]
        await pilot.click("QueuePanel", offset=(10, 0))
        await wait_until(lambda: app.prompt.text == "one")
        await pilot.press("up")
        assert app.prompt.text == "two"


async def test_a_prompt_that_was_taken_up_cannot_be_taken_back(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        app.source.push_queue(WAITING)
        await wait_until(lambda: app.prompt.recallable)
        app.source.queue = Queue()
        await pilot.press("up")
        await app.note("Too late")
        assert app.prompt.text == ""


async def test_enter_on_an_empty_prompt_lets_a_paused_queue_go_on(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        app.source.push_queue(Queue(WAITING.prompts, paused=True))
        await wait_until(lambda: "queue paused" in app.status)
        await pilot.press("enter")
        await wait_until(lambda: "resume_queue" in app.source.calls)


async def test_read_only_has_no_prompt_and_q_quits(own_home: Path) -> None:
    app = screen(own_home, answered().take(), opening=Attach(session="x", read_only=True))
    async with app.run_test() as pilot:
        await app.read(3)
        assert not app.session_screen.query("Prompt")
        await pilot.press("f5", "escape", "ctrl+g", "q")
    assert app.return_value == Ending(app.source.session)
    assert app.source.sent == []


async def test_attach_without_a_name_asks_for_one(own_home: Path) -> None:
    app = screen(own_home, answered().take(), opening=Attach())
    app.library.listed = [SessionInfo(id="a1", title="first"), SessionInfo(id="b2", title="second")]
    async with app.run_test() as pilot:
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.press(*"sec", "enter")
        await app.read(3)
        assert app.library.opened == [Attach(session="b2")]


async def test_leaving_the_list_leaves_the_program(own_home: Path) -> None:
    app = screen(own_home, opening=Attach())
    async with app.run_test() as pilot:
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.press("escape")
        await wait_until(lambda: app.return_value is not None)
    assert app.return_value == Ending(None)


async def test_v03_a_session_that_cannot_be_opened_ends_the_program_with_the_reason(own_home: Path) -> None:
    app = screen(own_home, opening=Attach(session="x"))
    app.library.failure = UnknownSession("There is no session 'x'.", "See: riffle sessions list")
    async with app.run_test():
        await wait_until(lambda: app.return_value is not None)
    assert app.return_value == Ending(error=app.library.failure)
    assert app.return_code == 1


async def test_a_replay_pauses_steps_and_shows_the_end(own_home: Path) -> None:
    entries = answered().take().entries
    player = Player([entry.ts for entry in entries], clock=lambda: 0.0)
    app = screen(own_home, opening=Replay(session="x"))
    app.library.source = ReplaySource(SessionInfo(id="x"), entries, player)  # type: ignore[assignment]
    async with app.run_test() as pilot:
        await app.opened()
        await wait_until(lambda: player.position == 1)
        await pilot.press("full_stop", "full_stop")
        await wait_until(lambda: player.position == 3)
        assert "❚❚ 0:00 / 0:00" in app.status
        await pilot.press("plus")
        assert "1.5×" in app.status
        await pilot.press("end")
        await wait_until(lambda: player.ended)
        await wait_until(lambda: "the end" in app.status)
        await pilot.press("q")
    assert isinstance(app.return_value, Ending)


async def test_the_last_answer_is_copied_as_markdown(own_home: Path) -> None:
    app = screen(own_home, answered().take())
    async with app.run_test() as pilot:
        await app.read(3)
        await pilot.press("ctrl+y")
        assert app.copied == ["Because it is."]


async def test_scrolling_up_says_what_is_new_below(own_home: Path) -> None:
    story = Story()
    for n in range(20):
        story.ask(f"question {n}").say("line\n\n" * 5).finish()
    app = screen(own_home, story.take())
    async with app.run_test() as pilot:
        await app.read(60)
        await pilot.press("pageup", "pageup")
        await wait_until(lambda: "↓" in app.status)
        app.source.push(story.ask("one more").say("news").finish().take())
        await wait_until(lambda: "new ↓" in app.status)
        await pilot.press("ctrl+end")
        await wait_until(lambda: "↓" not in app.status)
        await pilot.press("pageup")
        await wait_until(lambda: "scrolled ↓" in app.status)
        # What says so can be clicked, and only that.
        arrow = 2 + app.status.index("↓")
        for x in (arrow + 3, arrow - len("scrolled ↓")):
            await pilot.click(StatusLine, offset=(x, 0))
            assert "scrolled ↓" in app.status
        await pilot.click(StatusLine, offset=(arrow, 0))
        await wait_until(lambda: "↓" not in app.status)


async def test_the_model_is_chosen_for_the_prompts_to_come(own_home: Path) -> None:
    app = screen(own_home, models=["openai:gpt-x"])
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"/model demo:fast", "enter", *"hi", "enter")
        await wait_until(lambda: app.source.sent)
        assert app.source.sent[0].model == "demo:fast"
        assert "demo:fast" in app.status


async def test_another_session_takes_this_ones_place(own_home: Path) -> None:
    app = screen(own_home, answered().take())
    app.library.listed = [SessionInfo(id="a1", title="first")]
    async with app.run_test() as pilot:
        await app.read(3)
        await pilot.press("ctrl+s")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.pause()
        await pilot.press("enter")
        await wait_until(lambda: len(app.library.opened) == 2)
        assert app.library.opened[1] == Chat(session="a1")
        await wait_until(lambda: app.source.calls.count("close") == 1)


async def test_the_list_of_commands_runs_one(own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press("ctrl+p")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.press(*"help", "enter")
        await wait_until(lambda: app.screen.__class__.__name__ == "HelpScreen")
        await pilot.press("escape")
        assert app.screen is app.session_screen


def test_no_control_leaves_the_app_whoever_drew_it(own_home: Path) -> None:
    drawn = [Segment("a\x1b]52;c;UFdORUQ=\x07b\x9b2J", Style(link="http://evil.example"))]
    for line_filter in screen(own_home).get_line_filters():
        drawn = line_filter.apply(drawn, Color(0, 0, 0))
    assert is_clean_line("".join(segment.text for segment in drawn))
    assert not any(segment.style and segment.style.link for segment in drawn)


async def test_keys_of_the_config_are_used(own_home: Path) -> None:
    app = screen(own_home, answering().take())
    app.config.keys["interrupt"] = "f9"
    app.set_keymap(app.config.keys)
    async with app.run_test() as pilot:
        await app.read(2)
        await pilot.press("escape")
        await pilot.pause()
        assert "interrupt" not in app.source.calls
        await pilot.press("f9")
        await wait_until(lambda: "interrupt" in app.source.calls)


async def test_a_crash_leaves_one_sentence_and_a_report_without_data(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = screen(own_home)

    def burst() -> None:
        secret = "sk-do-not-show-me"
        raise RuntimeError(f"redis://ada:hunter2@host has no {len(secret)}")

    with pytest.raises(RuntimeError):
        async with app.run_test() as pilot:
            await app.opened()
            app.call_later(burst)
            await pilot.pause()
    (report,) = app.paths.state.glob("crash-*.txt")
    text = report.read_text()
    assert "RuntimeError" in text
    assert "test_tui_app.py" in text
    assert "has no" not in text
    assert "hunter2" not in text
    assert "do-not-show-me" not in text
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_nothing_heavy_is_loaded_at_the_first_frame(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from bus.errors import BusError
from tui.app import Riffle
from tui.openings import Chat
from tui.config import load_config
from tui.paths import find_paths

class Library:
    async def open(self, opening):
        print(*sorted({{m.split(".")[0] for m in sys.modules}} & {{"redis", "pydantic", "openai", "anthropic"}}), "|")
        raise BusError("seen enough")

paths = find_paths({{"RIFFLE_HOME": {str(tmp_path)!r}}})
app = Riffle(Chat(), library=Library(), config=load_config(paths, {{}}), paths=paths)
asyncio.run(app.run_async(headless=True))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "|", done.stderr
