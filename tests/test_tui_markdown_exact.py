"""Streamed Markdown is exact: at every step it shows what the whole text so far would show.

Several streams read each document, cut at different places; what the text so far gives is parsed once for all of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tui.clean import clean
from tui.markdown.blocks import Block, stacked
from tui.markdown.parse import Place, References, parse
from tui.markdown.stream import MarkdownStream
from tui.markdown.text import Link, Run
from tui.markdown.texts import _pieces  # pyright: ignore[reportPrivateUsage]

SPECIFICATION = Path(__file__).parent / "streams" / "commonmark.json"
EXAMPLES: dict[str, list[str]] = json.loads(SPECIFICATION.read_text())["examples"]

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

# Of every kind something that is long enough to be settled in parts.
LONGER = (
    "A sentence, with *two* words and `code` in it. " * 60,
    "A line ends here. \nAnd then there is more. " * 70 + "\n",
    "一段很长的中文。这是一个句子,没有空格。" * 130 + "\n",
    "- an item\n" * 9,
    "| a | b |\n|---|--:|\n" + "| 1 | x \\| `y` |\n" * 40,
    "```py\n" + "x = 'a'\n" * 60 + "```\n",
    "    indented\n" * 60,
    "1. one\n2. two\n\n3. three\n",
    "[a]: /url\n",
    "[a] and [b][a] and a note[^1]\n",
    "[^1]: note\n    more\n\n    and more\n",
    "عربي text שלום 👩‍👩‍👧 e\u0301\tand ☑️ tab\r\n",
    "$$\nx^2 + \\foo\n+ 1\n$$\nand $y$ for $5 and \\(z\\)\n",
    "~~~\nx\n",
    "-\tx\n",
    "===\n",
    "# " + "A heading that goes on. With *two* words! " * 60 + "##\n",
    "- [ ] " + "A task that goes on. " * 120 + "\n  ===\n",
    " - one\n- two\n  - three\n   - four\n     - five\n" * 3,
    "[^1]: one\n[^2]: - two\n[^3]: three\n\n    more\n\n        code\n    - item\n",
    "[b]: /b\n[c]: /c 'title'\n[d]: /d\n[e]:\n/e\n[f]: /f\n[g]: /g\n",
    "words that have no end " * 220 + "\n",
    "**words that are strong " * 200 + "\n",
    "| a | b |\n|---|---|\n| " + "cell " * 900 + "| b |\n| c | d |\n",
    "[" * 40 + "a]" * 5 + "](/u)\n",
)  # fmt: skip

CONTAINERS = ("> ", "- ", "1. ", "  - ", "- > ", "> 7) ", "10. ", "-   ", "* [ ] ", " 2) ", "[^2]: ")


def from_scratch(text: str) -> list[Block]:
    """The blocks of a text that is parsed whole, without anything settled."""
    parsed = parse(text, Place(), References())
    assert parsed is not None
    return [unit.block for unit in parsed.units]


def random_document(randomness: random.Random) -> str:
    ends = ("\n", "\n", "\n", "\n\n", "")
    return "".join(randomness.choice(PIECES) + randomness.choice(ends) for _ in range(randomness.randint(4, 18)))


def inside(text: str, container: str, *, lazy: bool = False) -> str:
    """`text` in a container; `lazy`: only its first line says so."""
    rest = "    " if container.startswith("[") else "".join(mark if mark == ">" else " " for mark in container)
    return container + ("\n" + ("" if lazy else rest)).join(text.split("\n"))


def nested_document(randomness: random.Random, depth: int = 3) -> str:
    """Things that are long, in containers in containers."""
    parts: list[str] = []
    for _ in range(randomness.randint(1, 4)):
        text = randomness.choice(LONGER) if randomness.random() < 0.5 else random_document(randomness)
        if depth and randomness.random() < 0.6:
            text = nested_document(randomness, depth - 1)
            text = inside(text, randomness.choice(CONTAINERS), lazy=randomness.random() < 0.1)
        parts.append(text)
    return randomness.choice(("", "\n", "\n\n")).join(parts)[:9000]


def some_ends(text: str, longest: int, randomness: random.Random) -> list[int]:
    """Where the deltas of a text end."""
    ends: list[int] = []
    while not ends or ends[-1] < len(text):
        ends.append(min((ends[-1] if ends else 0) + randomness.randint(1, longest), len(text)))
    return ends


def assert_exact(text: str, ends: Sequence[int], randomness: random.Random, streams: int = 3) -> None:
    """One stream reads `text` up to each of `ends`, the others up to some of them."""
    text = clean(text)
    ends = [end for end in ends if end <= len(text)]
    expected = {end: from_scratch(text[:end]) for end in ends}
    for number in range(streams):
        chosen = [end for end in ends if number == 0 or randomness.random() < 0.4]
        stream = MarkdownStream()
        for start, end in pairwise([0, *chosen]):
            before = list(stream.blocks)
            first = stream.append(text[start:end])
            while stream.is_behind:
                first = min(first, stream.catch_up())
            assert stream.blocks == expected[end], f"{text[:start]!r} + {text[start:end]!r}"
            assert stream.blocks[:first] == before[:first]


def test_a_mixed_document_is_exact() -> None:
    randomness = random.Random(1)
    assert_exact(MIXED, some_ends(MIXED, 900, randomness), randomness, streams=4)
    stream = MarkdownStream()
    stream.append(MIXED)
    assert stacked(stream.blocks, 47) == stacked(from_scratch(MIXED), 47)


@pytest.mark.parametrize("section", EXAMPLES)
def test_examples_of_the_specification_are_exact(section: str) -> None:
    randomness = random.Random(section)
    for text in EXAMPLES[section]:
        assert_exact(text, some_ends(text, 12, randomness), randomness, streams=2)
        # What comes behind settles it; a container changes what settles.
        other = randomness.choice(EXAMPLES[randomness.choice(list(EXAMPLES))])
        text = inside(text, randomness.choice(CONTAINERS)) + "\n" + other + "\n\nx\ny\nz\n"
        assert_exact(text, some_ends(text, 60, randomness), randomness, streams=2)


@pytest.mark.parametrize("seed", range(4))
def test_random_documents_are_exact(seed: int) -> None:
    randomness = random.Random(seed)
    for _ in range(30):
        text = random_document(randomness)
        assert_exact(text, some_ends(text, randomness.choice([2, 5, 12, 40]), randomness), randomness)


@pytest.mark.parametrize("seed", range(4))
def test_long_things_in_containers_are_exact(seed: int) -> None:
    randomness = random.Random(seed)
    for _ in range(6):
        text = nested_document(randomness)
        assert_exact(text, some_ends(text, 100 + len(text) // 6, randomness), randomness)


def test_a_long_text_is_read_in_pieces_as_it_would_be_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    randomness = random.Random(5)
    words = (
        "a", "bc", "*", "**", "_", "`", "``", "[", "]", "(", ")", " ", "  ", "\n", " \n", "<", "<br>", "&amp;", " & ",
        "$x$", "\\", "~~", "**bo ld**", "*em*", "`co de`", "snake_case", "[t](https://x.y/a_b*c)", "![i](https://q.r)",
        "[foo]", "[^1]", "https://a.b/c_d", "//a.b", "日本", "。", "!", ".", "5*3", "(*a*)", "a**b**", "—*z*—",
    )  # fmt: skip
    pieces = 0
    for number in range(400):
        some = [*randomness.sample(words, randomness.randint(3, len(words))), " ", "a"]
        text = "".join(randomness.choice(some) for _ in range(randomness.randint(3, 40))).strip()
        if number == 0:
            # Whether the last one is an address depends on whether there is another one.
            text = "[a](https://b.example) goes on & `so`//c.example"
        text += "\n\n[foo]: /url"
        monkeypatch.setattr("tui.markdown.texts.PIECE", 28 if number % 4 == 0 else 12)
        found = from_scratch(text)
        pieces += len(_pieces(text)) > 1
        monkeypatch.setattr("tui.markdown.texts.PIECE", 1 << 20)
        assert found == from_scratch(text), repr(text)
    assert pieces > 15


def test_a_late_definition_gives_its_meaning_to_settled_text() -> None:
    stream = MarkdownStream()
    stream.append("See [the docs] first.\n\n- a\n\n  > So\n  > [the docs]\n\nThen\nmore.\n\nAnd\nanother.\n\n")
    assert not any(run.action for line in stacked(stream.blocks, 80) for run in line.runs)
    assert stream.append("[the docs]: https://docs.example\n") == 0
    links = [run for line in stacked(stream.blocks, 80) for run in line.runs if run.action]
    link = Link("https://docs.example")
    assert links == [Run("the docs", "link", link), Run("the docs", "quote link", link)]


def test_a_late_definition_leaves_settled_code_as_it_is() -> None:
    text = "a\n\n" + "    code[1]\n" * 23 + "\n    code\n\nb\n\nc\n\n[1]: /url\n"
    assert_exact(text, range(20, len(text) + 1, 20), random.Random(1), streams=1)
