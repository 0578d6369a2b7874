"""Inline tokens to runs: emphasis, code, links, and what this project reads beside CommonMark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tui.clean import clean, clean_line
from tui.markdown.text import Link, Run

if TYPE_CHECKING:
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

OPENABLE = ("http", "https", "mailto")
"""Schemes that a link may have; everything else is shown and leads nowhere."""

_OPENERS = {"strong_open": "strong", "em_open": "em", "s_open": "strike"}
_CLOSERS = {"strong_close", "em_close", "s_close"}


def runs_of(tokens: Sequence[Token]) -> tuple[Run, ...]:
    """The children of an inline token as runs; hard breaks are newlines in their text."""
    runs: list[Run] = []
    styles: list[str] = []
    link: Link | None = None
    link_start = 0
    for token in tokens:
        kind = token.type
        if kind in _OPENERS:
            styles.append(_OPENERS[kind])
        elif kind in _CLOSERS:
            styles.pop()
        elif kind == "link_open":
            link, link_start = openable(clean_line(str(token.attrs.get("href", "")))), len(runs)
            styles.append("link")
        elif kind == "link_close":
            styles.pop()
            runs += _unmasked(runs[link_start:], link)
            link = None
        else:
            text, style = _leaf(token)
            if text:
                runs.append(Run(text, " ".join([*styles, style] if style else styles), link))
    return merged(runs)


def _leaf(token: Token) -> tuple[str, str]:
    """Text and own style of a token that holds no others. Decoded entities and addresses are cleaned here."""
    match token.type:
        case "softbreak":
            return " ", ""
        case "hardbreak":
            return "\n", ""
        case "code_inline":
            return clean_line(token.content), "code"
        case "image":
            return f"▣ {clean_line(token.content) or 'image'}", "link"
        case "footnote_ref":
            return f"[{clean_line(str(token.meta.get('label', '')))}]", "note"
        case "math":
            return maths(token.content, token.markup), "math"
        case _:
            return clean_line(token.content), ""


def openable(address: str) -> Link | None:
    """A link to `address`, or None if nothing may open it."""
    try:
        return Link(address) if urlsplit(address).scheme.lower() in OPENABLE else None
    except ValueError:
        return None


def _unmasked(runs: Sequence[Run], link: Link | None) -> list[Run]:
    """The true host after a link whose text poses as another address."""
    text = "".join(run.text for run in runs).strip()
    if link is None or "." not in text or " " in text:
        return []
    try:
        host = urlsplit(link.url).hostname or ""
        posed = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return []
    poses = "." in posed and host and posed.removeprefix("www.") != host.removeprefix("www.")
    return [Run(f" ({host})", "muted")] if poses else []


def merged(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The same text with as few runs as can be."""
    result: list[Run] = []
    for run in runs:
        if result and result[-1].style == run.style and result[-1].action == run.action:
            result[-1] = result[-1]._replace(text=result[-1].text + run.text)
        else:
            result.append(run)
    return tuple(result)


def line_break(state: StateInline, silent: bool) -> bool:
    """Read `<br>`, which models write in table cells, as a line break."""
    if not state.src.startswith(("<br>", "<br/>", "<br />"), state.pos):
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = state.src.index(">", state.pos) + 1
    return True


DEEPEST = 12
"""Brackets in brackets that may still be links: to find the ends of more of them takes the square of their number."""


def bracket(state: StateInline, silent: bool) -> bool:
    """Read a bracket that begins no link, and no picture, as what it is."""
    length = 2 if state.src.startswith("![", state.pos) else 1
    if state.src[state.pos + length - 1] != "[":
        return False
    if state.src.find("]", state.pos) >= 0 and _depth(state.src) <= DEEPEST:
        return False
    if not silent:
        state.append_pending("![" if length == 2 else "[")
    state.pos += length
    return True


@lru_cache(maxsize=4)
def _depth(source: str) -> int:
    depth = deepest = 0
    for character in _BRACKETS.findall(source):
        depth = depth + 1 if character == "[" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


_BRACKETS = re.compile(r"(?<!\\)[\[\]]")


def maths(content: str, delimiter: str) -> str:
    """Maths in a sentence, on one line: in Unicode if that can be, else as it was written."""
    text = _readable(content)
    if text is None:
        return clean(delimiter + content + CLOSERS[delimiter]).replace("\n", " ")
    return clean_line(text.replace("\n", "; "))


def _readable(content: str) -> str | None:
    # Its tables are not needed before there is maths to show.
    from tui.markdown.maths import readable

    return readable(content)


CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$", "$": "$"}
"""What ends maths, by what begins it."""

# A dollar that stands by a letter or a digit on the wrong side is money or a variable, and so is one beside a blank.
_DOLLARS = re.compile(r"(?<![\w$\\])\$(?![\s$])([^$\n]*[^$\s\\])\$(?![\w$])")
_FORMULA = re.compile(r"[\\^_={}<>+|/]|\A[A-Za-z0-9]{1,3}'*\Z|[A-Za-z]\(|-[A-Za-z0-9]")


def math(state: StateInline, silent: bool) -> bool:
    r"""Read `\( … \)`, `\[ … \]`, `$$ … $$` and `$…$`, whatever Markdown would make of what is in them."""
    opener = state.src[state.pos : state.pos + 2]
    if opener not in CLOSERS:
        return opener[:1] == "$" and _dollars(state, silent)
    end = state.src.find(CLOSERS[opener], state.pos + 2, state.posMax)
    if end < 0:
        return False
    _push(state, opener, state.pos + 2, end, silent)
    return True


def _dollars(state: StateInline, silent: bool) -> bool:
    match = _DOLLARS.match(state.src, state.pos, state.posMax)
    if match is None or not _FORMULA.search(match.group(1)):
        return False
    _push(state, "$", match.start(1), match.end(1), silent)
    return True


def _push(state: StateInline, delimiter: str, start: int, end: int, silent: bool) -> None:
    if not silent:
        token = state.push("math", "", 0)
        token.content, token.markup = state.src[start:end], delimiter
    state.pos = end + len(delimiter)
