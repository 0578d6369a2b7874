"""Payloads to events and back: fast path, slow path, broken payloads, registered types."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from bus import codec
from bus.events import Broken, Event, Final, Log, Partial, PartialThinking, ToolCall, Unknown
from bus.meta import ZERO_ID, Correlation, Metadata, Usage


class Progress(Event):
    """A type of another program."""

    type: Literal["acme-progress"] = "acme-progress"
    progress: float = 0.0


@pytest.fixture
def registered() -> Iterator[None]:
    codec.register("acme-progress", Progress)
    yield
    codec.unregister("acme-progress")


SLIM = b'{"type":"partial","meta":{"message_id":"m1"},"delta":"a \\"b\\"","correlation":{"segment_id":"s"},"offset":7}'


def test_slim_delta_is_the_same_on_both_paths():
    fast, general = codec.decode(SLIM), codec.decode(SLIM.decode())
    assert fast == general
    assert fast == Partial(
        meta=Metadata(message_id="m1"), delta='a "b"', correlation=Correlation(segment_id="s"), offset=7
    )
    assert fast.model_dump() == general.model_dump()
    assert codec.encode(fast) == codec.encode(general) == SLIM


@pytest.mark.parametrize(
    "change",
    [
        {"delta": 5},
        {"delta": None},
        {"offset": "7"},
        {"offset": True},
        {"meta": {"message_id": 5}},
        {"meta": {"message_id": None}},
        {"meta": {"message_id": "m1", "usage": {"input_tokens": 1, "output_tokens": 2}}},
        {"correlation": {"segment_id": None}},
        {"correlation": {"run_id": "r"}},
        {"correlation": "s"},
        {"completion": "all"},
        {"sparkle": [1, None]},
    ],
)
def test_delta_that_is_not_slim_is_read_as_any_other(change: dict[str, Any]):
    payload = json.dumps(json.loads(SLIM) | change, separators=(",", ":"))
    assert codec.decode(payload.encode()) == codec.decode(payload)


@pytest.mark.parametrize(
    "text",
    [
        b"plain", b"", "é 漢 👩‍💻  ".encode(), b"\\n\\u0041", b"\\ud83d\\ude00", b"\\ud800", b"a\\", b"a\nb", b"\x7f",
        b"\xff", b"\\x", b'a","correlation":{"segment_id":"x"},"offset":1}',
    ],
)  # fmt: skip
def test_a_text_of_a_slim_delta_is_the_same_on_both_paths(text: bytes):
    for place in (b'a \\"b\\"', b'"m1"', b'"s"'):
        payload = SLIM.replace(place, text if place.startswith(b"a") else b'"%b"' % text)
        assert codec.decode(payload) == codec.decode(payload.decode(errors="replace"))


@pytest.mark.parametrize("offset", [b"0", b"007", b"-1", b"1.0", b"1e3", b"9" * 18, b"9" * 30, "٣".encode()])
def test_an_offset_of_a_slim_delta_is_the_same_on_both_paths(offset: bytes):
    payload = SLIM.replace(b":7}", b":%b}" % offset)
    assert codec.decode(payload) == codec.decode(payload.decode())


def test_thinking_delta():
    payload = SLIM.replace(b'"partial"', b'"partial-thinking"')
    event = codec.decode(payload)
    assert isinstance(event, PartialThinking)
    assert codec.encode(event) == payload


def test_encode_order_and_absent_fields():
    event = Final(
        meta=Metadata(model="m", usage=Usage(input_tokens=0, output_tokens=3), message_id="m1", turn_id="t"),
        text="<b>&\u2028é\x7f\x01",
        correlation=Correlation(segment_id="s"),
    )
    assert codec.encode(event).decode() == (
        '{"type":"final","meta":{"model":"m","usage":{"input_tokens":0,"output_tokens":3},"message_id":"m1",'
        '"turn_id":"t"},"text":"\\u003cb\\u003e\\u0026\\u2028é\x7f\\u0001","correlation":{"segment_id":"s"}}'
    )


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1.0, "1"),
        (0.7, "0.7"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-9, "1e-9"),
        (1e-6, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e20, "100000000000000000000"),
        (1.25e18, "1250000000000000000"),
        (1e21, "1e+21"),
        (1.5e100, "1.5e+100"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (9007199254740993, "9007199254740993"),
    ],
)
def test_d04_numbers_are_written_as_go_writes_them(number: float, written: str):
    assert codec.encode(Log(fields={"n": number})).endswith(f'"fields":{{"n":{written}}}}}'.encode())


def test_d05_lone_surrogates_never_reach_the_wire():
    assert codec.encode(Final(text="a\ud83db")).endswith('"text":"a\ufffdb"}'.encode())
    event = codec.decode(b'{"type":"final","text":"\\ud83d"}')
    assert isinstance(event, Final)
    assert event.text == "\ufffd"


def test_d01_unknown_type_is_carried_whole():
    payload = b'{"type":"acme-x","meta":{"message_id":"m1","extra":{"a":null}},"b":[1,{"c":null}],"d":null}'
    event = codec.decode(payload)
    assert isinstance(event, Unknown)
    assert event.meta.message_id == "m1"
    assert codec.encode(event) == payload


@pytest.mark.parametrize("payload", [b"{}", b'{"type":""}', b'{"sem":true,"event":{"type":"llm.start"}}'])
def test_object_without_a_type_is_unknown(payload: bytes):
    event = codec.decode(payload)
    assert isinstance(event, Unknown)
    assert event.type == ""
    assert codec.encode(event) == payload


def test_nobody_can_forge_what_the_reader_makes():
    assert isinstance(codec.decode(b'{"type":"riffle-broken","reason":"x","raw":"y"}'), Unknown)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "It is empty."),
        (b"null", "It is null, not a JSON object."),
        (b"true", "It is true or false, not a JSON object."),
        (b"[1]", "It is a list, not a JSON object."),
        (b'"x"', "It is a text, not a JSON object."),
        (b"4.5", "It is a number, not a JSON object."),
        (b'{"type":5}', "Its type is not a text."),
        (b'{"type":"x","a":NaN}', "It is not JSON: NaN is not a JSON number."),
        (b'{"type":"log","fields":{"x":[NaN]}}', "It is not JSON: NaN is not a JSON number."),
        (b'{"type":"final","meta":{"temperature":-Infinity}}', "It is not JSON: -Infinity is not a JSON number."),
        (b'{"type":"final","text":5}', "The field text of 'final' should be a valid string."),
        (b'{"type":"tool-call","tool_call":{"input":{}}}', "The field tool_call.input of 'tool-call' should be"),
        (b'{"type":"acme-x","meta":"m"}', "The field meta of 'acme-x' should be"),
        (b'{"type":"text-delta","delta":5}', "The field delta of 'text-delta' should be"),
        (b'{"type":"x","a":' + b"9" * 5000 + b"}", "It is not JSON: Exceeds the limit"),
        (b'{"type":"x","a":' + b"[" * 100_000, "It is nested more than 100 levels deep."),
        (b'{"type":"final","text":"t"} trailing', "It is not JSON: extra data at character 28."),
    ],
)
def test_broken_payload_says_why(payload: bytes, reason: str):
    event = codec.decode(payload)
    assert isinstance(event, Broken)
    assert event.reason.startswith(reason)
    assert event.raw == payload.decode()


def test_a_text_may_say_nan():
    for payload in (b'{"type":"final","text":"NaN and Infinity"}', '{"type":"final","text":"NaN and Infinity"}'):
        assert codec.decode(payload) == Final(text="NaN and Infinity")


def test_null_is_absent():
    event = codec.decode(b'{"type":"tool-call","meta":null,"tool_call":{"id":"c","name":null}}')
    assert event == ToolCall.model_validate({"tool_call": {"id": "c"}})
    assert event.meta.message_id == ZERO_ID


def test_registered_model(registered: None):
    payload = b'{"type":"acme-progress","meta":{"message_id":"m1"},"progress":0.5}'
    event = codec.decode(payload)
    assert isinstance(event, Progress)
    assert codec.encode(event) == payload
    assert isinstance(codec.decode(b'{"type":"acme-progress","progress":"half"}'), Broken)


def test_registered_name_is_taken_until_it_is_forgotten(registered: None):
    with pytest.raises(ValueError, match="registered already"):
        codec.register("acme-progress", Progress)
    with pytest.raises(ValueError, match="registered already"):
        codec.register("final", Progress)
    with pytest.raises(ValueError, match="needs a name"):
        codec.register("acme-nothing")
    codec.unregister("acme-progress")
    assert isinstance(codec.decode(b'{"type":"acme-progress"}'), Unknown)


def test_registered_decoder_and_encoder():
    def decoder(payload: dict[str, Any]) -> Event:
        return Progress(progress=payload["percent"] / 100)

    def encoder(event: Progress) -> dict[str, Any]:
        return {"type": event.type, "percent": round(event.progress * 100)}

    codec.register("acme-progress", decoder=decoder, encoder=encoder)
    try:
        event = codec.decode(b'{"type":"acme-progress","percent":50}')
        assert event == Progress(progress=0.5)
        assert codec.encode(event) == b'{"type":"acme-progress","percent":50}'
        broken = codec.decode(b'{"type":"acme-progress"}')
        assert isinstance(broken, Broken)
        assert "decoder of 'acme-progress' cannot read it" in broken.reason
    finally:
        codec.unregister("acme-progress")


def test_d02_any_bytes_decode():
    chance = random.Random(7)
    seeds = [SLIM, b'{"type":"tool-call","meta":{"extra":{"a":[1,2]}},"tool_call":{"id":"c","name":"n","input":"{}"}}']
    for _ in range(4000):
        payload = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 6)):
            position = chance.randrange(len(payload))
            payload[position : position + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        event = codec.decode(bytes(payload))
        assert isinstance(event, Event)
        assert isinstance(codec.encode(event), bytes)
    for length in range(200):
        assert isinstance(codec.decode(chance.randbytes(length)), Broken)
