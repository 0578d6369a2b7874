"""What Markdown and code need is loaded before the first of them comes: so it is not waited for (some 90 ms)."""

from __future__ import annotations

from tui.markdown.highlight import highlighted
from tui.markdown.stream import MarkdownStream


def warm_up() -> None:
    """Load the parser, and the lexer that is needed most; in a thread, as it is long."""
    MarkdownStream().append("A *text*.\n")
    highlighted(["a = 1"], "python")
