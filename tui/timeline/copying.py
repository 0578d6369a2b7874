"""What a copy of a block or of a whole entity holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from bus import entities
from tui.clean import clean
from tui.markdown.blocks import Block, Code
from tui.markdown.nesting import Inside
from tui.markdown.text import Line, Link, Run, slice_runs
from tui.timeline.blocks import Beside
from tui.timeline.document import Document
from tui.timeline.search import spoken


def block_text(document: Document, section: int, block: int) -> str:
    """A block in Markdown; of code that was cut into several blocks, all of it, without its fence."""
    code = code_at(document, section, block)
    if code:
        return code
    gap = document.sections[section].blocks[block].gap
    return "".join(_in_markdown(kind, text) for kind, text in _pieces(document.lines(section, block)[gap:]))


class _Kind(NamedTuple):
    """What Markdown puts around a piece of text."""

    strong: bool = False
    em: bool = False
    strike: bool = False
    code: bool = False
    url: str = ""


_PLAIN = _Kind()


def _pieces(lines: Sequence[Line]) -> Iterator[tuple[_Kind, str]]:
    """The text of rows, wrapped lines whole again, in pieces of one kind each."""
    pieces: list[tuple[_Kind, str]] = []
    for line in lines:
        if line.copy == "":
            continue
        if line.copy is None:
            own = [(_kind(run), run.text) for run in slice_runs(line.runs, line.skip, len(line.text))]
        else:
            own = [(_PLAIN, line.copy)]
        lead = line.lead if line.joint == "\n" else ""
        # The space at which a line was broken is as bold as what stands around it.
        is_inside = bool(pieces and own) and pieces[-1][0] == own[0][0] and not lead
        if pieces:
            pieces.append((pieces[-1][0] if is_inside and line.joint != "\n" else _PLAIN, line.joint + lead))
        elif lead:
            pieces.append((_PLAIN, lead))
        pieces += own
    for kind, same in groupby(pieces, key=lambda piece: piece[0]):
        yield kind, "".join(text for _, text in same)


def _kind(run: Run) -> _Kind:
    names = run.style.split()
    url = run.action.url if isinstance(run.action, Link) else ""
    return _Kind("strong" in names, "em" in names, "strike" in names, "code" in names, url)


def _in_markdown(kind: _Kind, text: str) -> str:
    if not text.strip():
        return text
    bare = text.strip()
    marked = f"`{bare}`" if kind.code else bare
    for wanted, mark in ((kind.em, "*"), (kind.strong, "**"), (kind.strike, "~~")):
        marked = f"{mark}{marked}{mark}" if wanted else marked
    if kind.url and kind.url != bare:
        marked = f"[{marked}]({kind.url})"
    # Spaces stay outside: marks beside a space mark nothing.
    return text.replace(bare, marked, 1)


def links_of(document: Document, section: int, block: int) -> tuple[str, ...]:
    """The targets of a block's links, each once."""
    runs = (run for line in document.lines(section, block) for run in line.runs)
    return tuple(dict.fromkeys(run.action.url for run in runs if isinstance(run.action, Link)))


def code_at(document: Document, section: int, block: int) -> str:
    """The whole code of which a block is a part; empty: it is not code."""
    blocks = document.sections[section].blocks
    first = block
    while (code := _code(blocks, first)) is not None and not code.labelled:
        first -= 1
    rows: list[str] = []
    while (code := _code(blocks, first)) is not None and not (rows and code.labelled):
        rows += code.rows
        first += 1
    return "\n".join(rows)


def _code(blocks: list[Block], index: int) -> Code | None:
    block = blocks[index] if 0 <= index < len(blocks) else None
    while isinstance(block, Beside | Inside):
        block = block.block
    return block if isinstance(block, Code) else None


def message_text(entity: entities.Entity) -> str:
    """An entity as it was written, in Markdown where it is Markdown, without what a terminal would act on."""
    match entity:
        case entities.AssistantText() | entities.Thinking() | entities.CompactedTurns():
            text = str(entity.text)
        case entities.ToolUse():
            text = "\n\n".join(filter(None, (f"{entity.name} {_pretty(str(entity.input))}".strip(), entity.result)))
        case _:
            text = spoken(entity)
    return clean(text).strip("\n")


def _pretty(source: str) -> str:
    try:
        return json.dumps(json.loads(source), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return source
