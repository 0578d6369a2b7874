"""Prices and costs for people: `[prices."MODEL"]` of the config file, and US dollars in few digits."""

from __future__ import annotations

import difflib
import math
from typing import cast

from engine.prices import Price

_KNOWN = ("input", "output", "cache_read", "cache_write")


def read_price(model: str, table: object) -> Price | str:
    """The price in `table`, or what is wrong with it, in a sentence."""
    name = f'prices."{model}"'
    if not isinstance(table, dict):
        return f"{name} must be a table, written as [{name}]; it is ignored."
    given = cast("dict[str, object]", table)
    for key, value in given.items():
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.5)
            return f"{name} has no setting {key}" + (f" (did you mean {near[0]}?)" if near else "") + "; it is ignored."
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            return f"{name}.{key} must be a number of US dollars per million tokens, not {value!r}; it is ignored."
    if "input" not in given or "output" not in given:
        return f"{name} must say both input and output; it is ignored."
    return Price(**cast("dict[str, float]", given))  # pyright: ignore[reportArgumentType]


def dollars(cost: float | None) -> str:
    """`$12.30`, `$0.012`, `<$0.0001`; empty where nobody knows or there is nothing to pay."""
    if not cost:
        return ""
    if cost >= 1:
        return f"${cost:,.2f}"
    if cost < 0.0001:
        return "<$0.0001"
    # Two digits that say something, and no fewer places than money has.
    return f"${cost:.{max(2, 1 - math.floor(math.log10(cost)))}f}"
