"""One entity on the screen: its card's blocks, and how many rows each takes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from bus.entities import AssistantText, CodeInterpreter, CompactedTurns, Entity, Thinking, UserText
from tui.clean import clean
from tui.markdown.blocks import MEASURE, Block
from tui.markdown.stream import MarkdownStream
from tui.timeline.blocks import Beside
from tui.timeline.cards import Card, Look, card
from tui.timeline.heights import Heights

# Longer than any fence inside, so that code ends where the entity says.
_FENCE = "~" * 64
_NO_CARD = Card()

# Shared by all sections that are not built, of which there are many: nobody changes them.
_NO_BLOCKS: list[Block] = []
_NO_HEIGHTS = Heights()
_NOT_MEASURED: list[bool] = []

SLICE = 4096
"""Characters that are parsed in one go (some 15 ms): a long text comes to the screen in several frames."""


class Section:
    """The blocks of an entity, made when they are first needed and forgotten when they are far away.

    `heights` has a row count for each block, gap included: an estimate until `measured` says that it was drawn.
    `serial` never changes; `toggled` are the parts that a person opened or closed here.
    """

    __slots__ = (
        "_body_at",
        "_card",
        "_checksum",
        "_fed",
        "_gap",
        "_stream",
        "blocks",
        "built",
        "entity",
        "heights",
        "measured",
        "serial",
        "toggled",
        "width",
    )

    def __init__(self, entity: Entity, serial: int) -> None:
        self.entity = entity
        self.serial = serial
        self.toggled: frozenset[str] = frozenset()
        self.width = 0
        self.forget()

    def forget(self) -> None:
        """Let go of the blocks."""
        self.built = False
        self.blocks = _NO_BLOCKS
        self.heights = _NO_HEIGHTS
        self.measured = _NOT_MEASURED
        self._card = _NO_CARD
        self._body_at = 0
        self._drop_body()

    @property
    def is_behind(self) -> bool:
        """True if a part of a long text is not parsed yet: `build` again."""
        if not self.built:
            return len(_text(self.entity)) > SLICE
        return self._stream is not None and self._fed < len(_text(self.entity))

    def rows(self) -> int:
        """How many rows there are, as far as is known; what is not parsed yet is estimated."""
        return max(self.heights.total, self.estimate(self.width)) if self.is_behind else self.heights.total

    @property
    def parsed(self) -> int:
        """Markdown blocks made so far: a measure of cost."""
        return self._stream.parsed if self._stream else 0

    def estimate(self, width: int) -> int:
        """About how many rows the section has, without making its blocks."""
        match self.entity:
            case AssistantText():
                # An average answer has an empty row for two full ones.
                return 2 + 3 * len(self.entity.text) // (2 * max(min(width, MEASURE), 1))
            case UserText():
                files = len(self.entity.attachments)
                return 2 + len(self.entity.text) // max(width, 1) + self.entity.text.count("\n") + files
            case _:
                return 3

    def build(self, width: int, look: Look, *, grew: bool = False) -> None:
        """Make the blocks for `width`, or bring them up to date; `grew`: text was added to the end, nothing else.

        Blocks that stay equal stay the same objects. A long text is parsed by slices, one at each call.
        """
        if not self.built:
            self.blocks, self.heights, self.measured = [], Heights(), []
        if self.width != width:
            self.width = width
            self.heights = Heights(block.gap + block.estimate(width) for block in self.blocks)
            self.measured = [False] * len(self.blocks)
        before, self._card = self._card, card(self.entity, look)
        drawn = self._card
        if not self.built or len(before.head) != len(drawn.head) or before.body != drawn.body:
            self._body_at = len(drawn.head)
            self._drop_body()
        self.built = True
        self._put(0, drawn.head)
        changed = self._feed(look.gap, grew=grew) if drawn.body else 0
        body = self._stream.blocks[changed:] if self._stream else []
        self._put(self._body_at + changed, [*(self._beside(block) for block in body), *drawn.foot])
        self._drop(self._body_at + changed + len(body) + len(drawn.foot))

    def measure(self, index: int, rows: int) -> None:
        """Say how many rows the block at `index` really has, gap included."""
        self.heights.set(index, rows)
        self.measured[index] = True

    def unmeasure(self) -> None:
        """Blocks take other numbers of rows now: what was measured is an estimate again."""
        self.measured = [False] * len(self.blocks)

    def _drop_body(self) -> None:
        self._stream: MarkdownStream | None = None
        self._gap = 0
        self._fed = 0
        self._checksum = 0

    def _feed(self, gap: int, *, grew: bool) -> int:
        """Give a slice of new text to the Markdown stream; return the first of its blocks that changed."""
        text = _text(self.entity)
        # Below a head the first block stands close.
        gap = 0 if self._body_at else gap
        is_other = self._gap != gap or (not grew and self._checksum != _checksum(text[: self._fed]))
        if self._stream is None or is_other:
            self._drop_body()
            self._gap = gap
            self._stream = MarkdownStream(gap=gap)
            if self._card.fence is not None:
                self._stream.append(f"{_FENCE}{self._card.fence}\n")
        # At least as much as is parsed again with it: something huge without an end costs twice its length, no more.
        delta = text[self._fed : self._fed + max(SLICE, self._stream.open_length)]
        first = 0 if self._fed == 0 else len(self._stream.blocks)
        if delta:
            self._fed += len(delta)
            self._checksum = _checksum(delta, self._checksum)
            first = min(first, self._stream.append(clean(delta)))
        return first

    def _beside(self, block: Block) -> Block:
        drawn = self._card
        return Beside(block.gap, block, drawn.before, drawn.style) if drawn.before or drawn.style else block

    def _put(self, start: int, blocks: Sequence[Block]) -> None:
        """Put `blocks` at `start`; equal ones that stand there stay."""
        for index, block in enumerate(blocks, start):
            if index == len(self.blocks):
                self.blocks.append(block)
                self.measured.append(False)
                self.heights.append(block.gap + block.estimate(self.width))
            elif self.blocks[index] != block:
                self.blocks[index] = block
                self.measured[index] = False
                self.heights.set(index, block.gap + block.estimate(self.width))

    def _drop(self, end: int) -> None:
        if end < len(self.blocks):
            del self.blocks[end:], self.measured[end:]
            self.heights.truncate(end)


def _text(entity: Entity) -> str:
    match entity:
        case AssistantText() | Thinking() | CompactedTurns():
            return str(entity.text)
        case CodeInterpreter():
            return str(entity.code)
        case _:
            return ""


def _checksum(text: str, start: int = 0) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"), start)
