"""A syntax tree to units. A list is a unit per block in it; what is long is several units, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.clean import clean_line
from tui.markdown import inline
from tui.markdown.blocks import Block, Heading, Paragraph, Rule, Table
from tui.markdown.code import code_blocks, language_of
from tui.markdown.formula import Formula
from tui.markdown.nesting import QUOTE, Layer, content_of, inside, item_layer, note_layer
from tui.markdown.paragraph import Cut, cuts
from tui.markdown.parse import CONTINUED, Place, Unit, parse_inline
from tui.markdown.table import Align, Row, Shape, natural_widths
from tui.markdown.text import Run

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

SHAPING_ROWS = 12
"""Rows of a table that say how wide its columns are."""

TABLE_ROWS = 24
"""Rows in each later part of a table."""

_LISTS = ("bullet_list", "ordered_list")
_TASK = 4
"""Characters of a task's box."""


class _Spot(NamedTuple):
    """Where a node stands: in which layers, of which the last `opened` begin with it, at `line`, below `gap` rows."""

    layers: tuple[Layer, ...]
    opened: int
    line: int
    gap: int
    ordinal: int | None = None
    begins: bool = True
    """Source can be parsed from here on."""

    @property
    def going_on(self) -> tuple[Layer, ...]:
        return self.layers[: len(self.layers) - self.opened]


