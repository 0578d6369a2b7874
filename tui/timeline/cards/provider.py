"""Tools that run at the provider: searches, code, MCP, images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bus.entities import CodeInterpreter, Entity, FileSearch, GeneratedImage, McpCall, WebSearch
from tui.clean import clean_line
from tui.markdown.blocks import Block
from tui.markdown.inline import openable
from tui.markdown.text import Run, Toggle
from tui.pictures import described
from tui.timeline.blocks import Head, Picture, Words
from tui.timeline.cards.base import INDENT, Card, Look, elapsed, head, note
from tui.timeline.cards.tools import fields, parsed, result_blocks, summary_of

FOLDED = "folded"
"""The part of a picture's card that is open where the picture is not: pictures are shown at first."""

CLOSED_RESULTS = 3
"""Results of a search in a closed card."""


def web_search(entity: WebSearch, look: Look) -> Card:
    """The question, and what was found."""
    queries = ", ".join(f"“{query}”" for query in entity.queries)
    first = _head(entity, "Web search", look, queries, len(entity.urls) + len(entity.results))
    opened = [{"url": url} for url in entity.urls]
    return Card([first, *_results([*opened, *entity.results], look)])


def file_search(entity: FileSearch, look: Look) -> Card:
    """What was found in files."""
    first = _head(entity, "File search", look, "", len(entity.results))
    return Card([first, *_results(entity.results, look)])


def code_interpreter(entity: CodeInterpreter, look: Look) -> Card:
    """The code that the provider runs, in sight while it is written and when opened."""
    shown = not entity.done or "tool" in look.opened
    first = head(
        _mark(entity, look), "Code interpreter", look, part="tool", summary="" if shown else _first_line(entity),
        right=_right(entity, look, "running" if entity.running else ""),
    )  # fmt: skip
    foot = _result_of(entity, look)
    if shown:
        # Below the band of the code, what it wrote would look like more of it.
        foot = [replace(foot[0], gap=1), *foot[1:]] if foot else []
    return Card([first], body=shown, fence="python", before=(Run(INDENT),), foot=foot)


def mcp_call(entity: McpCall, look: Look) -> Card:
    """A call of an MCP tool by the provider; which one, and what came back, the wire says at its end if at all."""
    source = str(entity.arguments)
    arguments = parsed(source) if entity.done else None
    opened = "tool" in look.opened
    title = "MCP: listing tools" if entity.listing else f"MCP: {entity.name}" if entity.name else "MCP call"
    mark = ("✗", "failed") if entity.failed else _mark(entity, look)
    first = head(
        mark, title, look, part="tool" if source or entity.result else "",
        summary="" if opened else summary_of(arguments, source),
        right=_right(entity, look, "failed" if entity.failed else ""),
    )  # fmt: skip
    return Card([first, *(fields(arguments, source, look) if opened else []), *_result_of(entity, look)])


def _result_of(entity: CodeInterpreter | McpCall, look: Look) -> list[Block]:
    if entity.result is None:
        return []
    failed = isinstance(entity, McpCall) and entity.failed
    return result_blocks(entity.result, look, opened="tool" in look.opened, failed=failed)


def image(entity: GeneratedImage, look: Look) -> Card:
    """A picture below its type and size, unless it is folded; without it where it cannot be shown."""
    what = described(entity.image_base64) if entity.image_base64 else ""
    state = "" if entity.done else "preview" if what else "being made"
    drawn, is_folded = look.picture, FOLDED in look.opened
    action = Toggle(FOLDED) if drawn and drawn.rows else None
    mark = "▣ " if action is None else "▸ " if is_folded else "▾ "
    runs = [Run(mark, "marker", action), Run("Image", "tool", action)]
    if what:
        runs.append(Run(f"  {what}", "argument", action))
    if entity.done and what:
        runs.append(Run("  save: m", "hint"))
    blocks: list[Block] = [Head(look.gap, tuple(runs), _right(entity, look, state))]
    if drawn and drawn.error:
        blocks.append(note(f"It is not shown: {drawn.error}.", "warning", look, mark=" ", gap=0))
    elif drawn and not is_folded:
        blocks.append(Picture(0, drawn.rows))
    return Card(blocks)


def _head(entity: Entity, title: str, look: Look, summary: str, found: int) -> Block:
    state = f"{found} found" if found else "" if entity.done else "searching"
    return head(
        _mark(entity, look),
        title,
        look,
        summary=summary,
        part="tool" if found else "",
        right=_right(entity, look, state),
    )


def _mark(entity: Entity, look: Look) -> tuple[str, str]:
    return ("✓", "done") if entity.done else (look.spinner, "running")


def _right(entity: Entity, look: Look, state: str) -> tuple[Run, ...]:
    time = elapsed(entity.started_ms, entity.ended_ms, look)
    words = " · ".join(word for word in (state, time) if word)
    return (Run(words, "head"),) if words else ()


def _results(results: Sequence[dict[str, Any]], look: Look) -> list[Block]:
    shown = results if "tool" in look.opened else results[:CLOSED_RESULTS]
    return [_result(number, result) for number, result in enumerate(shown, 1)]


def _result(number: int, result: dict[str, Any]) -> Block:
    url = clean_line(str(result.get("url") or ""))
    title = clean_line(str(result.get("title") or result.get("filename") or url or "result"))
    runs = [Run(title, "link" if openable(url) else "output", openable(url))]
    if url and url != title:
        runs.append(Run(f"  {url}", "muted"))
    if snippet := clean_line(str(result.get("snippet") or "")):
        runs.append(Run(f"  {snippet[:240]}", "output"))
    return Words(0, tuple(runs), (Run(f"{INDENT}{number}. ", "note"),), (Run(" " * 5),))


def _first_line(entity: CodeInterpreter) -> str:
    return str(entity.code).lstrip().partition("\n")[0][:160]
