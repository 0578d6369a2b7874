"""From exec to the first key on the screen, beside a minimal Textual app in the same run; then what idling costs."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from .host import Host, cpu_seconds, processes_of, pss_mb, stop_all
from .table import Figure, Figures

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "¤"
"""A key that stands on no first screen."""
RIFFLE = [sys.executable, "-m", "tui"]
MINIMAL = [sys.executable, "-m", "tests.bench.minimal_app"]
RIFFLE_READY = b"sk anything"
"""What stands in the empty prompt."""


def environment(home: Path) -> dict[str, str]:
    """A user's environment without keys, at home in `home`."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL")}
    return kept | {
        "HOME": str(home),
        "RIFFLE_HOME": str(home),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }


def time_to_key(argv: list[str], ready: bytes, home: Path) -> tuple[float, float]:
    """Seconds from exec to the first frame, and to the echo of a key typed then."""
    host = Host(argv, environment(home))
    try:
        shown = host.wait_for(ready)
        host.type(KEY.encode())
        return shown, host.wait_for(KEY.encode())
    finally:
        host.close()


def measure_startup(repeats: int = 7) -> Figures:
    """Medians in ms over interleaved runs: a first cold start, then `repeats` warm ones of each."""
    home = Path(tempfile.mkdtemp(prefix="riffle-bench-"))
    try:
        cold = time_to_key(RIFFLE, RIFFLE_READY, home)
        rows = [
            (*time_to_key(MINIMAL, b"minimal-ready", home), *time_to_key(RIFFLE, RIFFLE_READY, home))
            for _ in range(repeats)
        ]
    finally:
        stop_all(home)
    minimal_frame, minimal_key, frame, key = (statistics.median(column) * 1000 for column in zip(*rows, strict=True))
    return {
        "minimal app: first frame ms": Figure(minimal_frame),
        "minimal app: first key ms": Figure(minimal_key),
        "riffle: first frame ms": Figure(frame),
        "riffle: first key ms": Figure(key),
        "riffle: first key of a cold start ms": Figure(cold[1] * 1000),
        "ratio of first keys": Figure(key / minimal_key, most=1.4),
    }


def measure_idle(seconds: float = 10.0) -> Figures:
    """CPU in percent, bytes and memory of all processes, after an answer, while nobody does anything."""
    home = Path(tempfile.mkdtemp(prefix="riffle-bench-"))
    host = Host([*RIFFLE, "-m", "demo:instant", "Hello!"], environment(home))
    try:
        host.wait_for(b"Ask me")
        host.settle(seconds / 2)
        pids = processes_of(home)
        before = {pid: cpu_seconds(pid) for pid in pids}
        written, began = len(host.output), time.perf_counter()
        host.settle(seconds)
        elapsed = time.perf_counter() - began
        used = {pid: (cpu_seconds(pid) - before[pid]) / elapsed * 100 for pid in pids}
        terminal = sum(pss_mb(p) for p in pids if role(pids[p]) == "terminal")
        return {
            **{f"idle CPU %: {role(pids[pid])}": Figure(share) for pid, share in used.items()},
            "idle CPU %: all": Figure(sum(used.values()), most=1),
            "idle bytes written per s": Figure((len(host.output) - written) / elapsed, most=0),
            "memory MB (PSS): terminal": Figure(terminal, most=70),
            "memory MB (PSS): all": Figure(sum(pss_mb(p) for p in pids), most=140),
        }
    finally:
        host.close()
        stop_all(home)


def role(command: str) -> str:
    """Which of riffle's processes a command line is."""
    for name in ("redis-server", "keeper", "engine"):
        if name in command:
            return name
    return "terminal"
