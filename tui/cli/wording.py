"""What a transcript says of everything that is not streaming text: one short block for each entity."""

from __future__ import annotations

from bus.entities import (
    Citations,
    CodeInterpreter,
    CompactedTurns,
    Entity,
    Failure,
    FileSearch,
    GapMarker,
    GeneratedImage,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    UserText,
    WebSearch,
)
from tui.cli.printing import Style

SHORT = 400
"""Characters of arguments and results that are shown without `--full`."""


def describe(entity: Entity, *, full: bool) -> tuple[Style, str]:
    """How to print `entity` once it is complete: a style, and text that ends with a newline (or nothing)."""
    match entity:
        case UserText():
            lines = entity.text.splitlines() or [""]
            lines += [f"+ {file.name} ({file.media_type}, {file.size:,} bytes)" for file in entity.attachments]
            return "bold", "".join(f"> {line}\n" for line in lines)
        case Failure():
            return "red", f"[error] {entity.message}\n" + (f"        {entity.hint}\n" if entity.hint else "")
        case GapMarker():
            return "red", f"[gap] {_gap(entity)}\n"
        case Interruption():
            return "red", f"[{_interruption(entity)}]\n"
        case _:
            return "dim", _quiet(entity, full=full)


def tool_call(tool: ToolUse, *, full: bool) -> str:
    """The line of a tool call whose arguments are complete."""
    arguments = shorten(str(tool.input), full=full)
    return f"[tool] {tool.name or '(without a name)'} {arguments}".rstrip() + "\n"


def tool_result(tool: ToolUse, *, full: bool) -> str:
    """The lines of a tool call that has ended."""
    head = {"failed": "[tool failed]", "interrupted": "[tool interrupted]"}.get(tool.state, "[result]")
    return f"{head} {shorten(tool.result or '', full=full)}".rstrip() + "\n"


def shorten(text: str, *, full: bool) -> str:
    """The beginning of a long text, and how much there is."""
    if full or len(text) <= SHORT:
        return text.rstrip("\n")
    return f"{text[:SHORT].rstrip()} … ({len(text):,} characters; --full shows all)"


def _gap(gap: GapMarker) -> str:
    match gap.count:
        case None:
            missing = "Some entries may be"
        case 1:
            missing = "1 entry is"
        case count:
            missing = f"{count:,} entries are"
    return f"{missing} missing here. {gap.reason}".rstrip()


def _interruption(stop: Interruption) -> str:
    if stop.reason == "engine-lost":
        return "cut off: its engine was lost"
    if stop.reason == "max-calls":
        return "stopped: no more calls for one prompt (engine.max_calls)"
    return f"interrupted by {stop.author}" if stop.author else "interrupted"


def _quiet(entity: Entity, *, full: bool) -> str:
    match entity:
        case Notice():
            return f"[{entity.level or entity.kind}] {entity.message}\n"
        case ModeSwitch():
            return f"[mode] {entity.from_mode or '?'} → {entity.to_mode or '?'} {entity.analysis}".rstrip() + "\n"
        case WebSearch():
            found = f" ({len(entity.results)} results)" if entity.results else ""
            return f"[web search] {', '.join(entity.queries) or '…'}{found}\n"
        case FileSearch():
            return f"[file search] {len(entity.results)} results\n"
        case CodeInterpreter():
            return f"[code interpreter]\n{shorten(str(entity.code), full=full)}\n{_result(entity.result, full=full)}"
        case McpCall():
            what = "tools listed" if entity.listing else shorten(f"{entity.name} {entity.arguments}".strip(), full=full)
            call = f"[mcp{' failed' if entity.failed else ''}] {what}".rstrip() + "\n"
            return call + _result(entity.result, full=full)
        case GeneratedImage():
            return "[image]\n"
        case Citations():
            return "".join(
                f"[{number}] {source.title or ''} {source.url or ''}".rstrip() + "\n"
                for number, source in enumerate(entity.sources, 1)
            )
        case CompactedTurns():
            undone = "  (taken back)" if entity.undone else ""
            saved = f", {entity.tokens_before:,} → {entity.tokens_after or 0:,} tokens" if entity.tokens_before else ""
            return f"[compacted] {entity.turns:,} turns{saved}{undone}\n{shorten(str(entity.text), full=full)}\n"
        case TurnSummary():
            return f"[{_summary(entity)}]\n"
        case UnknownEvent():
            why = f"[cannot be read] {entity.broken} " if entity.broken else f"[{entity.type}] "
            return f"{why}{shorten(entity.payload, full=full)}".rstrip() + "\n"
        case _:
            return ""


def _result(result: str | None, *, full: bool) -> str:
    return f"[result] {shorten(result, full=full)}\n" if result else ""


def _summary(turn: TurnSummary) -> str:
    facts = [
        turn.model,
        None if turn.input_tokens is None else f"{turn.input_tokens:,} tokens in",
        None if turn.output_tokens is None else f"{turn.output_tokens:,} out",
        f"{turn.cached_tokens:,} cached" if turn.cached_tokens else None,
        f"{turn.reasoning_tokens:,} reasoning" if turn.reasoning_tokens else None,
        None if turn.duration_ms is None else f"{turn.duration_ms / 1000:.1f} s",
        f"{turn.calls} calls" if turn.calls > 1 else None,
        turn.stop_reason,
    ]
    return " · ".join(fact for fact in facts if fact) or "end of the turn"
