"""The timeline: what stands on the screen, what stays where it is, what it costs."""

from __future__ import annotations

import pytest

from bus.entities import (
    Citations,
    CodeInterpreter,
    Created,
    Entity,
    Failure,
    GapMarker,
    GeneratedImage,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    Source,
    TurnSummary,
    UnknownEvent,
    WebSearch,
)
from tests.support.captured import Capture, captured
from tests.support.timeline import (
    TimelineApp,
    answer,
    appended,
    created,
    lines,
    numbered,
    show,
    thinking,
    timeline,
    tool,
    updated,
    user,
)
from tests.support.waiting import wait_until

# -- cards -----------------------------------------------------------------------------------------------------


async def test_what_comes_is_on_the_screen_with_its_flush() -> None:
    app, text = TimelineApp(), answer("a", "one", done=False)
    app.driver_class = Capture
    async with app.run_test(headless=False, size=(60, 20)) as pilot:
        show(app.view, *created(text))
        await pilot.pause()
        before = len(captured(app))
        show(app.view, appended(text, " two"))
        assert "two" in captured(app)[before:], "no queue and no clock is waited for"


async def test_a_conversation_reads_from_top_to_bottom() -> None:
    summary = TurnSummary(id="s", model="demo", input_tokens=1234, output_tokens=56, duration_ms=5400)
    async with timeline(user("u", "Hello\nyou"), answer("a", "# Hi\n\n- one\n- two"), summary) as (view, _, _):
        assert lines(view) == ["▍ Hello", "▍ you", "Hi", "• one", "• two", "demo · 1.2k in · 56 out · 5.4 s"]


async def test_thinking_is_open_while_it_goes_on_and_closes_after() -> None:
    thought = thinking("t", "First I look.\nThen I think.")
    async with timeline(thought) as (view, pilot, _):
        assert lines(view)[0].endswith("Thinking  2.0 s")
        assert lines(view)[1] == "│ First I look. Then I think."
        thought.done, thought.started_ms, thought.ended_ms = True, 0, 3200
        show(view, updated(thought))
        assert lines(view) == ["▸ Thought for 3.2 s"]
        await pilot.click(offset=(4, 0))
        assert lines(view) == ["▾ Thought for 3.2 s", "│ First I look. Then I think."]
        await pilot.click(offset=(4, 0))
        assert lines(view) == ["▸ Thought for 3.2 s"]


async def test_thinking_that_goes_on_shows_its_last_lines() -> None:
    thought = thinking("t", "A first line.\n\n" + "word " * 40 + "\nand the last.")
    async with timeline(thought, size=(40, 20)) as (view, _, _):
        assert len(lines(view)) == 4
        assert lines(view)[-1] == "│ the last."
        show(view, appended(thought, " And more."))
        assert lines(view)[-1] == "│ the last. And more."


async def test_a_tool_call_is_one_line_and_opens_to_its_arguments_and_result() -> None:
    result = "\n".join(f"line {number}" for number in range(100))
    call = tool("x", "read_file", '{"path": "a.py", "range": {"from": 1}}', result)
    async with timeline(call) as (view, pilot, _):
        assert lines(view) == [
            '✓ read_file  path=a.py  range={"from": 1}  1.5 s',
            "  line 0",
            "  line 1",
            "  line 2",
            "  line 3",
            "  … 96 more lines · show all",
        ]
        await pilot.click(offset=(6, 0))
        assert lines(view)[:5] == ["✓ read_file  1.5 s", "  path: a.py", "  range:", "    from: 1", "  line 0"]
        await pilot.press("end")
        assert lines(view)[-1] == "  … 40 more lines · show all"
        await pilot.click(offset=(6, view.size.height - 1))
        await pilot.press("end")
        assert lines(view)[-1] == "  line 99"


async def test_a_tool_call_shows_how_it_stands() -> None:
    calls = [
        tool("a", "fetch", '{"url": "https://a.example"}', state="running"),
        tool("b", "edit", "{}", state="waiting"),
        tool("c", "run", '{"command": "make"}', "exit 2\nno rule", state="failed"),
    ]
    async with timeline(*calls) as (view, _, app):
        app.view.animated = False
        view.show([updated(calls[0])])
        await wait_until(lambda: lines(view)[0] == "● fetch  https://a.example  4.2 s")
        assert lines(view)[1:] == ["○ edit  waiting", "✗ run  make  failed · 1.5 s", "  exit 2", "  no rule"]


