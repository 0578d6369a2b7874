"""Compaction: the model sums the conversation up, and is told the summary from then on instead of what it covers.

Nothing is deleted: the events stay, and taking the compaction back makes the model be told them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bus.events import Compaction, Final
from bus.meta import Metadata

from .errors import NotCompacted
from .history import Compactable
from .ports import Block

INSTRUCTION = """\
Sum this conversation up, for yourself: from now on you will be told your summary instead of what was said so far. \
Write Markdown. Keep what is needed to go on as if nothing had happened: what the user wants and how they want it; \
what was decided and why; names, paths, numbers, commands and code that still matter, exactly as they were; what was \
found out; what is unfinished, and what was asked last. Leave out what is settled and will not be needed. Call no \
tools, and write nothing but the summary."""

CUTS = (None, 4_000, 500)
"""How long a single text may be in what is to be summed up: all of it first, less where the model says too long."""

_CHARACTERS_PER_TOKEN = 4


def question(blocks: Sequence[Block], cut: int | None) -> list[Block]:
    """What the model is asked: `blocks`, each text shortened to about `cut` characters, and the instruction."""
    told = list(blocks) if cut is None else [_shortened(block, cut) for block in blocks if block.kind != "provider"]
    return [*told, Block(kind="user", text=INSTRUCTION)]


def result(of: Compactable, end: Final, meta: Metadata, author: str) -> Compaction:
    """The event for a summary that came. Raises `NotCompacted` when none did."""
    text = (end.text or "").strip()
    if not text or end.meta.stop_reason == "refusal":
        raise NotCompacted("The model gave no summary, so nothing was compacted.", "Try again, or with another model.")
    counted = end.meta.usage.told_tokens if end.meta.usage else 0
    return Compaction(
        meta=meta.model_copy(update={"model": end.meta.model, "usage": end.meta.usage}),
        text=text,
        through_turn_id=of.through,
        turns=of.turns,
        tokens_before=counted or sum(len(block.text) for block in of.blocks) // _CHARACTERS_PER_TOKEN,
        tokens_after=len(text) // _CHARACTERS_PER_TOKEN,
        author=author,
    )


def _shortened(block: Block, cut: int) -> Block:
    """The beginning and the end of a long text; arguments stay whole, cut ones would be none."""
    if block.files:
        names = "".join(f"[The file {file.name} was attached here.]\n" for file in block.files)
        block = replace(block, files=(), text=names + block.text)
    if block.kind == "tool-call" or len(block.text) <= cut:
        return block
    half = cut // 2
    return replace(block, text=f"{block.text[:half]}\n[…]\n{block.text[-half:]}")
