"""JSON in the bytes of Go's `json.Marshal`, so that payloads of both worlds can be compared.

Compact UTF-8; `<`, `>`, `&`, U+2028 and U+2029 escaped; floats in Go's form (no exponent from 1e-6 up to 1e21, whole
numbers without a point). Keys keep their order: Go writes structs in field order, and only maps sorted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, cast

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_NEEDS_ESCAPE = re.compile("[<>&\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def dumps(value: Any) -> bytes:
    """The JSON of `value` (dicts, lists, texts, numbers, booleans, None). NaN and infinities become null."""
    return _write(value).encode()


def replace_surrogates(text: str) -> str:
    """`text` with every lone surrogate, which UTF-8 cannot hold, as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _write(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case Mapping():
            pairs = cast("Mapping[str, Any]", value).items()
            return "{" + ",".join([f"{_text(str(key))}:{_write(item)}" for key, item in pairs]) + "}"
        case list() | tuple():
            return "[" + ",".join([_write(item) for item in cast("list[Any]", value)]) + "]"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    quoted = encode_basestring(text)
    if _NEEDS_ESCAPE.search(quoted):
        quoted = quoted.translate(_ESCAPES)
    return replace_surrogates(quoted)


def _number(number: float) -> str:
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    mantissa, _, exponent = repr(number).partition("e")
    if 1e-6 <= abs(number) < 1e21:
        return _without_exponent(mantissa, int(exponent or 0))
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _without_exponent(mantissa: str, exponent: int) -> str:
    """`mantissa` times ten to the `exponent`, written out: Python begins its exponents earlier than Go."""
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    point = len(whole) + exponent
    digits = whole + fraction.rstrip("0")
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    digits = digits.ljust(point, "0")
    return sign + digits[:point] + (f".{digits[point:]}" if digits[point:] else "")
