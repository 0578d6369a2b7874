"""A syntax tree to units. A list is a unit per block in it; what is long is several units, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from tui.clean import clean_line
from tui.markdown.blocks import Block, Heading, Paragraph, Rule, Table
from tui.markdown.code import code_blocks, language_of
from tui.markdown.formula import Formula
from tui.markdown.nesting import QUOTE, Layer, content_of, inside, item_layer, note_layer
from tui.markdown.paragraph import Cut, cuts
from tui.markdown.parse import CONTINUED, LISTS, Place, Unit
from tui.markdown.table import Align, Row, Shape, natural_widths
from tui.markdown.text import Run
from tui.markdown.texts import Runs
from tui.markdown.tree import Node

SHAPING_ROWS = 12
"""Rows of a table that say how wide its columns are."""

TABLE_ROWS = 12
"""Rows in each later part of a table."""

_TASK = 4
"""Characters of a task's box."""


class _Spot(NamedTuple):
    """Where a node stands: in which layers, of which the last `opened` begin with it, at `line`, below `gap` rows."""

    layers: tuple[Layer, ...]
    opened: int
    line: int
    gap: int
    ordinal: int | None = None

    @property
    def going_on(self) -> tuple[Layer, ...]:
        return self.layers[: len(self.layers) - self.opened]


