"""The parser's flat tokens as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token


@dataclass(slots=True)
class Node:
    """A block and the blocks in it; `type` is the parser's name for it. A text stands as it is written."""

    type: str
    token: Token
    children: list[Node] = field(default_factory=list["Node"])

    @property
    def line(self) -> int:
        """The line that it begins on."""
        return self.token.map[0] if self.token.map else 0

    @property
    def content(self) -> str:
        """The source of the text in it, of a paragraph, a heading or a cell."""
        return self.children[0].token.content if self.children else ""


def tree(tokens: Sequence[Token]) -> list[Node]:
    """The outermost nodes."""
    nodes: list[Node] = []
    parents: list[list[Node]] = []
    for token in tokens:
        if token.nesting < 0:
            nodes = parents.pop()
            continue
        node = Node(token.type.removesuffix("_open"), token)
        nodes.append(node)
        if token.nesting:
            parents.append(nodes)
            nodes = node.children
    return nodes
