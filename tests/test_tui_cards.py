"""Cards: what they say, what they clip and say so, at every width, legible in every theme."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.color import Color

from bus.entities import CallUsage, Entity, ToolUse, TurnSummary
from engine.prices import Prices
from tests.support import gallery
from tests.support.gallery import Gallery
from tests.support.timeline import NOW_MS, tool
from tests.test_tui_themes import OURS, READABLE, contrast
from tui.screens.details import rows_of
from tui.themes import Found
from tui.timeline.cards import Look, card
from tui.timeline.section import Section
from tui.timeline.styles import STYLE_NAMES

OPEN = frozenset({"tool", "thinking", "summary"})


def rows(entity: Entity, *opened: str, width: int = 80) -> list[str]:
    """The rows of an entity's card, without the blank one above it."""
    section = Section(entity, 1)
    section.build(width, Look(opened=frozenset(opened), now_ms=NOW_MS, frame=-1, me="me@here"))
    return [line.text for block in section.blocks for line in block.lines(width)]


@pytest.mark.parametrize("width", [40, 46, 80, 120, 250])
def test_no_row_is_wider_than_the_screen_and_everything_is_said(width: int) -> None:
    for entity in [*gallery.talk(), *gallery.tools()]:
        for opened in (frozenset[str](), OPEN):
            section = Section(entity, 1)
            section.build(width, Look(opened=opened, now_ms=NOW_MS, frame=-1))
            lines = [line for block in section.blocks for line in block.lines(width)]
            assert lines, entity.id
            assert [line.text for line in lines if line.cells > width] == [], (entity.id, opened)


def test_a_diff_keeps_its_signs_and_says_how_much_was_changed() -> None:
    diff = tool("d", "git_diff", "{}", gallery.DIFF)
    assert rows(diff)[0] == "✓ git_diff  +2 -1 · 1.5 s"
    assert "  -        entries = stream.read(cursor)" in rows(diff)
    lines = [line for block in card(diff, Look()).head for line in block.lines(80)]
    styles = {run.text[:1]: run.style for line in lines for run in line.runs}
    assert (styles["+"], styles["-"]) == ("added", "removed")
    assert "   , count=500)" in rows(diff, width=40), "what is folded stands behind the sign"


def test_what_is_clipped_is_said_and_shown_when_it_is_asked_for() -> None:
    many = tool("m", "list", "{}", "\n".join(f"row {n}" for n in range(500)))
    assert rows(many)[-1] == "  … 496 more lines · show all"
    assert rows(many, "tool")[-1] == "  … 440 more lines · show all"
    assert rows(many, "tool", "result:all")[-1] == "  row 499"
    long = tool("l", "fetch", "{}", "x" * 10_000)
    assert rows(long)[-1] == "  … 9,520 more characters · show all"
    assert sum(row.count("x") for row in rows(long, "result:all")) == 10_000
    both = tool("b", "fetch", "{}", "\n".join(["y" * 10_000] * 9))
    assert (rows(both)[-1], sum(" …" in row for row in rows(both))) == ("  … 5 more lines · show all", 5)


def test_a_huge_result_is_laid_out_in_pieces() -> None:
    huge = tool("h", "fetch", "{}", "z" * 1_000_000)
    section = Section(huge, 1)
    section.build(80, Look(opened=frozenset({"result:all"})))
    assert max(len(row) for block in section.blocks for row in getattr(block, "rows", ())) <= 4096
    copied = [(line.joint, line.text[line.skip :]) for block in section.blocks for line in block.lines(80)]
    assert "".join(joint + text for joint, text in copied).count("\n") == 2, "the head, and one line"


def test_arguments_read_like_a_form() -> None:
    arguments = {"path": "a.md", "edits": [{"line": 3}], "ok": True, "why": "One.\nTwo.", "none": None}
    call = tool("c", "edit", json.dumps(arguments), state="waiting")
    assert [row.rstrip() for row in rows(call, "tool")[1:]] == [
        "  path: a.md",
        "  edits:",
        "    -",
        "      line: 3",
        "  ok: true",
        "  why:",
        "    One.",
        "    Two.",
        "  none: null",
    ]


def test_the_footer_says_all_that_is_counted_and_breaks_between_facts() -> None:
    [footer] = [entity for entity in gallery.talk() if isinstance(entity, TurnSummary)]
    assert rows(footer) == [
        "claude-sonnet-4-5 · 12.3k in (10.0k cached) · 1.3k out (420 thinking) ·",
        "87 tok/s · first after 0.6 s · 12 s · 2 calls · max tokens",
    ]


def test_the_footer_says_the_cost_where_it_is_known() -> None:
    used = CallUsage(
        model="gpt-6.1-sol", provider="openai", input_tokens=5_210, cached_tokens=4_000, output_tokens=1_340
    )
    footer = TurnSummary(id="s", model="gpt-6.1-sol", input_tokens=5_210, output_tokens=1_340, usage=(used,))
    elsewhere = replace(footer, usage=(replace(used, provider="openai@localhost"),))
    assert words_of(footer) == "gpt-6.1-sol · 5.2k in · 1.3k out · $0.016"
    assert words_of(elsewhere) == "gpt-6.1-sol · 5.2k in · 1.3k out"
    assert dict(rows_of(footer, Prices()))["cost"] == "$0.016"
    assert "cost" not in dict(rows_of(elsewhere, Prices()))


def words_of(footer: TurnSummary) -> str:
    [line] = [line.text for block in card(footer, Look(gap=0, prices=Prices())).head for line in block.lines(80)]
    return line


def test_every_state_of_a_tool_differs_by_its_sign() -> None:
    states = ("writing", "waiting", "running", "done", "failed", "interrupted")
    signs = {state: rows(ToolUse(id="t", name="t", state=state))[0][0] for state in states}
    assert signs == {"writing": "●", "waiting": "○", "running": "●", "done": "✓", "failed": "✗", "interrupted": "■"}


@pytest.mark.parametrize("found", OURS, ids=lambda found: found.name)
async def test_every_style_of_the_timeline_is_legible(found: Found) -> None:
    app = Gallery(found.name, [])
    async with app.run_test():
        weak = {
            name: (style.color.name, style.bgcolor.name)
            for name in STYLE_NAMES - {"rail"}  # a line, no text
            if (style := app.view.palette.style(name)).color and style.bgcolor
            if contrast(_hex(style.color), _hex(style.bgcolor)) < READABLE
        }
        assert weak == {}


def _hex(color: Color) -> str:
    return color.get_truecolor().hex
