"""What Markdown looks like, what a copy of it says, and what a delta of it costs."""

from __future__ import annotations

import random
import re

import pytest
from rich.cells import cell_len

from tui.markdown.blocks import Block, stacked
from tui.markdown.stream import MarkdownStream
from tui.markdown.text import Line, Run, wrap


def drawn(blocks: list[Block], width: int) -> list[Line]:
    return stacked(blocks, width)


# -- cost ------------------------------------------------------------------------------------------------------


SENTENCE = "A sentence that never ends its paragraph, with *some* words. "

ENDLESS = {
    "prose": ("", SENTENCE * 3 + "\n\n"),
    "long paragraph": ("", SENTENCE * 5),
    "open fence": ("```python\n", "value = 1\n" * 20),
    "indented code": ("", "    value = 1\n" * 20),
    "list": ("", "- an item with `code`\n" * 12),
    "loose list": ("", "1. one\n\n   two\n\n" * 15),
    "table": ("| a | b |\n|---|--:|\n", "| one | `two` |\n" * 16),
    "quote": ("> ", SENTENCE * 5),
    "quote of lines": ("", f"> {SENTENCE}\n" * 5),
    "quote of paragraphs": ("", f"> {SENTENCE}\n>\n" * 4),
    "item": ("1. ", SENTENCE * 5),
    "item of paragraphs": ("- a\n\n", f"  {SENTENCE}\n\n" * 4),
    "item with a fence": ("1. a\n\n   ```py\n", "   x = 1\n" * 20),
    "item with a table": ("- a\n\n  | a | b |\n  |---|---|\n", "  | 1 | 2 |\n" * 20),
    "nested list": ("- a\n", "    - b with words\n" * 15),
    "list in a quote": ("> - a\n", "> - b with words\n" * 15),
}
"""How something begins, and what goes on and on."""


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_delta_costs_the_same_however_long_the_text_is(kind: str) -> None:
    begin, more = ENDLESS[kind]
    stream = MarkdownStream()
    stream.append(begin)
    parsed: list[int] = []
    read: list[int] = []
    characters = 0
    while characters < 40_000:
        before = stream.parsed
        stream.append(more)
        characters += len(more)
        parsed.append(stream.parsed - before)
        read.append(stream.open_length)
    early, late = slice(0, len(read) // 10), slice(-len(read) // 10, None)
    assert max(parsed[late]) <= max(parsed[early]) + 2
    assert sum(parsed[late]) <= 1.3 * sum(parsed[early])
    assert sum(read[late]) <= 1.3 * sum(read[early]) + 400
    assert max(read) <= 3000
    # No block is so long that to lay it out, which is done whole, takes long.
    assert max(len(block.lines(80)) for block in stream.blocks) <= 130


# -- what it looks like ----------------------------------------------------------------------------------------


def shown(text: str, width: int = 60) -> list[str]:
    stream = MarkdownStream()
    stream.append(text)
    return [line.text.rstrip() for line in drawn(stream.blocks, width)]


def copied(text: str, width: int = 60) -> str:
    stream = MarkdownStream()
    stream.append(text)
    rows = [line for line in drawn(stream.blocks, width) if line.copy != ""]
    pieces = [
        line.copy if line.copy is not None else (line.lead if line.joint == "\n" else "") + line.text[line.skip :]
        for line in rows
    ]
    joints = ["", *(line.joint for line in rows[1:])]
    return "".join(joint + piece for joint, piece in zip(joints, pieces, strict=True))


def test_lists_keep_the_spacing_that_was_written() -> None:
    assert shown("- a\n- b\n\n- c\n  1. d\n  2. e") == ["• a", "• b", "", "• c", "  1. d", "  2. e"]


def test_tasks_have_boxes() -> None:
    assert shown("- [x] done\n- [ ] open") == ["☑ done", "☐ open"]


def test_a_quote_has_a_rail() -> None:
    assert shown("> a\n>\n> b") == ["│ a", "│", "│ b"]


def test_a_table_is_aligned() -> None:
    table = "| name | n |\n|:-----|--:|\n| a | 1 |\n| 日本 | 22 |"
    assert shown(table) == ["name │  n", "─────┼───", "a    │  1", "日本 │ 22"]


def test_a_table_wraps_its_cells_on_a_narrow_screen() -> None:
    table = "| name | what it does |\n|---|---|\n| a | many words that need some room |"
    lines = shown(table, 24)
    assert all(cell_len(line) <= 24 for line in lines)
    assert " ".join(" ".join(lines).split()).count("words") == 1


def test_a_fence_says_its_language_and_wraps_long_lines() -> None:
    assert shown("```sh\necho one two three\n```", 12) == [" sh", " echo one t", " wo three"]


def test_an_unknown_language_is_not_looked_for_among_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*names: object) -> object:
        raise AssertionError("that takes 60 ms")

    monkeypatch.setattr("pygments.plugin.iter_entry_points", look)
    assert shown("```mylang\nx\n```") == [" mylang", " x"]


