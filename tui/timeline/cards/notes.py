"""What stands between the messages: sources, notices, errors, ends, gaps."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from bus.entities import (
    Citations,
    Failure,
    GapMarker,
    Interruption,
    ModeSwitch,
    Notice,
    TurnSummary,
    UnknownEvent,
)
from tui.clean import clean_line
from tui.markdown.blocks import MEASURE, Block
from tui.markdown.inline import openable
from tui.markdown.text import Line, Run, Toggle, wrap
from tui.prices import dollars
from tui.timeline.blocks import Head, Words
from tui.timeline.cards.base import OPEN_ROWS, Card, Look, duration, note, output

LEAST_WAIT_MS = 50
"""A shorter wait for the first token would be said as 0.0 s."""

_NOTICE_MARKS = {"retry": ("↻", "warning"), "pause": ("⏸", "warning")}
_LEVEL_STYLES = {"error": "error", "fatal": "error", "panic": "error", "warn": "warning", "warning": "warning"}


@dataclass(frozen=True, slots=True)
class Facts(Block):
    """Short facts in a row. A line ends between two of them, never in one."""

    facts: tuple[str, ...]

    def lines(self, width: int) -> list[Line]:
        """As many facts in each line as go in."""
        rows: list[str] = []
        for fact in self.facts:
            joined = f"{rows[-1]} · {fact}" if rows else fact
            if rows and cell_len(joined) + 2 <= min(width, MEASURE):
                rows[-1] = joined
            else:
                rows[-1:] = [f"{rows[-1]} ·", fact] if rows else [fact]
        first, *others = [line for row in rows for line in wrap((Run(row, "footer"),), width)]
        return [first, *(line._replace(joint=" ") for line in others)]

    def estimate(self, width: int) -> int:
        """By characters."""
        return 1 + sum(len(fact) + 3 for fact in self.facts) // max(width, 1)


def citations(entity: Citations, look: Look) -> Card:
    """The sources of an answer, numbered."""
    blocks: list[Block] = []
    for number, source in enumerate(entity.sources, 1):
        url = clean_line(source.url or "")
        title = clean_line(source.title or url or "a source without a name")
        runs = [Run(title, "link" if openable(url) else "output", openable(url))]
        if url and url != title:
            runs.append(Run(f"  {url}", "muted"))
        mark = f"[{number}] "
        gap = look.gap if number == 1 else 0
        blocks.append(Words(gap, tuple(runs), (Run(mark, "note"),), (Run(" " * len(mark)),)))
    return Card(blocks)


def notice(entity: Notice, look: Look) -> Card:
    """A quiet line, or more where it is long; warnings and errors of a log are coloured."""
    mark, style = _NOTICE_MARKS.get(entity.kind, ("·", "head"))
    style = _LEVEL_STYLES.get(entity.level.lower(), style)
    text = clean_line(entity.message) or entity.kind
    values = "  ".join(f"{name}={value}" for name, value in (entity.fields or {}).items())
    runs = (Run(text, style), Run(f"  {clean_line(values)}" if values else "", "head"))
    return Card([Words(look.gap, runs, (Run(f"{mark} ", style),), (Run("  "),))])


def mode_switch(entity: ModeSwitch, look: Look) -> Card:
    """From which mode to which, and why."""
    change = " → ".join(clean_line(mode) for mode in (entity.from_mode, entity.to_mode) if mode)
    blocks: list[Block] = [Head(look.gap, (Run("⇄ ", "marker"), Run("Mode  ", "head"), Run(change, "tool")))]
    if entity.analysis.strip():
        blocks.append(note(f"{entity.analysis.strip()}", "thinking", look, mark=" ", gap=0))
    return Card(blocks)


def failure(entity: Failure, look: Look) -> Card:
    """What went wrong, in words, and what to do next."""
    text = entity.message or entity.code or "The call failed, and nobody said why."
    blocks: list[Block] = [note(text, "error", look, mark="✗", mark_style="failed")]
    if entity.hint:
        blocks.append(note(entity.hint, "hint", look, mark="→", gap=0))
    if look.can_retry:
        blocks.append(Head(0, _retry(look)))
    return Card(blocks)


def interruption(entity: Interruption, look: Look) -> Card:
    """Where an answer was stopped, with the offer to ask again."""
    if entity.reason == "engine-lost":
        text = "Cut off here: the engine that answered was lost"
    elif entity.author and entity.author != look.me:
        text = f"Stopped here by {clean_line(entity.author)}"
    elif entity.reason == "max-calls":
        text = "Stopped here: no more calls for one prompt (engine.max_calls)"
    else:
        text = "Stopped here"
    return Card([Head(look.gap, (Run("■ ", "warning"), Run(text, "warning"), *_retry(look)))])


def turn_summary(entity: TurnSummary, look: Look) -> Card:
    """The footer of a turn: model, tokens, cost, speed, time."""
    parts: list[str] = []
    if entity.model:
        parts.append(clean_line(entity.model))
    if entity.input_tokens is not None:
        cached = f" ({_count(entity.cached_tokens)} cached)" if entity.cached_tokens else ""
        parts.append(f"{_count(entity.input_tokens)} in{cached}")
    if entity.output_tokens is not None:
        thought = f" ({_count(entity.reasoning_tokens)} thinking)" if entity.reasoning_tokens else ""
        parts.append(f"{_count(entity.output_tokens)} out{thought}")
    if look.prices and (cost := dollars(look.prices.cost(entity.usage))):
        parts.append(cost)
    if entity.output_tokens_per_second:
        parts.append(f"{entity.output_tokens_per_second:.0f} tok/s")
    if entity.first_token_ms and entity.first_token_ms >= LEAST_WAIT_MS:
        parts.append(f"first after {duration(entity.first_token_ms)}")
    if entity.duration_ms is not None:
        parts.append(duration(entity.duration_ms))
    if entity.calls > 1:
        parts.append(f"{entity.calls} calls")
    if entity.stop_reason in ("max_tokens", "length", "refusal", "content_filter"):
        parts.append(clean_line(entity.stop_reason).replace("_", " "))
    return Card([Facts(look.gap, tuple(parts))] if parts else [])


def gap_marker(entity: GapMarker, look: Look) -> Card:
    """Events are missing here, and how many."""
    match entity.count:
        case None:  # the engine may have written them again
            count = "Events may be"
        case 1:
            count = "1 event is"
        case count:
            count = f"{count:,} events are"
    reason = f": {clean_line(entity.reason)}" if entity.reason else ""
    return Card([Words(look.gap, (Run(f"{count} missing here{reason}", "gap"),), (Run("⋯ ", "gap"),), (Run("  "),))])


def unknown(entity: UnknownEvent, look: Look) -> Card:
    """An event of a type that riffle does not know, or that nobody can read: one line, its payload when opened."""
    opened = "tool" in look.opened
    action = Toggle("tool")
    title = "An entry that cannot be read" if entity.broken else "Event"
    runs = (
        Run("▾ " if opened else "▸ ", "head", action),
        Run(title, "head", action),
        Run(f"  {clean_line(entity.broken or entity.type)}", "argument", action),
    )
    body = output(entity.payload, look, "payload", OPEN_ROWS) if opened and entity.payload else []
    return Card([Head(look.gap, runs), *body])


def _count(number: int) -> str:
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 100_000 else f"{number / 1000:,.0f}k"


def _retry(look: Look) -> tuple[Run, ...]:
    return (Run("  retry: r", "more", Toggle("retry")),) if look.can_retry else ()
