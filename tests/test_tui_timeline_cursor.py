"""What a person can do in the timeline: move a cursor, open links, ask again, select and copy."""

from __future__ import annotations

from textual.geometry import Offset
from textual.selection import Selection

from bus.entities import Failure, Interruption, Notice, Removed, TurnSummary
from tests.support.timeline import (
    answer,
    appended,
    created,
    lines,
    numbered,
    show,
    thinking,
    timeline,
    tool,
    user,
)
from tests.support.waiting import wait_until
from tui.timeline.document import Position
from tui.timeline.selection import row_code, row_position
from tui.timeline.view import TimelineView

# -- cursor, links --------------------------------------------------------------------------------------


async def test_the_cursor_goes_from_block_to_block_and_enter_opens() -> None:
    thought = thinking("t", "Hidden.", seconds=1)
    async with timeline(user("u", "q"), thought, answer("a", "One.\n\nTwo.")) as (view, pilot, _):
        await pilot.press("up", "up", "up", "enter")
        assert lines(view)[1:3] == ["▾ Thought for 1.0 s", "│ Hidden."]
        assert [line for line in view.plain_lines() if line.startswith("▌")] == ["▌ ▾ Thought for 1.0 s"]
        await pilot.press("left_square_bracket")
        assert [line for line in view.plain_lines() if line.startswith("▌")] == ["▌ ▍ q"]


async def test_a_cursor_in_a_card_that_closes_goes_to_its_head() -> None:
    call = tool("x", "run", '{"a": 1, "b": 2}', "\n".join(f"row {number}" for number in range(30)))
    async with timeline(user("u", "q"), call, size=(60, 50)) as (view, pilot, _):
        view.action_toggle_tools()
        await pilot.press("up", "enter")
        assert [line for line in view.plain_lines() if line.startswith("▌")] == ["▌ ✓ run  a=1  b=2  1.5 s"]
        view.cursor = (1, 40)
        await pilot.press("up", "down", "enter")
        assert any(line.startswith("▌") for line in view.plain_lines())


async def test_the_cursor_brings_its_block_into_sight() -> None:
    async with timeline(*(answer(f"a{n}", numbered(4)) for n in range(20))) as (view, _, _):
        for _ in range(25):
            view.action_cursor_up()
            assert any(line.startswith("▌") for line in view.plain_lines())
        for _ in range(35):
            view.action_cursor_down()
            assert any(line.startswith("▌") for line in view.plain_lines())
        assert view.following


async def test_a_link_asks_with_its_true_address() -> None:
    async with timeline(answer("a", "see [docs](https://d.example/'a)")) as (_, pilot, app):
        await pilot.click(offset=(7, 0))
        await wait_until(lambda: app.links == ["https://d.example/'a"])


# -- retry ------------------------------------------------------------------------------------------------------


async def test_retry_is_asked_for_by_key_and_by_click() -> None:
    async with timeline(Interruption(id="i")) as (_, pilot, app):
        await pilot.press("r")
        await wait_until(lambda: len(app.retries) == 1)
        await pilot.click(offset=(20, 0))
        await wait_until(lambda: len(app.retries) == 2)


async def test_only_the_end_of_the_last_turn_offers_a_retry() -> None:
    old, new = Interruption(id="i"), Failure(id="f", message="It failed.")
    async with timeline(user("u", "one"), old, TurnSummary(id="s", model="m")) as (view, pilot, app):
        assert lines(view) == ["▍ one", "■ Stopped here  retry: r", "m"]
        show(view, *created(user("v", "two")))
        assert lines(view) == ["▍ one", "■ Stopped here", "m", "▍ two"]
        await pilot.press("r")
        show(view, *created(new, Notice(id="n", message="noted")))
        assert lines(view)[-3:] == ["✗ It failed.", "  retry: r", "· noted"]
        await pilot.click(offset=(20, 2))
        await pilot.press("r")
        await wait_until(lambda: app.retries == [new])
        show(view, Removed(new), *created(answer("a", "After all.")))
        assert "retry" not in " ".join(lines(view))


