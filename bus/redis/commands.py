"""What is asked of a session: prompts in a queue, and commands (interrupt, resume) that everybody reads.

Prompts are claimed through a consumer group by the engine that holds the lease. A finished or withdrawn prompt is
deleted from its stream; its id is kept, so that a repeated submit stays harmless. A prompt that somebody wrote by hand
without an id has its entry's. Entries in `control` have a `type`:
`interrupt` is for the engine; `engine`, `claimed`, `finished`, `withdraw` and `resume` only wake whoever waits there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ..entry import pair_up
from ..errors import LeaseTaken, StoreRefused, UnknownSession
from ..session import OnLoss, Prompt, Queue
from .connection import Connection, Script
from .keys import GROUP, SessionKeys

MAX_PROMPT_BYTES = 512 * 1024
QUEUE_SHOWN = 200

_SUBMIT, _CLAIM, _FINISH = Script("submit"), Script("claim"), Script("finish")
_WITHDRAW, _INTERRUPT = Script("withdraw"), Script("interrupt")


@dataclass(frozen=True, slots=True)
class Claim:
    """A prompt that an engine holds now. `entry_id` finishes it; interrupts count from `control_id` on.

    `deliveries` counts the engines that it was handed out to.
    """

    prompt: Prompt
    entry_id: str
    control_id: str
    deliveries: int


class Commands:
    """Prompts and commands of one session."""

    def __init__(self, connection: Connection, keys: SessionKeys) -> None:
        self._connection = connection
        self._keys = keys

    async def submit(self, prompt: Prompt) -> bool:
        """Queue `prompt`; False: one with its id was queued before. Safe to repeat."""
        if len(prompt.text.encode(errors="replace")) > MAX_PROMPT_BYTES:
            raise StoreRefused(
                f"The prompt is longer than {MAX_PROMPT_BYTES // 1024} KiB.",
                "Put the text into a file, and ask about the file.",
            )
        keys = self._keys
        done = await self._connection.run(
            _SUBMIT, (keys.prompts, keys.prompt_ids, keys.tombstone), GROUP, prompt.id, *_write(prompt)
        )
        if done < 0:
            raise UnknownSession(f"The session {keys.id} was deleted.", "`riffle sessions list` shows what there is.")
        return done == 1

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back; None: an engine has it already, or there is none."""
        keys = self._keys
        entry = await self._connection.run(
            _WITHDRAW, (keys.prompts, keys.prompt_ids, keys.paused, keys.control), GROUP, prompt_id
        )
        return _read(*entry) if entry else None

    async def interrupt(self, author: str) -> None:
        """Ask to stop the running turn. Where prompts wait, they go on waiting until `resume`."""
        keys = self._keys
        now = time.time_ns() // 1_000_000
        await self._connection.run(_INTERRUPT, (keys.prompts, keys.paused, keys.control), GROUP, author, now)

    async def resume(self) -> None:
        """Let the queue go on."""
        await self._connection.call("DEL", self._keys.paused)
        await self._connection.call("XADD", self._keys.control, "MAXLEN", "~", 100, "*", "type", "resume")

    async def queue(self) -> Queue:
        """The prompts that wait."""
        keys = self._keys
        raw, paused = await self._connection.call_many(
            [("XRANGE", keys.prompts, "-", "+", "COUNT", QUEUE_SHOWN), ("EXISTS", keys.paused)]
        )
        claimed = await self._claimed() if raw else set[bytes]()
        waiting = tuple(_read(entry_id, flat) for entry_id, flat in raw if entry_id not in claimed)
        return Queue(waiting, bool(paused))

    async def claim(self, engine_id: str) -> Claim | None:
        """The next prompt for the engine that holds the lease; None: nothing waits, or the queue is paused."""
        keys = self._keys
        reply = await self._connection.run(
            _CLAIM, (keys.lease, keys.prompts, keys.paused, keys.control), GROUP, engine_id
        )
        match reply:
            case [b"none"]:
                return None
            case [b"lost"]:
                raise LeaseTaken(f"This engine does not hold the session {keys.id} any more.")
            case [entry_id, flat, deliveries, control_id]:
                return Claim(_read(entry_id, flat), entry_id.decode(), control_id.decode(), deliveries)
            case _:
                raise StoreRefused(f"Redis gave an answer to a claim that nobody understands: {reply!r}.")

    async def finish(self, entry_id: str) -> None:
        """A claimed prompt is answered. Safe to repeat."""
        await self._connection.run(_FINISH, (self._keys.prompts, self._keys.control), GROUP, entry_id)

    async def _claimed(self) -> set[bytes]:
        try:
            pending = await self._connection.call("XPENDING", self._keys.prompts, GROUP, "-", "+", QUEUE_SHOWN)
        except StoreRefused as error:
            if "NOGROUP" in str(error):  # prompts that somebody wrote by hand, and no engine yet
                return set()
            raise
        return {item[0] for item in pending}


def _write(prompt: Prompt) -> tuple[str | int, ...]:
    return (
        *("id", prompt.id, "text", _sound(prompt.text), "author", _sound(prompt.author), "model", prompt.model),
        *("on_loss", prompt.on_loss, "supersedes", prompt.supersedes or "", "submitted_ms", prompt.submitted_ms),
        *("options", json.dumps(prompt.options)),
    )


def _read(entry_id: bytes, flat: Sequence[bytes]) -> Prompt:
    """A prompt from its entry; whatever is missing or odd there has its default, so that `redis-cli` can ask too."""
    fields = pair_up(flat)
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    on_loss: OnLoss = "retry" if texts.get("on_loss") == "retry" else "stop"
    submitted = texts.get("submitted_ms", "")
    return Prompt(
        id=texts.get("id") or entry_id.decode(),
        text=texts.get("text", ""),
        author=texts.get("author", ""),
        model=texts.get("model", ""),
        on_loss=on_loss,
        supersedes=texts.get("supersedes") or None,
        submitted_ms=int(submitted) if submitted.isdecimal() and len(submitted) < 20 else 0,
        options=_options(texts.get("options", "")),
    )


def _options(text: str) -> dict[str, str]:
    try:
        found: object = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in cast("dict[object, object]", found).items()}


def _sound(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()
