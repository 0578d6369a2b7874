"""What people and models say: prompts, answers, thinking."""

from __future__ import annotations

from bus.entities import AssistantText, Thinking, UserText
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
    return Card(blocks)


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


def _right(time: str) -> tuple[Run, ...]:
    return (Run(time, "head"),) if time else ()
