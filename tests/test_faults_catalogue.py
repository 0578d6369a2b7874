"""The catalogue of faults: each has a test whose name begins with its id, or a reason here why it cannot run.

R are faults of Redis and of the way to it, P of prompts and producers, V of viewers, D of data. Not counted here: E
(providers: `test_engine_*`) and S (hostile text and secrets: `test_tui_walls.py` and others).
"""

from __future__ import annotations

import re
from pathlib import Path

CATALOGUE = {
    "R01": "Redis is killed, and back within a second",
    "R02": "Redis is killed, and away for long",
    "R03": "Redis comes back without any data",
    "R04": "Redis comes back with older data",
    "R05": "FLUSHALL, or the stream deleted, in the middle of a turn",
    "R06": "Redis is halted and goes on",
    "R07": "a reply is cut at any byte",
    "R08": "the reply of an append is lost",
    "R09": "a half-open connection",
    "R10": "a slow link",
    "R11": "Redis is loading its data",
    "R12": "Redis is full (maxmemory)",
    "R13": "an evicting policy",
    "R14": "a read-only replica, a failover",
    "R15": "a failover that loses acknowledged events",
    "R16": "the key is no stream",
    "R17": "a trim past a viewer",
    "R18": "XDEL in the middle",
    "R19": "maxclients",
    "R20": "a wrong, revoked or switched off user",
    "R21": "a user without PING and XINFO",
    "R22": "TLS: wrong authority, wrong host, plain port",
    "R23": "the disk is full (MISCONF)",
    "R24": "the server's clock jumps",
    "R25": "CLIENT KILL, CLIENT PAUSE",
    "R26": "other versions of Redis",
    "R27": "a cluster answers MOVED, CROSSSLOT",
    "R28": "what answers is no Redis",
    "P01": "the engine is killed in the middle of a turn",
    "P02": "the engine is paused for longer than its lease",
    "P03": "the engine dies between the claim and its first event",
    "P04": "the engine dies between its last event and the end of the claim",
    "P05": "a prompt is submitted twice",
    "P06": "a prompt that kills its engines",
    "P07": "two engines of one name",
    "P08": "a producer faster than Redis",
    "P09": "the journal is full",
    "P10": "an interrupt while Redis is away, twice, too late",
    "P11": "a claimed prompt is trimmed away",
    "V01": "a viewer that is stopped",
    "V02": "a viewer that joins in the middle of a turn",
    "V03": "a replay of a finished, partial, empty or absent stream",
    "V04": "a history of 100,000 events",
    "V05": "quitting during a wait, a connect, a backoff",
    "V06": "a malformed cursor",
    "V07": "fifty viewers of one stream",
    "V08": "three reconnects in one turn",
    "V09": "a session id that is used again",
    "V10": "odd terminals",
    "D01": "an unknown event type, a newer schema",
    "D02": "missing, wrong or unreadable fields",
    "D03": "JSON that is nested very deep",
    "D04": "odd numbers and doubled keys",
    "D05": "a lone surrogate",
    "D06": "10 MB in one line, 100,000 lines",
    "D07": "combining marks, joiners and flags without end",
    "D08": "an entry that is too big",
    "D09": "one number given to two entries",
}

NOT_HERE: dict[str, str] = {}
"""Faults without a test of their own, each with the reason why one cannot run."""

_TEST = re.compile(r"^ *(?:async )?def test_([rpvd]\d\d)_", re.MULTILINE)


def ids_of_tests() -> set[str]:
    """The ids that tests are named by."""
    sources = Path(__file__).parent.rglob("test_*.py")
    return {found.upper() for source in sources for found in _TEST.findall(source.read_text(encoding="utf-8"))}


def test_every_fault_has_a_test_or_a_reason() -> None:
    missing = [f"{name}: {fault}" for name, fault in CATALOGUE.items() if name not in ids_of_tests() | NOT_HERE.keys()]
    assert not missing, "\n".join(["These faults have no test and no reason:", *missing])
    assert not ids_of_tests() & NOT_HERE.keys()
    assert all(NOT_HERE.values())


def test_no_test_is_named_by_an_id_that_is_none() -> None:
    assert ids_of_tests() <= CATALOGUE.keys()
