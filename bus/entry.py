"""The wire: what stands in one entry of a stream, written and read.

An entry is a Watermill message (as watermill-redisstream writes it: three fields, in any order) with fields of ours
beside it, which Watermill ignores. `docs/wire.md` describes them for strangers. Reading never raises: what cannot be
read becomes a `Broken` event with the reason, what has another shape becomes an `Unknown` that shows its fields.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol, cast

from pydantic_core import from_json

from .codec import read, read_all
from .events import Broken, Event, Final, Partial, Unknown
from .meta import ZERO_ID, Metadata
from .numbers import MAX_DIGITS, number
from .slim import SlimDelta
from .stream import START, Entry, Record

VERSION = 1
"""Major version of the wire that is written here and the newest that can be read."""

LAST_PART = 2**64 - 1
"""The greatest value that each half of an entry's id can have."""

Fields = Mapping[bytes, bytes]

_UUID = b"_watermill_message_uuid"
_ID = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?")


def write_fields(record: Record, *, writer: str, epoch: int, seq: int) -> tuple[bytes | str | int, ...]:
    """Names and values of an entry, alternating, always as many. The stream itself adds `n`, which it alone knows."""
    return (
        _UUID,
        str(uuid.uuid4()),
        b"metadata",
        b"",
        b"payload",
        record.payload,
        b"v",
        VERSION,
        b"ts",
        record.ts,
        b"w",
        writer,
        b"e",
        epoch,
        b"q",
        seq,
    )


def position(entry_id: str) -> tuple[int, int]:
    """An entry's id as numbers, so that positions can be compared; raises ValueError when it is none."""
    found = _ID.fullmatch(entry_id)
    if not found:
        raise ValueError(f"{entry_id!r} is not a position in a stream; one looks like 1700000000000-0")
    return int(found[1]), int(found[2] or 0)


def position_before(entry_id: str) -> str:
    """The greatest position below `entry_id`: reading after it begins with that very entry."""
    ms, seq = position(entry_id)
    if seq:
        return f"{ms}-{seq - 1}"
    return f"{ms - 1}-{LAST_PART}" if ms else START


class Shape(Protocol):
    """Makes an event of an entry's fields, for streams of other shapes than ours."""

    def read(self, entry_id: str, fields: Fields) -> Event | SlimDelta:
        """The entry's content; never raises."""
        ...


@dataclass
class PlainText:
    """A plain token stream: each entry has one text field, `text_field`.

    `id_field` tells answers apart that interleave. An entry whose text is `end_value` ends its answer. Without an
    `id_field` the next answer begins behind the end, so such a stream is read forwards.
    """

    text_field: str
    id_field: str | None = None
    end_value: str | None = None
    _message: str = ZERO_ID

    def read(self, entry_id: str, fields: Fields) -> Event:
        """A `Partial`, a `Final` at the end of an answer, an `Unknown` where the text field is missing."""
        text = fields.get(self.text_field.encode())
        if text is None:
            return _foreign(fields)
        message = _text(fields.get(self.id_field.encode(), b"")) if self.id_field else self._message
        meta = Metadata(message_id=message or ZERO_ID)
        if self.end_value is None or _text(text) != self.end_value:
            return Partial(meta=meta, delta=_text(text))
        if not self.id_field:
            self._message = f"after-{entry_id}"
        return Final(meta=meta)


class Watermill:
    """The shape of our own entries and of Geppetto's: the event's JSON in `payload`."""

    def read(self, entry_id: str, fields: Fields) -> Event | SlimDelta:
        """What is in the payload. A message without a payload or metadata has an empty one."""
        payload = fields.get(b"payload")
        if payload is None:
            if _UUID not in fields:
                return _foreign(fields)
            payload = b""
        version = number(fields.get(b"v")) or VERSION
        if version > VERSION:
            reason = f"Written by a newer riffle (wire version {version}, known here: {VERSION}). Update to read it."
            return Broken(reason=reason, raw=_text(payload))
        metadata = fields.get(b"metadata")
        if metadata:
            try:
                read_metadata(metadata)
            except ValueError as error:
                return Broken(reason=f"The entry's metadata cannot be read: {error}.", raw=_text(payload))
        return read(payload)


WATERMILL = Watermill()


def read_entry(entry_id: str, fields: Fields, shape: Shape = WATERMILL) -> Entry:
    """One entry as a stream gave it."""
    ts = number(fields.get(b"ts"))
    payload = fields.get(b"payload", b"")
    entry = Entry(entry_id, shape.read(entry_id, fields), position(entry_id)[0] if ts is None else ts, payload)
    author = _author(fields.get(b"w", b""), fields.get(b"e", b""))
    seq, n = number(fields.get(b"q")), number(fields.get(b"n"))
    # Others have fields of these names too: only together, and in our shape, they are ours.
    if shape is not WATERMILL or author is None or seq is None or n is None:
        return entry
    return entry._replace(writer=author[0], epoch=author[1], seq=seq, n=n)