async def test_cards_of_the_provider_and_notes() -> None:
    search = WebSearch(id="w", queries=["q"], results=[{"title": "T", "url": "https://t.example"}], done=True)
    code = CodeInterpreter(id="c", done=True)
    code.code.append("print(1)")
    mcp = McpCall(id="m", done=True)
    mcp.arguments.append('{"n": 3}')
    async with timeline(
        search, code, mcp,
        GeneratedImage(id="i", image_base64="iVBORw0KGgo" + "A" * 4000, done=True),
        Citations(id="n", sources=[Source(title="Doc", url="https://d.example")]),
        Notice(id="no", kind="retry", message="trying again"),
        ModeSwitch(id="mo", from_mode="plan", to_mode="act"),
        UnknownEvent(id="un", type="acme.x", payload='{"a":1}'),
        GapMarker(id="g", count=12),
        Failure(id="f", message="It failed.", hint="Do this."),
        Interruption(id="it", reason="engine-lost"),
        size=(70, 40),
    ) as (view, _, _):  # fmt: skip
        assert lines(view) == [
            "✓ Web search  “q”  1 found",
            "  1. T  https://t.example",
            "✓ Code interpreter  print(1)",
            "✓ MCP call  3",
            "▣ Image  PNG, 3 kB  save: m",
            "[1] Doc  https://d.example",
            "↻ trying again",
            "⇄ Mode  plan → act",
            "▸ Event  acme.x",
            "⋯ 12 events are missing here",
            "✗ It failed.",
            "→ Do this.",
            "■ Cut off here: the engine that answered was lost  retry: r",
        ]


async def test_a_long_note_goes_on_below_and_a_limit_is_named() -> None:
    long = Notice(id="n", kind="log", level="warn", message="The answer was cut off: the limit was reached.")
    async with timeline(long, Interruption(id="i", reason="max-calls"), size=(40, 20)) as (view, _, _):
        first, second, *_ = lines(view)
        assert (first, second.strip()) == ("· The answer was cut off: the limit", "was reached.")
        assert "Stopped here: no more calls" in "\n".join(view.plain_lines())


async def test_only_other_authors_are_named() -> None:
    mine, other = user("a", "mine"), user("b", "theirs")
    other.author = "ann@there"
    async with timeline(size=(40, 10)) as (view, _, _):
        view.me = "me@here"
        show(view, *created(mine, other))
        assert lines(view) == ["▍ mine", "▍ ann@there", "▍ theirs"]


async def test_markup_in_a_text_is_text() -> None:
    texts = "[bold]x[/bold] [@click=app.quit]y[/] [/foo]"
    call = tool("t", texts, '{"a": "[/b]"}', texts)
    async with timeline(user("u", texts), call, size=(90, 20)) as (view, _, _):
        assert lines(view) == [f"▍ {texts}", f"✓ {texts}  [/b]  1.5 s", f"  {texts}"]


# -- following and staying -------------------------------------------------------------------------------------


async def test_the_end_is_followed_until_the_reader_scrolls_up() -> None:
    text = answer("a", numbered(30), done=False)
    async with timeline(text) as (view, pilot, app):
        assert "Paragraph 29" in " ".join(lines(view))
        show(view, appended(text, "\n\nThe end."))
        assert lines(view)[-1] == "The end."
        await pilot.press("pageup")
        before = view.plain_lines()
        assert not view.following
        show(view, appended(text, "\n\n" + numbered(5)), *created(user("u", "more")))
        assert view.plain_lines() == before
        assert view.new_below == 2
        await pilot.press("end")
        assert view.following
        assert lines(view)[-1] == "▍ more"
        await wait_until(lambda: app.follows[-1] == (True, 0))
        assert (False, 2) in app.follows


async def test_scrolling_back_to_the_end_follows_again() -> None:
    async with timeline(answer("a", numbered(30))) as (view, pilot, _):
        await pilot.press("pageup", "pagedown")
        assert view.following


async def test_the_wheel_moves_by_true_rows_over_what_was_never_drawn() -> None:
    async with timeline(*(answer(f"a{n}", numbered(3)) for n in range(60))) as (view, pilot, _):
        for _ in range(40):
            before = view.plain_lines()
            view.scroll_to(y=view.scroll_y - 3, animate=False)
            await pilot.pause()
            assert view.plain_lines()[3:] == before[:-3]


async def test_what_changes_above_does_not_move_what_is_read() -> None:
    call = tool("x", "run", "{}", "\n".join("row" for _ in range(50)))
    async with timeline(call, answer("a", numbered(40))) as (view, pilot, _):
        await pilot.press("home")
        view.go_to(view.document.at(20))
        before = view.plain_lines()
        await pilot.press("ctrl+o")
        view.action_toggle_tools()
        assert view.plain_lines() == before
        view.action_toggle_tools()
        assert view.plain_lines() == before


