"""Tool calls: what is asked for, how it stands, what came back."""

from __future__ import annotations

import json
from typing import Any, cast

from bus.entities import ToolUse
from tui.clean import clean, clean_line
from tui.cli.yaml_text import dumps
from tui.markdown.blocks import Block
from tui.markdown.code import code_blocks
from tui.markdown.text import Run
from tui.timeline.blocks import Beside, Words
from tui.timeline.cards.base import INDENT, OPEN_ROWS, PREVIEW_ROWS, Card, Look, elapsed, head, more, output
from tui.timeline.cards.diffs import CLOSED_ROWS, changed, diff_blocks, is_diff

SUMMARY_CHARACTERS = 160
"""Characters of the arguments in a card's first line: the line is cropped to the screen anyway."""

FAILED_ROWS = 10
"""Lines of an error that are always in sight."""

_PARSED_CHARACTERS = 65_536
"""Arguments and results above this are shown as they are written: parsing them would be felt."""


def tool_use(entity: ToolUse, look: Look) -> Card:
    """Closed: one line and the first lines of the result. Open: every argument, and more of the result."""
    opened = "tool" in look.opened
    source = str(entity.input)
    arguments = parsed(source) if entity.state != "writing" else None
    first = head(
        mark_of(entity, look),
        entity.name or "tool",
        look,
        summary="" if opened else summary_of(arguments, source),
        part="tool",
        right=_state(entity, look),
    )
    blocks: list[Block] = [first]
    if opened:
        blocks += fields(arguments, source, look)
    if entity.result is not None:
        blocks += result_blocks(entity.result, look, opened=opened, failed=entity.state == "failed")
    return Card(blocks)


def mark_of(entity: ToolUse, look: Look) -> tuple[str, str]:
    """The sign of a tool's state, and its style."""
    match entity.state:
        case "writing" | "running":
            return look.spinner, "running"
        case "waiting":
            return "○", "head"
        case "done":
            return "✓", "done"
        case "failed":
            return "✗", "failed"
        case "interrupted":
            return "■", "warning"


def parsed(source: str) -> Any:
    """The JSON in `source`, or None."""
    if len(source) > _PARSED_CHARACTERS:
        return None
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        return None


def summary_of(arguments: Any, source: str) -> str:
    """The arguments in a few words: the values that say most, the names where there are several."""
    if isinstance(arguments, dict):
        items = cast("dict[str, Any]", arguments).items()
        if len(items) == 1:
            return _short(next(iter(items))[1])
        return "  ".join(f"{name}={_short(value)}" for name, value in items)[:SUMMARY_CHARACTERS]
    return "" if source.strip() in ("", "{}") else source[:SUMMARY_CHARACTERS]


def fields(arguments: Any, source: str, look: Look) -> list[Block]:
    """Arguments as readable fields: short values beside their names, long texts below them."""
    if not isinstance(arguments, dict):
        return output(source, look, "input", OPEN_ROWS) if source.strip() else []
    blocks: list[Block] = []
    for name, value in cast("dict[str, Any]", arguments).items():
        # A list or an object inside reads like the fields themselves.
        text = value if isinstance(value, str) else dumps(value).rstrip("\n")
        label = (Run(f"{INDENT}{clean_line(name)}: ", "key"),)
        if "\n" in text.strip() or len(text) > 200 or (value and isinstance(value, (dict, list))):
            blocks.append(Words(0, (Run(f"{INDENT}{clean_line(name)}:", "key"),)))
            blocks += output(text, look, f"input-{name}", OPEN_ROWS, indent=4)
        else:
            indent = (Run(" " * 4),)
            blocks.append(Words(0, (Run(clean_line(text), "argument"),), label, indent))
    return blocks


def result_blocks(result: str, look: Look, *, opened: bool, failed: bool) -> list[Block]:
    """What came back, clipped; an error in full sight, a diff in colours, JSON indented in an open card."""
    if not result.strip():
        return [Words(0, (Run("no output", "hint"),), (Run(INDENT),), (Run(INDENT),))] if opened else []
    if failed:
        return output(result, look, "result", OPEN_ROWS if opened else FAILED_ROWS, style="error")
    if is_diff(result):
        return diff_blocks(result, look, OPEN_ROWS if opened else CLOSED_ROWS)
    if not opened or not _is_json(result):
        return output(result, look, "result", OPEN_ROWS if opened else PREVIEW_ROWS)
    lines = clean(json.dumps(parsed(result), indent=2, ensure_ascii=False)).split("\n")
    rows = len(lines) if "result:all" in look.opened or len(lines) <= OPEN_ROWS + 1 else OPEN_ROWS
    blocks: list[Block] = [Beside(block.gap, block, (Run(INDENT),)) for block in code_blocks(lines[:rows], "json", 0)]
    return [*blocks, more(len(lines) - rows, "result")] if rows < len(lines) else blocks


def _is_json(result: str) -> bool:
    return result.lstrip().startswith(("{", "[")) and isinstance(parsed(result), (dict, list))


def _state(entity: ToolUse, look: Look) -> tuple[Run, ...]:
    time = elapsed(entity.started_ms, entity.ended_ms, look)
    words = {"writing": "writing", "waiting": "waiting", "failed": "failed", "interrupted": "interrupted"}
    if entity.state == "writing" and len(entity.input) > 1000:
        time = f"{len(entity.input) / 1000:.1f} kB"
    shown = [words[entity.state]] if entity.state in words else []
    if entity.state == "done" and entity.result and is_diff(entity.result):
        shown.append(changed(entity.result))
    if time and entity.state != "waiting":
        shown.append(time)
    return (Run(" · ".join(shown), "head"),) if shown else ()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text[: 2 * SUMMARY_CHARACTERS].split())[:SUMMARY_CHARACTERS]
