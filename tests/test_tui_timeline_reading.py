"""Reading a conversation: jumps, three states of thinking, what is open everywhere, code sideways, copies of blocks."""

from __future__ import annotations

from textual.selection import Selection

from bus.entities import Failure, GapMarker
from tests.support.timeline import answer, created, lines, numbered, show, thinking, timeline, tool, user
from tests.support.waiting import wait_until
from tui.timeline.copying import block_text
from tui.timeline.selection import joined, line_text
from tui.timeline.view import TimelineView

WRITTEN = """\
# 標題 heading that is long enough to wrap

中文段落很長需要換行因為螢幕很窄所以會折成好幾行不應該有換行符號。 And **bold words** with `code`, [a link](https://a.example).

- first item that is long enough to be wrapped twice on this screen
  - nested 項目 with more words than fit here
- last

> quoted words that wrap around here

| name | value |
| --- | --- |
| a long cell that wraps around | 1 |"""

CODE = "\n".join(["def f(x):", "", *(f"    row{number} = {'x' * 40!r}" for number in range(200))])


def pointed(view: TimelineView) -> list[str]:
    """The rows that the cursor is on."""
    return [line[2:] for line in view.plain_lines() if line.startswith("▌")]


async def test_jumps_go_from_prompt_to_prompt_tool_to_tool_and_error_to_error() -> None:
    entities = [
        user("u1", "first"),
        answer("a1", numbered(12)),
        tool("x1", "look", "{}", "ok"),
        user("u2", "second"),
        tool("x2", "break", "{}", "no", state="failed"),
        answer("a2", numbered(12)),
        GapMarker(id="g", count=3),
        user("u3", "third"),
        answer("a3", "Short."),
    ]
    async with timeline(*entities) as (view, pilot, _):
        expected = {
            "left_square_bracket": ["▍ third", "▍ second", "▍ first", "▍ first"],
            "right_square_bracket": ["▍ second", "▍ third"],
            "T": ["✗ break  failed · 1.5 s", "✓ look  1.5 s"],
            "t": ["✗ break  failed · 1.5 s"],
            "e": ["⋯ 3 events are missing here"],
            "E": ["✗ break  failed · 1.5 s"],
        }
        for key, places in expected.items():
            for place in places:
                await pilot.press(key)
                assert pointed(view) == [place], key
        assert not view.following
        await pilot.press("G")
        assert view.following
        await pilot.press("g", "j")
        assert (pointed(view), lines(view)[0]) == (["▍ first"], "▍ first")
        await pilot.press("j", "k")
        assert pointed(view) == ["▍ first"]


async def test_what_is_read_is_where_a_jump_begins() -> None:
    talk = [each for n in range(9) for each in (user(f"u{n}", f"question {n}"), answer(f"a{n}", numbered(9)))]
    async with timeline(*talk) as (view, pilot, _):
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert pointed(view) == ["▍ question 7"]
        await pilot.press("pageup", "pageup", "left_square_bracket")
        assert pointed(view) == ["▍ question 5"]
        await pilot.press("pagedown", "pagedown", "right_square_bracket")
        assert pointed(view) == ["▍ question 7"]


async def test_thinking_has_three_states() -> None:
    long = thinking("t", "It begins so. " + "And so on. " * 40, seconds=1)
    async with timeline(long, thinking("s", "Only this.", seconds=1), size=(40, 24)) as (view, pilot, _):
        await pilot.click(offset=(4, 0))
        assert lines(view)[:2] == ["▾ Thought for 1.0 s", "│ It begins so. And so on. And so"]
        assert len(lines(view)) == 5
        assert lines(view)[3].endswith("…")
        await pilot.pause()
        await pilot.click(offset=(4, 2))
        assert len(lines(view)) > 10
        await pilot.click(offset=(4, 0))
        assert lines(view) == ["▸ Thought for 1.0 s"] * 2
        counts: list[int] = []
        for _ in range(3):
            view.action_toggle_thinking()
            counts.append(len(lines(view)))
        assert counts[0] == 6
        assert counts[1] > 12
        assert counts[2] == 2


async def test_everything_opens_and_closes() -> None:
    call = tool("x", "run", '{"a": 1}', "\n".join(f"row {number}" for number in range(9)))
    async with timeline(thinking("t", "Hidden.", seconds=1), call, size=(40, 24)) as (view, pilot, _):
        before = lines(view)
        await pilot.click(offset=(4, 0))
        await pilot.press("z")
        assert [*lines(view)[:2], lines(view)[-1]] == ["▾ Thought for 1.0 s", "│ Hidden.", "  row 8"]
        await pilot.press("z")
        assert lines(view) == before


async def test_long_lines_of_code_are_scrolled_sideways_where_they_do_not_wrap() -> None:
    line = "value = " + " + ".join(f"part{number}" for number in range(20))
    async with timeline(answer("a", f"```python\n{line}\nx = 1\n```"), size=(40, 12)) as (view, pilot, _):
        assert len(lines(view)) > 4
        await pilot.press("w")
        assert lines(view) == [" python", f" {line[:34]}›", " x = 1"]
        await pilot.press("right")
        assert lines(view)[1] == f"‹{line[10:44]}›"
        everything = view.get_selection(Selection(None, None))
        assert everything is not None and line in everything[0]
        show(view, *created(tool("x", "run", "{}", "\t" + "abc" * 50)))
        assert lines(view)[-1].startswith(" ‹abcabc")
        await pilot.press("left", "w")
        assert len(lines(view)) > 4


