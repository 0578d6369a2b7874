"""Finding a text: how often an entity says it, and where in the rows of a block it stands."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from bus import entities
from tui.markdown.text import Line
from tui.timeline.selection import joined

KEPT_BLOCKS = 256

MOST_CHARACTERS = 500_000
"""Of one entity, no more than this is searched at a time: some 10 ms."""

_MARKS = re.compile(r"[*`~]+|\[(?=[^\]\n]*\]\()|\]\([^)\s]*\)")
"""Markdown that is not shown."""


class Span(NamedTuple):
    """A part of a row: characters `start` to `end` of its text."""

    row: int
    start: int
    end: int


Hit = tuple[Span, ...]
"""One place where the text stands: over several rows where it is wrapped."""


class Search:
    """A text to look for. Capitals count if it has any; a space stands for any space or line end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._exact = text != text.lower()
        words = text.split()
        self._simple = text if len(words) == 1 and words[0] == text else ""
        pattern = r"\s+".join(re.escape(word) for word in re.split(r"\s+", text))
        self._pattern = re.compile(pattern, 0 if self._exact else re.IGNORECASE)
        self._kept: OrderedDict[int, tuple[Sequence[Line], list[Hit]]] = OrderedDict()

    def count(self, entity: entities.Entity) -> int:
        """About how often the entity says it: in what it was made from, before it is drawn."""
        source = spoken(entity)[:MOST_CHARACTERS]
        if not self._exact:
            source = source.lower()
        if self._simple:
            return source.count(self._simple)
        return sum(1 for _ in self._pattern.finditer(source))

    def hits(self, lines: Sequence[Line]) -> list[Hit]:
        """Where it stands in the rows of a block."""
        kept = self._kept.get(id(lines))
        if kept is not None and kept[0] is lines:
            return kept[1]
        found = self._find(lines)
        self._kept[id(lines)] = (lines, found)
        if len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return found

    def _find(self, lines: Sequence[Line]) -> list[Hit]:
        text, starts = joined(lines)
        return [_spans(match, lines, starts) for match in self._pattern.finditer(text)]


def _spans(match: re.Match[str], lines: Sequence[Line], starts: Sequence[int]) -> Hit:
    spans: list[Span] = []
    for row, (line, start) in enumerate(zip(lines, starts, strict=True)):
        left = max(match.start() - start, 0) + line.skip
        right = min(match.end() - start + line.skip, len(line.text))
        if right > left:
            spans.append(Span(row, left, right))
    return tuple(spans)


def spoken(entity: entities.Entity) -> str:
    """What can be found in an entity, without the marks of its Markdown."""
    match entity:
        case entities.UserText():
            return entity.text
        case entities.AssistantText() | entities.Thinking() | entities.CompactedTurns():
            return _MARKS.sub("", str(entity.text)[:MOST_CHARACTERS])
        case entities.ToolUse():
            return f"{entity.name}\n{entity.input}\n{entity.result or ''}"
        case entities.CodeInterpreter():
            return f"{entity.code}\n{entity.result or ''}"
        case entities.McpCall():
            return f"{entity.name}\n{entity.arguments}\n{entity.result or ''}"
        case entities.WebSearch():
            return "\n".join([*entity.queries, *entity.urls, *map(str, entity.results)])
        case entities.FileSearch():
            return "\n".join(map(str, entity.results))
        case _:
            return _said(entity)


def _said(entity: entities.Entity) -> str:
    match entity:
        case entities.Citations():
            return "\n".join(f"{source.title or ''} {source.url or ''}" for source in entity.sources)
        case entities.Notice():
            return entity.message
        case entities.Failure():
            return f"{entity.message}\n{entity.hint or ''}"
        case entities.ModeSwitch():
            return f"{entity.from_mode} {entity.to_mode}\n{entity.analysis}"
        case entities.UnknownEvent():
            return f"{entity.type}\n{entity.payload}"
        case _:
            return ""
