"""Reading JSON that a stranger sent: a value of the wrong type counts as absent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, cast

LONE_HALF = "\ufffd"
"""Stands for half of a character."""

_HALF = re.compile("[\ud800-\udfff]")

JSON = dict[str, Any]


def an_object(value: object) -> JSON:
    """`value` if it is a JSON object, else an empty one."""
    return cast(JSON, value) if isinstance(value, dict) else {}


def a_list(value: object) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return cast(list[Any], value) if isinstance(value, list) else []


def objects(value: object) -> list[JSON]:
    """The JSON objects in the list `value`."""
    return [cast(JSON, item) for item in a_list(value) if isinstance(item, dict)]


def a_text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def a_count(value: object) -> int | None:
    """`value` if it is a finite number, as a whole one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return int(value)
    return None


def whole_characters(text: str) -> tuple[str, str]:
    """`text` with the halves of characters that a server cut apart joined again, and the half at its end, if any.

    JSON writes a character such as an emoji as two escapes, and some servers send them in two deltas. A half that
    stays alone is U+FFFD.
    """
    if text.isascii() or not _HALF.search(text):
        return text, ""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    whole = text.removesuffix(half).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole, half


def joined(pieces: Iterable[str]) -> str:
    """`pieces` as one text of whole characters."""
    text, half = whole_characters("".join(pieces))
    return text + (LONE_HALF if half else "")


def as_text(value: object) -> str:
    """`value` as a text: a string as it is, anything else as JSON, nothing as an empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parsed_object(text: str) -> JSON | None:
    """The JSON object that `text` holds; None where it is cut, broken, or something else."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return cast(JSON, value) if isinstance(value, dict) else None
