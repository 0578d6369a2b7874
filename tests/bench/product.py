"""The whole product: a terminal, its engine and its Redis, from a provider's socket to the bytes of the screen.

Each token has a mark; it is on the screen when its mark is seen in what the terminal is written. Keys are typed
meanwhile. With a peer, Textual's own Markdown widget does the same work.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .answers import KINDS, MARK
from .host import Host, cpu_seconds, processes_of, pss_mb, stop_all
from .startup import RIFFLE, RIFFLE_READY, environment, role
from .table import Figure, Figures, percentile

STOCK = [sys.executable, "-m", "tests.bench.stock_markdown"]
PATIENCE = 20.0
"""Seconds that are waited for the last token after the provider has sent it."""

KEY_EVERY = 0.12


class Goals(NamedTuple):
    """What an answer may cost: ms, ms of CPU and bytes a token; None: no goal."""

    p50: float | None = None
    p99: float | None = None
    behind: float | None = None
    cpu: float | None = None
    written: float | None = None
    key: float | None = None
    key_most: float | None = None


NO_GOALS = Goals()

ROWS: dict[str, Goals] = {
    "mixed 2 50": NO_GOALS,
    "mixed 20 200": Goals(25, 70, None, 2.5, 300, 15, 60),
    "mixed 20 1000": Goals(35, 90, None, 0.8, 80),
    "mixed 100 1000": Goals(None, 120, 100, 0.8),
}
QUICK_ROWS = ("mixed 4 200", "mixed 20 1000")


@dataclass
class Answer:
    """What was seen of one answer; times are monotonic seconds."""

    sent: dict[str, float] = field(default_factory=dict[str, float])
    seen: dict[str, float] = field(default_factory=dict[str, float])
    echoes: list[float] = field(default_factory=list[float])
    written: int = 0
    cpu: float = 0.0
    terminal_cpu: float = 0.0

    def latency(self, share: float) -> float:
        """Seconds from the provider's socket to the screen, at or below which `share` of the tokens lie."""
        return percentile([self.seen[mark] - at for mark, at in self.sent.items() if mark in self.seen] or [0], share)

    def figures(self, name: str, goals: Goals = NO_GOALS) -> Figures:
        """Its row of the table."""
        last = max(self.sent, key=lambda mark: self.sent[mark])
        count = len(self.sent)
        behind = self.seen[last] - self.sent[last] if last in self.seen else PATIENCE
        return {
            f"{name}: latency p50 ms": Figure(self.latency(0.5) * 1000, most=goals.p50),
            f"{name}: latency p99 ms": Figure(self.latency(0.99) * 1000, most=goals.p99),
            f"{name}: behind at the end ms": Figure(behind * 1000, most=goals.behind),
            f"{name}: tokens never seen": Figure(count - len(self.sent.keys() & self.seen.keys())),
            f"{name}: CPU ms a token": Figure(self.cpu / count * 1000, most=goals.cpu),
            f"{name}: CPU ms a token, the terminal's": Figure(self.terminal_cpu / count * 1000),
            f"{name}: bytes written a token": Figure(self.written / count, most=goals.written),
            f"{name}: key echo p50 ms": Figure(percentile(self.echoes or [0], 0.5) * 1000, most=goals.key),
            f"{name}: key echo most ms": Figure(max(self.echoes or [0]) * 1000, most=goals.key_most),
        }


class Client:
    """A client at work in a terminal, and the provider that it asks."""

    def __init__(self, host: Host, home: Path, log: Path) -> None:
        self._host, self._home, self._log = host, home, log

    def memory(self) -> tuple[float, float]:
        """PSS in MB of the terminal, and of everything."""
        found = processes_of(self._home)
        terminal = sum(pss_mb(pid) for pid, command in found.items() if role(command) == "terminal")
        return terminal, sum(map(pss_mb, found))

    def ask(self, prompt: str, *, keys: bool = True) -> Answer:
        """Send `prompt`, take the answer, and type meanwhile, with `keys`."""
        answer = Answer()
        host, path = self._host, self._log / prompt
        path.unlink(missing_ok=True)
        before = self._cpu()
        start = at = len(host.output)
        host.type(prompt.encode() + b"\r")
        typed, due = b"", time.monotonic() + 0.3
        deadline, key = 0.0, 0
        typed_at = 0.0
        while True:
            host.read(0.01)
            now = time.monotonic()
            for mark in MARK.finditer(host.output, at):
                answer.seen.setdefault(mark.group().decode(), now)
            if typed and host.output.find(typed, at) >= 0:
                answer.echoes.append(now - typed_at)
                typed = b""
            at = max(start, len(host.output) - 8)
            if keys and not typed and now > due and answer.seen:
                # Characters that no answer has.
                typed, key = chr(0x13A0 + key % 80).encode(), key + 1
                typed_at, due = now, now + KEY_EVERY
                host.type(typed)
            if not answer.sent and path.exists():
                answer.sent, deadline = json.loads(path.read_text()), now + PATIENCE
            if answer.sent and (max(answer.sent) in answer.seen or now > deadline):
                break
        answer.written = len(host.output) - start
        host.settle(0.5)
        after = self._cpu()
        answer.cpu = sum(after.values()) - sum(before.get(pid, 0.0) for pid in after)
        answer.terminal_cpu = sum(
            after[pid] - before.get(pid, 0.0)
            for pid, command in processes_of(self._home).items()
            if pid in after and role(command) == "terminal"
        )
        # Take back what was typed.
        host.type(b"\x7f" * (len(answer.echoes) + bool(typed)))
        host.settle(0.3)
        return answer

    def _cpu(self) -> dict[int, float]:
        return {pid: cpu_seconds(pid) for pid in processes_of(self._home)}


