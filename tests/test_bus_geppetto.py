"""Everything that the real Go code wrote: events, odd payloads, whole conversations."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bus.codec import decode, encode
from bus.entities import AssistantText
from bus.events import Broken, Final, TextSegmentFinished, Unknown
from bus.timeline import Timeline
from tests.support.fixtures import fixtures_dir
from tests.support.stories import transcript

ROOT = fixtures_dir()
pytestmark = pytest.mark.skipif(ROOT is None, reason="no fixtures: set RIFFLE_FIXTURES to their folder")
CORPUS = (ROOT or Path()) / "geppetto"

OURS = {
    "text-delta": {"partial"},
    "reasoning-delta": {"partial-thinking"},
    "provider-call-started": {"start"},
    "provider-call-metadata-updated": {"partial"},
    "provider-call-finished": {"final", "interrupt", "error"},
    "tool-call-requested": {"tool-call"},
    "tool-execution-started": {"tool-call-execute"},
    "tool-result-ready": {"tool-call-execution-result"},
    "reasoning-text-delta": {"partial-thinking"},
    "reasoning-text-done": {"reasoning-segment-finished"},
}


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().rstrip(b"\n").split(b"\n")


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(path)]


@pytest.mark.parametrize("era", ["seed", "head", "y2025"])
def test_every_event_has_its_type(era: str):
    for line in lines(CORPUS / "events" / f"{era}.jsonl"):
        name = json.loads(line)["type"]
        event = decode(line)
        assert event.type in OURS.get(name, {name})
        assert isinstance(event, Unknown) == name.startswith("custom-")


def test_seed_events_come_back_byte_for_byte():
    # Go writes a nil list as null; here an absent value is never written.
    different = [line for line in lines(CORPUS / "events" / "seed.jsonl") if encode(decode(line)) != line]
    assert [json.loads(line).get("results", "there") for line in different] == [None]


@pytest.mark.parametrize("era", ["seed", "head"])
def test_odd_payloads(era: str):
    for case in objects(CORPUS / "decode" / f"{era}.jsonl"):
        event = decode(base64.b64decode(case["payload_b64"]))
        found = case["outcome"].get("type")
        if isinstance(event, Broken):
            assert event.reason.endswith(".")
        elif found and not isinstance(event, Unknown):
            assert event.type in OURS.get(found, {found})


def conversations() -> list[str]:
    return sorted(path.name.removesuffix(".payloads.jsonl") for path in CORPUS.glob("conversations/*.payloads.jsonl"))


def fold(payloads: list[bytes]) -> Timeline:
    timeline = Timeline()
    for number, payload in enumerate(payloads):
        timeline.apply(decode(payload), f"{number}-0", number)
    return timeline


@pytest.mark.parametrize("name", conversations())
def test_conversation_shows_the_final_texts(name: str):
    payloads = lines(CORPUS / "conversations" / f"{name}.payloads.jsonl")
    expected: defaultdict[str, str] = defaultdict(str)
    for event in map(decode, payloads):
        match event:
            case Final(text=str(text)) | TextSegmentFinished(text=str(text)):
                expected[event.meta.message_id] += text
            case _:
                pass
    shown: defaultdict[str, str] = defaultdict(str)
    for entity in fold(payloads).entities:
        assert entity.done
        if isinstance(entity, AssistantText) and entity.message_id in expected:
            shown[entity.message_id] += str(entity.text)
    assert shown == expected


@pytest.mark.parametrize("name", conversations())
def test_conversation_as_redis_holds_it(name: str):
    stored = json.loads((CORPUS / "conversations" / f"{name}.redis.json").read_text(encoding="utf-8"))
    payloads = [base64.b64decode(dict(entry["fields"])["payload"]) for entry in stored["entries"]]
    direct = lines(CORPUS / "conversations" / f"{name}.payloads.jsonl")
    assert transcript(fold(payloads)) == transcript(fold(direct))


@pytest.mark.parametrize("era", ["seed", "head", "y2025"])
def test_unrelated_events_in_one_stream_fold(era: str):
    timeline = fold(lines(CORPUS / "events" / f"{era}.jsonl"))
    assert timeline.state.status in ("idle", "answering")
    assert len({entity.id for entity in timeline.entities}) == len(timeline.entities)
    assert transcript(timeline)
