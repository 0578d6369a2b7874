"""The demo's stories: Markdown files in `stories/`, each an answer in parts, and which of them answers a question.

A line that begins with `%%` opens a part: `%% think` and `%% say` are what comes until the next one,
`%% tool NAME JSON` is a tool call, `%% when WORDS` lists what the story answers to, the most telling word first. In
the text, `{asked}` is the question and `{listing}` what the tool found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ..ports import Block

FOLDER = Path(__file__).with_name("stories")
_PART = re.compile(r"^%% (\w+) ?(.*)\n((?:(?!%% ).*\n?)*)", re.MULTILINE)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a story: `text` is what is thought or said, or the arguments of the tool `name`."""

    kind: Literal["think", "say", "tool"]
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """An answer in parts, and the words that ask for it."""

    name: str
    words: tuple[str, ...]
    parts: tuple[Part, ...]

    def score(self, question: set[str]) -> float:
        """How well it answers a question with these words. The first of its own words says most."""
        return sum(1 / rank for rank, word in enumerate(self.words, start=1) if _is_in(word, question))

    def said(self) -> str:
        """All that it says, without what is filled in."""
        return "\n".join(part.text for part in self.parts if part.kind == "say")


@cache
def stories() -> dict[str, Story]:
    """All stories by name."""
    return {path.stem: _load(path) for path in sorted(FOLDER.glob("*.md"))}


def choose(question: str, *, first: bool) -> Story:
    """The story that answers `question`. What no story answers gets a welcome if it is the `first`, else an echo."""
    words = set(re.findall(r"\w+", question.lower()))
    best = max(stories().values(), key=lambda story: story.score(words))
    if best.score(words):
        return best
    return stories()["welcome" if first else "other"]


def fill(text: str, question: str, listing: str) -> str:
    """`text` with what was asked, and with what the tool found."""
    asked = " ".join(question.split())
    asked = asked if len(asked) <= 200 else f"{asked[:199]}…"
    return text.replace("{listing}", listing).replace("{asked}", _plain(asked))


def describe(result: Block | None) -> str:
    """A sentence on the result of `list_files`; None: there are no tools."""
    if result is None:
        return "Tools are switched off here, so I did not look at anything."
    lines = result.text.splitlines()
    names = [line.partition("  ")[0].replace("`", "'") for line in lines if line.endswith("/") or "  " in line]
    if result.failed or not names:
        return f"The tool found nothing for me. It said: *{_plain(result.text)}*"
    folders = [name for name in names if name.endswith("/")]
    files = [name for name in names if not name.endswith("/")]
    counts = [_count(len(folders), "folder"), _count(len(files), "file")]
    some = [f"`{name}`" for name in (*_shown(folders), *_shown(files))]
    found = " and ".join(count for count in counts if count)
    among = f", {_listed(some)} among them" if len(names) > len(some) else f": {_listed(some)}"
    return f"I see **{found}**{among}. So it is your folder, not one that I made up."


def summary(questions: Sequence[str]) -> str:
    """A summary of a conversation with the demo, as a model would write one when it is compacted."""
    asked = [" ".join(question.split()) for question in questions]
    lines = [f"- {_plain(q if len(q) <= 200 else f'{q[:199]}…')}" for q in asked]
    return "The user talks to the demo, which answers with fixed stories. They asked:\n\n" + "\n".join(lines) + "\n"


def _shown(names: list[str]) -> list[str]:
    """Two of them, hidden ones last."""
    return sorted(names, key=lambda name: name.startswith("."))[:2]


def _plain(text: str) -> str:
    """Foreign text that must not be taken for Markdown."""
    return _MARKUP.sub(r"\\\1", text)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _count(number: int, noun: str) -> str:
    return "" if not number else f"{number} {noun}" + ("s" if number > 1 else "")


def _is_in(word: str, question: set[str]) -> bool:
    """Long words are tolerant of their endings: `replay` is in `replaying`."""
    return word in question or (len(word) > 3 and any(asked.startswith(word) for asked in question))


def _load(path: Path) -> Story:
    words: tuple[str, ...] = ()
    parts: list[Part] = []
    for kind, argument, text in _PART.findall(path.read_text(encoding="utf-8")):
        match kind:
            case "when":
                words = tuple(argument.split())
            case "think" | "say":
                parts.append(Part(kind, text.strip("\n") + "\n"))
            case "tool":
                name, _, arguments = argument.partition(" ")
                parts.append(Part("tool", arguments, name))
            case _:
                raise ValueError(f"{path.name}: there is no part {kind!r}")
    return Story(path.stem, words, tuple(parts))
