"""Prompts as work under crashes and stalls: the short form of the experiment, and what its judge would object to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bus.session import OnLoss
from tests.chaos.prompt_engine import words_of
from tests.chaos.prompts import Turn, judge, run
from tests.support.prompts import prompt

WHOLE = "".join(words_of("a"))
WRITERS: set[tuple[str | None, int | None]] = {("e1", 1)}
GOOD = Turn("p1", writers=WRITERS, calls=1, finals=[WHOLE], ends=["finished"], shown=WHOLE)
CUT = Turn("p1", writers=WRITERS, calls=1, ends=["stopped: engine-lost"], shown="a.0 a.1 ")
FAILED = Turn("p1", writers=WRITERS, ends=["failed"])


@pytest.mark.timeout(120)
def test_40_prompts_and_5_engines_that_crash_and_stall_give_one_end_each() -> None:
    report = run(prompts=40, seed=1)
    assert not report.wrong, report
    assert sum(report.outcomes.values()) == 40
    assert sum(count for name, count in report.mishaps.items() if name.startswith("crash")) >= 8
    assert sum(count for name, count in report.mishaps.items() if name.startswith("stall")) >= 8
    assert report.mishaps["fenced"], "no engine woke up too late: this proves little"


@pytest.mark.parametrize(
    ("on_loss", "turns", "set_aside", "outcome"),
    [
        ("stop", [GOOD], False, "answered"),
        ("stop", [CUT], False, "cut off"),
        ("stop", [FAILED], True, "set aside"),
        ("retry", [CUT, CUT, GOOD], False, "answered"),
        ("retry", [CUT, CUT, CUT, FAILED], True, "set aside"),
    ],
)
def test_the_judge_knows_what_is_right(on_loss: OnLoss, turns: list[Turn], set_aside: bool, outcome: str) -> None:
    assert judge(prompt("p1", on_loss=on_loss), turns, set_aside=set_aside) == (outcome, [])


@pytest.mark.parametrize(
    ("on_loss", "turns", "set_aside", "objection"),
    [
        ("retry", [], False, "never answered"),
        ("stop", [], False, "asked in 0 turns"),
        ("retry", [CUT], False, "never answered"),
        ("retry", [GOOD, GOOD], False, "2 answers"),
        ("retry", [GOOD, FAILED], True, "1 answers, 1 failures"),
        ("stop", [CUT, GOOD], False, "asked in 2 turns"),
        ("stop", [replace(GOOD, ends=[])], False, "has not one end"),
        ("stop", [replace(CUT, ends=["stopped: engine-lost", "finished"])], False, "has not one end"),
        ("stop", [replace(CUT, ends=["stopped: interrupt"])], False, "an end that cannot be"),
        ("stop", [replace(GOOD, writers={("e1", 1), ("e2", 2)})], False, "a turn of 2 engines"),
        ("stop", [replace(GOOD, calls=2)], False, "2 calls"),
        ("stop", [replace(CUT, shown="a.0 b.1 ")], False, "a mixed answer"),
        ("stop", [replace(CUT, shown="a.0 a.0 ")], False, "a mixed answer"),
        ("stop", [replace(GOOD, finals=["a.0 "], shown="a.0 ")], False, "not whole"),
        ("stop", [replace(CUT, finals=[WHOLE])], False, "0 answers"),
        ("stop", [FAILED], False, "set aside: False"),
        ("stop", [GOOD], True, "set aside: True"),
        ("retry", [CUT, CUT, CUT, CUT, FAILED], True, "in 5 turns"),
    ],
)
def test_the_judge_objects(on_loss: OnLoss, turns: list[Turn], set_aside: bool, objection: str) -> None:
    _, wrong = judge(prompt("p1", on_loss=on_loss), turns, set_aside=set_aside)
    assert any(objection in what for what in wrong), wrong
