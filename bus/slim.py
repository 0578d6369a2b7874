"""Slim deltas: nearly all entries of a stream, read without a model, and made events only where somebody asks for one.

A slim delta has a message id, a segment id, a text and an offset, and stands there byte for byte as this project writes
it. Whatever looks otherwise is for `codec`, which would read these to the very same events.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from pydantic import BaseModel
from pydantic_core import from_json

from .events import Partial, PartialThinking
from .meta import Correlation, Metadata


class Frame(NamedTuple):
    """All of a delta but its text and its offset. Deltas of one segment share one, in memory too."""

    model: type[Partial] | type[PartialThinking]
    type: str
    meta: Metadata
    correlation: Correlation


class SlimDelta(NamedTuple):
    """`text` goes into the segment that `frame` names at `offset`."""

    frame: Frame
    text: str
    offset: int

    @property
    def event(self) -> Partial | PartialThinking:
        """The same as an event, made anew each time."""
        model, name, meta, correlation = self.frame
        # What pydantic's model_construct does, at a tenth of its time.
        event = object.__new__(model)
        _set_values(
            event,  # the models are frozen
            "__dict__",
            {
                "type": name,
                "meta": meta,
                "correlation": correlation,
                "delta": self.text,
                "completion": None,
                "offset": self.offset,
            },
        )
        _set_names(event, _FIELDS_SET)
        _set_extra(event, _NO_EXTRA)
        _set_private(event, None)
        return event


_SLIM = re.compile(
    rb'\{"type":"(partial(?:-thinking)?)","meta":\{"message_id":"([^"]*)"\},"delta":"([^"\\]*(?:\\.[^"\\]*)*)",'
    rb'"correlation":\{"segment_id":"([^"]*)"\},"offset":(0|[1-9][0-9]{0,17})\}'
)
_TEXTS = re.compile(r'(?m)^([^"\\\0-\x1f]*(?:\\.[^"\\\0-\x1f]*)*)\0(0|[1-9][0-9]{0,17})\}$')
_MODELS: dict[str, type[Partial] | type[PartialThinking]] = {"partial": Partial, "partial-thinking": PartialThinking}

_FIELDS_SET = {"type", "meta", "delta", "offset", "correlation"}
_NO_EXTRA: dict[str, Any] = {}

_set_values = object.__setattr__
_set_names, _set_extra, _set_private = (
    vars(BaseModel)[slot].__set__ for slot in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)

# What SlimDelta() does, at half of its time.
_make: Callable[[type[SlimDelta], tuple[Frame, str, int]], SlimDelta] = cast(Any, tuple).__new__


def read_slim(payload: bytes) -> SlimDelta | None:
    """The slim delta in `payload`; None: there is something else."""
    slim = _SLIM.fullmatch(payload)
    if slim is None:
        return None
    kind, message_id, raw, segment_id, offset = slim.groups()
    text = raw.decode(errors="replace")
    try:
        if not text.isprintable() or "\\" in text:
            text = _text(raw)
        return _make(SlimDelta, (_frame(kind, message_id, segment_id), text, int(offset)))
    except ValueError:
        return None


def read_slims(payloads: Sequence[bytes], begin: int) -> list[SlimDelta]:
    """The slim deltas of one segment from `begin` on, up to whatever else there is. Many take half the time of each."""
    payload = payloads[begin]
    first = _SLIM.fullmatch(payload)
    if first is None:
        return []
    head, between = payload[: first.start(3)], payload[first.end(3) : first.start(5)]
    end = begin + 1
    while end < len(payloads) and payloads[end].startswith(head):
        end += 1
    run = payloads[begin:end]
    try:
        frame = _frame(first[1], first[2], first[4])
        texts = _texts([payload[len(head) :] for payload in run], between)
        return [_make(SlimDelta, (frame, _text(text) if "\\" in text else text, int(offset))) for text, offset in texts]
    except ValueError:  # one of them goes on in another way than it begins
        deltas = list(map(read_slim, run))
        return cast("list[SlimDelta]", deltas[: deltas.index(None)] if None in deltas else deltas)


def _texts(tails: list[bytes], between: bytes) -> list[tuple[str, str]]:
    """Text and offset of deltas that begin alike, `between` between the two; a ValueError where one has more to it."""
    joined = b"\n".join(tails)
    if b"\0" not in joined and joined.count(b"\n") < len(tails):  # so these two, which no JSON text holds, are marks
        texts = _TEXTS.findall(joined.replace(between, b"\0").decode(errors="replace"))
        if len(texts) == len(tails):
            return texts
    raise ValueError


@functools.lru_cache(maxsize=64)
def _frame(kind: bytes, message_id: bytes, segment_id: bytes) -> Frame:
    name = kind.decode()
    return Frame(_MODELS[name], name, Metadata(message_id=_text(message_id)), Correlation(segment_id=_text(segment_id)))


def _text(literal: bytes | str) -> str:
    """What stands between a JSON text's quotes; a ValueError where that is no text."""
    return from_json(b'"%b"' % literal if isinstance(literal, bytes) else f'"{literal}"')
