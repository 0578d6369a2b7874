"""What calls cost, in US dollars: by prices that a user set, else by the vendors' lists in `prices.toml`.

A vendor's list counts only where the call was answered at the vendor's own address: what a compatible server takes,
nobody knows here. What is not known costs nothing that could be said: None, never 0.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bus.entities import CallUsage

LIST = Path(__file__).with_name("prices.toml")

_VENDORS = {"openai": "openai", "openai-chat": "openai", "anthropic": "anthropic"}
"""Whose list counts, by the provider of a call: elsewhere than at its own address it is called `name@host`."""

_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
"""With which a vendor names a snapshot of a model; its price is the model's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens. What a cache keeps or is given costs what input does, where nothing is said.

    A call that is told more than `long_over` tokens costs what `long` says, all of it.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    long_over: int | None = None
    long: Price | None = None

    def of(self, call: CallUsage) -> float:
        """What one call costs."""
        if self.long and self.long_over is not None and call.input_tokens > self.long_over:
            return self.long.of(call)
        plain = max(call.input_tokens - call.cached_tokens - call.cache_write_tokens, 0)
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        parts = (
            plain * self.input,
            call.cached_tokens * read,
            call.cache_write_tokens * write,
            call.output_tokens * self.output,
        )
        return sum(parts) / 1_000_000


class Prices:
    """The prices that count here: `own` by the model's name, as an answer's footer says it, and the vendors'."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = own or {}

    def cost(self, calls: Iterable[CallUsage]) -> float | None:
        """What the calls cost together. None: of one of them nobody knows, or there are none."""
        total = 0.0
        is_any = False
        for call in calls:
            price = self._price(call)
            if price is None:
                return None
            is_any, total = True, total + price.of(call)
        return total if is_any else None

    def _price(self, call: CallUsage) -> Price | None:
        vendor = _VENDORS.get(call.provider)
        for prices in (self._own, _list().get(vendor, {}) if vendor else {}):
            found = prices.get(call.model) or prices.get(_DATE.sub("", call.model))
            if found:
                return found
        return None


@functools.cache
def _list() -> dict[str, dict[str, Price]]:
    tree = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return {vendor: {name: _price(table) for name, table in tree[vendor].items()} for vendor in ("anthropic", "openai")}


def _price(table: dict[str, Any]) -> Price:
    fields: dict[str, Any] = {**table, "long": _price(table["long"]) if "long" in table else None}
    return Price(**fields)
