"""A timeline as text that grows at its end: what `riffle tail` and `riffle run` print.

Text that streams is written as it comes; everything else is written once, when it is complete. Answers and all the
rest can go to different places, so that the stdout of `riffle run` holds the answer and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TextIO

from bus.entities import (
    Appended,
    AssistantText,
    Change,
    Entity,
    Failure,
    GapMarker,
    Interruption,
    ModeSwitch,
    Notice,
    Removed,
    TextBuffer,
    Thinking,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    UserText,
)
from tui.cli.printing import Style, tidy
from tui.cli.wording import describe, tool_call, tool_result

AT_ONCE = (UserText, Notice, ModeSwitch, Failure, Interruption, UnknownEvent, GapMarker)
"""Complete from the start. Text streams; all the others are printed when they are done."""

NOTE = ""
"""In the place of an entity's id: what is no part of the timeline. It may stand in the middle of an answer."""


class Transcript:
    """Collects what there is to print of a timeline's changes; `flush` writes it. `PlainText` says it in other words.

    `answers` gets the answers. `aside` gets all the rest: the same place, another one, or None for nowhere. Where it
    is another place, prompts and the end of a turn are left out: whoever asked says that in a way of their own. With
    `only_notes` it gets no more than what keeps the answer waiting or cuts it short.
    """

    answer_label = ""

    def __init__(
        self,
        answers: TextIO,
        aside: TextIO | None,
        *,
        full: bool = False,
        metadata: bool = False,
        only_notes: bool = False,
    ) -> None:
        self._answers = answers
        self._aside = aside
        self._only_notes = only_notes
        self._full = full
        self._metadata = metadata
        self._pieces: list[tuple[TextIO, str]] = []
        self._open: dict[object, TextIO] = {}
        """Sheets whose last line has no end yet, and who left it so."""
        self._used: set[object] = set()
        self._current: str | None = None
        """The entity that was written last."""
        self._answer: AssistantText | None = None
        self._written: dict[str, TextBuffer] = {}
        """What is written of each streaming text."""
        self._said: set[str] = set()
        self._waiting: dict[str, Entity] = {}

    def show(self, changes: Iterable[Change]) -> None:
        """Take in what changed."""
        for change in changes:
            entity = change.entity
            match change:
                case Removed():
                    self._waiting.pop(entity.id, None)
                case Appended(delta=delta) if isinstance(entity, AssistantText | Thinking):
                    self._grow(entity, delta)
                case _:
                    self._show_entity(entity)

    def finish(self) -> None:
        """Nothing more will come: take in what never became complete, and end the last line."""
        for entity in list(self._waiting.values()):
            self._show_whole(entity)
        for place in list(self._open.values()):
            self._write(place, "\n")

    def flush(self) -> None:
        """Write what was collected. Blocks while its readers are slow."""
        pieces, self._pieces = self._pieces, []
        for place, group in groupby(pieces, key=itemgetter(0)):
            for _, text in group:
                place.write(text)
            # Before the next place is written to: both may be the same terminal.
            place.flush()

    def end_line(self, place: TextIO) -> None:
        """End the line that is open where `place` writes: something else follows there."""
        if opened := self._open.get(_sheet(place)):
            self._write(opened, "\n")
        self.flush()

    def _show_entity(self, entity: Entity) -> None:
        match entity:
            case AssistantText() | Thinking():
                self._grow(entity, None)
            case ToolUse():
                self._show_tool(entity)
            case TurnSummary() if not self._metadata:
                pass
            case _ if entity.done or isinstance(entity, AT_ONCE):
                self._show_whole(entity)
            case _:
                self._waiting[entity.id] = entity

    def _grow(self, entity: AssistantText | Thinking, delta: str | None) -> None:
        """Write what is new of a streaming text: `delta` if that fits onto what is written, else by comparing."""
        written = self._written.setdefault(entity.id, TextBuffer())
        if delta is None or len(written) + len(delta) != len(entity.text):
            whole = str(entity.text)
            if not whole.startswith(str(written)):
                # What is written cannot be taken back: the text that replaces it follows below.
                written.replace("")
                self._say_between("The text above was not right; it should say:")
            delta = whole[len(written) :]
        if not delta:
            return
        if len(written) and entity.done and self._current not in (entity.id, NOTE):
            self._say_between("This was missing above:")
        written.append(delta)
        if isinstance(entity, AssistantText):
            self._begin_answer(entity)
            self._write(self._answers, delta)
        elif self._aside is not None and not self._only_notes:
            if self._current != entity.id:
                self._begin(self._aside, entity)
                self._write(self._aside, "[thinking]\n", "dim")
            self._write(self._aside, delta, "dim")

    def _say_between(self, words: str) -> None:
        """A line on what follows, where the answers and the rest are one text."""
        self._current = None
        if self._aside is self._answers:
            self._start(self._answers)
            self._write(self._answers, f"[{words}]", "dim")

    def _begin_answer(self, entity: AssistantText) -> None:
        """Segments of one message belong together, unless something else was printed between them."""
        before, self._answer = self._answer, entity
        same_message = before is not None and before.message_id == entity.message_id is not None
        if same_message and (self._aside is not self._answers or self._current == (before and before.id)):
            self._current = entity.id
        elif self._current != entity.id:
            self._begin(self._answers, entity)
            if self.answer_label:
                self._write(self._answers, self.answer_label)

    def _show_tool(self, tool: ToolUse) -> None:
        if self._aside is None or self._only_notes:
            return
        if tool.state != "writing" and self._say_once(f"call {tool.id}"):
            self._begin(self._aside, tool)
            self._write(self._aside, self.call_words(tool), "dim")
        if tool.state in ("done", "failed", "interrupted") and self._say_once(f"result {tool.id}"):
            if self._current != tool.id:
                self._begin(self._aside, tool)
            self._write(self._aside, self.result_words(tool), "red" if tool.state == "failed" else "dim")

    def _show_whole(self, entity: Entity) -> None:
        self._waiting.pop(entity.id, None)
        apart = self._aside is not self._answers
        if self._aside is None or (apart and isinstance(entity, UserText | Failure | Interruption)):
            return
        if self._only_notes and not _matters(entity):
            return
        style, text = self.words(entity)
        if text and self._say_once(entity.id):
            self._begin(self._aside, entity)
            self._write(self._aside, text, style)

    def words(self, entity: Entity) -> tuple[Style, str]:
        """How a complete entity is printed: a style, and text that ends with a newline (or nothing)."""
        return describe(entity, full=self._full)

    def call_words(self, tool: ToolUse) -> str:
        """The line of a tool call whose arguments are complete."""
        return tool_call(tool, full=self._full)

    def result_words(self, tool: ToolUse) -> str:
        """The lines of a tool call that has ended."""
        return tool_result(tool, full=self._full)

    def _say_once(self, what: str) -> bool:
        if what in self._said:
            return False
        self._said.add(what)
        return True

    def _begin(self, place: TextIO, entity: Entity) -> None:
        """End the open line, and leave a blank one before the next block."""
        self._current = entity.id
        self._start(place)

    def _start(self, place: TextIO) -> None:
        sheet = _sheet(place)
        if sheet in self._open:
            self._write(place, "\n")
        if sheet in self._used:
            self._write(place, "\n")

    def _write(self, place: TextIO, text: str, style: Style = "plain") -> None:
        self._pieces.append((place, tidy(text, place, style)))
        sheet = _sheet(place)
        self._used.add(sheet)
        if text.endswith("\n"):
            self._open.pop(sheet, None)
        else:
            self._open[sheet] = place


def _matters(entity: Entity) -> bool:
    return isinstance(entity, Notice) and (entity.kind in ("retry", "status") or entity.level in ("warn", "error"))


def _sheet(place: TextIO) -> object:
    """What is written on: stdout and stderr may both be the same terminal, or the same file."""
    if place.isatty():
        return "terminal"
    try:
        facts = os.fstat(place.fileno())
    except OSError:
        return place
    return facts.st_dev, facts.st_ino
