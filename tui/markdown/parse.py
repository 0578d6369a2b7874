"""Markdown source to units: blocks, each with the place in the source from where it can be parsed alone.

Top-level blocks are units. A list is a unit per item, a long table, a long paragraph and a long fence are several,
so that something that never ends never has to be parsed from its beginning again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.clean import clean_line
from tui.markdown import inline
from tui.markdown.blocks import Block, Heading, Item, Paragraph, Quote, Rule, Table
from tui.markdown.code import code_blocks, language_of
from tui.markdown.paragraph import Cut, cuts
from tui.markdown.table import Align, Row, Shape, natural_widths
from tui.markdown.text import Run

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

SHAPING_ROWS = 12
"""Rows of a table that say how wide its columns are."""

TABLE_ROWS = 24
"""Rows in each later part of a table."""

# Stands for the part of a paragraph that was taken away: a word, so that what follows cannot be read as another block.
_CONTINUED = "\ue000 "


class Place(NamedTuple):
    """What must be known to parse source that begins here. The default is the beginning of a document."""

    gap: int = 0
    ordinal: int | None = None
    """The number of the list item that begins here, if it continues a list."""
    table: tuple[str, Shape] | None = None
    """The header source and the shape of the table whose rows begin here."""
    paragraph: bool = False
    """Inside a paragraph."""
    joint: str = "\n"
    """What stands between the paragraph's part that begins here and the one before: a space or nothing."""


class Unit(NamedTuple):
    """A block; `start` is a character position in the parsed source, `place` what parsing from there needs."""

    block: Block
    start: int
    place: Place | None
    """None: parsing cannot begin here."""
    fence: bool = False
    """A fence: `start` can be trusted as soon as the opening line is whole."""


def parse(source: str, place: Place, references: dict[str, Any]) -> list[Unit] | None:
    """The units of `source`; link definitions found in it are added to `references`.

    None: the source does not continue `place` (what looked like a paragraph was a heading).
    """
    prefix = _CONTINUED if place.paragraph else place.table[0] if place.table else ""
    root = _tree(prefix + source, references)
    if place.paragraph and (not root.children or root.children[0].type != "paragraph"):
        return None
    return list(_Reader(prefix, source, place, references).units(root))


def _tree(source: str, references: dict[str, Any]) -> SyntaxTreeNode:
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(_parser().parse(source, {"references": references}))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Markdown is not needed before there is an answer to show.
    from linkify_it import LinkifyIt
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    parser = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "strikethrough", "linkify"])
    # Only addresses with a scheme: "app.py" is a file, not a host in Paraguay.
    options = {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False}
    parser.linkify = LinkifyIt(options=options)
    parser.use(footnote_plugin, inline=False, move_to_end=False, always_match_refs=True)
    parser.inline.ruler.before("escape", "math", inline.math)
    parser.inline.ruler.before("autolink", "line_break", inline.line_break)
    return parser