async def test_code_in_containers_does_not_wrap_either() -> None:
    line = "value = " + " + ".join(f"part{number}" for number in range(20))
    texts = (f"- item\n\n  ```\n  {line}\n  ```", f"> quoted\n> ```\n> {line}\n> ```")
    inside = [answer("a", texts[0]), answer("b", texts[1]), thinking("t", f"```\n{line}\n```", seconds=1)]
    async with timeline(*inside, size=(40, 30)) as (view, pilot, _):
        await pilot.press("z", "w")
        cut = [row for row in lines(view) if "value" in row]
        assert [row.rstrip()[-1] for row in cut] == ["›"] * 3, lines(view)
        assert not [row for row in lines(view) if "part9" in row]


async def test_of_an_endless_line_it_is_said_how_much_is_left_out_and_a_copy_has_all_of_it() -> None:
    line = "".join(f"{number:04} " for number in range(1000)) + "end"
    said = " … 907 more characters; a copy has them"
    async with timeline(answer("a", f"> ```\n> {line}\n> x = 1\n> ```"), size=(60, 90)) as (view, pilot, app):
        assert [row.removeprefix("│ ") for row in lines(view)[-2:]] == [said, " x = 1"]
        selected = view.get_selection(Selection(None, None))
        assert selected is not None and selected[0].replace("> ", "") == f"{line}\nx = 1"
        view.action_toggle_wrap()
        view.action_scroll_code(1)
        assert [row.removeprefix("│ ") for row in lines(view)[1:]] == [said, "‹"]
        await pilot.press("up", "c")
        await wait_until(lambda: len(app.chosen) == 1)
        assert app.chosen[0].text == f"{line}\nx = 1"


async def test_copies_are_as_written() -> None:
    async with timeline(
        user("u", "Hi\n\nyou"), answer("a", WRITTEN), answer("b", f"```python\n{CODE}\n```"), size=(34, 30)
    ) as (
        view,
        pilot,
        app,
    ):
        document = view.document
        view.go_to(document.settled(document.at(0)))
        await wait_until(lambda: not view.document.is_behind(range(3)))
        blocks = [block_text(document, 1, block) for block in range(len(document.sections[1].blocks))]
        assert "\n".join(blocks) == WRITTEN.replace("\n\n", "\n")
        selected = view.get_selection(Selection(None, None))
        plain = WRITTEN.replace("**", "").replace("`", "").replace("[a link](https://a.example)", "a link")
        assert selected == (f"Hi\n\nyou\n\n{plain}\n\n{CODE}", "\n")
        assert block_text(document, 2, len(document.sections[2].blocks) - 1) == CODE
        await pilot.press("end", "up", "c", "y")
        await wait_until(lambda: len(app.chosen) == 2)
        assert [(chosen.what, chosen.text, chosen.code) for chosen in app.chosen] == [
            ("copy_block", CODE, True),
            ("copy_message", CODE, True),
        ]
        assert app.chosen[1].message == f"```python\n{CODE}\n```"


async def test_a_part_of_a_table_is_copied_without_its_rules() -> None:
    async with timeline(answer("a", "| name | value | x |\n| --- | --- | --- |\n| one | 1 | y |\n| two | 2 | z |")) as (
        view,
        pilot,
        _,
    ):
        await pilot.mouse_down(view, offset=(2, 2))
        await pilot.mouse_up(view, offset=(10, 3))
        selected = view.get_selection(view.screen.selections[view])
        assert selected is not None
        assert selected[0] == "| one | 1 | y |\ntwo | 2"


async def test_enter_asks_what_to_do_where_there_is_nothing_to_open() -> None:
    call = tool("x", "run", '{"a": 1}', "row")
    async with timeline(call, Failure(id="f", message="It failed.")) as (view, pilot, app):
        view.can_retry = False
        await pilot.press("up", "enter")
        await wait_until(lambda: len(app.chosen) == 1)
        assert (app.chosen[0].what, app.chosen[0].message) == ("", "It failed.")
        await pilot.press("T", "enter")
        assert "a: 1" in [line.strip() for line in lines(view)]
        await pilot.click(offset=(4, 0), button=3)
        await wait_until(lambda: len(app.chosen) == 2)
        assert app.chosen[1].message == 'run {\n  "a": 1\n}\n\nrow'


async def test_a_part_of_unwrapped_code_is_copied_as_it_is() -> None:
    code = "|   a │ b" + "x" * 80
    async with timeline(answer("a", f"```\n{code}\n```"), size=(40, 10)) as (view, _, _):
        view.document.show_code(wraps=False, left=0)
        view.sync()
        [row] = [row.line for row in view.window.rows if "│" in row.line.text]
        assert line_text(row, 3, 13) == row.text[3:13]


async def test_what_is_said_of_an_endless_line_is_no_part_of_it() -> None:
    line = "word " * 1000
    async with timeline(answer("a", f"```\n{line}\n```"), size=(60, 100)) as (view, _, _):
        [notice] = [row.line for row in view.window.rows if "more characters" in row.line.text]
        assert line_text(notice, 0, 12) == ""
        assert "more" not in joined([row.line for row in view.window.rows])[0]
