"""The picker: filtering, a thousand sessions, the words in its lines."""

from __future__ import annotations

import time

import pytest
from textual import events
from textual.app import App
from textual.widgets import Input, OptionList

from bus.session import SessionInfo
from tests.support.waiting import wait_until
from tui.screens.choices import ago, plain_choices, session_choices
from tui.screens.picker import Choice, Picker

NOW = 1_790_000_000_000
SESSIONS = [
    SessionInfo(
        id=f"s{n:04}",
        title=f"Talk number {n}",
        model="anthropic:claude-x",
        messages=n,
        updated_ms=NOW - n * 60_000,
        live=n == 3,
    )
    for n in range(1_000)
]


class PickerApp(App[str | None]):
    """Opens a picker, and ends with what was chosen."""

    def __init__(self, choices: list[Choice], **more: object) -> None:
        super().__init__()
        self.picker = Picker("Sessions", choices, **more)  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.push_screen(self.picker, self.exit)

    @property
    def lines(self) -> list[str]:
        """The lines of the list as they are drawn."""
        options = self.picker.query_one(OptionList)
        return [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]


async def test_a_thousand_sessions_are_filtered_by_typing() -> None:
    app = PickerApp(session_choices(SESSIONS, NOW / 1000))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until(lambda: len(app.lines) == 1_000)
        await pilot.press("r", "space", *"99")
        await wait_until(lambda: len(app.lines) == 19)
        await pilot.press("down", "enter")
    assert app.return_value == "s0199"


async def test_keys_in_one_burst_choose_from_what_they_filtered() -> None:
    app = PickerApp(session_choices(SESSIONS, NOW / 1000))
    async with app.run_test() as pilot:
        await pilot.press(*"999", "enter")
        await wait_until(lambda: app.return_value is not None)
    assert app.return_value == "s0999"


async def test_keys_of_one_write_count_in_their_order() -> None:
    app = PickerApp(session_choices(SESSIONS, NOW / 1000))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"xyz")
        # All at once, as a paste by a terminal multiplexer comes: none waits for what the one before it does.
        for key in ("ctrl+u", *"98", "backspace", "9", "down", "down", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await wait_until(lambda: app.return_value is not None)
    assert app.return_value == "s0299"


async def test_esc_chooses_nothing() -> None:
    app = PickerApp(session_choices(SESSIONS[:3], NOW / 1000))
    async with app.run_test() as pilot:
        await pilot.press(*"xyz")
        await wait_until(lambda: app.lines == ["Nothing matches."])
        await pilot.press("enter", "escape")
    assert app.return_value is None


async def test_a_free_text_is_taken_as_typed() -> None:
    app = PickerApp(plain_choices([("demo", "")]), free_text=True)
    async with app.run_test() as pilot:
        await pilot.press(*"a:b", "enter")
    assert app.return_value == "a:b"


async def test_the_lines_fit_a_narrow_terminal() -> None:
    app = PickerApp(session_choices(SESSIONS[:5], NOW / 1000))
    async with app.run_test(size=(40, 12)):
        await wait_until(lambda: len(app.lines) == 5)
        assert app.picker.query_one(Input).has_focus
        assert all(len(line) <= 40 for line in app.lines)


def test_a_line_shows_title_model_messages_age_and_life() -> None:
    line = session_choices(SESSIONS[3:4], NOW / 1000)[0].draw(80).plain
    for word in ("Talk number 3", "claude-x", "3 msg", "3m", "● live"):
        assert word in line
    hostile = session_choices([SessionInfo(id="x", title="a\x1b[2J\nb[bold]")], NOW / 1000)[0].draw(80).plain
    assert hostile.startswith("a␛[2J b[bold]")


def test_drawing_a_thousand_lines_is_quick() -> None:
    choices = session_choices(SESSIONS, NOW / 1000)
    begin = time.process_time()
    for choice in choices:
        choice.draw(90)
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(("minutes", "words"), [(0, "now"), (59, "59m"), (60, "1h"), (2_880, "2d"), (30_240, "3w")])
def test_an_age_is_one_number_and_one_letter(minutes: int, words: str) -> None:
    assert ago(minutes * 60_000) == words