class _Reader:
    """Turns the syntax tree of one source into units."""

    def __init__(self, prefix: str, source: str, place: Place, references: dict[str, Any]) -> None:
        self._place = place
        self._references = references
        self._source = source
        text = prefix + source
        self._lines = text.split("\n")
        # Starts of lines in the source; those in the prefix are below zero.
        self._starts = [-len(prefix), *(end - len(prefix) for end in accumulate(len(line) + 1 for line in self._lines))]

    def units(self, root: SyntaxTreeNode) -> Iterator[Unit]:
        """The units of the document, in order."""
        for number, node in enumerate(root.children):
            start = max(self._starts[_first_line(node)], 0)
            place = self._place if number == 0 else Place(gap=1)
            match node.type:
                case "bullet_list" | "ordered_list":
                    yield from self._items(node, place)
                case "table":
                    yield from self._table_parts(node, place)
                case "paragraph":
                    yield from self._paragraph_parts(node, start, place)
                case "fence" | "code_block":
                    blocks = code_blocks(_code_lines(node), language_of(node.info), place.gap)
                    yield Unit(blocks[0], start, place, fence=node.type == "fence")
                    yield from (Unit(block, start, None) for block in blocks[1:])
                case _:
                    block = self._block(node, place.gap)
                    if block is not None:
                        yield Unit(block, start, place)

    def _items(self, node: SyntaxTreeNode, place: Place) -> Iterator[Unit]:
        ordered = node.type == "ordered_list"
        ordinal = place.ordinal if place.ordinal is not None else int(node.attrs.get("start", 1))
        for number, item in enumerate(node.children):
            line = _first_line(item)
            gap = place.gap if number == 0 else self._blank_before(line)
            here = Place(gap, ordinal + number)
            yield Unit(self._item(item, ordered, ordinal + number, gap), max(self._starts[line], 0), here)

    def _table_parts(self, node: SyntaxTreeNode, place: Place) -> Iterator[Unit]:
        head = _row(node.children[0].children[0])
        bodies = [row for body in node.children[1:] for row in body.children]
        rows = [_row(body) for body in bodies]
        line = _first_line(node)
        start = max(self._starts[line], 0)
        if place.table is not None and start == 0 and self._starts[line] < 0:
            header, shape = place.table
            first = 0
        else:
            header = "\n".join(self._lines[line : line + 2]) + "\n"
            shape = Shape(_aligns(node), natural_widths([head, *rows[:SHAPING_ROWS]], len(head)))
            first = SHAPING_ROWS
            yield Unit(Table(place.gap, shape, head, tuple(rows[:first])), start, place)
        for number in range(first, len(rows), TABLE_ROWS):
            block = Table(0, shape, None, tuple(rows[number : number + TABLE_ROWS]))
            at = self._starts[_first_line(bodies[number])]
            yield Unit(block, at, Place(table=(header, shape)))

    def _paragraph_parts(self, node: SyntaxTreeNode, start: int, place: Place) -> Iterator[Unit]:
        first, last = node.map or (0, 0)
        source = self._source[start : self._starts[last]].rstrip("\n")
        continued = place.paragraph and first == 0
        found = cuts(source)
        if not found and not continued:
            yield Unit(Paragraph(place.gap, _inline_runs(node)), start, place)
            return
        begin, gap = 0, place.gap
        for cut in [*found, Cut(len(source), len(source))]:
            runs = self._part_runs(source[begin : cut.end], continued)
            yield Unit(Paragraph(gap, runs, place.joint), start + begin, place)
            place = Place(paragraph=True, joint=source[cut.end : cut.begin] and " ")
            begin, gap, continued = cut.begin, 0, True

    def _part_runs(self, part: str, continued: bool) -> tuple[Run, ...]:
        """The runs of a piece of a paragraph, which is read as if nothing stood around it."""
        prefix = _CONTINUED if continued else ""
        return _without(_inline_runs(_tree(prefix + part, self._references).children[0]), len(prefix))

    def _blocks(self, nodes: Sequence[SyntaxTreeNode]) -> tuple[Block, ...]:
        """Blocks inside of an item or a quote; they have a gap where the source has a blank line."""
        blocks: list[Block] = []
        for node in nodes:
            gap = self._blank_before(_first_line(node)) if blocks else 0
            match node.type:
                case "bullet_list" | "ordered_list":
                    ordered = node.type == "ordered_list"
                    ordinal = int(node.attrs.get("start", 1))
                    for number, item in enumerate(node.children):
                        own_gap = self._blank_before(_first_line(item)) if number else gap
                        blocks.append(self._item(item, ordered, ordinal + number, own_gap))
                case "fence" | "code_block":
                    blocks += code_blocks(_code_lines(node), language_of(node.info), gap)
                case "table":
                    head = _row(node.children[0].children[0])
                    rows = [_row(row) for body in node.children[1:] for row in body.children]
                    shape = Shape(_aligns(node), natural_widths([head, *rows[:SHAPING_ROWS]], len(head)))
                    blocks.append(Table(gap, shape, head, tuple(rows)))
                case _:
                    block = self._block(node, gap)
                    if block is not None:
                        blocks.append(block)
        return tuple(blocks)

    def _block(self, node: SyntaxTreeNode, gap: int) -> Block | None:
        match node.type:
            case "paragraph":
                return Paragraph(gap, _inline_runs(node))
            case "heading":
                return Heading(gap, int(node.tag[1]), _inline_runs(node))
            case "hr":
                return Rule(gap)
            case "blockquote":
                return Quote(gap, self._blocks(node.children))
            case "footnote_reference":
                label = f"[{clean_line(str(node.meta.get('label', '')))}]"
                return Item(gap, f"{label} ", "note", f"[^{label[1:]}: ", self._blocks(node.children))
            case _:
                return None

    def _item(self, node: SyntaxTreeNode, ordered: bool, ordinal: int, gap: int) -> Item:
        children = self._blocks(node.children)
        marker, style, lead = (f"{ordinal}. ", "marker", f"{ordinal}. ") if ordered else ("• ", "marker", "- ")
        if children and isinstance(children[0], Paragraph):
            done = _task(children[0].runs)
            if done is not None:
                marker, style = ("☑ ", "task-done") if done else ("☐ ", "task-open")
                lead += "[x] " if done else "[ ] "
                children = (Paragraph(children[0].gap, _without(children[0].runs, 4)), *children[1:])
        return Item(gap, marker, style, lead, children)

    def _blank_before(self, line: int) -> int:
        return int(line > 0 and not self._lines[line - 1].strip(" \t>"))


def _first_line(node: SyntaxTreeNode) -> int:
    return node.map[0] if node.map else 0


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


def _task(runs: Sequence[Run]) -> bool | None:
    """Whether a list item begins as a task (and is done), or None."""
    text = runs[0].text[:4] if runs and not runs[0].style else ""
    return {"[ ] ": False, "[x] ": True, "[X] ": True}.get(text)


def _code_lines(node: SyntaxTreeNode) -> list[str]:
    lines = node.content.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _row(node: SyntaxTreeNode) -> Row:
    return tuple(_inline_runs(cell) for cell in node.children)


def _aligns(node: SyntaxTreeNode) -> tuple[Align, ...]:
    aligns: list[Align] = []
    for cell in node.children[0].children[0].children:
        style = str(cell.attrs.get("style", ""))
        aligns.append("right" if "right" in style else "center" if "center" in style else "left")
    return tuple(aligns)
