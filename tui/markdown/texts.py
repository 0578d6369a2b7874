"""The texts of blocks: source to runs, each read once while it stays as it is.

A long text is read in pieces: where everything is closed, what comes later cannot change what stands before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.clean import clean_line
from tui.markdown.inline import merged, runs_of
from tui.markdown.text import Run

if TYPE_CHECKING:
    from markdown_it.token import Token

Runs = tuple[Run, ...]

PIECE = 240
"""Characters that a piece has, at most, if it is not the last one."""

# What could be more than itself; a line end is a space, unless blanks stand beside it.
_SPECIAL = re.compile(r"[\\`~*_\[<&$]|//|mailto:|[ \t]\n|\n[ \t]", re.IGNORECASE)

_ADDRESS = re.compile(r"(?:^|[\s(])https?://")

# Words in which nothing is open: plain ones, code, emphasis around plain ones, links to addresses.
_PLAIN = r"[^\\`~*_\[\]<>&$\s/]++|/(?!/)"
_EMPHASIS = r"(?<![^\s(]){0}[^\W_](?:[^\\`~*_\[\]<>&$\n/]*[^\W_])?{0}(?=[\s.,;:!?)])"
_CLOSED = re.compile(
    rf"(?:(?:{_PLAIN}|(?<=[^\W_])_(?=[^\W_])|`[^`\n]++`(?!`)"
    rf"|{_EMPHASIS.format('[*][*]')}|{_EMPHASIS.format('[*]')}"
    r"|\[[^\\`~*_\[\]<>&$\n/]++\]\(https?://[^\s()<>\\`$]++\))++(?:[ ]++\n?|\n)(?=\S))++"
)


class Texts:
    """What was read at the last delta, which is most of what is to be read at this one.

    `read` counts the characters that the parser had to read.
    """

    def __init__(self) -> None:
        self.read = 0
        self._known: object = None
        self._before: dict[str, Runs] = {}
        self._now: dict[str, Runs] = {}

    def begin(self, known: object) -> None:
        """A delta came; `known` is what decides which labels mean something."""
        self._before, self._now = self._now, {}
        if known != self._known:
            self._known = known
            self._before = {source: runs for source, runs in self._before.items() if "[" not in source}

    def runs(self, source: str, parse: Callable[[str], list[Token]]) -> Runs:
        """The runs of a text."""
        pieces = _pieces(source) if len(source) > PIECE and "mailto:" not in source.lower() else [source]
        if len(pieces) > 1 and "//" in pieces[-1] and not _ADDRESS.search(pieces[-1]):
            # Whether it is an address depends on whether another one is in the text.
            pieces = [source]
        if len(pieces) == 1:
            return self._runs(source, parse)
        return merged([run for piece in pieces for run in self._runs(piece, parse)])

    def _runs(self, source: str, parse: Callable[[str], list[Token]]) -> Runs:
        if _SPECIAL.search(source) is None:
            text = clean_line(source)
            return (Run(text),) if text else ()
        found = self._now.get(source) or self._before.get(source)
        if found is None:
            self.read += len(source)
            found = runs_of(parse(source))
        self._now[source] = found
        return found


def _pieces(source: str) -> list[str]:
    pieces: list[str] = []
    begin = 0
    while len(source) - begin > PIECE and (match := _CLOSED.match(source, begin, begin + PIECE)):
        pieces.append(match.group())
        begin = match.end()
    return [*pieces, source[begin:]]
