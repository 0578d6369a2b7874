"""The table at the end of many runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .run import Report

SUMS = ("shown", "lost", "duplicated", "reordered", "overtaken", "gaps", "missing", "marks")


def table(reports: Sequence[Report], seconds: float) -> str:
    """Sums over all runs, the faults by kind, and the seeds that failed."""
    kinds = Counter(kind for report in reports for kind in report.plan.faults)
    bad = sorted(report.plan.seed for report in reports if not report.fine)
    rows = [
        ("runs", f"{len(reports)} in {seconds:.0f} s"),
        ("faults", str(sum(kinds.values()))),
        *((f"  {kind}", str(count)) for kind, count in sorted(kinds.items())),
        ("viewers", str(sum(len(report.verdicts) for report in reports))),
        ("events published", f"{sum(report.published for report in reports):,}"),
        *((f"entries {name}" if name == "shown" else name, f"{_sum(reports, name):,}") for name in SUMS),
        ("failed", ", ".join(map(str, bad)) or "none"),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows)


def _sum(reports: Sequence[Report], name: str) -> int:
    return sum(report.total(name) for report in reports)
