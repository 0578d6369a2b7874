"""Payloads to events and back: `decode` never raises and never loses, `encode` writes what Geppetto reads.

A payload of a known type that does not fit becomes `Broken`, with the reason; one of an unknown type is carried
whole as `Unknown`. A program registers types of its own with `register`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from inspect import isclass
from types import ModuleType
from typing import Any, NoReturn, TypeAlias, cast

from pydantic import ValidationError

from . import events, gojson
from .dialects import translate
from .events import Broken, Event, Unknown
from .slim import SlimDelta, read_slim, read_slims

Decoder: TypeAlias = Callable[[dict[str, Any]], Event]
"""Reads a payload's object. A ValueError, TypeError, LookupError or AttributeError says that it does not fit."""

Encoder: TypeAlias = Callable[[Any], dict[str, Any]]
"""Gives an event's object, `type` and `meta` included."""


def _models(module: ModuleType) -> dict[str, type[Event]]:
    """Every model there by its type; not `Unknown` and `Broken`, which no payload names."""
    found: dict[str, type[Event]] = {}
    for value in vars(module).values():
        if isclass(value) and issubclass(value, Event) and value not in (Unknown, Broken):
            name = value.model_fields["type"].default
            if isinstance(name, str):
                found[name] = value
    return found


_MODELS = _models(events)


@functools.cache
def _provider_tool_models() -> dict[str, type[Event]]:
    """Half of the vocabulary, of which most sessions have nothing: to make these models takes as long as a frame."""
    from . import builtin_events

    return _models(builtin_events)


def _model(type_name: str) -> type[Event] | None:
    return _MODELS.get(type_name) or _provider_tool_models().get(type_name)


_decoders: dict[str, Decoder] = {}
_encoders: dict[str, Encoder] = {}


def register(
    type_name: str,
    model: type[Event] | None = None,
    *,
    decoder: Decoder | None = None,
    encoder: Encoder | None = None,
) -> None:
    """Make events of `type_name` (with a prefix of your own) readable: by a model, or by a decoder and an encoder.

    Raises ValueError when the name is taken or nothing can read it.
    """
    if type_name in _decoders or _model(type_name):
        raise ValueError(f"The event type {type_name!r} is registered already.")
    read = decoder or (model.model_validate if model else None)
    if read is None or not type_name:
        raise ValueError("An event type needs a name, and a model or a decoder.")
    _decoders[type_name] = read
    if encoder:
        _encoders[type_name] = encoder


def unregister(type_name: str) -> None:
    """Forget a registered type; its events are `Unknown` again."""
    _decoders.pop(type_name, None)
    _encoders.pop(type_name, None)


def encode(event: Event) -> bytes:
    """The payload of `event`: `type`, `meta`, its own fields, then our additions. None is never written."""
    encoder = _encoders.get(event.type)
    if encoder:
        return gojson.dumps(encoder(event))
    if isinstance(event, Unknown):
        return gojson.dumps(event.model_dump(exclude_unset=True))
    fields = event.model_dump(exclude_none=True)
    for ours in ("correlation", "offset"):
        if ours in fields:
            fields[ours] = fields.pop(ours)
    return gojson.dumps(fields)


def decode(payload: bytes | str) -> Event:
    """The event in `payload`, whatever that is."""
    slim = read_slim(payload) if isinstance(payload, bytes) else None
    return _decode_event(payload) if slim is None else slim.event


def read(payload: bytes) -> Event | SlimDelta:
    """As `decode`, but a slim delta is not made an event."""
    return read_slim(payload) or _decode_event(payload)


_MANY = 8
"""Fewer take longer together than one by one."""


def read_all(payloads: Sequence[bytes]) -> list[Event | SlimDelta]:
    """What `read` makes of each, in less time where many of them are slim deltas."""
    if len(payloads) < _MANY:
        return [read(payload) for payload in payloads]
    found: list[Event | SlimDelta] = []
    while len(found) < len(payloads):
        found += read_slims(payloads, len(found)) or [_decode_event(payloads[len(found)])]
    return found


