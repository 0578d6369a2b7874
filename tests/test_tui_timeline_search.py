"""Search in a conversation: what is found, what opens for it, where one is afterwards, what it costs."""

from __future__ import annotations

import contextlib

import pytest

from bus.entities import Removed
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
    user,
)
from tests.support.waiting import wait_until
from tui.timeline import finding
from tui.timeline.view import TimelineView


def marked(view: TimelineView) -> list[str]:
    """What is marked on the screen, the hit that was gone to in brackets."""
    here, found = (view.palette.style(name).bgcolor for name in ("found-here", "found"))
    texts: list[str] = []
    for y in range(view.size.height):
        for segment in view.render_line(y):
            if segment.style is not None and segment.style.bgcolor in (here, found):
                texts.append(f"[{segment.text}]" if segment.style.bgcolor == here else segment.text)
    return texts


async def counted(app: TimelineApp, *wanted: object) -> None:
    with contextlib.suppress(AssertionError):
        await wait_until(lambda: app.found == wanted, timeout=3)
    assert app.found == wanted


async def test_a_search_goes_from_hit_to_hit_and_back_to_where_the_reader_was() -> None:
    entities = [
        user("u", "Where do Trout live?"),
        answer("a", numbered(40)),
        answer("b", "A **trout** eats.\n\nTrout!"),
    ]
    async with timeline(*entities) as (view, pilot, app):
        before = view.plain_lines()
        view.find("t")
        view.find("trou")
        await counted(app, 3, 3, False)
        assert marked(view) == ["trou", "[Trou]"]
        await pilot.press("N")
        await counted(app, 2, 3, False)
        assert marked(view) == ["[trou]", "Trou"]
        await pilot.press("N")
        await counted(app, 1, 3, False)
        assert lines(view)[0] == "▍ Where do Trout live?"
        assert not view.following
        await pilot.press("N")
        await counted(app, 3, 3, False)
        await pilot.press("n")
        await counted(app, 1, 3, False)
        view.find("Trout")
        await counted(app, 2, 2, False)
        view.find("trouts")
        await counted(app, 0, 0, False)
        assert view.plain_lines() == before
        view.find("trout")
        await counted(app, 3, 3, False)
        await pilot.press("N", "N")
        view.end_search(stay=False)
        assert view.plain_lines() == before
        assert view.following
        assert marked(view) == []


async def test_what_is_folded_opens_for_a_hit_and_closes_after_it() -> None:
    result = "\n".join(f"row {number}" for number in range(200))
    call = tool("x", "run", '{"command": "make all"}', f"{result}\nneedle at the end")
    thought = thinking("t", "First this.\n\n" + "and that " * 60 + "needle", seconds=1)
    async with timeline(user("u", "q"), thought, call, answer("a", "No such thing.")) as (view, pilot, app):
        before = view.plain_lines()
        view.find("needle")
        await counted(app, 2, 2, False)
        assert marked(view) == ["[needle]"]
        assert "  needle at the end" in lines(view)
        await pilot.press("N")
        await counted(app, 1, 2, False)
        assert marked(view) == ["[needle]"]
        view.action_scroll_end()
        assert "✓ run  make all  1.5 s" in lines(view)
        assert any(line.startswith("  … 197 more lines") for line in lines(view))
        view.end_search(stay=False)
        assert view.plain_lines() == before


async def test_a_hit_may_be_wrapped_and_markdown_is_not_in_its_way() -> None:
    text = "It is *very* likely that `these` words [are](https://a.example/words) broken over lines."
    async with timeline(answer("a", text), size=(30, 12)) as (view, _, app):
        view.find("very likely that these words are broken")
        await counted(app, 1, 1, False)
        assert "".join(marked(view)).replace("][", "").replace(" ", "") == "[verylikelythatthesewordsarebroken]"


async def test_what_is_only_in_the_source_is_no_hit_once_it_was_looked_at() -> None:
    text = "- [ ] open\n- [x] shut\n\nTwo lines  \nof &amp; text"
    async with timeline(answer("a", text), answer("b", "This &amp; that. amp")) as (view, _, app):
        view.find("amp")
        await counted(app, 2, 2, False)
        view.action_find_next()
        await counted(app, 1, 1, False)
        assert marked(view) == ["[amp]"]


async def test_what_comes_and_goes_is_counted() -> None:
    growing = answer("a", "one fish", done=False)
    first = user("u", "fish")
    async with timeline(first, growing) as (view, _, app):
        view.find("fish")
        await counted(app, 2, 2, False)
        show(view, appended(growing, " two fish"), *created(answer("b", "red fish blue fish")))
        view.action_find_next()
        await counted(app, 3, 5, False)
        show(view, Removed(first))
        view.action_find_next(-1)
        await counted(app, 1, 4, False)


async def test_what_is_filled_in_above_is_counted_and_one_is_back_where_one_was() -> None:
    shown = [user("u", "fish"), answer("a", numbered(40)), answer("b", "No fish here")]
    async with timeline(*shown) as (view, pilot, app):
        await pilot.press("home")
        before = view.plain_lines()
        view.find("fish")
        await counted(app, 1, 2, False)
        earlier = [user("e", "Where are the fish?"), answer("f", "In the riffle, where all **fish** are.")]
        view.prepare(created(*earlier))
        view.join([*earlier, *shown])
        await counted(app, 3, 4, False)
        assert marked(view) == ["[fish]"]
        view.action_find_next(-1)
        await counted(app, 2, 4, False)
        view.end_search(stay=False)
        assert view.plain_lines()[:18] == before[:18]


async def test_a_long_session_is_searched_in_slices_from_the_screen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "SLICE_SECONDS", 0.0)
    entities = [user(f"u{number}", f"Question {number}") for number in range(400)]
    async with timeline(*entities) as (view, _, app):
        view.find("question 39")
        assert app.found == (0, 0, False)
        await wait_until(lambda: view.place is not None)
        assert marked(view)[-1] == "[Question 39]"
        await counted(app, 11, 11, False)
