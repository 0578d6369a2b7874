"""What people and models say: prompts, answers, thinking."""

from __future__ import annotations

from bus.entities import AssistantText, CompactedTurns, Thinking, UserText
from tui.clean import clean, clean_line
from tui.markdown.blocks import Block
from tui.markdown.text import Run, Toggle
from tui.timeline.blocks import Head, Tail, Words
from tui.timeline.cards.base import Card, Look, elapsed

BAR = (Run("▍ ", "user-bar"),)
RAIL = (Run("│ ", "rail"),)

LIVE_ROWS = 3
"""Rows of thinking that are shown while it goes on."""

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
    opened, action = "summary" in look.opened, Toggle("summary")
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
    """Reasoning: the last lines while it goes on, then one line; all of it behind a rail when opened."""
    opened = "thinking" in look.opened
    time = elapsed(entity.started_ms, entity.ended_ms if entity.done else None, look)
    if entity.redacted and not len(entity.text):
        words = "Thought, and the provider keeps it to itself" if entity.done else "Thinking"
        return Card([Head(look.gap, (Run(f"∴ {words}", "thinking"),), _right(time))])
    action = Toggle("thinking")
    if not entity.done:
        title = (Run(f"{look.spinner} ", "running", action), Run("Thinking", "thinking", action))
        first = Head(look.gap, title, _right(time))
        if opened:
            return Card([first], body=True, before=RAIL, style="thinking")
        tail = clean(str(entity.text)[-_TAIL_CHARACTERS:]).strip("\n")
        live = Tail(0, " ".join(tail.split("\n")[-LIVE_ROWS:]), LIVE_ROWS, "thinking", RAIL)
        return Card([first, live] if tail else [first])
    words = f"Thought for {time}" if time else "Thought"
    first = Head(look.gap, (Run("▾ " if opened else "▸ ", "thinking", action), Run(words, "thinking", action)))
    return Card([first], body=opened, before=RAIL, style="thinking")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1000)):,} kB"


def _tokens(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1000:.0f}k" if count >= 10_000 else f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def _right(time: str) -> tuple[Run, ...]:
    return (Run(time, "head"),) if time else ()
