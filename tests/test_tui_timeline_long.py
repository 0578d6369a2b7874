"""A long answer that is there at once: it is parsed in slices, and ends as if it had come at once."""

from __future__ import annotations

from itertools import pairwise

from bus.entities import (
    AssistantText,
)
from tests.support.timeline import (
    answer,
    lines,
    numbered,
    timeline,
    user,
)
from tests.support.waiting import wait_until
from tui.markdown.stream import MarkdownStream
from tui.timeline.cards import Look
from tui.timeline.document import Position
from tui.timeline.section import Section
from tui.timeline.view import TimelineView


def long_answer() -> AssistantText:
    """Some 40 KB with something of everything, the label of whose first line is defined in its last."""
    rest = "- one *item*\n- two\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    parts = [f"## Part {number}\n\n{numbered(3)}\n\n{rest}" for number in range(120)]
    return answer("a", "\n\n".join(["See [label].", *parts, "The end.", "[label]: https://l.example"]))


def is_behind(view: TimelineView) -> bool:
    return any(section.is_behind for section in view.document.sections)


async def test_a_long_answer_comes_in_slices_and_ends_as_if_it_came_at_once() -> None:
    text = long_answer()
    async with timeline(user("u", "q"), text) as (view, _, _):
        await wait_until(lambda: not is_behind(view))
        assert view.following
        await wait_until(lambda: lines(view)[-1] == "The end.")
        whole = MarkdownStream(gap=1)
        whole.append(str(text.text))
        assert view.document.sections[1].blocks == whole.blocks


def test_a_section_parses_a_slice_at_each_call() -> None:
    section = Section(long_answer(), 1)
    costs = [0]
    section.build(80, Look())
    while section.is_behind:
        costs.append(section.parsed)
        section.build(80, Look(), grew=True)
    assert max(after - before for before, after in pairwise(costs)) < 150
    assert section.parsed > 900


def test_a_label_that_is_defined_late_costs_a_section_a_slice_at_each_call() -> None:
    text = answer("a", "See [it].\n\n" * 300 + "so\n\nand\n\n")
    section = Section(text, 1)
    section.build(80, Look())
    while section.is_due:
        section.build(80, Look(), grew=True)
    text.text.append("[it]: https://it.example\n")
    costs = [section.parsed]
    while section.is_behind or section.is_due:
        section.build(80, Look(), grew=True)
        costs.append(section.parsed)
    assert len(costs) > 10
    assert max(after - before for before, after in pairwise(costs)) < 60
    assert all(run.action for block in section.blocks[:300] for run in block.lines(80)[0].runs if run.text == "it")


async def test_who_scrolls_up_into_a_long_answer_sees_its_end() -> None:
    async with timeline(user("u", "q"), long_answer(), answer("b", numbered(80))) as (view, pilot, _):
        view.go_to(view.document.settled(Position(2)))
        before = view.plain_lines()
        view.scroll_rows(-10)
        assert view.plain_lines()[10:] == before[:-10]
        assert "The end." in lines(view)
        await pilot.press("home")
        assert lines(view)[:2] == ["▍ q", "See label."]


async def test_a_place_in_a_long_answer_is_found_before_all_of_it_is_parsed() -> None:
    others = [answer(f"b{number}", numbered(9)) for number in range(9)]
    async with timeline(user("u", "q"), long_answer(), *others) as (view, _, _):
        view.go_to(view.document.at(400))
        assert view.top.section == 1
        assert view.top.block > 50
        before = view.plain_lines()
        await wait_until(lambda: not is_behind(view))
        assert view.plain_lines() == before
