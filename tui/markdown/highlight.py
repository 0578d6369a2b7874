"""Lines of code to runs with the styles of their syntax."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from tui.markdown.text import Run

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_STYLES = (
    ("Comment.Preproc", "syn-keyword"),
    ("Comment", "syn-comment"),
    ("Keyword.Type", "syn-type"),
    ("Keyword.Constant", "syn-number"),
    ("Keyword", "syn-keyword"),
    ("Operator.Word", "syn-keyword"),
    ("Literal.String", "syn-string"),
    ("Literal.Number", "syn-number"),
    ("Name.Function", "syn-name"),
    ("Name.Class", "syn-type"),
    ("Name.Decorator", "syn-name"),
    ("Name.Builtin", "syn-builtin"),
    ("Name.Exception", "syn-type"),
    ("Name.Tag", "syn-keyword"),
    ("Name.Attribute", "syn-name"),
    ("Name.Constant", "syn-number"),
    ("Generic.Inserted", "syn-inserted"),
    ("Generic.Deleted", "syn-deleted"),
    ("Generic.Heading", "syn-comment"),
    ("Generic.Subheading", "syn-comment"),
)


def highlighted(lines: Sequence[str], language: str) -> list[list[Run]]:
    """The runs of each line; plain ones where the language has no name that is known."""
    rows: list[list[Run]] = [[]]
    for kind, text in _tokens(lines, language):
        style = _style(kind)
        for number, piece in enumerate(text.split("\n")):
            if number:
                rows.append([])
            if not piece:
                continue
            row = rows[-1]
            # Blanks have no colour of their own: fewer runs are drawn faster.
            if row and (row[-1].style == style or piece.isspace()):
                row[-1] = row[-1]._replace(text=row[-1].text + piece)
            else:
                row.append(Run(piece, style))
    return rows


def _tokens(lines: Sequence[str], language: str) -> list[tuple[str, str]]:
    """Token types (as dotted names) and texts, which together are exactly `lines`."""
    text = "\n".join(lines)
    lexer = _lexer(language)
    if lexer is None or not text:
        return [("Text", text)] if text else []
    # Some know a line only by its end: the last row needs one, too.
    tokens = [(_name(kind), piece) for _, kind, piece in lexer.get_tokens_unprocessed(f"{text}\n")]
    # A lexer that drops or adds characters would show other code than was written.
    if "".join(piece for _, piece in tokens) != f"{text}\n":
        return [("Text", text)]
    while not tokens[-1][1]:
        tokens.pop()
    kind, end = tokens.pop()
    return [*tokens, (kind, end[:-1])]


@lru_cache(maxsize=512)
def _name(kind: object) -> str:
    return str(kind).removeprefix("Token.")


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    if language.lower() not in _languages():
        return None
    # Pygments is not needed before there is code to show.
    from pygments import lexers

    # The stubs leave its options open.
    return lexers.get_lexer_by_name(language.lower())  # pyright: ignore[reportUnknownMemberType]


@lru_cache(maxsize=1)
def _languages() -> frozenset[str]:
    """The names that Pygments knows. To ask it for another one makes it look for plugins, which takes 60 ms."""
    from pygments.lexers import get_all_lexers

    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


@lru_cache(maxsize=256)
def _style(kind: str) -> str:
    for prefix, style in _STYLES:
        if kind.startswith(prefix):
            return f"code-block {style}"
    return "code-block"