async def test_where_nothing_can_be_asked_no_retry_is_offered() -> None:
    async with timeline(Interruption(id="i")) as (view, pilot, app):
        view.can_retry = False
        assert lines(view) == ["■ Stopped here"]
        await pilot.press("r")
        await pilot.click(offset=(20, 0))
        view.can_retry = True
        assert lines(view) == ["■ Stopped here  retry: r"]
        await pilot.press("r")
        await wait_until(lambda: len(app.retries) == 1)


# -- selection -------------------------------------------------------------------------------------------------


async def test_selected_text_is_what_was_written() -> None:
    text = "A long line that wraps on this narrow screen.\n\n- an item\n\n> quoted"
    async with timeline(user("u", "Hi"), answer("a", text), size=(30, 20)) as (view, _, _):
        everything = view.get_selection(Selection(None, None))
        assert everything == (
            "Hi\n\nA long line that wraps on this narrow screen.\n\n- an item\n\n> quoted",
            "\n",
        )


async def test_a_drag_selects_rows_and_a_double_click_a_word() -> None:
    async with timeline(answer("a", "alpha beta gamma delta epsilon"), size=(20, 10)) as (_, pilot, app):
        await pilot.mouse_down(offset=(8, 0))
        await pilot.hover(offset=(6, 1))
        await pilot.mouse_up(offset=(6, 1))
        assert app.screen.get_selected_text() == "beta gamma delta"
        await pilot.click(TimelineView, offset=(9, 0), times=2)
        assert app.screen.get_selected_text() == "beta"
        await pilot.click(TimelineView, offset=(9, 0), times=3)
        assert app.screen.get_selected_text() == "alpha beta gamma delta epsilon"


async def test_a_double_click_takes_a_word_that_is_broken_over_rows() -> None:
    text = "See https://example.org/a/very/long/path?with=query here. 這個句子很長需要換行才放得下,對吧"
    async with timeline(answer("a", text), size=(24, 12)) as (_, pilot, app):
        copies: list[str | None] = []
        for offset in ((6, 2), (6, 4)):
            await pilot.click(TimelineView, offset=offset, times=2)
            copies.append(app.screen.get_selected_text())
        assert copies == ["https://example.org/a/very/long/path?with=query", "這個句子很長需要換行才放得下"]


async def test_a_triple_click_takes_a_block_without_what_is_only_drawn() -> None:
    thought = thinking("t", "Think of [it](https://i.example) in a long line that wraps.", seconds=1)
    text = "> quoted words\n\n```python\nif x:\n    y = 1\n```"
    async with timeline(user("u", "Hi\nyou"), thought, answer("a", text), size=(30, 30)) as (view, pilot, app):
        view.action_toggle_thinking()
        copies: list[str | None] = []
        for start in ("▍ you", "│ Think of it", "│ quoted", "     y = 1"):
            y = next(y for y, line in enumerate(view.plain_lines()) if line[2:].startswith(start))
            await pilot.click(TimelineView, offset=(7, y), times=3)
            copies.append(app.screen.get_selected_text())
        assert copies == ["Hi\nyou", "Think of it in a long line that wraps.", "> quoted words", "if x:\n    y = 1"]


async def test_a_selection_stays_on_its_text_while_more_comes() -> None:
    text = answer("a", "alpha beta\n\n", done=False)
    async with timeline(text, size=(40, 8)) as (view, pilot, app):
        await pilot.click(TimelineView, offset=(3, 0), times=2)
        show(view, appended(text, numbered(20)))
        assert app.screen.get_selected_text() == "alpha"


def test_offsets_keep_their_order_over_sections_and_blocks() -> None:
    positions = [Position(0, 0, 1), Position(0, 1, 0), Position(0, 900, 7), Position(1, 0, 0), Position(70_000, 3, 2)]
    codes = [row_code(position) for position in positions]
    assert codes == sorted(codes)
    assert [row_position(code) for code in codes] == positions
    assert Selection.from_offsets(Offset(3, codes[1]), Offset(1, codes[0])).start == Offset(1, codes[0])
