"""Results that are diffs: each line in the colour of its sign, the sign kept, and how much was changed."""

from __future__ import annotations

from dataclasses import dataclass

from tui.clean import clean
from tui.markdown.blocks import Block
from tui.markdown.text import Line, Run, indented, wrap
from tui.timeline.cards.base import OUTPUT_ROWS, Look, more

CLOSED_ROWS = 10
"""Lines of a diff in a closed card: fewer would mostly be its head."""

_STARTS = ("diff --git ", "--- ", "Index: ", "@@ -")
_HEADS = ("diff ", "index ", "Index: ", "---", "+++", "new file", "deleted file", "rename ", "similarity ", "===")


@dataclass(frozen=True, slots=True)
class Diff(Block):
    """Lines of a diff; long ones are folded behind their sign."""

    rows: tuple[str, ...]

    def lines(self, width: int) -> list[Line]:
        """Behind an indent."""
        lines: list[Line] = []
        for row in self.rows:
            wrapped = wrap((Run(row, _style(row)),), width - 3, words=False)
            lines += indented(wrapped, (Run("  "),), (Run("   "),))
        return lines

    def estimate(self, width: int) -> int:
        """By characters of each line."""
        return sum(1 + len(row) // max(width - 3, 1) for row in self.rows)


def is_diff(text: str) -> bool:
    """Whether a result is a unified diff and nothing else."""
    start = text.lstrip()[:400]
    return start.startswith(_STARTS) and (start.startswith("@@ -") or "\n@@ -" in text)


def changed(text: str) -> str:
    """How many lines were added and removed: `+3 -1`."""
    rows = [row for row in text.split("\n") if not row.startswith(_HEADS)]
    added = sum(row.startswith("+") for row in rows)
    removed = sum(row.startswith("-") for row in rows)
    return f"+{added:,} -{removed:,}"


def diff_blocks(text: str, look: Look, rows: int) -> list[Block]:
    """The first `rows` lines (all of them, if they were asked for), and how many more there are."""
    lines = clean(text).expandtabs(4).strip("\n").split("\n")
    shown = len(lines) if "result:all" in look.opened or len(lines) <= rows + 1 else rows
    blocks: list[Block] = [
        Diff(0, tuple(lines[at : min(at + OUTPUT_ROWS, shown)])) for at in range(0, shown, OUTPUT_ROWS)
    ]
    return [*blocks, more(len(lines) - shown, "result")] if shown < len(lines) else blocks


def _style(row: str) -> str:
    if row.startswith(_HEADS):
        return "head"
    match row[:1]:
        case "+":
            return "added"
        case "-":
            return "removed"
        case "@":
            return "key"
        case _:
            return "output"
