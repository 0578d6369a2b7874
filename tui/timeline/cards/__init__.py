"""Entities as cards: for each kind of entity, the blocks that show it.

A card is a pure function of the entity and a `Look`. `card` finds the function; what an entity says in Markdown is
the card's `body`, which the section keeps as a stream of its own.
"""

from __future__ import annotations

from bus import entities
from tui.timeline.cards import notes, provider, talk, tools
from tui.timeline.cards.base import Card, Look

__all__ = ["Card", "Look", "card", "is_line", "is_live"]


def card(entity: entities.Entity, look: Look) -> Card:
    """The card of `entity`."""
    match entity:
        case entities.UserText():
            return talk.user(entity, look)
        case entities.AssistantText():
            return talk.assistant(entity, look)
        case entities.Thinking():
            return talk.thinking(entity, look)
        case entities.ToolUse():
            return tools.tool_use(entity, look)
        case entities.WebSearch():
            return provider.web_search(entity, look)
        case entities.FileSearch():
            return provider.file_search(entity, look)
        case entities.CodeInterpreter():
            return provider.code_interpreter(entity, look)
        case entities.McpCall():
            return provider.mcp_call(entity, look)
        case entities.GeneratedImage():
            return provider.image(entity, look)
        case entities.CompactedTurns():
            return talk.compacted(entity, look)
        case _:
            return _note(entity, look)


def _note(entity: entities.Entity, look: Look) -> Card:
    match entity:
        case entities.Citations():
            return notes.citations(entity, look)
        case entities.Notice():
            return notes.notice(entity, look)
        case entities.ModeSwitch():
            return notes.mode_switch(entity, look)
        case entities.Failure():
            return notes.failure(entity, look)
        case entities.Interruption():
            return notes.interruption(entity, look)
        case entities.TurnSummary():
            return notes.turn_summary(entity, look)
        case entities.GapMarker():
            return notes.gap_marker(entity, look)
        case entities.UnknownEvent():
            return notes.unknown(entity, look)
        case _:
            return notes.unknown(entities.UnknownEvent(id=entity.id, type=type(entity).__name__), look)


def is_live(entity: entities.Entity) -> bool:
    """True while the card has something that moves: a spinner, an elapsed time."""
    match entity:
        case entities.ToolUse():
            return entity.state in ("writing", "running")
        case entities.CodeInterpreter():
            return entity.running
        case entities.Thinking() | entities.WebSearch() | entities.FileSearch() | entities.McpCall():
            return not entity.done
        case entities.GeneratedImage():
            return not entity.done
        case _:
            return False


def is_line(entity: entities.Entity) -> bool:
    """True for cards that stand close together: one line each."""
    return isinstance(entity, (entities.Notice, entities.ModeSwitch, entities.UnknownEvent))
