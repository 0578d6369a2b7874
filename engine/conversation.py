"""The conversation as every API needs it: who said what in turn, each tool call with its result.

Shared by the request builders. A provider's own blocks take the place of the neutral block of the same segment;
those of another provider are left out, and so is what only they would explain.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .loose import parsed_object
from .ports import Block, File
from .turns import INTERRUPTED

_CUT_HERE = "\n\n[This answer was interrupted by the user.]"


@dataclass(slots=True)
class Said:
    """What the user said, or what the model said together with the results of the tools that it called.

    `results` holds one block for each tool call of `blocks`, in their order, under the same `call_id`.
    """

    by_user: bool
    blocks: list[Block] = field(default_factory=list[Block])
    results: list[Block] = field(default_factory=list[Block])

    @property
    def text(self) -> str:
        """All its text; of the user, with a blank line between messages."""
        kinds = ("user",) if self.by_user else ("text",)
        return ("\n\n" if self.by_user else "").join(b.text for b in self.blocks if b.kind in kinds)

    @property
    def files(self) -> list[File]:
        """The files that the user attached."""
        return [file for block in self.blocks for file in block.files]


class CallIds:
    """Tool call ids that an API accepts, each used once: providers reuse `0`, and know other characters."""

    def __init__(self, *, max_length: int, forbidden: str = r"[^a-zA-Z0-9_-]") -> None:
        self._max_length = max_length
        self._forbidden = re.compile(forbidden)
        self._used: set[str] = set()

    def accepted(self, call_id: str) -> str:
        """A new id for the next call that was named `call_id`."""
        stem = (self._forbidden.sub("_", call_id) or "call")[: self._max_length]
        found, number = stem, 1
        while found in self._used:
            number += 1
            suffix = f"-{number}"
            found = stem[: self._max_length - len(suffix)] + suffix
        self._used.add(found)
        return found


def arrange(blocks: Iterable[Block], *, provider: str, ids: CallIds) -> list[Said]:
    """`blocks` as turns. Where a neutral block carries `data`, that is the provider's own form of it."""
    blocks = list(blocks)
    results = _results_by_call(blocks)
    said: list[Said] = []
    after_results = False
    for block in _in_own_words(blocks, provider):
        if block.kind == "tool-result":
            after_results = True
            continue
        by_user = block.kind == "user"
        if not said or said[-1].by_user != by_user or (after_results and not by_user):
            said.append(Said(by_user))
        after_results = False
        said[-1].blocks.append(_marked(block))
    for turn in said:
        _answer_calls(turn, results, ids)
    return said


def tool_name(name: str) -> str:
    """`name` in the characters that every API takes."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "tool"


def arguments_json(block: Block) -> str:
    """The arguments of a tool call as a JSON object in a text: what is broken or missing becomes `{}`."""
    return "{}" if parsed_object(block.text) is None else block.text


def arguments_object(block: Block) -> Mapping[str, Any]:
    """The arguments of a tool call as an object."""
    return parsed_object(block.text) or {}


def _results_by_call(blocks: Iterable[Block]) -> dict[str, deque[Block]]:
    """Results by call id, oldest first: where an id is used again, each call takes the next one."""
    found: dict[str, deque[Block]] = defaultdict(deque)
    for block in blocks:
        if block.kind == "tool-result":
            found[block.call_id].append(block)
    return found


def _in_own_words(blocks: list[Block], provider: str) -> Iterable[Block]:
    own = [b for b in blocks if b.kind == "provider" and b.provider == provider and b.data is not None]
    neutral = {b.segment_id for b in blocks if b.segment_id and b.kind not in ("provider", "tool-result")}
    stands_for = {b.segment_id: b for b in own if b.segment_id in neutral}
    for block in blocks:
        if block.kind != "provider":
            words = stands_for.get(block.segment_id) if block.segment_id else None
            yield replace(block, data=words.data) if words else block
        elif block.provider == provider and block.data is not None and block.segment_id not in stands_for:
            yield block


def _marked(block: Block) -> Block:
    if block.kind == "text" and block.interrupted:
        return replace(block, text=block.text.rstrip() + _CUT_HERE)
    return block


def _answer_calls(turn: Said, results: dict[str, deque[Block]], ids: CallIds) -> None:
    for index, block in enumerate(turn.blocks):
        if block.kind != "tool-call":
            continue
        waiting = results.get(block.call_id)
        missing = Block(kind="tool-result", call_id=block.call_id, name=block.name, text=INTERRUPTED, failed=True)
        result = waiting.popleft() if waiting else missing
        # Blocks in the provider's own words hold the provider's own id, which stays.
        call_id = block.call_id if block.data is not None else ids.accepted(block.call_id)
        turn.blocks[index] = replace(block, call_id=call_id)
        turn.results.append(replace(result, call_id=call_id))
