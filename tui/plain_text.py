"""A timeline in plain words: what plain mode appends, each part behind the name of who or what speaks."""

from __future__ import annotations

from typing import TextIO

from bus.entities import (
    AssistantText,
    Citations,
    CompactedTurns,
    Entity,
    Failure,
    GapMarker,
    GeneratedImage,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    Thinking,
    ToolUse,
    UnknownEvent,
    UserText,
)
from tui.cli.printing import Style
from tui.cli.transcript import NOTE, Transcript
from tui.cli.wording import describe

SHORT = 400
"""Characters of arguments and results: who listens cannot skim."""


class PlainText(Transcript):
    """Labels, no colours, no signs. Thinking is only mentioned, and what was typed here is not repeated."""

    answer_label = "Assistant: "

    def __init__(self, place: TextIO) -> None:
        super().__init__(place, place)
        self.typed_here: set[str] = set()
        """Ids of the prompts that stand on the terminal already."""

    def words(self, entity: Entity) -> tuple[Style, str]:
        """One labelled paragraph."""
        return "plain", _paragraph(entity, self.typed_here)

    def call_words(self, tool: ToolUse) -> str:
        """Its name and its arguments."""
        return f"Tool call: {tool.name or 'without a name'} {_short(str(tool.input))}".rstrip() + "\n"

    def result_words(self, tool: ToolUse) -> str:
        """What came back."""
        label = {"failed": "Tool failed", "interrupted": "Tool interrupted"}.get(tool.state, "Tool result")
        return f"{label}: {_short(tool.result or 'nothing')}\n"

    @property
    def has_news(self) -> bool:
        """Whether something was collected that is not written yet."""
        return bool(self._pieces)

    def tell(self, note: str) -> None:
        """Say something that is not in the stream."""
        self._begin(self._answers, Entity(id=NOTE))
        self._write(self._answers, f"{note}\n")

    def ask(self, label: str) -> None:
        """Say what is to be typed; it stands on the same line."""
        self._begin(self._answers, Entity(id=NOTE))
        self._write(self._answers, label)

    def answered(self) -> None:
        """A line was typed: the terminal has ended it."""
        self._open.clear()

    def _grow(self, entity: AssistantText | Thinking, delta: str | None) -> None:
        if isinstance(entity, AssistantText):
            super()._grow(entity, delta)
        elif self._say_once(entity.id):
            self._begin(self._answers, entity)
            self._write(self._answers, "Assistant is thinking.\n")

    def _write(self, place: TextIO, text: str, style: Style = "plain") -> None:
        super()._write(place, text)


def _paragraph(entity: Entity, typed_here: set[str]) -> str:
    match entity:
        case UserText():
            files = "".join(f"\nAttached: {file.name}" for file in entity.attachments)
            return "" if entity.prompt_id in typed_here else f"User: {entity.text.rstrip()}{files}\n"
        case Failure():
            return f"Error: {entity.message or entity.code or 'nobody says what'}\n{_line(entity.hint)}"
        case Notice():
            return f"{(entity.level or 'note').capitalize()}: {entity.message or entity.kind}\n"
        case ModeSwitch():
            return f"Note: the mode is {entity.to_mode} now. {entity.analysis}".rstrip() + "\n"
        case Citations():
            sources = [f"{source.title or ''} {source.url or ''}".strip() for source in entity.sources]
            return "".join(f"Source {number}: {source}\n" for number, source in enumerate(sources, 1))
        case GeneratedImage():
            return "Assistant made an image.\n"
        case McpCall() if entity.listing:
            return ""
        case CompactedTurns():
            return f"Note: {entity.turns:,} turns were summed up{', and that was taken back' * entity.undone}.\n"
        case UnknownEvent():
            return f"Note: an event that riffle does not know: {entity.type or entity.broken}\n"
        case Interruption() | GapMarker():
            return f"Note: {_unmarked(entity)}"
        case _:
            return f"Tool: {_unmarked(entity)}"


def _unmarked(entity: Entity) -> str:
    """What the other printers say, without their brackets."""
    return describe(entity, full=False)[1].replace("[", "", 1).replace("]", "", 1)


def _line(text: str | None) -> str:
    return f"{text}\n" if text else ""


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SHORT else f"{text[:SHORT].rstrip()} and so on, {len(text):,} characters in all"
