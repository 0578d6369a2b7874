"""Texts whose parts come late, twice or not at all: pure functions on strings."""

from __future__ import annotations

from typing import TypeAlias

Pieces: TypeAlias = list[tuple[int, str]]
"""Known stretches of a text with holes between them: offset and text, sorted, apart from each other."""


def insert(pieces: Pieces, start: int, text: str) -> Pieces:
    """`pieces` with `text` at `start`, joined where they touch; what is known already is not taken twice."""
    joined: Pieces = []
    for offset, piece in sorted([*pieces, (start, text)], key=lambda item: item[0]):
        last, known = joined[-1] if joined else (offset, "")
        end = last + len(known)
        if joined and offset <= end:
            joined[-1] = (last, known + piece[end - offset :])
        elif piece:
            joined.append((offset, piece))
    return joined


def missing(pieces: Pieces) -> int:
    """How many code points lie in the holes, the one before the first piece included."""
    end = pieces[-1][0] + len(pieces[-1][1])
    return end - sum(len(text) for _, text in pieces)


def repaired(texts: list[str], whole: str) -> tuple[int, str] | None:
    """Which text must become what, so that all of them together are `whole`; None: nothing to do, or no single one.

    A text that lacks only its end is the likeliest; then the last one.
    """
    if "".join(texts) == whole:
        return None
    if len(texts) == 1:
        return 0, whole
    possible: list[tuple[int, str]] = []
    for index in range(len(texts) - 1, -1, -1):
        head, tail = "".join(texts[:index]), "".join(texts[index + 1 :])
        if len(head) + len(tail) <= len(whole) and whole.startswith(head) and whole.endswith(tail):
            possible.append((index, whole[len(head) : len(whole) - len(tail)]))
    longer = [(index, text) for index, text in possible if text.startswith(texts[index])]
    return next(iter(longer or possible), None)
