"""What all cards are made of: the look they are drawn with, their heads, clipped output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.prices import Prices
from tui.clean import clean, clean_line
from tui.markdown.blocks import Block
from tui.markdown.text import Run, Toggle
from tui.timeline.blocks import Head, Output, Words
from tui.timeline.pictures import Drawn

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

PREVIEW_ROWS = 4
"""Lines of a result under the head of a closed card."""

OPEN_ROWS = 60
"""Lines of a result in an open card, before somebody asks for all of it."""

PREVIEW_COLUMNS = 120
"""So many characters are one line when it is counted how much of a long one to show."""

PIECE = 4096
"""Characters of one line that are laid out at once."""

OUTPUT_ROWS = 40
"""Lines in one block: a long result is many blocks, so that only what is seen is laid out."""

INDENT = "  "


@dataclass(frozen=True, slots=True)
class Look:
    """How a card is drawn: which parts are open, what time it is (Unix ms), the frame of the spinner.

    `me` is the person at this terminal: only other authors are named. `gap` rows stand above the card. `can_retry`:
    the card offers to ask again. `prices` say what an answer cost; None: nobody asks. `picture` is what the entity's
    picture looks like; None: nothing yet.
    """

    opened: frozenset[str] = frozenset()
    now_ms: int = 0
    frame: int = 0
    me: str | None = None
    gap: int = 1
    can_retry: bool = False
    prices: Prices | None = None
    picture: Drawn | None = None

    @property
    def spinner(self) -> str:
        """This frame's spinner; a still mark where nothing may move."""
        return "●" if self.frame < 0 else SPINNER[self.frame % len(SPINNER)]


@dataclass(frozen=True, slots=True)
class Card:
    """The blocks of an entity: above its Markdown, the Markdown itself, below it.

    `body` is None or the name of the entity's text; `fence` a language if that text is code. `before` stands at the
    left of each of the body's rows, `style` below their own styles.
    """

    head: Sequence[Block] = ()
    body: bool = False
    fence: str | None = None
    before: tuple[Run, ...] = ()
    style: str = ""
    foot: Sequence[Block] = ()


def duration(ms: float) -> str:
    """A time span for people: `0.4 s`, `12 s`, `3 min 4 s`."""
    seconds = max(ms, 0) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def elapsed(started_ms: int | None, ended_ms: int | None, look: Look) -> str:
    """How long it took, or has taken so far; nothing where the stream does not say."""
    if started_ms is None:
        return ""
    end = ended_ms if ended_ms is not None else look.now_ms
    return duration(end - started_ms) if end >= started_ms else ""


def head(
    mark: tuple[str, str], title: str, look: Look, *, summary: str = "", part: str = "", right: Sequence[Run] = ()
) -> Head:
    """The first line of a card: a mark, a title, a summary; a click on it toggles `part`."""
    action = Toggle(part) if part else None
    runs = [Run(f"{mark[0]} ", mark[1], action), Run(clean_line(title), "tool", action)]
    if summary:
        runs.append(Run(f"  {clean_line(summary)}", "argument", action))
    return Head(look.gap, tuple(runs), tuple(right))


def output(text: str, look: Look, part: str, rows: int, *, style: str = "output", indent: int = 2) -> list[Block]:
    """The first `rows` lines of a text (all of it, if `part` is open), and how many more there are."""
    lines = clean(text).expandtabs(4).rstrip("\n").split("\n")
    if f"{part}:all" in look.opened:
        places = [(line, at) for line in lines for at in range(0, len(line) or 1, PIECE)]
        pieces = [line[at : at + PIECE] for line, at in places]
        return _chunks(pieces, style, indent, [at > 0 for _, at in places])
    shown = lines if len(lines) <= rows + 1 else lines[:rows]
    # A line may be longer than a screen holds.
    most = rows * PREVIEW_COLUMNS
    left_out = sum(max(len(line) - most, 0) for line in shown)
    blocks = _chunks([line if len(line) <= most else f"{line[:most]} …" for line in shown], style, indent)
    if len(shown) < len(lines):
        blocks.append(more(len(lines) - len(shown), part, indent))
    elif left_out:
        blocks.append(more(left_out, part, indent, "characters"))
    return blocks


def more(hidden: int, part: str, indent: int = 2, what: str = "lines") -> Block:
    """The line that stands for `hidden` lines or characters; a click shows them."""
    said = f"… {hidden:,} more {what if hidden > 1 else what.removesuffix('s')} · show all"
    return Words(0, (Run(said, "more", Toggle(f"{part}:all")),), *_indents(indent))


def note(text: str, style: str, look: Look, *, mark: str = "", mark_style: str = "", gap: int | None = None) -> Words:
    """A short text for people behind a mark."""
    first = (Run(f"{mark} ", mark_style or style),) if mark else ()
    return Words(look.gap if gap is None else gap, (Run(clean(text), style),), first, (Run("  "),) if mark else ())


def _indents(indent: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    blank = (Run(" " * indent),)
    return blank, blank


def _chunks(lines: Sequence[str], style: str, indent: int, going_on: Sequence[bool] = ()) -> list[Block]:
    blocks: list[Block] = []
    for start in range(0, len(lines), OUTPUT_ROWS):
        inside = frozenset(number for number, each in enumerate(going_on[start : start + OUTPUT_ROWS]) if each)
        blocks.append(Output(0, tuple(lines[start : start + OUTPUT_ROWS]), style, indent, inside))
    return blocks
