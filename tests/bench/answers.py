"""Answers to stream: Markdown of a kind and a length, in tokens of some nine characters, each with a mark of its own.

A mark (`t000042`) is a word, so it comes to the screen in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count

KINDS = ("mixed", "paragraphs", "lists", "code", "tables", "quotes", "maths")
MARK = re.compile(rb"t(\d{6})")

_FILL = ("a ", "and ", "of the ", "so ", "*it* ", "`is` ", "that ", "or ")


def tokens(kind: str, size: int, numbers: count[int]) -> list[str]:
    """About `size` characters of `kind`, marked with `numbers`."""
    parts = {
        "paragraphs": [_paragraph],
        "lists": [_list],
        "code": [_code],
        "tables": [_table],
        "quotes": [_quote],
        "maths": [_maths],
        "mixed": [_heading, _paragraph, _list, _code, _paragraph, _table, _list, _quote],
    }[kind]
    found: list[str] = []
    length = 0
    while True:
        for part in parts:
            for token in part(numbers):
                found.append(token)
                length += len(token)
                if length >= size:
                    return found


Part = Callable[["count[int]"], Iterator[str]]


def _words(numbers: count[int], many: int, end: str = "\n") -> Iterator[str]:
    for place in range(many):
        number = next(numbers)
        more = _FILL[number // 3 % len(_FILL)] if number % 3 == 0 else ""
        yield f"t{number:06d} {more if place < many - 1 else f'end.{end}'}"


def _heading(numbers: count[int]) -> Iterator[str]:
    yield "## "
    yield from _words(numbers, 3, "\n\n")


def _paragraph(numbers: count[int]) -> Iterator[str]:
    yield from _words(numbers, 40, "\n\n")


def _list(numbers: count[int]) -> Iterator[str]:
    for item in range(6):
        yield "- "
        yield from _words(numbers, 6)
        if item % 2:
            yield "  1. "
            yield from _words(numbers, 5)
    yield "\n"


def _code(numbers: count[int]) -> Iterator[str]:
    yield "```python\n"
    for _ in range(11):
        yield "    if "
        yield f"t{next(numbers):06d} == "
        yield f"t{next(numbers):06d}:  "
        yield f"# t{next(numbers):06d}\n"
    yield "```\n\n"


def _table(numbers: count[int]) -> Iterator[str]:
    yield "| name | what it is | where it is from | n |\n"
    yield "|---|---|:-:|--:|\n"
    for _ in range(7):
        for _ in range(3):
            yield f"| t{next(numbers):06d} it "
        yield f"| t{next(numbers):06d} |\n"
    yield "\n"


def _quote(numbers: count[int]) -> Iterator[str]:
    for _ in range(3):
        yield "> "
        yield from _words(numbers, 9)
    yield "\n"


def _maths(numbers: count[int]) -> Iterator[str]:
    yield from _words(numbers, 9, " ")
    yield "$x_i^2 + "
    yield "\\frac{a}{b}$ "
    yield from _words(numbers, 9, "\n\n")
