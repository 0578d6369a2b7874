"""One figure of a benchmark, with what it should be, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that was measured, and its goal: `most` it may be, or `least` it must be."""

    value: float
    most: float | None = None
    least: float | None = None

    @property
    def verdict(self) -> str:
        """The goal, and whether it was met."""
        if self.most is not None:
            return f"at most {self.most:g}: {'met' if self.value <= self.most else 'MISSED'}"
        if self.least is not None:
            return f"at least {self.least:g}: {'met' if self.value >= self.least else 'MISSED'}"
        return ""


Figures = dict[str, Figure]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def latencies(what: str, seconds: Sequence[float], *, p50: float | None = None, p99: float | None = None) -> Figures:
    """The middle and the tail of times, in ms, with their goals."""
    return {
        f"{what}: p50 ms": Figure(percentile(seconds, 0.5) * 1000, most=p50),
        f"{what}: p99 ms": Figure(percentile(seconds, 0.99) * 1000, most=p99),
    }


def show(section: str, figures: Mapping[str, Figure]) -> None:
    """Print a section."""
    print(f"\n{section}")
    for label, figure in figures.items():
        print(f"  {label:<58} {figure.value:12,.2f}   {figure.verdict}".rstrip())
