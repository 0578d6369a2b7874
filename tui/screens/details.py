"""What a stream says about one thing on the timeline: its ids, when it was, what it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from bus import entities
from engine.prices import Prices
from tui.clean import clean_line
from tui.prices import dollars
from tui.timeline.cards.base import duration

_NAMES = {
    "id": "id",
    "turn_id": "turn",
    "message_id": "message",
    "first_entry_id": "first entry",
    "last_entry_id": "last entry",
    "prompt_id": "prompt",
    "tool_call_id": "tool call",
    "author": "author",
    "profile": "profile",
    "model": "model",
    "stop_reason": "ended by",
    "state": "state",
    "code": "code",
    "calls": "provider calls",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cached_tokens": "from the cache",
    "reasoning_tokens": "for reasoning",
    "usage": "cost",
    "first_token_ms": "first token after",
    "duration_ms": "took",
}
"""The attributes that are told, in this order, and what they are called."""

_COST = "usage"
"""What is counted by call is told as what it cost."""

_SPANS = {"first_token_ms", "duration_ms"}

_OF_THE_FOOTER = {"id", "turn", "message", "first entry", "last entry"}
"""Says where the footer stands, and nothing about the turn."""


class DetailsScreen(ModalScreen[None]):
    """Rows of name and value, of an entity and of the footer of its turn."""

    CSS_PATH = "dialogs.tcss"
    # A value that is too long for its line goes on below itself.
    DEFAULT_CSS = """
    DetailsScreen {
        Horizontal { height: auto; }
        .title { color: $text-primary; text-style: bold; }
        .name { width: 19; color: $text-secondary; }
        .value { width: 1fr; }
        .hint { color: $text-muted; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i,enter,ctrl+c", "close", show=False)]

    def __init__(self, entity: entities.Entity, summary: entities.TurnSummary | None, prices: Prices) -> None:
        super().__init__()
        self._entity = entity
        self._summary = summary
        self._prices = prices

    def compose(self) -> ComposeResult:
        """One column that scrolls."""
        with VerticalScroll(id="help"):
            yield Static(kind_of(self._entity), classes="title", markup=False)
            yield from _rows(rows_of(self._entity, self._prices))
            if self._summary is not None and self._summary is not self._entity:
                yield Static("\nIts turn", classes="title", markup=False)
                yield from _rows([row for row in rows_of(self._summary, self._prices) if row[0] not in _OF_THE_FOOTER])
            yield Static("\nEsc closes this.", classes="hint", markup=False)

    def action_close(self) -> None:
        """Back to the session."""
        self.dismiss(None)


def kind_of(entity: entities.Entity) -> str:
    """What it is, in words."""
    match entity:
        case entities.UserText():
            return "Prompt"
        case entities.AssistantText():
            return "Answer"
        case entities.ToolUse():
            return "Tool call"
        case entities.TurnSummary():
            return "Turn"
        case _:
            name = type(entity).__name__
            return name[0] + "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name[1:])


def rows_of(entity: entities.Entity, prices: Prices) -> list[tuple[str, str]]:
    """Name and value of everything that the stream says about an entity."""
    known = {field.name for field in fields(entity)}
    rows: list[tuple[str, str]] = []
    for name, title in _NAMES.items():
        if name == _COST and isinstance(entity, entities.TurnSummary) and (cost := dollars(prices.cost(entity.usage))):
            rows.append((title, cost))
        value = getattr(entity, name) if name in known else None
        if isinstance(value, (str, int)) and value != "":
            said = duration(value) if name in _SPANS and isinstance(value, int) else _said(value)
            rows.append((title, said))
    if entity.started_ms is not None:
        rows.append(("began", _moment(entity.started_ms)))
        if entity.ended_ms is not None:
            rows.append(("ended", _moment(entity.ended_ms)))
            rows.append(("took", duration(entity.ended_ms - entity.started_ms)))
    if not entity.done:
        rows.append(("state", "goes on"))
    return list(dict(rows).items())


def _said(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else clean_line(value)


def _moment(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000)) + f".{ms % 1000:03}"


def _rows(rows: list[tuple[str, str]]) -> Iterator[Horizontal]:
    for name, value in rows:
        yield Horizontal(Static(name, classes="name", markup=False), Static(value, classes="value", markup=False))
