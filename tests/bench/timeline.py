"""The timeline alone, in a terminal: what 100,000 entities cost beside 1,000, and the stalls of long answers."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from .host import Host
from .startup import environment
from .table import Figure, Figures

FEW, MANY = 1_000, 100_000
PATIENCE = 120.0

GOALS = {"first screen": 150.0, "a delta": 15.0, "a page up": 30.0, "a row down": 20.0}
"""Milliseconds of CPU at most, with 100,000 entities."""

MOST_RATIO = 1.5
MOST_STALL = 50.0


def measure_timeline(*, quick: bool = False) -> Figures:
    """Milliseconds of CPU; the best of some runs."""
    runs = range(1 if quick else 3)
    few, many = ([_run(number) for _ in runs] for number in (FEW, MANY))
    figures: Figures = {}
    for name in many[0]:
        least, most = (min(run[name] for run in found) for found in (few, many))
        if "stall" in name:
            figures[f"{name}, ms"] = Figure(max(least, most), most=MOST_STALL)
            continue
        figures[f"{name}, ms"] = Figure(most, most=GOALS.get(name))
        # What is estimated in slices, without a stall, may take its time.
        goal = None if name == "another width, all of it" else MOST_RATIO
        figures[f"{name}, against {FEW:,} entities"] = Figure(most / least, most=goal)
    return figures


def _run(number: int) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="riffle-bench-"))
    report = folder / "report.json"
    command = [sys.executable, "-m", "tests.bench.timeline_app", str(report), str(number)]
    host = Host(command, environment(folder))
    try:
        host.wait_until(report.exists, PATIENCE)
        return json.loads(report.read_text())
    finally:
        host.close()
