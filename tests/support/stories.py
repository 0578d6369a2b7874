"""Stories: streams of our own in `tests/streams`, and a timeline as text that a person can check."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from bus.codec import read
from bus.entities import (
    AssistantText,
    Citations,
    CodeInterpreter,
    Entity,
    Failure,
    FileSearch,
    GapMarker,
    GeneratedImage,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    TextBuffer,
    Thinking,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    UserText,
    WebSearch,
)
from bus.fold.board import Board
from bus.stream import Entry
from bus.timeline import Timeline

STREAMS = Path(__file__).parents[1] / "streams"


def load(path: Path) -> list[Entry]:
    """The entries of a story: one JSON object a line with `id`, `ts`, and `event` or (unreadable) `raw`."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Entry(line["id"], read(_payload(line)), line["ts"]) for line in lines]


def _payload(line: dict[str, Any]) -> bytes:
    if "raw" in line:
        return line["raw"].encode()
    return json.dumps(line["event"], ensure_ascii=False, separators=(",", ":")).encode()


def everything(timeline: Timeline) -> object:
    """All that `timeline` knows, its memory of entries included, but for the changes that it told last."""
    return _frozen(timeline, {})


def _frozen(value: Any, known: dict[int, int]) -> object:
    """`value` as tuples; an object that comes again is its number."""
    match value:
        case TextBuffer():
            return str(value)
        case dict():
            return tuple((key, _frozen(item, known)) for key, item in cast("dict[object, object]", value).items())
        case list() | tuple():
            return tuple(_frozen(item, known) for item in cast("list[object]", value))
        case Timeline() | Board():
            state = cast("dict[str, object]", vars(value))
            return tuple((name, _frozen(item, known)) for name, item in state.items() if name != "changes")
        case _ if is_dataclass(value) and not isinstance(value, type):
            if id(value) in known:
                return known[id(value)]
            known[id(value)] = len(known)
            return type(value), tuple(_frozen(getattr(value, field.name), known) for field in fields(value))
        case _:
            return value


def transcript(timeline: Timeline) -> str:
    """All entities of `timeline`, one paragraph each: a head in brackets, then what it says."""
    return "\n\n".join(_paragraph(entity) for entity in timeline.entities) + "\n"


def _paragraph(entity: Entity) -> str:
    words, body = _words(entity)
    head = " ".join(word for word in [type(entity).__name__, *words, "" if entity.done else "(open)"] if word)
    return f"[{head}]" + (f"\n{body}" if body else "")


def _words(entity: Entity) -> tuple[list[str], str]:
    match entity:
        case UserText():
            return [entity.author or ""], entity.text
        case AssistantText():
            flags = ["interrupted" if entity.interrupted else "", "failed" if entity.failed else ""]
            return [entity.model or "", *flags], str(entity.text)
        case Thinking():
            return [_seconds(entity), "redacted" if entity.redacted else ""], str(entity.text)
        case ToolUse():
            result = "" if entity.result is None else f"\n-> {entity.result}"
            return [entity.name, entity.source or "", entity.state, _seconds(entity)], f"{entity.input}{result}"
        case Failure():
            return [entity.code or ""], "\n".join(line for line in (entity.message, entity.hint) if line)
        case Interruption():
            return [entity.reason, f"by {entity.author}" if entity.author else ""], ""
        case TurnSummary():
            return [], _figures(entity)
        case _:
            return _other_words(entity)


def _other_words(entity: Entity) -> tuple[list[str], str]:
    match entity:
        case WebSearch():
            hits = [json.dumps(result, ensure_ascii=False) for result in entity.results]
            return [], "\n".join([*entity.queries, *entity.urls, *hits])
        case FileSearch():
            return [], "\n".join(json.dumps(result, ensure_ascii=False) for result in entity.results)
        case CodeInterpreter():
            return ["running" if entity.running else ""], "\n-> ".join(filter(None, (str(entity.code), entity.result)))
        case McpCall():
            return ["listing" if entity.listing else "", "failed" if entity.failed else ""], str(entity.arguments)
        case GeneratedImage():
            return [f"{len(entity.image_base64 or '')} characters"], ""
        case Citations():
            sources = entity.sources
            lines = [f"{number}. {source.title} {source.url}" for number, source in enumerate(sources, start=1)]
            return [], "\n".join(lines)
        case Notice():
            details = json.dumps(entity.fields, ensure_ascii=False) if entity.fields else ""
            return [entity.kind, entity.level], " ".join(word for word in (entity.message, details) if word)
        case ModeSwitch():
            return [f"{entity.from_mode} -> {entity.to_mode}"], entity.analysis
        case UnknownEvent():
            return [entity.type, entity.broken or ""], entity.payload
        case GapMarker():
            return [f"{entity.count} events" if entity.count is not None else ""], entity.reason
        case _:
            return [], ""


def _seconds(entity: Entity) -> str:
    if entity.started_ms is None or entity.ended_ms is None:
        return ""
    return f"{(entity.ended_ms - entity.started_ms) / 1000:g}s"


def _figures(summary: TurnSummary) -> str:
    figures = {
        "model": summary.model,
        "stop": summary.stop_reason,
        "calls": summary.calls,
        "in": summary.input_tokens,
        "out": summary.output_tokens,
        "cached": summary.cached_tokens,
        "reasoning": summary.reasoning_tokens,
        "ms": summary.duration_ms,
        "first": summary.first_token_ms,
        "per second": summary.output_tokens_per_second,
    }
    return ", ".join(f"{name} {value}" for name, value in figures.items() if value is not None)
