"""LaTeX maths as one or more lines of Unicode, or not at all: what is not understood stays as it is written.

The libraries for this drop what they do not know and the groups that they do (`\\frac{a+b}{2}` becomes `a+b/2`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tui.markdown.symbols import (
    ACCENTS,
    ALPHABETS,
    BRACKETS,
    CHARACTERS,
    FUNCTIONS,
    LINES,
    PLAIN,
    SILENT,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    SYMBOLS,
)

LONGEST = 2000
"""Characters of a formula that is worth the work."""

_TOKEN = re.compile(r"\\([A-Za-z]+)\s*|\\(.)|(\s+)|(.)", re.DOTALL)
_TEXT = re.compile(r"\{([^{}\\$]*)\}")
_ENVIRONMENT = re.compile(r"\{([A-Za-z]+)\*?\}")
_ATOM = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)?|.|\([^()]*\)", re.DOTALL)
# With what stands at it, which is seldom read as belonging to something else.
_POWER = re.compile(r"(?:[A-Za-z]+|\d+|.)[⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙₘ′]+")


class _Unknown(Exception):
    """Something that cannot be said in Unicode."""


@lru_cache(maxsize=512)
def readable(source: str) -> str | None:
    """`source`, without its delimiters, in Unicode; rows are lines. None where it must stay as it is."""
    if len(source) > LONGEST:
        return None
    try:
        text = _Formula(source).read()
    except (_Unknown, RecursionError):
        return None
    rows = [re.sub(r"(?<=\S)   +", "  ", row).strip() for row in text.split("\n")]
    return "\n".join(row for row in rows if row) or None


class _Formula:
    """Reads one formula from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def read(self) -> str:
        """All of it."""
        text = self._until("")
        if self._at < len(self._source):
            raise _Unknown
        return text

    def _until(self, end: str) -> str:
        """Up to the character `end`, which is taken, or to `\\end`."""
        parts: list[str] = []
        while self._at < len(self._source):
            if end and self._source[self._at] == end:
                self._at += 1
                return "".join(parts)
            if self._source.startswith("\\end{", self._at):
                break
            before = parts[-1] if parts else ""
            part = self._next()
            if (before in FUNCTIONS and part[:1].isalnum()) or (part.strip() in FUNCTIONS and before[-1:].isalnum()):
                part = " " + part
            parts.append(part)
        if end:
            raise _Unknown
        return "".join(parts)

    def _next(self) -> str:
        match = _TOKEN.match(self._source, self._at)
        assert match is not None
        self._at = match.end()
        command, escaped, blank, character = match.groups()
        if command is not None:
            # The blank behind a command ends it; behind a sign or a function it is worth keeping.
            text = self._command(command)
            has_blank = match.group()[-1].isspace() and command not in PLAIN | SILENT
            return text + " " if has_blank and self._at < len(self._source) else text
        if escaped is not None:
            return _known(CHARACTERS, escaped)
        return " " if blank is not None else self._character(character)

    def _character(self, character: str) -> str:
        match character:
            case "{":
                return self._until("}")
            case "^":
                return _raised(self._argument(), SUPERSCRIPTS, "^")
            case "_":
                return _raised(self._argument(), SUBSCRIPTS, "_")
            case "}" | "$" | "#" | "%":
                raise _Unknown
            case "&":
                return "\t"
            case "~":
                return " "
            case "'":
                return "′"
            case "-":
                return "−"
            case _:
                return character

    def _argument(self) -> str:
        """A group in braces, or one token."""
        while self._source[self._at : self._at + 1].isspace():
            self._at += 1
        if self._at >= len(self._source):
            raise _Unknown
        return self._next().strip()

    def _command(self, name: str) -> str:
        if name in SYMBOLS:
            return SYMBOLS[name]
        if name in FUNCTIONS:
            return name
        if name in SILENT:
            # An empty delimiter is a dot.
            if name in ("left", "right") and self._source.startswith(".", self._at):
                self._at += 1
            return ""
        if name in PLAIN:
            text = _TEXT.match(self._source, self._at)
            if text is None:
                return self._argument()
            self._at = text.end()
            return text.group(1)
        return self._structure(name)

    def _structure(self, name: str) -> str:
        match name:
            case "frac" | "dfrac" | "tfrac" | "cfrac":
                return f"{_factor(self._argument())}/{_factor(self._argument())}"
            case "binom" | "dbinom" | "tbinom":
                return f"C({self._argument()}, {self._argument()})"
            case "sqrt":
                return self._root()
            case "bmod":
                return "mod"
            case "pmod":
                return f"(mod {self._argument()})"
            case "not":
                return unicodedata.normalize("NFC", self._argument() + "\u0338")
            case "begin":
                return self._environment()
            case _ if name in ALPHABETS:
                return "".join(_letter(ALPHABETS[name], letter) for letter in self._argument())
            case _ if name in ACCENTS:
                text = self._argument()
                if len(text) > 3:
                    raise _Unknown
                return unicodedata.normalize("NFC", "".join(letter + ACCENTS[name] for letter in text))
            case _:
                raise _Unknown

    def _root(self) -> str:
        degree = ""
        if self._source.startswith("[", self._at):
            self._at += 1
            degree = self._until("]")
        sign = {"": "√", "3": "∛", "4": "∜"}.get(degree)
        return (sign or _raised(degree, SUPERSCRIPTS, "") + "√") + _grouped(self._argument())

    def _environment(self) -> str:
        name = _ENVIRONMENT.match(self._source, self._at)
        if name is None:
            raise _Unknown
        self._at = name.end()
        kind = name.group(1)
        if kind == "array":
            self._argument()
        body = self._until("")
        end = "\\end" + name.group()
        if not self._source.startswith(end, self._at):
            raise _Unknown
        self._at += len(end)
        rows = [[cell.strip() for cell in row.split("\t")] for row in body.split("\n") if row.strip()]
        if kind in LINES:
            return "\n".join(" ".join(cell for cell in row if cell) for row in rows)
        if kind == "cases":
            return "{ " + "; ".join(", ".join(cell.rstrip(",") for cell in row) for row in rows)
        if kind not in BRACKETS and kind != "array":
            raise _Unknown
        left, right = BRACKETS.get(kind, "[]")
        return left + "; ".join("  ".join(row) for row in rows) + right


def _known(table: dict[str, str], name: str) -> str:
    if name not in table:
        raise _Unknown
    return table[name]


def _raised(text: str, table: dict[str, str], mark: str) -> str:
    """A superscript or subscript; what has no such signs stays behind `mark`."""
    if "\n" in text or "\t" in text:
        raise _Unknown
    close = text.replace(" ", "")
    if close and all(character in table for character in close):
        return "".join(table[character] for character in close)
    return mark + _grouped(text)


def _grouped(text: str) -> str:
    """`text` in brackets, if it is more than one thing."""
    return text if _ATOM.fullmatch(text) else f"({text})"


def _factor(text: str) -> str:
    """`text` in brackets, if a bar above or below it meant more than a slash does."""
    return text if _POWER.fullmatch(text) else _grouped(text)


def _letter(alphabet: str, letter: str) -> str:
    """A letter in another alphabet."""
    case = "CAPITAL" if letter.isupper() else "SMALL"
    mathematical = "FRAKTUR" if alphabet == "BLACK-LETTER" else alphabet
    for name in (f"{alphabet} {case} {letter}", f"MATHEMATICAL {mathematical} {case} {letter}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    raise _Unknown
