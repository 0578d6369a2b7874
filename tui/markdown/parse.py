"""Markdown source to units: blocks, each with the place in the source from where it can be parsed alone.

A place says what must be known of the source before it: the containers that are open, the table, the code or the
paragraph that goes on. So little is known that a few words of source bring it about: they are put before the source
that is parsed, and what the parser makes of them is left out.
"""

from __future__ import annotations

from collections import ChainMap
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.markdown import inline
from tui.markdown.blocks import Block
from tui.markdown.nesting import Layer
from tui.markdown.table import Shape
from tui.markdown.texts import Runs, Texts
from tui.markdown.tree import Node, tree

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

References = ChainMap[str, Any]
"""Link definitions by label: those of the source that is parsed, and those that stand before it."""

LISTS = ("bullet_list", "ordered_list")

# Stands for the part of a paragraph that was taken away: a character that means nothing.
CONTINUED = "\ue000"

_RULES = {"left": "---", "center": ":-:", "right": "--:"}


class Place(NamedTuple):
    """What must be known to parse source that begins here. The default is the beginning of a document."""

    gap: int = 0
    inside: tuple[Layer, ...] = ()
    """The containers that are open, outermost first."""
    ordinal: int | None = None
    """The number of the list item that begins here, if it continues a list."""
    table: Shape | None = None
    """The shape of the table whose rows begin here."""
    code: str | None = None
    """The line that opened the code whose rows begin here."""
    joint: str | None = None
    """Inside a text: what stands between the part that begins here and the one before, a space or nothing."""
    heading: int = 0
    """The level of the heading that the text stands in; one that is underlined may be a paragraph yet."""

    @property
    def goes_on(self) -> bool:
        """True inside of a block."""
        return self.table is not None or self.code is not None or self.joint is not None

    @property
    def prefix(self) -> str:
        """Source that brings this place about; in each container something stands before what goes on."""
        if not self.inside and not self.goes_on:
            return ""
        # A word in each container, so that the next one opens on a line of its own, where its indent is kept.
        before, text = "", "x\n\n"
        for layer in self.inside:
            text += f"{before}{layer.opening}x\n"
            before += layer.later
            text += f"{before.rstrip()}\n"
        if self.joint is not None:
            return text + before + ("#" * self.heading + " " if self.heading else "") + CONTINUED
        if self.code is not None:
            return f"{text}{before}{self.code}\n"
        if self.table is not None:
            head, rule = "|x" * len(self.table.aligns), "|".join(_RULES[align] for align in self.table.aligns)
            return f"{text}{before}{head}|\n{before}|{rule}|\n"
        return text


class Unit(NamedTuple):
    """A block; `start` is a character position in the parsed source, `place` what parsing from there needs."""

    block: Block
    start: int
    place: Place | None
    """None: parsing cannot begin here."""
    lines: int = 2
    """Whole lines from `start` on that make sure that a block begins here."""


class Parsed(NamedTuple):
    """What parsing gives; `heading` is the level of the heading that the source begins inside of."""

    units: list[Unit]
    heading: int = 0


def parse(source: str, place: Place, references: References, texts: Texts | None = None) -> Parsed | None:
    """The units of `source`; link definitions found in it are added to `references`.

    None: the source does not continue `place` (what looked like a paragraph was a table).
    """
    # It needs what is above.
    from tui.markdown.reader import Reader

    environment = {"references": references}
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(place.prefix + source, parser, environment, tokens)
    nodes = tree(tokens)
    text = _text_inside(nodes, len(place.inside)) if place.joint is not None else None
    if place.joint is not None and text is None:
        return None
    # Definitions that stand before the source do not change.
    texts = texts or Texts()
    texts.begin([(label, found["href"], found["title"]) for label, found in references.maps[0].items()])

    def inlines(content: str) -> list[Token]:
        return parser.parseInline(content, environment)[0].children or []

    def read(content: str) -> Runs:
        return texts.runs(content, inlines)

    units = list(Reader(source, place, read).units(nodes))
    return Parsed(units, int(text.token.tag[1]) if text is not None and text.type == "heading" else 0)


def _text_inside(nodes: list[Node], depth: int) -> Node | None:
    """The paragraph or heading that goes on where the prefix ends, in so many containers."""
    for _ in range(depth):
        node = nodes[1]
        nodes = node.children[0].children if node.type in LISTS else node.children
    return nodes[1] if len(nodes) > 1 and nodes[1].type in ("paragraph", "heading") else None


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Markdown is not needed before there is an answer to show.
    from linkify_it import LinkifyIt
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    from tui.markdown.formula import formula
    from tui.markdown.rows import table

    parser = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "strikethrough", "linkify"])
    # Only addresses with a scheme: "app.py" is a file, not a host in Paraguay.
    options = {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False}
    parser.linkify = LinkifyIt(options=options)
    parser.use(footnote_plugin, inline=False, move_to_end=False, always_match_refs=True)
    parser.block.ruler.before("fence", "formula", formula, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.at("table", table, {"alt": ["paragraph", "reference"]})
    parser.inline.ruler.before("escape", "math", inline.math)
    parser.inline.ruler.before("autolink", "line_break", inline.line_break)
    parser.inline.ruler.before("link", "bracket", inline.bracket)
    return parser