@contextmanager
def client(argv: list[str], ready: bytes) -> Generator[Client]:
    """A client that is ready for a prompt."""
    home = Path(tempfile.mkdtemp(prefix="riffle-bench-"))
    log = Path(tempfile.mkdtemp(prefix="riffle-bench-log-"))
    command = [sys.executable, "-m", "tests.bench.answering", str(log)]
    provider = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert provider.stdout is not None
    address = f"http://127.0.0.1:{provider.stdout.readline().strip()}/v1"
    env = environment(home) | {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none", "no_proxy": "*"}
    host = Host(argv, env)
    try:
        host.wait_for(ready)
        asked = Client(host, home, log)
        # The first answer of all waits for the engine, and pays for what is loaded once.
        asked.ask("mixed 1 1000", keys=False)
        yield asked
    finally:
        host.close()
        stop_all(home)
        provider.kill()
        provider.communicate()


def measure_product(*, quick: bool = False, peer: bool = False) -> Figures:
    """Rates and lengths, kinds of block, memory, and what thirty exchanges change; with the peer's beside, if asked."""
    riffle = [*RIFFLE, "-m", "openai-chat:bench"]
    if quick:
        with client(riffle, RIFFLE_READY) as asked:
            figures = _rows(asked, QUICK_ROWS) | _kinds(asked, "2 1000") | _exchanges(asked, 3)
    else:
        figures: Figures = {}
        for row in ROWS:
            with client(riffle, RIFFLE_READY) as asked:
                figures |= _rows(asked, [row])
        with client(riffle, RIFFLE_READY) as asked:
            figures |= _kinds(asked, "6 200")
        with client(riffle, RIFFLE_READY) as asked:
            figures |= _exchanges(asked, 30)
    if peer:
        who = "stock Markdown: "
        for row in QUICK_ROWS if quick else ROWS:
            with client(STOCK, b"stock-ready") as asked:
                figures |= _rows(asked, [row], who)
        with client(STOCK, b"stock-ready") as asked:
            figures |= _kinds(asked, "2 1000" if quick else "6 200", who)
    return figures


def _rows(asked: Client, rows: Iterable[str], who: str = "") -> Figures:
    figures: Figures = {}
    for row in rows:
        at_start = asked.memory()
        figures |= asked.ask(row).figures(who + row, NO_GOALS if who else ROWS.get(row, NO_GOALS))
        if row == "mixed 100 1000":
            figures |= _memory(f"{who}memory MB", at_start, asked.memory(), with_goals=not who)
    return figures


def _kinds(asked: Client, how: str, who: str = "") -> Figures:
    """Each kind of block alone: a list or a table that grows must cost what a paragraph costs."""
    wanted = ("latency p50 ms", "latency p99 ms", "CPU ms a token", "bytes written a token")
    figures: Figures = {}
    for kind in KINDS[1:]:
        found = asked.ask(f"{kind} {how}").figures(f"{who}{kind} {how}")
        figures |= {label: figure for label, figure in found.items() if label.endswith(wanted)}
    return figures


def _memory(name: str, start: tuple[float, float], end: tuple[float, float], *, with_goals: bool) -> Figures:
    most = ((70, 140), (110, 190)) if with_goals else ((None, None), (None, None))
    return {
        f"{name} at start: terminal": Figure(start[0], most=most[0][0]),
        f"{name} at start: all": Figure(start[1], most=most[0][1]),
        f"{name} after 100 KB: terminal": Figure(end[0], most=most[1][0]),
        f"{name} after 100 KB: all": Figure(end[1], most=most[1][1]),
    }


def _exchanges(asked: Client, many: int) -> Figures:
    """The same answer before and after so many others, in one session."""
    first, before = asked.ask("mixed 2 200"), asked.memory()
    for _ in range(many):
        asked.ask("mixed 1 1000", keys=False)
    last, after = asked.ask("mixed 2 200"), asked.memory()
    name = f"after {many} exchanges, against before"
    return {
        f"{name}: latency p50": Figure(last.latency(0.5) / first.latency(0.5), most=1.2),
        f"{name}: CPU": Figure(last.cpu / first.cpu, most=1.2),
        f"{name}: memory of all": Figure(after[1] / before[1], most=1.2),
    }