def test_code_inside_a_list_is_code() -> None:
    assert shown("1. run\n   ```\n   make\n   ```") == ["1. run", "    make"]


def test_maths_is_readable_and_what_is_not_understood_stays_as_it_is() -> None:
    assert shown(r"so $x_i^2$ and \(\frac{a+b}{2} \le \sqrt{\pi}\) hold") == ["so xᵢ² and (a+b)/2 ≤ √π hold"]
    assert shown("Where:\n$$\n\\sum_{n=1}^{\\infty} a_n\n+ b\n$$\n- $O(n \\log n)$") == [
        "Where:",
        "",
        "∑ₙ₌₁^∞ aₙ + b",
        "",
        "• O(n log n)",
    ]
    raw = (r"so \(\foo_1 * b_1\) and $$\baz * z$$ hold", r"$$ x", r"\[ \frac{a", r"$\begin{x}$ and $\sqrt{2$")
    assert [shown(text) for text in raw] == [[text] for text in raw]
    assert copied("- so\n  $$\n  x^2\n  $$") == "- so\n$$\nx^2\n$$"


def test_money_variables_and_code_are_no_maths() -> None:
    for text in ("$5 and $10", "from $5-$10 a month", "US$5/A$6", "$HOME/$USER and $PATH", "a $ b $ c", "$it is$"):
        assert shown(text) == [text]
    assert shown("`$x^2$`\n\n```\n$x^2$\n$$\n```") == ["$x^2$", "", " $x^2$", " $$"]


def test_html_is_shown_and_a_break_breaks() -> None:
    assert shown("a<br>b <b>c</b>") == ["a", "b <b>c</b>"]


def test_footnotes_stay_where_they_are() -> None:
    assert shown("see[^1]\n\n[^1]: the note") == ["see[1]", "", "[1] the note"]


def test_file_names_are_not_links_and_a_masked_link_shows_its_host() -> None:
    stream = MarkdownStream()
    stream.append("app.py [www.bank.example](https://evil.example/x) [docs](javascript:alert(1))")
    runs = [run for line in drawn(stream.blocks, 100) for run in line.runs]
    assert [run.text for run in runs if run.action] == ["www.bank.example"]
    assert "www.bank.example (evil.example)" in "".join(run.text for run in runs)


def test_copies_are_the_text_without_wrapping_or_rails() -> None:
    assert copied("A paragraph that is wrapped at twenty.", 20) == "A paragraph that is wrapped at twenty."
    assert copied("> quoted words that wrap", 14) == "> quoted words that wrap"
    assert copied("- one\n- two that wraps around", 12) == "- one\n- two that wraps around"
    assert copied("```py\nx = 1\n```") == "x = 1"
    assert copied("| a | b |\n|---|--:|\n| 1 | 2 |") == "| a | b |\n| --- | --: |\n| 1 | 2 |"


# -- wrapping --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [True, False])
def test_wrapped_lines_fit_and_lose_nothing(words: bool) -> None:
    randomness = random.Random(3)
    alphabet = ["a", "bc", " ", " ", "日", "本語", "é", "e\u0301", "👩‍👩‍👧", "☑️", "x" * 30, "\n", "-"]
    for _ in range(400):
        text = "".join(randomness.choice(alphabet) for _ in range(randomness.randint(0, 60)))
        width = randomness.randint(2, 40)
        lines = wrap((Run(text, "em"),), width, words=words)
        assert all(line.cells <= width for line in lines)
        joined = "".join(line.joint * (number > 0) + line.text for number, line in enumerate(lines))
        # Blanks at the end of a line are the only thing that may go.
        assert re.sub(" +(\n|$)", r"\1", joined) == re.sub(" +(\n|$)", r"\1", text)
