"""Markdown source to units: blocks, each with the place in the source from where it can be parsed alone.

A place says what must be known of the source before it: the containers that are open, the table, the code or the
paragraph that goes on. So little is known that a few words of source bring it about: they are put before the source
that is parsed, and what the parser makes of them is left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.markdown import inline
from tui.markdown.blocks import Block
from tui.markdown.nesting import Layer
from tui.markdown.table import Shape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markdown_it.tree import SyntaxTreeNode

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
    """Inside a paragraph: what stands between the part that begins here and the one before, a space or nothing."""

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
            return text + before + CONTINUED
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


def parse(source: str, place: Place, references: dict[str, Any]) -> list[Unit] | None:
    """The units of `source`; link definitions found in it are added to `references`.

    None: the source does not continue `place` (what looked like a paragraph was a heading).
    """
    # It needs what is above.
    from tui.markdown.reader import Reader

    root = _tree(place.prefix + source, references)
    if place.joint is not None and not _is_paragraph(root, len(place.inside)):
        return None
    return list(Reader(source, place, references).units(root))


def parse_inline(source: str, references: dict[str, Any]) -> list[Token]:
    """The tokens of text that stands in a paragraph."""
    return _parser().parseInline(source, {"references": references})[0].children or []


def _tree(source: str, references: dict[str, Any]) -> SyntaxTreeNode:
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(_parser().parse(source, {"references": references}))


def _is_paragraph(root: SyntaxTreeNode, depth: int) -> bool:
    """True if a paragraph goes on where the prefix ends, in so many containers."""
    node = root
    for _ in range(depth):
        node = node.children[1]
        if node.type in ("bullet_list", "ordered_list"):
            node = node.children[0]
    return len(node.children) > 1 and node.children[1].type == "paragraph"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Markdown is not needed before there is an answer to show.
    from linkify_it import LinkifyIt
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    from tui.markdown.formula import formula

    parser = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "strikethrough", "linkify"])
    # Only addresses with a scheme: "app.py" is a file, not a host in Paraguay.
    options = {"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False}
    parser.linkify = LinkifyIt(options=options)
    parser.use(footnote_plugin, inline=False, move_to_end=False, always_match_refs=True)
    parser.block.ruler.before("fence", "formula", formula, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("escape", "math", inline.math)
    parser.inline.ruler.before("autolink", "line_break", inline.line_break)
    return parser
