"""What Markdown looks like, what a copy of it says, and what a delta of it costs."""

from __future__ import annotations

import random
import re

import pytest
from rich.cells import cell_len

from tui.markdown.blocks import Block, stacked
from tui.markdown.highlight import highlighted
from tui.markdown.stream import MarkdownStream
from tui.markdown.text import Line, Run, wrap
from tui.markdown.texts import PIECE


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
    "list in a quote in a list": ("- a\n  > - b\n", "  >   - c with words\n" * 15),
    "uneven list": ("", "- a\n - b with words\n  - c\n" * 8),
    "heading": ("# ", SENTENCE * 5),
    "words without an end": ("", "some words and " * 20),
    "open emphasis": ("**", "some words and " * 20),
    "wall": ("", "x" * 300),
    "footnotes": ("", "[^1]: a note with `code`\n" * 12),
    "footnote of paragraphs": ("[^1]: a\n\n", f"    {SENTENCE}\n\n" * 4),
    "definitions": ("a\n\n", "".join(f"[#{number}]: /address\n" for number in range(20))),
}
"""How something begins, and what goes on and on; # is a number."""


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_delta_costs_the_same_however_long_the_text_is(kind: str) -> None:
    begin, more = ENDLESS[kind]
    stream = MarkdownStream()
    stream.append(begin)
    parsed: list[int] = []
    read: list[int] = []
    texts: list[int] = []
    characters = 0
    while characters < 30_000:
        before = stream.parsed, stream.read
        stream.append(more.replace("#", f"{characters}."))
        characters += len(more)
        parsed.append(stream.parsed - before[0])
        texts.append(stream.read - before[1])
        read.append(stream.open_length)
    early, late = slice(0, len(read) // 4), slice(-len(read) // 4, None)
    assert max(parsed[late]) <= max(parsed[early]) + 2
    assert sum(parsed[late]) <= 1.3 * sum(parsed[early])
    assert sum(read[late]) <= 1.3 * sum(read[early]) + 400
    assert sum(texts[late]) <= 1.3 * sum(texts[early]) + 400
    assert max(read) <= 5000
    # No block is so long that to lay it out, which is done whole, takes long.
    assert max((len(block.lines(80)) for block in stream.blocks), default=0) <= 130


def test_what_was_read_is_not_read_again() -> None:
    stream = MarkdownStream()
    text = "\n\n".join(SENTENCE * 20 for _ in range(2))
    for start in range(0, len(text), 20):
        before = stream.read
        stream.append(text[start : start + 20])
        assert stream.read - before <= 2 * PIECE


def test_an_underline_makes_a_long_paragraph_a_heading_without_parsing_it_again() -> None:
    stream = MarkdownStream()
    stream.append("- [ ] " + SENTENCE * 500)
    before, parts = stream.parsed, len(stream.blocks)
    assert parts > 10
    assert stream.append("\n  =") == 0
    assert shown_styles(stream) == {"h1"}
    assert stream.append("x") == 0
    assert "h1" not in shown_styles(stream)
    assert (len(stream.blocks), stream.parsed - before) == (parts, 2)


def shown_styles(stream: MarkdownStream) -> set[str]:
    runs = [run for block in stream.blocks for line in block.lines(80) for run in line.runs if "A sentence" in run.text]
    return {run.style.split(" ")[0] for run in runs}


def test_a_definition_that_comes_late_shows_bit_by_bit_from_the_end() -> None:
    stream = MarkdownStream()
    stream.append("See [it].\n\n" * 400)
    before = stream.parsed
    stream.append("[it]: https://it.example\n\nso\n")
    seen: list[int] = []
    while stream.is_behind:
        assert stream.parsed - before <= 24
        before = stream.parsed
        seen.append(stream.catch_up())
    assert seen == sorted(seen, reverse=True)
    assert len(seen) > 20
    assert all(any(run.action for run in block.lines(80)[0].runs) for block in stream.blocks[:400])


def test_a_huge_row_of_a_table_says_what_it_does_not_show() -> None:
    rows = copied("| a | b |\n|---|---|\n| " + "word " * 2000 + "| b |\n| c | d |", 90).split("\n")
    assert rows[2].endswith("word | … 5,911 more characters |")
    assert rows[3] == "| c | d |"


def test_brackets_that_are_too_many_are_no_links() -> None:
    link = "[a](https://a.example)"
    assert shown("[" * 5 + link + "]" * 5) == ["[[[[[a]]]]]"]
    assert shown("[" * 14 + link + "]" * 14, 80) == ["[" * 14 + link + "]" * 14]


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


def test_no_line_begins_with_a_mark_that_ends_something_or_ends_with_one_that_begins_it() -> None:
    assert shown("折り返しが必要です。次の行", 18) == ["折り返しが必要で", "す。次の行"]
    assert shown("句読点と「かぎ括弧」も", 10) == ["句読点と", "「かぎ括", "弧」も"]
    assert shown("ー" * 8, 10) == ["ー" * 5, "ー" * 3], "where it cannot be helped, a full line is broken"


def test_a_fence_says_its_language_and_wraps_long_lines() -> None:
    assert shown("```sh\necho one two three\n```", 12) == [" sh", " echo one t", " wo three"]


def test_an_unknown_language_is_not_looked_for_among_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*names: object) -> object:
        raise AssertionError("that takes 60 ms")

    monkeypatch.setattr("pygments.plugin.iter_entry_points", look)
    assert shown("```mylang\nx\n```") == [" mylang", " x"]


def test_the_last_line_of_a_diff_has_its_colour_too() -> None:
    rows = highlighted(["@@ -1 +1 @@", "-one", "+two"], "diff")
    assert [[(run.text, run.style) for run in row] for row in rows[1:]] == [
        [("-one", "code-block syn-deleted")],
        [("+two", "code-block syn-inserted")],
    ]


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


def test_code_has_as_many_rows_as_it_has_lines_in_every_language() -> None:
    for language in ("python", "sass", "pug", "haml", "scaml", "make", "console", "yaml"):
        assert len(highlighted(("a: b", "c: d"), language)) == 2, language