class Reader:
    """Reads the tree of `source` at `place`; what its prefix made is left out."""

    def __init__(self, source: str, place: Place, read: Callable[[str], Runs]) -> None:
        self._place = place
        self._read = read
        prefix = place.prefix
        self._lines = (prefix + source).split("\n")
        # Starts of lines in the source; those in the prefix are below zero.
        self._starts = [-len(prefix), *(end - len(prefix) for end in accumulate(len(line) + 1 for line in self._lines))]

    def units(self, nodes: Sequence[Node]) -> Iterator[Unit]:
        """The units of the document, in order."""
        place = self._place
        spot = _Spot((), 0, 0, place.gap, place.ordinal)
        return self._nodes(nodes, spot, continued=bool(place.inside) or place.goes_on)

    def _nodes(self, nodes: Sequence[Node], spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        """The units of `nodes`, the first of which stands at `spot`; `continued`: the prefix made that, and began
        what the second one is.
        """
        layers, place = spot.layers, self._place
        for number, node in enumerate(nodes):
            if continued and number == 0:
                continue
            line = node.line
            if continued and number == 1:
                spot = _Spot(layers, 0, line, place.gap, place.ordinal)
                if len(layers) < len(place.inside):
                    yield from self._container(node, spot, continued=True)
                    continue
                if place.goes_on:
                    yield from self._leaf(node, spot, continued=True)
                    continue
            elif number:
                spot = _Spot(layers, 0, line, self._blank_before(line) if layers else 1)
            elif not spot.opened:
                spot = spot._replace(line=line)
            if node.type in (*LISTS, "blockquote", "footnote_reference"):
                yield from self._container(node, spot, continued=False)
            else:
                yield from self._leaf(node, spot, continued=False)

    # -- containers --

    def _container(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        if node.type in LISTS:
            yield from self._items(node, spot, continued=continued)
            return
        layer = QUOTE
        if continued:
            layer = self._place.inside[len(spot.layers)]
        elif node.type == "footnote_reference":
            layer = note_layer(clean_line(str(node.token.meta.get("label", ""))))
        yield from self._layer(node, layer, spot, continued=continued)

    def _items(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        ordered = node.type == "ordered_list"
        ordinal = spot.ordinal if spot.opened == 0 else None
        ordinal = int(node.token.attrs.get("start", 1)) if ordinal is None else ordinal
        for number, item in enumerate(node.children):
            if number:
                line = item.line
                spot = _Spot(spot.layers, 0, line, self._blank_before(line))
            if number == 0 and continued:
                layer = self._place.inside[len(spot.layers)]
                ordinal = layer.ordinal
                yield from self._layer(item, layer, spot, continued=True)
                continue
            content = content_of(self._lines[spot.line], spot.layers, spot.opened)
            layer = item_layer(content, ordinal + number if ordered else None, self._task(item))
            # Where containers begin together, the number that must be known is that of the outermost.
            here = spot._replace(ordinal=ordinal + number) if spot.opened == 0 else spot
            yield from self._layer(item, layer, here, continued=False)

    def _layer(self, node: Node, layer: Layer, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        inner = spot._replace(layers=(*spot.layers, layer), opened=0 if continued else spot.opened + 1)
        is_empty = not continued
        for unit in self._nodes(node.children, inner, continued=continued):
            is_empty = False
            yield unit
        if is_empty:
            yield self._unit(Paragraph(0, ()), inner)

    def _task(self, item: Node) -> bool | None:
        """Whether a list item begins as a task (and is done), or None."""
        first = item.children[0] if item.children else None
        # A heading that is underlined was a paragraph before.
        if first is None or not _is_text(first) or first.content[:1] != "[":
            return None
        runs = self._read(first.content)
        text = runs[0].text[:_TASK] if runs and not runs[0].style else ""
        return {"[ ] ": False, "[x] ": True, "[X] ": True}.get(text)

    # -- leaves --

    def _leaf(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        match node.type:
            case "paragraph" | "heading":
                yield from self._text(node, spot, continued=continued)
            case "fence" | "code_block":
                yield from self._code(node, spot, continued=continued)
            case "table":
                yield from self._table(node, spot, continued=continued)
            case "formula":
                yield self._unit(Formula(0, node.token.content), spot)
            case "hr":
                yield self._unit(Rule(0), spot)
            case _:
                return

    def _text(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        """A paragraph or a heading."""
        content = node.content
        joint = self._place.joint if continued else None
        begin = len(CONTINUED + (joint or "")) if continued else 0
        found = [Cut(cut.end + begin, cut.begin + begin) for cut in cuts(content[begin:])]
        boxed = not continued and _is_text(node) and spot.opened > 0 and spot.layers[-1].mark.style.startswith("task")
        level = 0 if node.type == "paragraph" else int(node.token.tag[1])
        start = 0 if continued else None
        for cut in [*found, Cut(len(content), len(content))]:
            runs = self._read(content[begin : cut.end])
            if start is None:
                runs = _without(runs, _TASK) if boxed else runs
                yield self._unit(Heading(0, level, runs) if level else Paragraph(0, runs), spot)
            elif runs:
                between = "\n" if joint is None else joint and " "
                block = Heading(0, level, runs, between) if level else Paragraph(0, runs, between)
                yield self._part(block, spot, start, joint=joint, heading=0 if _is_text(node) else level)
            joint, begin = content[cut.end : cut.begin], cut.begin
            start = self._position(node, content, cut.end)

    def _position(self, node: Node, content: str, offset: int) -> int:
        """Where in the source a character of a text stands: lines end alike, whatever they begin with."""
        number = content.count("\n", 0, offset)
        begin = content.rfind("\n", 0, offset) + 1
        end = content.find("\n", begin)
        line = content[begin : len(content) if end < 0 else end].rstrip()
        at = node.line + number
        written = self._lines[at].rstrip()
        if not _is_text(node):
            # Marks that close a heading.
            bare = written.rstrip("#")
            written = bare.rstrip() if bare.endswith((" ", "\t")) else written
        return self._starts[at] + len(written) - len(line) + offset - begin

    def _code(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        rows = node.token.content.split("\n")
        rows = rows[:-1] if rows[-1] == "" else rows
        line = node.line
        is_fence = node.type == "fence"
        if is_fence or continued:
            line += 1
        if continued and not is_fence:
            # The row of the prefix.
            rows = rows[1:]
        blocks = code_blocks(rows, language_of(node.token.info), 0, continued=continued)
        opening = self._place.code if continued else self._opening(node, spot)
        for number, block in enumerate(blocks):
            if number or continued:
                yield self._part(block, spot, self._starts[line], code=opening)
            else:
                # A line with a bar in it may be the header of a table, whatever it begins with.
                lines = 1 if is_fence and "|" not in self._lines[line - 1] else 2
                yield self._unit(block, spot, lines)
            line += len(block.rows)

    def _opening(self, node: Node, spot: _Spot) -> str | None:
        """The line that opens code, without what its containers begin with."""
        if node.line != spot.line:
            return None
        content = content_of(self._lines[spot.line], spot.layers, spot.opened)
        return content if node.type == "fence" or content is None else "    x"

    def _table(self, node: Node, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        bodies = [row for body in node.children[1:] for row in body.children]
        rows = [self._row(body) for body in bodies]
        shape, first = self._place.table, 0
        if not continued or shape is None:
            head, first = self._row(node.children[0].children[0]), SHAPING_ROWS
            shape = Shape(_aligns(node), natural_widths([head, *rows[:SHAPING_ROWS]], len(head)))
            yield self._unit(Table(0, shape, head, tuple(rows[:first])), spot)
        for number in range(first, len(rows), TABLE_ROWS):
            block = Table(0, shape, None, tuple(rows[number : number + TABLE_ROWS]))
            yield self._part(block, spot, self._starts[bodies[number].line], table=shape, lines=2)

    def _row(self, node: Node) -> Row:
        *cells, last = (self._read(cell.content) for cell in node.children)
        hidden = node.token.meta.get("hidden")
        return (*cells, (*last, Run(f" … {hidden:,} more characters"[not last :], "muted")) if hidden else last)

    # -- units --

    def _unit(self, block: Block, spot: _Spot, lines: int = 2) -> Unit:
        """A block that begins at `spot`."""
        place: Place | None = Place(spot.gap, spot.going_on, spot.ordinal)
        if any(layer.opening is None for layer in spot.going_on):
            place = None
        block = inside(block, spot.layers, spot.opened, spot.gap) if spot.layers else replace(block, gap=spot.gap)
        start = self._starts[spot.line]
        return Unit(block, max(start, 0), self._place if start < 0 else place, lines)

    def _part(
        self,
        block: Block,
        spot: _Spot,
        start: int,
        *,
        joint: str | None = None,
        heading: int = 0,
        code: str | None = None,
        table: Shape | None = None,
        lines: int = 0,
    ) -> Unit:
        """A later part of a block."""
        place: Place | None = Place(0, spot.layers, None, table, code, joint, heading)
        if not place.goes_on or any(layer.opening is None for layer in spot.layers):
            place = None
        return Unit(inside(block, spot.layers, 0, 0) if spot.layers else block, max(start, 0), place, lines)

    def _blank_before(self, line: int) -> int:
        return int(line > 0 and not self._lines[line - 1].strip(" \t>"))


def _is_text(node: Node) -> bool:
    return node.type == "paragraph" or (node.type == "heading" and node.token.markup in ("=", "-"))


def _without(runs: Sequence[Run], characters: int) -> tuple[Run, ...]:
    """`runs` without their first characters."""
    result = list(runs)
    while characters and result:
        first = result[0]
        if len(first.text) > characters:
            result[0] = first._replace(text=first.text[characters:])
            break
        characters -= len(first.text)
        del result[0]
    return tuple(result)


def _aligns(node: Node) -> tuple[Align, ...]:
    aligns: list[Align] = []
    for cell in node.children[0].children[0].children:
        style = str(cell.token.attrs.get("style", ""))
        aligns.append("right" if "right" in style else "center" if "center" in style else "left")
    return tuple(aligns)
