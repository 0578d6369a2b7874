"""Stories: streams of our own in `tests/streams`, and a timeline as text that a person can check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from bus.codec import decode
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
    Thinking,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    UserText,
    WebSearch,
)
from bus.events import Event
from bus.timeline import Timeline

STREAMS = Path(__file__).parents[1] / "streams"


class StoryEntry(NamedTuple):
    """One entry of a story, as a reader would hand it on."""

    id: str
    event: Event
    ts: int


def load(path: Path) -> list[StoryEntry]:
    """The entries of a story: one JSON object a line with `id`, `ts`, and `event` or (unreadable) `raw`."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [StoryEntry(line["id"], decode(_payload(line)), line["ts"]) for line in lines]


def _payload(line: dict[str, Any]) -> bytes:
    if "raw" in line:
        return line["raw"].encode()
    return json.dumps(line["event"], ensure_ascii=False, separators=(",", ":")).encode()


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