# -- many entries at once --------------------------------------------------------------------------------------------

_OUR_NAMES = [_UUID, b"metadata", b"payload", b"v", b"ts", b"w", b"e", b"q", b"n"]
_OURS = [*_OUR_NAMES, b"", str(VERSION).encode()]
"""What is the same in all entries of ours: the names, no metadata, the version."""

# What Entry() does, at half of its time.
_make_entry: Callable[[type[Entry], tuple[Any, ...]], Entry] = cast(Any, tuple).__new__


def read_entries(rows: Iterable[tuple[bytes, Sequence[bytes] | None]], shape: Shape = WATERMILL) -> list[Entry]:
    """Entries as Redis sends them, an id with names and values, alternating: what `read_entry` makes of each.

    A deleted one, which has no fields, is left out.
    """
    there = [(entry_id, flat) for entry_id, flat in rows if flat is not None]
    ours = _read_ours(there) if there and shape is WATERMILL else None
    return [read_entry(entry_id.decode(), pair_up(flat), shape) for entry_id, flat in there] if ours is None else ours


def _read_ours(rows: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Entry] | None:
    """Entries as one writer of this project writes them, field by field for all at once; None: some are not such."""
    count = len(rows)
    try:
        columns = list(zip(*[flat for _, flat in rows], strict=True))
        _, metadata, payloads, versions, ts, writers, epochs, seqs, ns = columns[1::2]
    except ValueError:
        return None
    alike = (*columns[::2], metadata, versions, writers, epochs)
    first = [column[0] for column in alike]
    author = _author(writers[0], epochs[0])
    digits = _numbers((*ts, *ns, *seqs))
    same = first[:-2] == _OURS and all(column.count(value) == count for column, value in zip(alike, first, strict=True))
    if not same or author is None or digits is None:
        return None
    ids = [entry_id.decode() for entry_id, _ in rows]
    ts, ns, seqs = digits[:count], digits[count : 2 * count], digits[2 * count :]
    columns = zip(ids, read_all(payloads), ts, payloads, ns, repeat(author[0]), repeat(author[1]), seqs)
    return list(map(_make_entry, repeat(Entry), columns))


def _numbers(raws: Sequence[bytes]) -> list[int] | None:
    """What `number` finds in each; None: not in all of them, or they must be read one by one."""
    joined = b",".join(raws)
    if not joined.replace(b",", b"").isdigit() or max(map(len, raws)) > MAX_DIGITS:
        return None
    try:
        found: list[int] = from_json(b"[%b]" % joined)  # a quarter of the time of so many int()
    except ValueError:  # an empty one, or one with a zero in front
        return None
    return found if len(found) == len(raws) else None


@functools.lru_cache(maxsize=64)
def _author(writer: bytes, epoch: bytes) -> tuple[str, int] | None:
    """Who wrote an entry of ours. A stream has few of them."""
    known = number(epoch)
    return (_text(writer), known) if writer and known is not None else None


def read_metadata(raw: bytes) -> dict[str, str]:
    """Watermill's metadata: nothing, nil, or a msgpack map of texts (as str or bin; a nil value is an empty text).

    As Watermill reads it: the last of equal keys wins, what follows the map is ignored. Anything else is a ValueError.
    """
    if not raw:
        return {}
    import msgpack  # only Go programs of others write metadata

    unpacker = cast(Any, msgpack).Unpacker(raw=True, strict_map_key=False)
    unpacker.feed(raw)
    try:
        found: object = unpacker.unpack()
    except (ValueError, cast(Any, msgpack).UnpackException) as error:
        raise ValueError(str(error) or "it is cut off") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"it is a {type(found).__name__}, not a map")
    return {_metadata_text(key): _metadata_text(value) for key, value in cast("dict[object, object]", found).items()}


def _metadata_text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, bytes):
        raise ValueError(f"it holds a {type(value).__name__} where a text belongs")
    return _text(value)


def _foreign(fields: Fields) -> Event:
    shown: dict[str, Any] = {_text(name): _text(value) for name, value in fields.items()}
    # An Unknown's own fields keep their meaning; the entry's stand below one name.
    return Unknown.model_validate({"type": "foreign-entry", "fields": shown})


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def pair_up(flat: Sequence[bytes]) -> Fields:
    """Alternating names and values, as Redis sends them, as a mapping; the last of equal names wins."""
    names = iter(flat)
    return dict(zip(names, names, strict=False))
