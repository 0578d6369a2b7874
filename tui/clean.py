"""The first wall against hostile text: no character that commands a terminal gets in.

Each character is judged alone, so a sequence that is split over deltas is caught like a whole one. What is left of an
escape sequence is its printable rest, behind a visible mark. `output_filter` is the second wall.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

HIGHEST_TOWER = 8
"""Marks without a width that may stand in a row: families of emoji and Vietnamese need fewer."""

_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
_TOWER = re.compile(f"([{_MARKS}]{{{HIGHEST_TOWER}}})[{_MARKS}]+")

_BIDI_NAMES = {
    0x061C: "ALM",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
}

# Invisible characters that can hide text from a reader. U+200C and U+200D stay: scripts and emoji need them.
_INVISIBLE: tuple[Iterable[int], ...] = (
    (0x00AD, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF),
    range(0x2061, 0x2066),
    range(0xFFF9, 0xFFFC),
    range(0xE0000, 0xE0080),
    range(0xE0100, 0xE01F0),
)


def _table() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}
    # A carriage return is dropped, so that CRLF is one line end.
    table[0x0D] = ""
    del table[0x09], table[0x0A]
    table[0x7F] = "\N{SYMBOL FOR DELETE}"
    table.update(dict.fromkeys(range(128, 160), REPLACEMENT))
    table.update({code: f"⟨{name}⟩" for code, name in _BIDI_NAMES.items()})
    table.update({0x2028: "\N{SYMBOL FOR NEWLINE}", 0x2029: "\N{SYMBOL FOR NEWLINE}"})
    table.update({code: "" for codes in _INVISIBLE for code in codes})
    table.update(dict.fromkeys(range(55296, 57344), REPLACEMENT))
    return table


_TABLE = _table()


def _ranges(codes: Iterable[int]) -> str:
    """A character class of ranges: the engine is slow where it has to look through thousands of single characters."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)


_FORBIDDEN = re.compile(f"[{_ranges(_TABLE)}]")
_CONTROL_TABLE = {code: mark for code, mark in _TABLE.items() if code < 0xA0}
_CONTROL = re.compile(f"[{_ranges(_CONTROL_TABLE)}]")
_LINE_TABLE = {**_TABLE, 0x09: " ", 0x0A: " "}


def clean(text: str) -> str:
    """Return `text` with every forbidden character dropped or replaced by a visible mark; newline and tab stay."""
    return text if _is_plain(text) or _FORBIDDEN.search(text) is None else text.translate(_TABLE)


def clean_controls(text: str) -> str:
    """Return `text` without what commands a terminal, and with all else: for a file, which may be shown in one."""
    return text if _is_plain(text) or _CONTROL.search(text) is None else text.translate(_CONTROL_TABLE)


def escaped(text: str, escape: Callable[[str], str]) -> str:
    """Return `text` with every forbidden character as `escape` writes it: for formats that can, so nothing is lost."""
    return text if text.isascii() and "\x7f" not in text else _FORBIDDEN.sub(lambda found: escape(found[0]), text)


def clean_line(text: str) -> str:
    """Return `text` cleaned and on one line: newlines and tabs become spaces."""
    return text if _is_plain(text) else text.translate(_LINE_TABLE)


def is_clean_line(text: str) -> bool:
    """True if `clean_line(text)` would change nothing."""
    return _is_plain(text) or (_FORBIDDEN.search(text) is None and "\n" not in text and "\t" not in text)


def without_towers(text: str) -> str:
    """Return `text` with no more than `HIGHEST_TOWER` marks on a character: more would be drawn over other lines."""
    return _TOWER.sub(r"\1", text)


def _is_plain(text: str) -> bool:
    """True for most text there is: ASCII without controls."""
    return text.isascii() and text.isprintable()
