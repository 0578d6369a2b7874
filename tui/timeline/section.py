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

SLICE = 4096
"""Characters that are parsed in one go (some 10 ms): a long text comes to the screen in several frames."""

# Most sections are far away: they share what nobody changes.
_UNTOUCHED = frozenset[str]()


class _Content:
    """What a section is made of. Not `built`: nothing yet."""

    __slots__ = ("blocks", "body_at", "built", "card", "checksum", "fed", "gap", "heights", "measured", "stream")

    def __init__(self) -> None:
        self.built = False
        self.blocks: list[Block] = []
        self.heights = Heights()
        self.measured: list[bool] = []
        self.card = _NO_CARD
        self.body_at = 0
        self.drop_body()

    def drop_body(self) -> None:
        """Let go of the Markdown."""
        self.stream: MarkdownStream | None = None
        self.gap = 0
        self.fed = 0
        self.checksum = 0


_NOTHING = _Content()


class Section:
    """The blocks of an entity, made when they are first needed and forgotten when they are far away.

    `heights` has a row count for each block, gap included: an estimate until `measured` says that it was drawn.
    `serial` never changes; `toggled` are the parts that a person opened or closed here.
    """

    __slots__ = ("_content", "entity", "serial", "toggled", "width")

    def __init__(self, entity: Entity, serial: int) -> None:
        self.entity = entity
        self.serial = serial
        self.toggled = _UNTOUCHED
        self.width = 0
        self._content = _NOTHING

    def forget(self) -> None:
        """Let go of the blocks."""
        self._content = _NOTHING

    @property
    def built(self) -> bool:
        """Whether there are blocks."""
        return self._content.built

    @property
    def blocks(self) -> list[Block]:
        """The blocks; none if it is not built."""
        return self._content.blocks

    @property
    def heights(self) -> Heights:
        """Rows of each block."""
        return self._content.heights

    @property
    def measured(self) -> list[bool]:
        """For each block, whether it was drawn."""
        return self._content.measured

    @property
    def is_behind(self) -> bool:
        """True if a part of a long text is not parsed yet: `build` again."""
        if not self.built:
            return len(_text(self.entity)) > SLICE
        content = self._content
        return content.stream is not None and content.fed < len(_text(self.entity))

    @property
    def is_due(self) -> bool:
        """True if there is more to do for `build`: text to parse, or labels that were defined after they were used."""
        stream = self._content.stream
        return self.is_behind or (stream is not None and stream.is_behind)

    def rows(self) -> int:
        """How many rows there are, as far as is known; what is not parsed yet is estimated."""
        return max(self.heights.total, self.estimate(self.width)) if self.is_behind else self.heights.total

    @property
    def parsed(self) -> int:
        """Markdown blocks made so far: a measure of cost."""
        return self._content.stream.parsed if self._content.stream else 0

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
            self._content = _Content()
        content = self._content
        if self.width != width:
            self.width = width
            content.heights = Heights(block.gap + block.estimate(width) for block in content.blocks)
            self.unmeasure()
        before, drawn = content.card, card(self.entity, look)
        content.card = drawn
        if not content.built or len(before.head) != len(drawn.head) or before.body != drawn.body:
            content.body_at = len(drawn.head)
            content.drop_body()
        content.built = True
        self._put(0, drawn.head)
        changed = self._feed(look.gap, grew=grew) if drawn.body else 0
        body = content.stream.blocks[changed:] if content.stream else []
        self._put(content.body_at + changed, [*(self._beside(block) for block in body), *drawn.foot])
        self._drop(content.body_at + changed + len(body) + len(drawn.foot))

    def measure(self, index: int, rows: int) -> None:
        """Say how many rows the block at `index` really has, gap included."""
        self.heights.set(index, rows)
        self.measured[index] = True

    def unmeasure(self) -> None:
        """Blocks take other numbers of rows now: what was measured is an estimate again."""
        self._content.measured = [False] * len(self.blocks)

    def _feed(self, gap: int, *, grew: bool) -> int:
        """Give a slice of new text to the Markdown stream; return the first of its blocks that changed."""
        text, content = _text(self.entity), self._content
        # Below a head the first block stands close.
        gap = 0 if content.body_at else gap
        is_other = content.gap != gap or (not grew and content.checksum != _checksum(text[: content.fed]))
        if content.stream is None or is_other:
            content.drop_body()
            content.gap = gap
            content.stream = MarkdownStream(gap=gap)
            if content.card.fence is not None:
                content.stream.append(f"{_FENCE}{content.card.fence}\n")
        stream = content.stream
        # At least as much as is parsed again with it: something huge without an end costs twice its length, no more.
        delta = text[content.fed : content.fed + max(SLICE, stream.open_length)]
        first = 0 if content.fed == 0 else min(len(stream.blocks), stream.catch_up())
        if delta:
            content.fed += len(delta)
            content.checksum = _checksum(delta, content.checksum)
            first = min(first, stream.append(clean(delta)))
        return first

    def _beside(self, block: Block) -> Block:
        drawn = self._content.card
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
