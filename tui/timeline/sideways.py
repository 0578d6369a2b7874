"""Code and output whose long lines do not wrap: a window of columns that is moved sideways."""

from __future__ import annotations

from rich.cells import split_graphemes

from tui.markdown.blocks import Block, Code
from tui.markdown.nesting import Inside
from tui.markdown.text import Line, Run, slice_runs
from tui.timeline.blocks import Beside, Output

WIDEST = 1 << 20
"""Cells at which nothing wraps."""

_MORE_LEFT, _MORE_RIGHT = Run("‹", "code-block more"), Run("›", "code-block more")


def unwrapped(block: Block, width: int, left: int) -> list[Line]:
    """The rows of a block at `width` cells; those of code are whole lines, `left` cells of them out of sight."""
    match _innermost(block):
        case Code():
            # A column stays free at the right of its band.
            # The label, and what says how much of a line is left out, stay where they are.
            return [line if line.copy is not None else _cut(line, width - 1, left) for line in block.lines(WIDEST)]
        case Output():
            return [_cut(line, width, left) for line in block.lines(WIDEST)]
        case _:
            return block.lines(width)


def _innermost(block: Block) -> Block:
    while isinstance(block, Beside | Inside):
        block = block.block
    return block


def _cut(line: Line, width: int, left: int) -> Line:
    """The part of a row that shows; a copy of the whole row has all of it."""
    if line.cells <= width and not left:
        return line
    pad, body = slice_runs(line.runs, 0, line.skip), slice_runs(line.runs, line.skip, len(line.text))
    text = "".join(run.text for run in body)
    room = width - sum(len(run.text) for run in pad)
    start = _character_at(text, left)
    end = _character_at(text, left + room)
    # As many characters as before: what is skipped in a copy is counted by them.
    before = (*slice_runs(pad, 0, line.skip - 1), _MORE_LEFT) if left and start else pad
    after = (_MORE_RIGHT,) if end < len(text) else ()
    return line._replace(runs=(*before, *slice_runs(body, start, end), *after), copy=text)


def _character_at(text: str, cells: int) -> int:
    """How many characters lie in the first cells of a text: a character that is cut counts as outside."""
    if text.isascii():
        return min(cells, len(text))
    used = 0
    for start, _, size in split_graphemes(text)[0]:
        if used + size > cells:
            return start
        used += size
    return len(text)
