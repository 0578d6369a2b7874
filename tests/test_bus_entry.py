"""The fields of an entry: what is written, and that everything which others write can be read."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any, cast

import pytest

from bus.codec import encode
from bus.entry import (
    WATERMILL,
    PlainText,
    Shape,
    pair_up,
    position,
    position_before,
    read_entries,
    read_entry,
    read_metadata,
    write_fields,
)
from bus.events import Broken, Final, Partial, Unknown
from bus.meta import ZERO_ID
from bus.stream import START, Entry, Record
from tests.support.fixtures import fixtures_dir

PAYLOAD = b'{"type":"partial","meta":{"message_id":"m1"},"delta":"Hi"}'


def corpus() -> Path:
    found = fixtures_dir()
    if found is None:
        pytest.skip("the corpus is not here: set RIFFLE_FIXTURES")
    return found / "geppetto"


def raw(value: bytes | str | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def read_flat(entry_id: str, flat: list[bytes], shape: Shape = WATERMILL) -> Entry:
    """One entry, as many are read."""
    (entry,) = read_entries([(entry_id.encode(), flat)], shape)
    return entry


def test_an_entry_has_the_three_fields_of_watermill_and_ours() -> None:
    flat = write_fields(Record(PAYLOAD, 1234), writer="w1", epoch=7, seq=3)
    fields = {name.decode(): value for name, value in pair_up([raw(part) for part in flat]).items()}
    assert uuid.UUID(fields.pop("_watermill_message_uuid").decode()).version == 4
    assert fields == {
        "metadata": b"", "payload": PAYLOAD, "v": b"1", "ts": b"1234", "w": b"w1", "e": b"7", "q": b"3"
    }  # fmt: skip


def test_each_entry_has_a_uuid_of_its_own() -> None:
    record = Record(PAYLOAD, 1)
    assert write_fields(record, writer="w", epoch=1, seq=1)[1] != write_fields(record, writer="w", epoch=1, seq=1)[1]


def test_the_order_of_fields_means_nothing() -> None:
    fields = {b"n": b"9", b"payload": PAYLOAD, b"e": b"2", b"w": b"w", b"ts": b"77", b"q": b"4", b"v": b"1"}
    entry = read_entry("5-1", dict(reversed(fields.items())))
    assert entry == read_entry("5-1", fields)
    assert (entry.n, entry.epoch, entry.writer, entry.ts, entry.seq) == (9, 2, "w", 77, 4)
    assert isinstance(entry.event, Partial)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {b"v": b"2"},
        {b"v": b""},
        {b"metadata": b"\x80"},
        {b"metadata": b"\xff"},
        {b"ts": b"x"},
        {b"ts": b"1,2"},
        {b"n": b"007"},
        {b"ts": b"1" * 21},
        {b"n": b"-1"},
        {b"q": b""},
        {b"e": b"1.5"},
        {b"w": b"\xff"},
        {b"w": b""},
        {b"e": b""},
        {b"payload": b"nonsense"},
        {b"more": b"1"},
    ],
)
def test_an_entry_as_we_write_it_is_read_as_any_other(change: dict[bytes, bytes]) -> None:
    flat = [raw(part) for part in write_fields(Record(PAYLOAD, 1234), writer="w1", epoch=7, seq=3)]
    fields = {**pair_up(flat), b"n": b"9", **change}
    assert read_flat("5-1", [part for pair in fields.items() for part in pair]) == read_entry("5-1", fields)


@pytest.mark.parametrize("cut", [1, 2, 17])
def test_an_entry_that_is_not_whole_is_read_as_any_other(cut: int) -> None:
    flat = [raw(part) for part in write_fields(Record(PAYLOAD, 1234), writer="w1", epoch=7, seq=3)] + [b"n", b"9"]
    assert read_flat("5-1", flat[:-cut]) == read_entry("5-1", pair_up(flat[:-cut]))


def test_a_plain_text_stream_may_have_our_fields_too() -> None:
    flat = [raw(part) for part in write_fields(Record(PAYLOAD, 1234), writer="w1", epoch=7, seq=3)] + [b"n", b"9"]
    event = read_flat("5-1", flat, PlainText("payload")).event
    assert isinstance(event, Partial)
    assert event.delta == PAYLOAD.decode()


def test_a_foreign_entry_has_the_time_of_its_id() -> None:
    entry = read_entry("1700000000000-3", {b"payload": PAYLOAD})
    assert (entry.ts, entry.n, entry.writer) == (1700000000000, None, None)
    assert isinstance(entry.event, Partial)


@pytest.mark.parametrize("change", [{b"w": b""}, {b"e": b"x"}, {b"q": b""}, {b"n": b"-1"}])
def test_who_wrote_an_entry_and_its_number_are_believed_only_together(change: dict[bytes, bytes]) -> None:
    ours = {b"payload": PAYLOAD, b"w": b"w", b"e": b"2", b"q": b"4", b"n": b"9"}
    for fields in ({**ours, **change}, {name: ours[name] for name in ours if name not in change}):
        entry = read_entry("5-0", fields)
        assert (entry.writer, entry.epoch, entry.seq, entry.n) == (None, None, None, None)
    entry = read_entry("5-0", ours, PlainText("payload"))
    assert (entry.writer, entry.epoch, entry.seq, entry.n) == (None, None, None, None)


@pytest.mark.parametrize("number", [b"", b"-1", b"x", b"1.5", "٣".encode(), b"9" * 5000])
def test_d02_odd_numbers_are_left_out(number: bytes) -> None:
    entry = read_entry("5-0", {b"payload": PAYLOAD, b"n": number, b"e": number, b"q": number, b"ts": number})
    assert (entry.n, entry.epoch, entry.seq, entry.ts) == (None, None, None, 5)


def test_d01_a_newer_wire_is_carried_and_said() -> None:
    event = read_entry("5-0", {b"payload": PAYLOAD, b"v": b"2"}).event
    assert isinstance(event, Broken)
    assert "wire version 2" in event.reason
    assert event.raw == PAYLOAD.decode()


@pytest.mark.parametrize("payload", [b"", b"nonsense", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_d02_what_cannot_be_read_is_broken_and_never_raises(payload: bytes) -> None:
    entry = read_entry("5-0", {b"_watermill_message_uuid": b"", b"payload": payload})
    assert isinstance(entry.event, Broken)
    assert entry.event.reason
    assert entry.payload == payload


def test_a_message_without_a_payload_has_an_empty_one() -> None:
    assert isinstance(read_entry("5-0", {b"_watermill_message_uuid": b"u"}).event, Broken)


def test_another_shape_is_shown_as_what_it_is() -> None:
    event = read_entry("5-0", {b"user": b"ann", b"bytes": b"\xff"}).event
    assert isinstance(event, Unknown)
    assert event.model_extra == {"fields": {"user": "ann", "bytes": "\ufffd"}}
    assert read_entry("5-0", {}).event.type == "foreign-entry"


def test_plain_text_entries_are_partials() -> None:
    shape = PlainText("token")
    event = read_entry("5-0", {b"token": b"Hello ", b"x": b"y"}, shape).event
    assert event == Partial(meta=event.meta, delta="Hello ")
    assert event.meta.message_id == ZERO_ID
    assert isinstance(read_entry("5-0", {b"x": b"y"}, shape).event, Unknown)


def test_interleaved_plain_answers_are_told_apart_and_end() -> None:
    shape = PlainText("t", id_field="id", end_value="[DONE]")
    texts = [(b"a", b"1"), (b"b", b"2"), (b"a", b"[DONE]"), (b"b", b"3")]
    events = [read_entry("5-0", {b"t": text, b"id": answer}, shape).event for answer, text in texts]
    assert [(type(event), event.meta.message_id) for event in events] == [
        (Partial, "a"), (Partial, "b"), (Final, "a"), (Partial, "b")
    ]  # fmt: skip


def test_behind_its_end_the_next_plain_answer_begins() -> None:
    shape = PlainText("t", end_value="[DONE]")
    entries = [read_entry(f"{i}-0", {b"t": text}, shape) for i, text in enumerate([b"1", b"[DONE]", b"2"])]
    ids = [entry.event.meta.message_id for entry in entries]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("entry_id", "before"),
    [("5-3", "5-2"), ("5-0", "4-18446744073709551615"), ("0-1", "0-0"), ("0-0", START)],
)
def test_the_position_before(entry_id: str, before: str) -> None:
    assert position_before(entry_id) == before


@pytest.mark.parametrize("text", ["", "-1", "abc", "5-", "5-x", "$", "9" * 30])
def test_v06_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        position(text)
    assert position("7") == (7, 0)


# -- what Go programs write ------------------------------------------------------------------------------------


def test_every_conversation_of_the_corpus_is_read() -> None:
    for path in sorted((corpus() / "conversations").glob("*.redis.json")):
        wanted = path.with_name(path.name.replace(".redis.json", ".payloads.jsonl")).read_bytes().splitlines()
        entries = [read_entry(entry_id, fields) for entry_id, fields in recorded(path)]
        assert [entry.payload for entry in entries] == wanted, path.name
        broken = [entry.payload for entry in entries if isinstance(entry.event, Broken)]
        assert not any(payload.startswith(b"{") for payload in broken), path.name


def test_every_entry_with_metadata_of_the_corpus_is_read() -> None:
    for name in ("metadata", "sequence"):
        for entry_id, fields in recorded(corpus() / "redis" / f"{name}.redis.json"):
            entry = read_entry(entry_id, fields)
            assert "metadata" not in getattr(entry.event, "reason", "")
            assert entry.payload == fields[b"payload"]


def test_metadata_is_read_as_watermill_reads_it() -> None:
    for line in (corpus() / "redis" / "unmarshal.jsonl").read_text().splitlines():
        case = json.loads(line)
        fields = {name.encode(): base64.b64decode(value) for name, value in case["fields_b64"].items()}
        error = str(case["outcome"].get("error", ""))
        if error.startswith("unmarshal metadata fail"):
            with pytest.raises(ValueError, match=r"."):
                read_metadata(fields[b"metadata"])
            assert "metadata" in cast(Broken, read_entry("5-0", fields).event).reason
        elif not error:
            assert read_metadata(fields.get(b"metadata", b"")) == (case["outcome"]["metadata"] or {})


def recorded(path: Path) -> list[tuple[str, dict[bytes, bytes]]]:
    entries: list[dict[str, Any]] = json.loads(path.read_text())["entries"]
    return [
        (entry["id"], {name.encode(): base64.b64decode(value) for name, value in entry["fields"]}) for entry in entries
    ]


def test_what_is_written_comes_back() -> None:
    event = Partial(delta="é\u2028\x00")
    flat = [raw(part) for part in write_fields(Record(encode(event), 5), writer="w", epoch=1, seq=2)]
    assert read_entry("5-0", pair_up(flat)).event == event
