"""A timeline in an app of its own, and entities to show in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.pilot import Pilot

from bus.entities import Appended, AssistantText, Change, Created, Entity, Thinking, ToolUse, Updated, UserText
from tui.output_filter import ControlFilter
from tui.timeline.document import Document
from tui.timeline.view import TimelineView

NOW_MS = 1_000_000


class TimelineApp(App[None]):
    """Nothing but a timeline, at a fixed time; keeps the messages that it posts."""

    def __init__(self) -> None:
        super().__init__()
        self.view = TimelineView()
        self.view.clock = lambda: NOW_MS
        self.links: list[str] = []
        self.retries: list[Entity] = []
        self.follows: list[tuple[bool, int]] = []
        self.chosen: list[TimelineView.BlockChosen] = []
        self.found = (0, 0, False)

    def compose(self) -> ComposeResult:
        yield self.view

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), ControlFilter()]

    def on_timeline_view_link_activated(self, message: TimelineView.LinkActivated) -> None:
        self.links.append(message.url)

    def on_timeline_view_retry_requested(self, message: TimelineView.RetryRequested) -> None:
        self.retries.append(message.entity)

    def on_timeline_view_follow_changed(self, message: TimelineView.FollowChanged) -> None:
        self.follows.append((message.following, message.new_below))

    def on_timeline_view_block_chosen(self, message: TimelineView.BlockChosen) -> None:
        self.chosen.append(message)

    def on_timeline_view_found(self, message: TimelineView.Found) -> None:
        self.found = (message.number, message.total, message.counting)


@asynccontextmanager
async def timeline(
    *entities: Entity, size: tuple[int, int] = (60, 20)
) -> AsyncGenerator[tuple[TimelineView, Pilot[None], TimelineApp]]:
    app = TimelineApp()
    async with app.run_test(size=size) as pilot:
        app.view.focus()
        show(app.view, *created(*entities))
        yield app.view, pilot, app


def show(view: TimelineView, *changes: Change) -> None:
    """Show changes without waiting for the next frame."""
    view.show(changes)
    view.flush()


def lines(view: TimelineView) -> list[str]:
    """The rows that are not empty, without the gutter."""
    return [line[2:] for line in view.plain_lines() if line.strip()]


def rows_of(document: Document) -> list[str]:
    """Every row of a document, in order, whether it was on the screen or not."""
    return [line.text for block in document.blocks_after(0, -1) for line in document.lines(*block)]


def user(id: str, text: str) -> UserText:
    return UserText(id=id, text=text, author="me@here", done=True)


def answer(id: str, text: str = "", *, done: bool = True) -> AssistantText:
    entity = AssistantText(id=id, done=done)
    entity.text.append(text)
    return entity


def thinking(id: str, text: str, *, seconds: float | None = None) -> Thinking:
    """Thinking that took `seconds`, or that still goes on since two seconds."""
    entity = Thinking(id=id, started_ms=NOW_MS - 2000, done=seconds is not None)
    if seconds is not None:
        entity.started_ms, entity.ended_ms = 0, int(seconds * 1000)
    entity.text.append(text)
    return entity


def tool(id: str, name: str, arguments: str, result: str | None = None, *, state: str = "done") -> ToolUse:
    entity = ToolUse(id=id, tool_call_id=id, name=name, result=result, started_ms=0, ended_ms=1500)
    match state:
        case "done" | "failed":
            entity.state, entity.done = state, True
        case "running":
            entity.state, entity.started_ms, entity.ended_ms = "running", NOW_MS - 4200, None
        case _:
            entity.state, entity.ended_ms = "waiting", None
    entity.input.append(arguments)
    return entity


def created(*entities: Entity) -> list[Created]:
    return [Created(entity) for entity in entities]


def appended(entity: AssistantText | Thinking, delta: str) -> Appended:
    entity.text.append(delta)
    return Appended(entity, delta)


def updated(entity: Entity) -> Updated:
    return Updated(entity)


def numbered(count: int, words: int = 12) -> str:
    """Paragraphs that say their number."""
    return "\n\n".join(f"Paragraph {number} " + "word " * words for number in range(count))
