"""The text of an archived session: lines of JSON, made and read so that every byte comes back.

A line of an entry is what `riffle tail --output json` prints, with the entry's fields beside it:

    {"id":"1700000000000-0","ts":1700000000000,"fields":["payload",null,"v","1",…],"event":{…}}

`fields` are names and values as Redis sends them. A null among them is the event, which stands there as it was
written. Bytes that are no UTF-8 are `{"base64":"…"}`; a payload that is no JSON of one line stands among the fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .numbers import number

Text = str | dict[str, str] | None
Kind = str
"""What Redis calls the type of a key: string, hash, list, set, zset, stream."""

_EVENT = b',"event":'
"""It cannot stand in a line before the event: inside of a JSON text every quote has a backslash."""

_PAYLOAD = b"payload"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key of a session beside its events: its name within the session, its type, and what it holds.

    `value` is flat: one text of a string, names and values of a hash, members and scores of a zset. A stream's are its
    entries instead, each an id and its fields.
    """

    name: str
    kind: Kind
    value: Sequence[bytes] = ()
    entries: Sequence[tuple[str, Sequence[bytes]]] = ()


def dump(tree: object) -> bytes:
    """One line of JSON."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def entry_line(entry_id: str, flat: Sequence[bytes]) -> bytes:
    """The line of an entry with these fields."""
    fields = texts(flat)
    event, names = b"", flat[::2]
    if names.count(_PAYLOAD) == 1:
        at = names.index(_PAYLOAD) * 2 + 1
        if _is_line_of_json(flat[at]):
            event, fields[at] = flat[at], None
    line = dump({"id": entry_id, "ts": _ts(entry_id, flat), "fields": fields})
    return line[:-2] + _EVENT + event + b"}\n" if event else line


def read_entry_line(line: bytes) -> tuple[str, list[bytes]]:
    """The id and the fields of an entry; raises ValueError, LookupError or TypeError where the line is none."""
    head, found, event = line.partition(_EVENT)
    tree = json.loads(head + b"}" if found else line)
    payload = event.rstrip(b"\n")[:-1] if found else None
    return tree["id"], _raw(tree["fields"], payload)


def key_line(key: KeptKey) -> bytes:
    """The line of another key."""
    value: list[Any] = [[entry_id, *texts(flat)] for entry_id, flat in key.entries] or texts(key.value)
    return dump({"key": key.name, "type": key.kind, "value": value})


def read_key_line(line: bytes) -> KeptKey:
    """The key; raises as `read_entry_line` does."""
    tree = json.loads(line)
    name, kind, value = tree["key"], tree["type"], tree["value"]
    if kind == "stream":
        return KeptKey(name, kind, entries=[(entry_id, _raw(flat)) for entry_id, *flat in value])
    return KeptKey(name, kind, _raw(value))


def texts(flat: Sequence[bytes]) -> list[Text]:
    """Bytes as JSON can hold them."""
    return [_text(raw) for raw in flat]


def raws(values: Sequence[Text]) -> list[bytes]:
    """Bytes as they were before `texts`."""
    return _raw(values)


def _text(raw: bytes) -> Text:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _raw(values: Sequence[Text], event: bytes | None = None) -> list[bytes]:
    found: list[bytes] = []
    for value in values:
        match value:
            case str():
                found.append(value.encode())
            case {"base64": text}:
                found.append(base64.b64decode(text, validate=True))
            case _:
                if event is None:
                    raise ValueError("it has no event")
                found.append(event)
    return found


def _is_line_of_json(payload: bytes) -> bool:
    if b"\n" in payload or b"\r" in payload:
        return False
    try:
        json.loads(payload.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _ts(entry_id: str, flat: Sequence[bytes]) -> int:
    """The writer's clock, else the entry's: what a replay goes by."""
    for name, value in zip(flat[::2], flat[1::2], strict=False):
        if name == b"ts" and (ts := number(value)) is not None:
            return ts
    return int(entry_id.partition("-")[0])