@pytest.mark.parametrize("width", [33, 47, 90])
async def test_a_resize_keeps_the_line_that_is_read(width: int) -> None:
    texts = [answer(f"a{n}", "start " + " ".join(f"{n}.{word}" for word in range(400))) for n in range(20)]
    async with timeline(*texts) as (view, pilot, _):
        view.go_to(view.document.moved(view.document.at(0), 260))
        first = lines(view)[0].split()[0]
        await pilot.resize_terminal(width, 20)
        await wait_until(lambda: view.size.width == width)
        assert first in lines(view)[0].split()
        await pilot.resize_terminal(60, 20)
        await wait_until(lambda: view.size.width == 60)
        assert first in lines(view)[0].split()


async def test_an_entity_that_comes_higher_up_is_put_there_and_moves_nothing() -> None:
    async with timeline(user("u", "first"), answer("a", numbered(40))) as (view, _, _):
        view.go_to(view.document.at(30))
        before = view.plain_lines()
        show(view, Created(thinking("t", "late", seconds=1), before="a"))
        assert view.plain_lines() == before
        view.action_scroll_home()
        assert lines(view)[:2] == ["▍ first", "▸ Thought for 1.0 s"]


async def test_a_replaced_text_is_shown_anew() -> None:
    text = answer("a", "one two three", done=False)
    async with timeline(text) as (view, _, _):
        text.text.replace("four")
        show(view, updated(text))
        assert lines(view) == ["four"]


async def test_reset_forgets_everything() -> None:
    async with timeline(user("u", "first"), answer("a", numbered(40))) as (view, _, _):
        view.reset()
        assert lines(view) == []
        show(view, *created(user("u", "again")))
        assert lines(view) == ["▍ again"]


# -- scale -----------------------------------------------------------------------------------------------------


async def test_a_long_session_draws_only_what_is_seen() -> None:
    entities: list[Entity] = []
    for number in range(500):
        entities += [
            user(f"u{number}", f"Question {number}"),
            thinking(f"t{number}", "because", seconds=2),
            tool(f"x{number}", "run", '{"a": 1}', "ok\n" * 20),
            answer(f"a{number}", numbered(4)),
        ]
    async with timeline(*entities) as (view, pilot, _):
        built = [section for section in view.document.sections if section.built]
        assert len(built) < 12
        for keys, most in (("pageup", 40), ("home", 40), ("pagedown", 40), ("end", 40)):
            before = view.document.laid_out
            await pilot.press(keys)
            assert view.document.laid_out - before <= most, keys
        assert lines(view)[-1].startswith(("word", "Paragraph 3"))


async def test_a_delta_costs_the_same_in_a_long_answer() -> None:
    text = answer("a", "", done=False)
    async with timeline(text) as (view, _, _):
        section = view.document.sections[0]
        costs: list[tuple[int, int, int]] = []
        for number in range(300):
            before = section.parsed, view.document.laid_out, view.window.drawn
            show(view, appended(text, f"Paragraph {number} is here.\n\n"))
            now = section.parsed, view.document.laid_out, view.window.drawn
            costs.append((now[0] - before[0], now[1] - before[1], now[2] - before[2]))
        assert max(parsed for parsed, _, _ in costs) <= 4
        assert max(laid_out for _, laid_out, _ in costs) <= 4
        assert max(drawn for _, _, drawn in costs[50:]) <= max(drawn for _, _, drawn in costs[:50])


async def test_a_flush_redraws_only_the_rows_that_changed() -> None:
    text = answer("a", "One.\n\nTwo", done=False)
    async with timeline(text) as (view, _, _):
        before = [view.render_line(y) for y in range(view.size.height)]
        show(view, appended(text, " words"))
        after = [view.render_line(y) for y in range(view.size.height)]
        assert [y for y in range(len(before)) if before[y] is not after[y]] == [2]


async def test_nothing_ticks_when_nothing_runs() -> None:
    call = tool("x", "run", "{}", state="running")
    async with timeline(call) as (view, _, _):
        assert view.is_ticking
        call.state, call.done, call.ended_ms = "done", True, 9
        show(view, updated(call))
        assert not view.is_ticking


async def test_a_screen_of_twenty_by_five_works() -> None:
    async with timeline(user("u", "q"), answer("a", "| a | b |\n|---|---|\n| 1 | 2 |"), size=(20, 5)) as (view, _, _):
        assert all(len(line) <= 20 for line in view.plain_lines())
        assert lines(view)[-1] == "1 │ 2"