def _decode_event(payload: bytes | str) -> Event:
    # By the one model, which is built when the first event of its type is read: one for all of them takes 50 ms.
    model = None if _may_hold_nan(payload) else _model_of(payload)
    try:
        return model.model_validate_json(payload) if model else _decode_slowly(payload)
    except ValueError:
        return _decode_slowly(payload)


_TYPE = re.compile(rb'\s*\{\s*"type"\s*:\s*"([\w-]+)"')


def _model_of(payload: bytes | str) -> type[Event] | None:
    """The model of a payload that says its type first, as nearly all do."""
    found = _TYPE.match(payload if isinstance(payload, bytes) else payload[:99].encode(errors="replace"))
    return _model(found[1].decode()) if found else None


def _may_hold_nan(payload: bytes | str) -> bool:
    """Whether NaN or an infinity may stand there. Pydantic's parser takes them for numbers, which JSON does not."""
    if isinstance(payload, bytes):
        return b"NaN" in payload or b"Infinity" in payload
    return "NaN" in payload or "Infinity" in payload


# -- the slow path --------------------------------------------------------------------------------------------------

_MAX_DEPTH = 100
_TOO_DEEP = f"It is nested more than {_MAX_DEPTH} levels deep."
_MISFITS = (ValueError, TypeError, LookupError, AttributeError)


def _decode_slowly(payload: bytes | str) -> Event:
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else gojson.replace_surrogates(payload)
    try:
        value = _mended(json.loads(text, parse_constant=_refuse))
    except RecursionError:
        return Broken(reason=_TOO_DEEP, raw=text)
    except json.JSONDecodeError as error:
        reason = f"It is not JSON: {error.msg.lower()} at character {error.pos}." if text.strip() else "It is empty."
        return Broken(reason=reason, raw=text)
    except ValueError as error:
        return Broken(reason=f"It is not JSON: {error}.", raw=text)
    if isinstance(value, dict):
        return _decode_object(cast("dict[str, Any]", value), text)
    return Broken(reason=f"It is {_kind(value)}, not a JSON object.", raw=text)


def _decode_object(payload: dict[str, Any], text: str) -> Event:
    name: object = payload.get("type") or ""
    if not isinstance(name, str):
        return Broken(reason="Its type is not a text.", raw=text)
    decoder = _decoders.get(name)
    try:
        if decoder:
            return decoder(payload)
        if model := _model(name):
            return model.model_validate(_without_nulls(payload))
        translated = translate(payload)
        if translated is not None:
            return _MODELS[translated["type"]].model_validate(_without_nulls(translated))
        return _unknown(payload)
    except ValidationError as error:
        return Broken(reason=_misfit(name, error), raw=text)
    except _MISFITS as error:
        return Broken(reason=f"The decoder of {name!r} cannot read it: {error}.", raw=text)


def _unknown(payload: dict[str, Any]) -> Unknown:
    nulls = {name for name in ("type", "meta") if payload.get(name, ...) is None}
    return Unknown.model_validate({name: value for name, value in payload.items() if name not in nulls})


def _without_nulls(payload: dict[str, Any]) -> dict[str, Any]:
    """Null is the same as absent there, as in Go; two levels are as deep as fields with a default go."""
    kept = {name: value for name, value in payload.items() if value is not None}
    for name in ("meta", "correlation", "tool_call", "tool_result"):
        inner = kept.get(name)
        if isinstance(inner, dict):
            kept[name] = {key: value for key, value in cast("dict[str, Any]", inner).items() if value is not None}
    return kept


def _mended(value: Any, depth: int = 0) -> Any:
    """`value` without lone surrogates. Raises RecursionError where writing it again might."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    match value:
        case str():
            return gojson.replace_surrogates(value)
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return {gojson.replace_surrogates(key): _mended(item, depth + 1) for key, item in pairs}
        case list():
            return [_mended(item, depth + 1) for item in cast("list[Any]", value)]
        case _:
            return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _misfit(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"The field {place} of {name!r} {first['msg'].removeprefix('Input ')}."


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a number"
