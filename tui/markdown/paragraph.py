"""Where a very long paragraph may be cut: after a sentence, where nothing is open.

A paragraph with no end would otherwise cost its whole length at every delta. Each part begins on a new line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONG = 2048
"""A part is at least this long (characters of source)."""

LONGER = 3072
"""From here on a part may end at any space."""

LONGEST = 4096
"""A part is cut here even inside of an emphasis that never closes, which then stays as written."""

STEP = 256
"""Characters between two attempts to end a part."""

# Ends of sentences, with the space that is cut out (none after a Chinese full stop).
_SENTENCE = re.compile(r"[.!?…][\"')”’]?( ?\n| )(?=\S)|[。！？][”’」』]?([ \n]?)(?=\S)")
_SPACE = re.compile(r"(?<=\S)(?: ?\n| )(?=\S)")

# What is closed in the source of a part, and then what could still pair with something that comes later.
_CLOSED = re.compile(
    r"\\\(.*?\\\)|\\\[.*?\\\]|\$\$.*?\$\$"
    r"|\\[^(\[]"
    r"|(`+)(?!`).+?(?<!`)\1(?!`)"
    r"|!?\[[^\[\]]*\]\([^()\s]*\)"
    r"|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|__[^_]+__|~~[^~]+~~",
    re.DOTALL,
)
_OPENER = re.compile(r"[*~](?=\S)|(?<!\w)_(?=\S)|\\[(\[]|[`\[\]<|]|\$\$")


class Cut(NamedTuple):
    """A part ends at `end`; the next one begins at `begin`, behind the space between them, if there is one."""

    end: int
    begin: int


def cuts(source: str) -> list[Cut]:
    """Where a paragraph's source is cut. Each cut depends only on what stands before it, and one character more."""
    found: list[Cut] = []
    begin = 0
    while len(source) - begin > LONG:
        cut = _cut(source, begin)
        if cut is None:
            break
        found.append(cut)
        begin = cut.begin
    return found


def _cut(source: str, begin: int) -> Cut | None:
    for pattern, first, last in ((_SENTENCE, LONG, LONGER), (_SPACE, LONGER, LONGEST)):
        position = begin + first
        while match := pattern.search(source, position, begin + last):
            end, following = match.span(match.lastindex or 0)
            if _is_neutral(source[begin:end]):
                return Cut(end, following)
            position = following + STEP
    match = _SPACE.search(source, begin + LONGEST, begin + LONGEST + STEP)
    if match:
        return Cut(*match.span())
    # A wall of characters without any space is cut anywhere.
    end = begin + LONGEST + STEP
    return Cut(end, end) if len(source) > end else None


def _is_neutral(part: str) -> bool:
    return not _OPENER.search(_CLOSED.sub("", part))
