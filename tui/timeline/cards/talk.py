"""What people and models say: prompts, answers, thinking."""

from __future__ import annotations

from bus.entities import AssistantText, CompactedTurns, Thinking, UserText
from tui.clean import clean, clean_line
from tui.markdown.blocks import Block
from tui.markdown.text import Run, Toggle
from tui.timeline.blocks import Beginning, Head, Tail, Words
from tui.timeline.cards.base import Card, Look, elapsed

BAR = (Run("▍ ", "user-bar"),)
RAIL = (Run("│ ", "rail"),)

LIVE_ROWS = 3
"""Rows of thinking that are shown while it goes on, and of its beginning when it is half open."""

THINKING, THINKING_LINES, SUMMARY = "thinking", "thinking-lines", "summary"
"""Parts of these cards: all of the thinking, its first lines, the summary that stands for earlier turns."""

_SHORT = 120
"""Characters of thinking of which the first lines are all there is."""

_TAIL_CHARACTERS = 1200


def user(entity: UserText, look: Look) -> Card:
    """A prompt: a quiet band. Its author is named where that is somebody else."""
    blocks: list[Block] = []
    gap = look.gap
    if entity.author and look.me and entity.author != look.me:
        blocks.append(Words(gap, (Run(clean_line(entity.author), "author"),), BAR, BAR, "user"))
        gap = 0
    text = clean(entity.text).expandtabs(4).strip("\n")
    blocks.append(Words(gap, (Run(text, "user"),), BAR, BAR, "user"))
    for file in entity.attachments:
        said = f"+ {clean_line(file.name)} · {clean_line(file.media_type)} · {_size(file.size)}"
        blocks.append(Words(0, (Run(said, "author"),), BAR, BAR, "user"))
    return Card(blocks)


def compacted(entity: CompactedTurns, look: Look) -> Card:
    """Where a summary took the place of what came before: what it saves, and the summary itself when opened."""
    opened, action = SUMMARY in look.opened, Toggle(SUMMARY)
    turns = f"{entity.turns:,} turn{'' if entity.turns == 1 else 's'}"
    tokens = f", {_tokens(entity.tokens_before)} → {_tokens(entity.tokens_after)} tokens"
    runs = [
        Run("▾ " if opened else "▸ ", "marker", action),
        Run(f"Compacted {turns}{tokens if entity.tokens_before else ''}", "tool", action),
        Run("  taken back" if entity.undone else "  /compact undo", "head", action),
    ]
    return Card([Head(look.gap, tuple(runs))], body=opened, before=RAIL, style="thinking")


def assistant(entity: AssistantText, look: Look) -> Card:
    """An answer: nothing but its Markdown."""
    return Card(body=True)


def thinking(entity: Thinking, look: Look) -> Card:
    """Reasoning: the last lines while it goes on, then one line; opened, first lines or all of it behind a rail."""
    opened = THINKING in look.opened or (THINKING_LINES in look.opened and is_short(entity))
    time = elapsed(entity.started_ms, entity.ended_ms if entity.done else None, look)
    if entity.redacted and not len(entity.text):
        words = "Thought, and the provider keeps it to itself" if entity.done else "Thinking"
        return Card([Head(look.gap, (Run(f"∴ {words}", "thinking"),), _right(time))])
    action = Toggle(THINKING)
    if not entity.done:
        title = (Run(f"{look.spinner} ", "running", action), Run("Thinking", "thinking", action))
        first = Head(look.gap, title, _right(time))
        if opened:
            return Card([first], body=True, before=RAIL, style="thinking")
        tail = clean(str(entity.text)[-_TAIL_CHARACTERS:]).strip("\n")
        live = Tail(0, " ".join(tail.split("\n")[-LIVE_ROWS:]), LIVE_ROWS, "thinking", RAIL)
        return Card([first, live] if tail else [first])
    words = f"Thought for {time}" if time else "Thought"
    is_half = THINKING_LINES in look.opened and not opened
    mark = "▾ " if opened or is_half else "▸ "
    first = Head(look.gap, (Run(mark, "thinking", action), Run(words, "thinking", action)))
    if is_half:
        text = " ".join(clean(str(entity.text)[:_TAIL_CHARACTERS]).split())
        return Card([first, Beginning(0, text, LIVE_ROWS, "thinking", RAIL, action)])
    return Card([first], body=opened, before=RAIL, style="thinking")


def is_short(entity: Thinking) -> bool:
    """True if the first lines of this thinking are all there is."""
    return len(entity.text) <= _SHORT


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1000)):,} kB"


def _tokens(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1000:.0f}k" if count >= 10_000 else f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def _right(time: str) -> tuple[Run, ...]:
    return (Run(time, "head"),) if time else ()
