"""The answer of `demo:long`: some 20 KB of mixed Markdown, for trying out scrolling, following and interrupting."""

from __future__ import annotations

from itertools import cycle

from .story import Part, Story, stories

LENGTH = 20_000
CHAPTERS = ("stream", "attach", "replay", "markdown", "keys")


def long_story() -> Story:
    """Chapters of the other stories and pages from a ledger, in turn, until it is long enough."""
    text = "# A long answer\n\nScroll up while it comes: the text stays where you read. `End` follows again.\n"
    for number, chapter in enumerate(cycle(CHAPTERS), start=1):
        text += f"\n# Chapter {number}\n\n{_without_questions(stories()[chapter].said())}\n{_ledger(number)}"
        if len(text) >= LENGTH:
            break
    thought = "This one is long on purpose. Twenty thousand characters, a bit of everything.\n"
    return Story("long", (), (Part("think", thought), Part("say", f"{text}\nThat was all of it.\n")))


def _without_questions(text: str) -> str:
    return "\n".join(line.replace("# ", "## ", 1) for line in text.splitlines() if not line.startswith("Ask me"))


def _ledger(number: int) -> str:
    fates = ("kept", "kept", "**kept twice**")
    rows = "".join(
        f"| {number}.{row} | {(number * 7919 + row * 104_729) % 9973:>6} | {fates[row % 3]} |\n" for row in range(8)
    )
    return f"\n### Ledger {number}\n\n| Entry | Number | Fate |\n|:------|-------:|:-----|\n{rows}"
