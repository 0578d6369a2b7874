"""Styled text, and its lines at a width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes


class Link(NamedTuple):
    """A click opens this address, after asking."""

    url: str


class Toggle(NamedTuple):
    """A click opens or closes a part of the section that it stands in."""

    part: str


class Run(NamedTuple):
    """Text in one style: names of component styles, separated by spaces, the later ones above the earlier.

    Of a picture the style is its colours: `#rrggbb on #rrggbb`.
    """

    text: str
    style: str = ""
    action: Link | Toggle | None = None


class Line(NamedTuple):
    """One row of the screen.

    The first `skip` characters are decoration and never copied: `lead` is copied in their place. `joint` is what a
    copy puts between the row before and this one: a wrapped line is one line in the copy. `copy`, where given, is
    the whole row's text in a copy. `fill` is the style of the rest of the row.
    """

    runs: tuple[Run, ...] = ()
    skip: int = 0
    lead: str = ""
    joint: str = "\n"
    copy: str | None = None
    fill: str = ""

    @property
    def text(self) -> str:
        """What stands in the row, decoration included."""
        return "".join(run.text for run in self.runs)

    @property
    def cells(self) -> int:
        """The width of the row's text in cells."""
        return sum(cell_len(run.text) for run in self.runs)


# Punctuation that holds on to what stands before it or behind it, and small kana, which belong to the one before.
_NEVER_FIRST = frozenset("、。，．・：；？！）］｝」』】〉》〕〗ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ…,.:;!?)]}%”’")
_NEVER_LAST = frozenset("（［｛「『【〈《〔〖([{“‘")

Break = tuple[int, int]
"""Start and end of a line in a text, without the spaces at which it was broken."""


def wrap(runs: Sequence[Run], width: int, *, words: bool = True) -> list[Line]:
    """Lay `runs` out in lines of at most `width` cells. `words=False` breaks anywhere and keeps all spaces."""
    width = max(width, 2)
    text = "".join(run.text for run in runs)
    lines: list[Line] = []
    start = 0
    for paragraph in text.split("\n"):
        joint = "\n"
        breaks = _breaks(paragraph, width) if words else _folds(paragraph, width)
        end = 0
        for left, right in breaks:
            if end or left:
                joint = paragraph[end:left]
            lines.append(Line(slice_runs(runs, start + left, start + right), joint=joint))
            end = right
        start += len(paragraph) + 1
    return lines


def slice_runs(runs: Sequence[Run], start: int, end: int) -> tuple[Run, ...]:
    """The part of `runs` between two character positions of their text."""
    result: list[Run] = []
    position = 0
    for run in runs:
        following = position + len(run.text)
        if following > start and position < end:
            result.append(
                run
                if position >= start and following <= end
                else run._replace(text=run.text[max(start - position, 0) : end - position])
            )
        position = following
        if position >= end:
            break
    return tuple(result)


def crop(runs: Sequence[Run], width: int, ellipsis: str = "…") -> tuple[Run, ...]:
    """`runs` on one line of at most `width` cells, with an ellipsis where something is left out."""
    text = "".join(run.text for run in runs)
    if cell_len(text) <= width:
        return tuple(runs)
    end, used = 0, 0
    for _, stop, cells in split_graphemes(text)[0]:
        if used + cells > width - cell_len(ellipsis):
            break
        end, used = stop, used + cells
    kept = slice_runs(runs, 0, end)
    return (*kept, Run(ellipsis, kept[-1].style if kept else ""))


def indented(
    lines: Iterable[Line], first: Sequence[Run], rest: Sequence[Run], lead: str = "", rest_lead: str = ""
) -> list[Line]:
    """Put `first` before the first of `lines` and `rest` before the others; a copy has the leads in their place."""
    result: list[Line] = []
    for number, line in enumerate(lines):
        before, own_lead = (first, lead) if number == 0 else (rest, rest_lead)
        result.append(
            line._replace(
                runs=(*before, *line.runs),
                skip=line.skip + sum(len(run.text) for run in before),
                lead=own_lead + line.lead,
            )
        )
    return result


def _breaks(text: str, width: int) -> list[Break]:
    """Where lines of words begin and end."""
    if text.isascii():
        return _ascii_breaks(text, width) if len(text) > width else [(0, len(text))]
    if cell_len(text) <= width:
        return [(0, len(text))]
    return _wide_breaks(text, width)


def _ascii_breaks(text: str, width: int) -> list[Break]:
    breaks: list[Break] = []
    start, length = 0, len(text)
    while length - start > width:
        space = text.rfind(" ", start + 1, start + width + 1)
        if space < 0 or not text[start:space].strip():
            breaks.append((start, start + width))
            start += width
            continue
        end = space
        while end > start and text[end - 1] == " ":
            end -= 1
        breaks.append((start, end))
        start = space + 1
        while start < length and text[start] == " ":
            start += 1
    if start < length or not breaks:
        breaks.append((start, length))
    return breaks


def _wide_breaks(text: str, width: int) -> list[Break]:
    """As `_ascii_breaks`, by graphemes; a line may also end before or after a wide character that allows it."""
    breaks: list[Break] = []
    start, used = 0, 0
    # The last place where this line may end: (end of the line, start of the next one, cells up to that start).
    chance: tuple[int, int, int] | None = None
    was_wide = False
    for left, right, cells in split_graphemes(text)[0]:
        if text[left] == " ":
            if used == 0 and left == start and breaks:
                start = right
                continue
            end = chance[0] if chance is not None and chance[1] == left else left
            used += cells
            chance = (end, right, used)
            was_wide = False
            continue
        may_end = text[left] not in _NEVER_FIRST and text[left - 1] not in _NEVER_LAST
        if used and (cells > 1 or was_wide) and may_end and (chance is None or chance[1] != left):
            chance = (left, left, used)
        was_wide = cells > 1
        while used and used + cells > width:
            end, following, spent = chance if chance is not None and chance[1] > start else (left, left, used)
            breaks.append((start, end))
            start, used, chance = following, used - spent, None
        used += cells
    if start < len(text) or not breaks:
        breaks.append((start, max(len(text.rstrip(" ")), start)))
    return breaks


def _folds(text: str, width: int) -> list[Break]:
    """Where lines begin and end when they break at the width, whatever stands there."""
    if text.isascii():
        return [(start, min(start + width, len(text))) for start in range(0, max(len(text), 1), width)]
    folds: list[Break] = []
    start, used, end = 0, 0, 0
    for left, right, cells in split_graphemes(text)[0]:
        if used + cells > width:
            folds.append((start, left))
            start, used = left, 0
        used += cells
        end = right
    folds.append((start, end))
    return folds
