"""JSON values as YAML 1.2 block style, for people: texts of several lines as blocks, everything doubtful in quotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

# Letters first, and nothing that YAML could read as a number, a boolean, a comment or a mapping.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+-]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
# A block keeps its lines as they are, so they may hold nothing that YAML forbids or folds.
_BLOCK = re.compile(r"(?![ \n])[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


def dumps(value: object) -> str:
    """`value` (of the types that JSON has) as lines of YAML, each with its newline."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def _lines(value: object, indent: str) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, item in cast("dict[str, Any]", value).items():
                yield from _item(f"{indent}{_scalar(key)}:", item, indent)
        case list() if value:
            for item in cast("list[Any]", value):
                yield from _item(f"{indent}-", item, indent)
        case _:
            yield f"{indent}{_scalar(value)}"


def _item(head: str, value: object, indent: str) -> Iterator[str]:
    deeper = indent + "  "
    if isinstance(value, str) and "\n" in value.rstrip("\n") and _BLOCK.fullmatch(value):
        body = value.rstrip("\n")
        newlines = len(value) - len(body)
        yield f"{head} |{'-' if newlines == 0 else '' if newlines == 1 else '+'}"
        for line in (body + "\n" * max(0, newlines - 1)).split("\n"):
            yield f"{deeper}{line}" if line else ""
    elif isinstance(value, dict | list) and value:
        yield head
        yield from _lines(cast("object", value), deeper)
    else:
        yield f"{head} {_scalar(cast('object', value))}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, float):
        # YAML 1.1 reads 1e-07 as a text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
    # JSON's texts are YAML's double-quoted ones, but for a few characters that only YAML forbids.
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
