"""What is open and what is folded in a conversation: one part, or all of a kind."""

from __future__ import annotations

import os
from itertools import chain

from bus.entities import (
    CodeInterpreter,
    CompactedTurns,
    Entity,
    FileSearch,
    GeneratedImage,
    McpCall,
    Thinking,
    ToolUse,
    UnknownEvent,
    WebSearch,
)
from tui.markdown.text import Toggle
from tui.timeline.blocks import Words
from tui.timeline.cards.provider import FOLDED
from tui.timeline.cards.talk import SUMMARY, THINKING, THINKING_LINES, is_short
from tui.timeline.feed import Feed
from tui.timeline.pictures import Pictures, way_for
from tui.timeline.section import Section

TOOL = "tool"
"""The part that holds a tool's arguments and more of its result."""

TOOL_ENTITIES = (ToolUse, CodeInterpreter, McpCall, WebSearch, FileSearch)

_HEAD, _LINES, _FULL = frozenset[str](), frozenset({THINKING_LINES}), frozenset({THINKING})


class FoldingView(Feed, can_focus=True):
    """A timeline whose cards can be opened and closed. Thinking has three states: a line, first lines, all of it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._open_everywhere: frozenset[str] = frozenset()
        self._touched: dict[int, Section] = {}
        """Sections in which somebody opened or closed something."""

    def opened_parts(self, section: Section) -> frozenset[str]:
        """The open parts of a card: what is open everywhere, but for what was toggled here."""
        return self._open_everywhere ^ section.toggled

    def reset(self) -> None:
        """Forget everything that was shown."""
        self._touched.clear()
        super().reset()

    # -- one ---------------------------------------------------------------------------------------------------

    def action_toggle_part(self, serial: int, part: str) -> None:
        """Open or close a part of the section with this serial number (`part` in hexadecimal)."""
        for index, section in enumerate(self.document.sections):
            if section.serial == serial:
                self.toggle(index, bytes.fromhex(part).decode())
                return

    def toggle(self, index: int, part: str) -> None:
        """Open or close a part of a section; thinking goes to its next state."""
        section = self.document.sections[index]
        if part == THINKING and isinstance(section.entity, Thinking):
            self.open_only(index, self.opened_parts(section) ^ _step(section.entity, self.opened_parts(section)))
        else:
            self.open_only(index, self.opened_parts(section) ^ {part})
        self.follow_if_at_end()

    def open_only(self, index: int, parts: frozenset[str]) -> None:
        """Let exactly these parts of a section be open; what stands on the screen stays."""
        section = self.document.sections[index]
        section.toggled = self._open_everywhere ^ parts
        self._touched[section.serial] = section
        self.keep_place()
        self.document.update(index)
        self.sync()

    def part_at(self, section: int, block: int) -> str | None:
        """What Enter toggles at a block: what a click on it would, else the card's main part."""
        for line in self.document.lines(section, block):
            for run in line.runs:
                if isinstance(run.action, Toggle):
                    return run.action.part
        return main_part(self.document.sections[section].entity)

    def clipped_parts(self, index: int) -> frozenset[str]:
        """The parts of a card that "more lines" stands for."""
        parts: set[str] = set()
        for block, each in enumerate(self.document.sections[index].blocks):
            if isinstance(each, Words):
                runs = chain.from_iterable(line.runs for line in self.document.lines(index, block))
                parts.update(run.action.part for run in runs if isinstance(run.action, Toggle))
        return frozenset(part for part in parts if ":" in part)

    # -- all ---------------------------------------------------------------------------------------------------

    def action_toggle_thinking(self) -> None:
        """All thinking to the next state: a line, first lines, everything."""
        order = (_HEAD, _LINES, _FULL)
        now = self._open_everywhere & {THINKING, THINKING_LINES}
        following = order[(order.index(now) + 1) % len(order)] if now in order else _HEAD
        self._open_all(now ^ following, (Thinking,))

    def action_toggle_tools(self) -> None:
        """Open or close the output of all tools."""
        self._open_all(frozenset({TOOL}), TOOL_ENTITIES)

    def action_toggle_everything(self) -> None:
        """Close everything if anything is open everywhere, else open everything."""
        wanted = frozenset[str]() if self._open_everywhere else frozenset({THINKING, TOOL, SUMMARY})
        self._open_all(self._open_everywhere ^ wanted, (Thinking, UnknownEvent, CompactedTurns, *TOOL_ENTITIES))

    def _open_all(self, changed: frozenset[str], kinds: tuple[type[Entity], ...]) -> None:
        self._open_everywhere ^= changed
        for serial, section in list(self._touched.items()):
            if isinstance(section.entity, kinds):
                section.toggled = frozenset()
                del self._touched[serial]
        self.outdate(kinds)

    def outdate(self, kinds: tuple[type[Entity], ...]) -> None:
        """Cards of these kinds look otherwise now."""
        self.document.outdate(kinds)
        if self.following:
            self.follow()
        else:
            self.sync()

    # -- pictures ----------------------------------------------------------------------------------------------

    def show_pictures(self, setting: str) -> None:
        """Show pictures from now on: `setting` is auto, blocks or off."""
        self.pictures = Pictures(self, way_for(setting, os.environ, self.app.console.color_system))
        self.outdate((GeneratedImage,))


def main_part(entity: Entity) -> str | None:
    """What opens the card of an entity, if it opens."""
    match entity:
        case GeneratedImage():
            return FOLDED
        case Thinking():
            return THINKING
        case CompactedTurns():
            return SUMMARY
        case ToolUse() | CodeInterpreter() | McpCall() | WebSearch() | FileSearch() | UnknownEvent():
            return TOOL
        case _:
            return None


def _step(entity: Thinking, opened: frozenset[str]) -> frozenset[str]:
    """The parts to toggle for the next state of this thinking. Where it is short, its first lines are all of it."""
    now = opened & {THINKING, THINKING_LINES}
    if not entity.done:
        return _FULL
    if now:
        return now if THINKING in now or is_short(entity) else now ^ _FULL
    return _LINES
