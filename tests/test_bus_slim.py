"""Many entries at once: what stands in them is what the general way reads, and adds up to the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from bus import codec
from bus.entry import WATERMILL, pair_up, read_entries, read_entry, write_fields
from bus.slim import SlimDelta
from bus.stream import Entry, Record
from bus.timeline import Timeline
from tests.support.stories import everything

TEXTS = (
    *(b"water", b" ", b"", "é 漢 👩‍💻\u2028".encode(), b"\x7f", b"\\n\\n", b'say \\"so\\"', b"\\u00e9\\\\"),
    *(
        b"\\ud83d\\ude00",
        b"\\ud83d",
        b"\xff",
        b"\xe2\x82",
        b"\xff\\n",
        b"a\nb",
        b"a\tb",
        b"\0",
        b"\\x",
        b"\\",
        b"\\\0",
        b'"',
    ),
    *(b'x","correlation":{"segment_id":"m1:a"},"offset":0', b'x\\","correlation":{"segment_id":"m1:a"},"offset":0'),
)
GOOD = 8
"""So many of them, the first ones, are texts as they are written; of the others each is odd in its own way."""

OFFSETS = (b"007", b"-1", b"1.0", b"1e3", b"9" * 18, b"9" * 19, "٣".encode(), b"", b"0}\n0")


def slim(message: bytes, segment: bytes, text: bytes, offset: bytes, kind: bytes = b"partial") -> bytes:
    return (b'{"type":"%b","meta":{"message_id":"%b"},"delta":"%b","correlation":{"segment_id":"%b"},"offset":%b}') % (
        kind,
        message,
        text,
        segment,
        offset,
    )


def payloads(chance: random.Random) -> Iterator[bytes]:
    """Deltas of a few segments, one after the other, in between whatever else may stand in a stream."""
    said: dict[bytes, int] = {}
    message, segment, kind = b"m1", b"m1:a", b"partial"
    for _ in range(120):
        text, offset = chance.choice(TEXTS[:GOOD]), said.get(segment, 0)
        payload = slim(message, segment, text, b"%d" % offset, kind)
        said[segment] = offset + len(json.loads(b'"%b"' % text))
        match chance.randrange(60):
            case 0 | 1:
                message = b"m%d" % chance.randrange(1, 4)
                segment, kind = message + b":a", chance.choice((b"partial", b"partial", b"partial-thinking"))
            case 2 | 3:
                payload = slim(message, segment, chance.choice(TEXTS[GOOD:]), b"%d" % offset, kind)
            case 4:
                payload = slim(message, segment, text, chance.choice((*OFFSETS, b"0", b"%d" % (offset + 3))), kind)
            case 5:
                payload = slim(chance.choice(TEXTS), chance.choice(TEXTS), text, b"%d" % offset, kind)
            case 6:
                payload = payload.replace(b'"delta"', b'"completion":"all of it","delta"')
            case 7:
                payload = payload[:-1] + b',"completion":"all of it"}'
            case 8:
                payload = b'{"type":"final","meta":{"message_id":"%b"}}' % message
            case 9:
                payload = payload[: chance.randrange(len(payload))]
            case 10:
                payload = payload + b"\n" + payload
            case 11:
                payload = chance.choice((b"", b"[]", b"null", b'{"type":"riffle-retry"}', b'{"type":"acme-x"}'))
            case _:
                pass
        yield payload


def rows(chance: random.Random, *, odd: bool) -> Iterator[tuple[bytes, list[bytes] | None]]:
    """As an engine writes them; `odd`: but for some."""
    for number, payload in enumerate(payloads(chance), 1):
        written = write_fields(Record(payload, 1000 + number), writer="w1", epoch=7, seq=number)
        named = [value if isinstance(value, bytes) else str(value).encode() for value in (*written, b"n", number)]
        match chance.randrange(80) if odd else None:
            case 0:
                named[2 * chance.randrange(10) - 1] = chance.choice(
                    (b"", b"x", b"2", b"1,2", b"9" * 21, "٣".encode(), b"\xff")
                )
            case 1:
                named[2 * chance.randrange(9)] = chance.choice((b"n", b"payload", b"more"))
            case 2:
                del named[-chance.randrange(1, 17) :]
            case 3:
                named += [chance.choice((b"more", b"n", b"payload")), b"1"]
            case _:
                pass
        entry_id = b"5-%d" % chance.choice((number, number, number, max(1, number - 2)))
        yield entry_id, None if chance.random() < 0.02 else named


def plainly(entry: Entry) -> Entry:
    """The entry, its event read in the general way, which knows of no slim deltas."""
    event = codec.decode(entry.payload.decode(errors="replace")) if entry.content != entry.event else entry.event
    return entry._replace(content=event)


@pytest.mark.parametrize("seed", range(16))
def test_many_entries_are_read_and_folded_as_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    there, at_once, one_by_one = list(rows(chance, odd=seed % 2 > 0)), Timeline(), Timeline()
    slim_ones = 0
    while there:
        count = chance.choice((1, 2, 7, 8, 60))
        page, there = there[:count], there[count:]
        entries = read_entries(page)
        slim_ones += sum(isinstance(entry.content, SlimDelta) for entry in entries)
        wanted = [plainly(read_entry(id.decode(), pair_up(flat))) for id, flat in page if flat is not None]
        assert [entry._replace(content=entry.event) for entry in entries] == wanted
        assert [codec.encode(entry.event) for entry in entries] == [codec.encode(entry.event) for entry in wanted]
        at_once.apply_all(entries)
        for entry in wanted:
            one_by_one.apply(entry.event, entry.id, entry.ts)
        assert len(page) < 7 or everything(at_once) == everything(one_by_one)
    assert everything(at_once) == everything(one_by_one)
    assert slim_ones > 60


WHOLE = slim(b"m1", b"m1:a", b"x", b"4")


@pytest.mark.parametrize(
    "odd",
    [
        *(slim(b"m1", b"m1:a", text + more, b"4") for text in TEXTS for more in (b"", b"\\n")),
        *(slim(text, b"m1:a", b"x", b"4") for text in (*TEXTS, b"m2")),
        *(slim(b"m1", text, b"x", b"4") for text in (*TEXTS, b"m1:b")),
        *(slim(b"m1", b"m1:a", b"x", offset) for offset in OFFSETS),
        WHOLE.replace(b'","correlation":{"segment_id":"m1:a"},"offset":', b"\0"),
        *(WHOLE.replace(b'"partial"', b'"partial-thinking"'), WHOLE.upper(), WHOLE + b" ", WHOLE + b"\n" + WHOLE, b""),
    ],
)
def test_an_odd_one_among_many_is_read_as_it_is_alone(odd: bytes) -> None:
    there = [slim(b"m1", b"m1:a", b"x", b"%d" % at) for at in range(10)]
    there[4] = odd
    contents = codec.read_all(there)
    found = [content.event if isinstance(content, SlimDelta) else content for content in contents]
    assert found == [codec.decode(payload.decode(errors="replace")) for payload in there]


def test_a_delta_of_another_segment_at_the_same_place_ends_a_run() -> None:
    segments = [b"m1:a", b"m1:a", b"m1:b", b"m1:b"]
    deltas = codec.read_all([slim(b"m1", segment, b"x", b"%d" % at) for at, segment in enumerate(segments)])
    at_once, one_by_one = Timeline(), Timeline()
    entries = [Entry(f"{at}-1", delta, at) for at, delta in enumerate(deltas)]
    at_once.apply_all(entries)
    for entry in entries:
        one_by_one.apply(entry.event, entry.id, entry.ts)
    assert everything(at_once) == everything(one_by_one)


def test_deltas_of_one_segment_share_all_but_text_and_offset() -> None:
    contents = codec.read_all([slim(b"m1", b"m1:a", b'\\"\\n', b"%d" % at) for at in range(0, 20, 2)])
    deltas = [content for content in contents if isinstance(content, SlimDelta)]
    assert [(delta.text, delta.offset) for delta in deltas] == [('"\n', at) for at in range(0, 20, 2)]
    assert len({id(delta.frame) for delta in deltas}) == 1


def test_a_shape_of_another_kind_reads_each_entry_itself() -> None:
    seen: list[str] = []

    class Other:
        def read(self, entry_id: str, fields: object) -> codec.Event:
            seen.append(entry_id)
            return WATERMILL.read(entry_id, {b"payload": b""})  # pyright: ignore[reportReturnType]

    there: list[tuple[bytes, list[bytes] | None]] = [(b"%d-0" % at, [b"payload", b""]) for at in range(9)]
    read_entries(there, Other())
    assert seen == [f"{at}-0" for at in range(9)]
