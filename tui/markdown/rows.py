"""Tables in the source, of whose rows only so much is read as is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it.rules_block import table as read_table

from tui.markdown.blocks import LONGEST_ROW

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a table as the parser does, which looks at each character of a row; a row's token says what is `hidden`."""
    ends = state.eMarks
    head = ends[start]
    ends[start] = _clipped(state, start)
    is_table = read_table(state, start, end, True)
    ends[start] = head
    if silent or not is_table:
        return is_table
    first = len(state.tokens)
    state.eMarks = [_clipped(state, line) for line in range(len(ends))]
    read_table(state, start, end, False)
    clipped, state.eMarks = state.eMarks, ends
    for token in state.tokens[first:]:
        line = token.map[0] if token.map else start
        if token.type == "tr_open" and clipped[line] < ends[line]:
            token.meta["hidden"] = ends[line] - clipped[line]
    return True


def _clipped(state: StateBlock, line: int) -> int:
    return min(state.eMarks[line], state.bMarks[line] + LONGEST_ROW)