class Reader:
    """Reads the tree of `source` at `place`; what its prefix made is left out."""

    def __init__(self, source: str, place: Place, references: dict[str, Any]) -> None:
        self._place = place
        self._references = references
        prefix = place.prefix
        self._lines = (prefix + source).split("\n")
        # Starts of lines in the source; those in the prefix are below zero.
        self._starts = [-len(prefix), *(end - len(prefix) for end in accumulate(len(line) + 1 for line in self._lines))]

    def units(self, root: SyntaxTreeNode) -> Iterator[Unit]:
        """The units of the document, in order."""
        place = self._place
        spot = _Spot((), 0, 0, place.gap, place.ordinal)
        return self._nodes(root.children, spot, continued=bool(place.inside) or place.goes_on)

    def _nodes(self, nodes: Sequence[SyntaxTreeNode], spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        """The units of `nodes`, the first of which stands at `spot`; `continued`: the prefix made that, and began
        what the second one is.
        """
        layers, place = spot.layers, self._place
        for number, node in enumerate(nodes):
            if continued and number == 0:
                continue
            line = _first_line(node)
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
            if node.type in (*_LISTS, "blockquote", "footnote_reference"):
                yield from self._container(node, spot, continued=False)
            else:
                yield from self._leaf(node, spot, continued=False)

    # -- containers --

    def _container(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        if node.type in _LISTS:
            yield from self._items(node, spot, continued=continued)
            return
        layer = QUOTE
        if continued:
            layer = self._place.inside[len(spot.layers)]
        elif node.type == "footnote_reference":
            layer = note_layer(clean_line(str(node.meta.get("label", ""))))
        yield from self._layer(node, layer, spot, continued=continued)

    def _items(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        ordered = node.type == "ordered_list"
        ordinal = spot.ordinal if spot.opened == 0 and spot.ordinal is not None else int(node.attrs.get("start", 1))
        indent: int | None = None
        for number, item in enumerate(node.children):
            if number:
                line = _first_line(item)
                spot = _Spot(spot.layers, 0, line, self._blank_before(line))
            if number == 0 and continued:
                layer = self._place.inside[len(spot.layers)]
                ordinal, indent = layer.ordinal, _indent(layer.opening)
                yield from self._layer(item, layer, spot, continued=True)
                continue
            content = content_of(self._lines[spot.line], spot.layers, spot.opened)
            indent = _indent(content) if number == 0 else indent
            # In an uneven list it depends on the first item what the others are.
            begins = number == 0 or (indent is not None and _indent(content) == indent)
            layer = item_layer(content, ordinal + number if ordered else None, self._task(item))
            # Where containers begin together, the number that must be known is that of the outermost.
            here = spot._replace(ordinal=ordinal + number, begins=begins) if spot.opened == 0 else spot
            yield from self._layer(item, layer, here, continued=False)

    def _layer(self, node: SyntaxTreeNode, layer: Layer, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        inner = spot._replace(layers=(*spot.layers, layer), opened=0 if continued else spot.opened + 1)
        is_empty = not continued
        for unit in self._nodes(node.children, inner, continued=continued):
            is_empty = False
            yield unit
        if is_empty:
            yield self._unit(Paragraph(0, ()), inner)

    def _task(self, item: SyntaxTreeNode) -> bool | None:
        """Whether a list item begins as a task (and is done), or None."""
        first = item.children[0] if item.children else None
        if first is None or first.type != "paragraph" or first.children[0].content[:1] != "[":
            return None
        runs = _inline_runs(first)
        text = runs[0].text[:_TASK] if runs and not runs[0].style else ""
        return {"[ ] ": False, "[x] ": True, "[X] ": True}.get(text)

    # -- leaves --

    def _leaf(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        match node.type:
            case "paragraph":
                yield from self._paragraph(node, spot, continued=continued)
            case "fence" | "code_block":
                yield from self._code(node, spot, continued=continued)
            case "table":
                yield from self._table(node, spot, continued=continued)
            case "heading":
                yield self._unit(Heading(0, int(node.tag[1]), _inline_runs(node)), spot)
            case "formula":
                yield self._unit(Formula(0, node.content), spot)
            case "hr":
                yield self._unit(Rule(0), spot)
            case _:
                return

    def _paragraph(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        content = node.children[0].content
        joint = self._place.joint if continued else None
        begin = len(CONTINUED + (joint or "")) if continued else 0
        found = [Cut(cut.end + begin, cut.begin + begin) for cut in cuts(content[begin:])]
        boxed = not continued and spot.opened > 0 and spot.layers[-1].mark.style.startswith("task")
        if not found and not continued:
            runs = _inline_runs(node)
            yield self._unit(Paragraph(0, _without(runs, _TASK) if boxed else runs), spot)
            return
        start = 0 if continued else None
        for cut in [*found, Cut(len(content), len(content))]:
            runs = inline.runs_of(parse_inline(content[begin : cut.end], self._references))
            if start is None:
                yield self._unit(Paragraph(0, _without(runs, _TASK) if boxed else runs), spot)
            elif runs:
                yield self._part(Paragraph(0, runs, "\n" if joint is None else joint and " "), spot, start, joint=joint)
            joint, begin = content[cut.end : cut.begin], cut.begin
            start = self._position(node, content, cut.end)

    def _position(self, node: SyntaxTreeNode, content: str, offset: int) -> int:
        """Where in the source a character of a paragraph stands: lines end alike, whatever they begin with."""
        number = content.count("\n", 0, offset)
        begin = content.rfind("\n", 0, offset) + 1
        end = content.find("\n", begin)
        line = content[begin : len(content) if end < 0 else end].rstrip()
        at = _first_line(node) + number
        return self._starts[at] + len(self._lines[at].rstrip()) - len(line) + offset - begin

    def _code(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        rows = node.content.split("\n")
        rows = rows[:-1] if rows[-1] == "" else rows
        line = _first_line(node)
        is_fence = node.type == "fence"
        if is_fence or continued:
            line += 1
        if continued and not is_fence:
            # The row of the prefix.
            rows = rows[1:]
        blocks = code_blocks(rows, language_of(node.info), 0, continued=continued)
        opening = self._place.code if continued else self._opening(node, spot)
        for number, block in enumerate(blocks):
            if number or continued:
                yield self._part(block, spot, self._starts[line], code=opening)
            else:
                # A line with a bar in it may be the header of a table, whatever it begins with.
                lines = 1 if is_fence and "|" not in self._lines[line - 1] else 2
                yield self._unit(block, spot, lines)
            line += len(block.rows)

    def _opening(self, node: SyntaxTreeNode, spot: _Spot) -> str | None:
        """The line that opens code, without what its containers begin with."""
        if _first_line(node) != spot.line:
            return None
        content = content_of(self._lines[spot.line], spot.layers, spot.opened)
        return content if node.type == "fence" or content is None else "    x"

    def _table(self, node: SyntaxTreeNode, spot: _Spot, *, continued: bool) -> Iterator[Unit]:
        bodies = [row for body in node.children[1:] for row in body.children]
        rows = [_row(body) for body in bodies]
        shape, first = self._place.table, 0
        if not continued or shape is None:
            head, first = _row(node.children[0].children[0]), SHAPING_ROWS
            shape = Shape(_aligns(node), natural_widths([head, *rows[:SHAPING_ROWS]], len(head)))
            yield self._unit(Table(0, shape, head, tuple(rows[:first])), spot)
        for number in range(first, len(rows), TABLE_ROWS):
            block = Table(0, shape, None, tuple(rows[number : number + TABLE_ROWS]))
            yield self._part(block, spot, self._starts[_first_line(bodies[number])], table=shape, lines=2)

    # -- units --

    def _unit(self, block: Block, spot: _Spot, lines: int = 2) -> Unit:
        """A block that begins at `spot`."""
        place: Place | None = Place(spot.gap, spot.going_on, spot.ordinal)
        is_known = all(layer.opening is not None for layer in spot.going_on)
        if not is_known or not spot.begins:
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
        code: str | None = None,
        table: Shape | None = None,
        lines: int = 0,
    ) -> Unit:
        """A later part of a block."""
        place: Place | None = Place(0, spot.layers, None, table, code, joint)
        if not place.goes_on or any(layer.opening is None for layer in spot.layers):
            place = None
        return Unit(inside(block, spot.layers, 0, 0) if spot.layers else block, max(start, 0), place, lines)

    def _blank_before(self, line: int) -> int:
        return int(line > 0 and not self._lines[line - 1].strip(" \t>"))


def _first_line(node: SyntaxTreeNode) -> int:
    return node.map[0] if node.map else 0


def _indent(content: str | None) -> int | None:
    return None if content is None else len(content) - len(content.lstrip(" "))


def _inline_runs(node: SyntaxTreeNode) -> tuple[Run, ...]:
    return tuple(run for child in node.children if child.token for run in inline.runs_of(child.token.children or []))


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


def _row(node: SyntaxTreeNode) -> Row:
    return tuple(_inline_runs(cell) for cell in node.children)


def _aligns(node: SyntaxTreeNode) -> tuple[Align, ...]:
    aligns: list[Align] = []
    for cell in node.children[0].children[0].children:
        style = str(cell.attrs.get("style", ""))
        aligns.append("right" if "right" in style else "center" if "center" in style else "left")
    return tuple(aligns)
