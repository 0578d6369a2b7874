"""Markdown that streams: at every moment it shows what the whole text so far would show."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from tui.markdown.blocks import Block, stacked
from tui.markdown.parse import Place, parse
from tui.markdown.stream import MarkdownStream
from tui.markdown.text import Line, Link, Run, wrap

LONG = "A sentence that goes on. And *emphasis* follows, with **bold words** and `code` too? " * 30

MIXED = f"""# Title *em*

Some **bold** text with `code`, a [link](https://x.example/a) and [ref] and [other][Ref Two].
Second line\u0020\u0020
hard break. https://auto.example/x_y and app.py.

- one
- two
  continued
  - nested *a*
  - nested b

    paragraph in an item
- three

1. first
2. second

   ```py
   x = 1
   ```
3. third
* another list
* [x] done
* [ ] open

> quote **b**
> more
lazy
> - list in quote

```python
def f(x):
    \"\"\"doc
    more\"\"\"
    return x

```
after fence
~~~
tilde ``` inside
~~~

| a | b | c |
|---|:-:|--:|
| 1 | `x` | 3 |
{"".join(f"| r{i} | v{i} | {i} |" + chr(10) for i in range(60))}
Setext heading
===
Another
---
paragraph
***
[ref]: https://def.example "title"
[Ref Two]:
  https://two.example
  'multi
  line'
text after the definition

    indented code
    more

    more still

Footnote[^1] here.

[^1]: The note
    continued.

Last <br> line with \\(a_1 * b_1\\) and $$x*y*z$$ math, ~~strike~~ &amp; &copy; `` a`b ``.
{LONG}
more on the long line

{"A long heading text. " * 150}
---
一段很长的中文。{"这是一个句子，没有空格。" * 190}

```
{chr(10).join(f"line {i} of a long fence" for i in range(90))}
"""

PIECES = (
    "- a", "* b", "+ c", "1. one", "2) two", "  nested", "    four", "\ttab", "> q", ">> qq", "```", "```py", "~~~",
    "# h", "## ", "===", "---", "***", "| a | b |", "|---|---|", "| x | y", "a | b", "--- | ---", "text here",
    "*em* **st", "`code", "[foo]: /url", "[foo]:", "/url2", "'title'", '"ti', 'tle"', "[foo]", "[bar][foo]",
    "[^n]: note", "[^n]", "", "", "", "   ", "<div>", "- [ ] t", "-", "1.", "&amp;", "\\", "  > in", "  - deep",
    "     - deeper", "http://a.example", "~~s~~", "$$x$$", "[bar]: <x y> 't'", "10. ten", "text  ", "x\\",
)  # fmt: skip


def from_scratch(text: str) -> list[Block]:
    """The blocks of a text that is parsed whole, without anything settled."""
    units = parse(text, Place(), {})
    assert units is not None
    return [unit.block for unit in units]


def random_document(randomness: random.Random) -> str:
    ends = ("\n", "\n", "\n", "\n\n", "")
    return "".join(randomness.choice(PIECES) + randomness.choice(ends) for _ in range(randomness.randint(4, 18)))


def cuts(text: str, randomness: random.Random, longest: int) -> Iterator[tuple[str, int]]:
    """The deltas of a text, each with the length of the text up to its end."""
    position = 0
    while position < len(text):
        end = min(position + randomness.randint(1, longest), len(text))
        yield text[position:end], end
        position = end


def drawn(blocks: list[Block], width: int) -> list[Line]:
    return stacked(blocks, width)


# -- exactness -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [90, 400, 2000])
def test_a_mixed_document_is_always_what_a_parse_from_scratch_gives(longest: int) -> None:
    stream = MarkdownStream()
    for delta, end in cuts(MIXED, random.Random(longest), longest):
        stream.append(delta)
        assert stream.blocks == from_scratch(MIXED[:end])
    assert drawn(stream.blocks, 47) == drawn(from_scratch(MIXED), 47)


@pytest.mark.parametrize("seed", range(30))
def test_random_documents_at_random_cuts_are_exact(seed: int) -> None:
    randomness = random.Random(seed)
    for _ in range(20):
        text = random_document(randomness)
        stream = MarkdownStream()
        for delta, end in cuts(text, randomness, randomness.choice([1, 3, 9, 40])):
            stream.append(delta)
            assert stream.blocks == from_scratch(text[:end]), repr(text[:end])


def test_append_names_the_first_block_that_changed() -> None:
    randomness = random.Random(7)
    for text in (MIXED, *(random_document(randomness) for _ in range(200))):
        stream = MarkdownStream()
        for delta, _ in cuts(text, randomness, 50):
            before = list(stream.blocks)
            first = stream.append(delta)
            assert stream.blocks[:first] == before[:first]


def test_a_late_definition_gives_its_meaning_to_settled_text() -> None:
    stream = MarkdownStream()
    stream.append("See [the docs] first.\n\nThen\nmore\nlines.\n\nAnd\nanother\nparagraph.\n\n")
    assert not any(run.action for line in drawn(stream.blocks, 80) for run in line.runs)
    assert stream.append("[the docs]: https://docs.example\n") == 0
    links = [run for line in drawn(stream.blocks, 80) for run in line.runs if run.action]
    assert links == [Run("the docs", "link", Link("https://docs.example"))]


# -- cost ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [
        "A paragraph of *some* words.\n\n",
        "- an item with `code`\n",
        "| a | b |\n",
        "x = 1\n",
        "A sentence that never ends its paragraph. ",
        "1. one\n\n   two\n\n",
    ],
    ids=["paragraphs", "list", "table", "fence", "long paragraph", "loose list"],
)
def test_blocks_parsed_per_delta_do_not_grow(unit: str) -> None:
    start = {"| a | b |\n": "| h | i |\n|---|---|\n", "x = 1\n": "```python\n"}.get(unit, "")
    stream = MarkdownStream()
    stream.append(start)
    costs: list[int] = []
    for _ in range(1200):
        before = stream.parsed
        stream.append(unit)
        costs.append(stream.parsed - before)
    assert max(costs[600:]) <= max(costs[:100]) + 2
    assert sum(costs[1000:]) <= 1.3 * sum(costs[100:300])


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


def test_code_inside_a_list_is_code() -> None:
    assert shown("1. run\n   ```\n   make\n   ```") == ["1. run", "    make"]


def test_math_stays_as_it_is_written() -> None:
    assert shown(r"so \(a_1 * b_1\) and $$x*y*z$$ hold") == [r"so \(a_1 * b_1\) and $$x*y*z$$ hold"]


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
