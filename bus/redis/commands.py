"""What is asked of a session: prompts in a queue, and commands (interrupt, resume) that everybody reads.

Prompts are claimed through a consumer group by the engine that holds the lease. A finished or withdrawn prompt is
deleted from its stream; its id is kept, so that a repeated submit stays harmless. One that kills its engines is moved
to a stream of its own. A prompt that somebody wrote by hand without an id has its entry's.
Entries in `control` have a `type`:
`interrupt` is for the engine; `engine`, `claimed`, `finished`, `withdraw` and `resume` only wake whoever waits there.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from ..attachment import Attachment
from ..entry import pair_up, position
from ..errors import LeaseTaken, StoreRefused
from ..numbers import number
from ..pages import Pace
from ..session import OnLoss, Prompt, Queue
from ..stream import START
from .connection import Connection, Script
from .keys import GROUP, SessionKeys
from .lease import read_lease
from .sessions import deleted
from .words import NotPermitted

MAX_PROMPT_BYTES = 512 * 1024
QUEUE_SHOWN = 200

Fate = Literal["open", "settled", "unknown"]
"""Of a prompt: it waits or is being answered; it is finished or was taken back; Redis knows nothing of it."""

_SUBMIT, _CLAIM, _FINISH = Script("submit"), Script("claim"), Script("finish")
_WITHDRAW, _INTERRUPT, _MISSING = Script("withdraw"), Script("interrupt"), Script("missing")


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
            raise deleted(keys.id)
        return done == 1

    async def permitted(self) -> bool:
        """Whether this user may run the scripts that all this is made of."""
        try:
            await self.withdraw(uuid.uuid4().hex)  # no prompt has that id
        except NotPermitted:
            return False
        return True

    async def withdraw(self, prompt_id: str) -> Prompt | None:
        """Take a queued prompt back; None: an engine has it already, or there is none."""
        keys = self._keys
        entry = await self._connection.run(
            _WITHDRAW, (keys.prompts, keys.prompt_ids, keys.paused, keys.control), GROUP, prompt_id
        )
        return _read(*entry) if entry else None

    async def interrupt(self, author: str, prompt_id: str = "") -> None:
        """Ask to stop the running turn. Where prompts wait, they go on waiting until `resume`.

        With a `prompt_id` only the turn of that prompt is meant: nothing happens where it has ended, or has not begun.
        Nor where the session was deleted. Safe to repeat.
        """
        keys = self._keys
        now = time.time_ns() // 1_000_000
        named = (keys.prompts, keys.paused, keys.control, keys.prompt_ids, keys.tombstone)
        await self._connection.run(_INTERRUPT, named, GROUP, author, now, prompt_id)

    async def resume(self) -> None:
        """Let the queue go on."""
        await self._connection.call("DEL", self._keys.paused)
        # Where there is no such stream nobody ever stopped the queue, or the session was deleted.
        stir = ("XADD", self._keys.control, "NOMKSTREAM", "MAXLEN", "~", 100, "*", "type", "resume")
        await self._connection.call(*stir)

    async def queue(self) -> Queue:
        """The prompts that wait: those that nobody has taken up, and those whose engine is gone."""
        keys = self._keys
        paused, lease = await self._connection.call_many([("EXISTS", keys.paused), ("GET", keys.lease)])
        held = read_lease(lease)
        claimed = await self._claimed_by(held.engine_id) if held else set[bytes]()
        # Prompts are claimed in order: those that an engine works on need not be read.
        after = max((entry_id.decode() for entry_id in claimed), key=position, default=START)
        return Queue(tuple(await self._read(keys.prompts, after)), bool(paused))

    async def claim(self, engine_id: str, epoch: int) -> Claim | None:
        """The next prompt for the engine that holds the lease; None: nothing waits, or the queue is paused."""
        keys = self._keys
        reply = await self._connection.run(
            _CLAIM, (keys.lease, keys.prompts, keys.paused, keys.control), GROUP, engine_id, epoch
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

    async def finish(self, claim: Claim, *, set_aside: bool = False) -> None:
        """A claimed prompt is answered, or it is `set_aside`: kept where no engine takes it up. Safe to repeat."""
        keys = self._keys
        named = (keys.prompts, keys.control, keys.prompt_ids, keys.dead)
        await self._connection.run(_FINISH, named, GROUP, claim.entry_id, claim.prompt.id, int(set_aside))

    async def set_aside(self) -> list[Prompt]:
        """The prompts that were set aside, the oldest first."""
        return await self._read(self._keys.dead, START)

    async def fates(self, prompt_ids: Sequence[str]) -> list[Fate]:
        """What became of each of these prompts."""
        asked = [("HGET", self._keys.prompt_ids, prompt_id) for prompt_id in prompt_ids]
        found = await self._connection.call_many(asked)
        return ["unknown" if entry is None else "settled" if entry == b"done" else "open" for entry in found]

    async def missing(self) -> list[Claim]:
        """Prompts that are gone, though nobody has finished them or taken them back: only their ids are known."""
        gone = await self._connection.run(_MISSING, (self._keys.prompts, self._keys.prompt_ids))
        return [Claim(Prompt(id=raw.decode(errors="replace"), text="", author=""), START, START, 0) for raw in gone]

    async def _read(self, key: str, after: str) -> list[Prompt]:
        """The prompts after that position, `QUEUE_SHOWN` at most; a few big ones at a time."""
        pace, prompts, more = Pace(), list[Prompt](), True
        while more and len(prompts) < QUEUE_SHOWN:
            count, began = min(pace.count, QUEUE_SHOWN - len(prompts)), time.monotonic()
            raw = await self._connection.call("XRANGE", key, f"({after}", "+", "COUNT", count)
            pace.arrived(len(raw), time.monotonic() - began)
            pace.weighed(len(raw), sum(len(text) for _, flat in raw for text in flat))
            prompts += [_read(entry_id, flat) for entry_id, flat in raw]
            more = len(raw) == count
            after = raw[-1][0].decode() if raw else after
        return prompts

    async def _claimed_by(self, engine_id: str) -> set[bytes]:
        try:
            pending = await self._connection.call("XPENDING", self._keys.prompts, GROUP, "-", "+", QUEUE_SHOWN)
        except StoreRefused as error:
            if "NOGROUP" in str(error):  # prompts that somebody wrote by hand, and no engine yet
                return set()
            raise
        return {entry_id for entry_id, owner, *_ in pending if owner == engine_id.encode()}


def _write(prompt: Prompt) -> tuple[str | int, ...]:
    files = json.dumps([asdict(attachment) for attachment in prompt.attachments])
    return (
        *("id", prompt.id, "text", _sound(prompt.text), "author", _sound(prompt.author), "model", prompt.model),
        *("on_loss", prompt.on_loss, "supersedes", prompt.supersedes or "", "submitted_ms", prompt.submitted_ms),
        *("options", json.dumps(prompt.options)),
        *(("attachments", files) if prompt.attachments else ()),
    )


def _read(entry_id: bytes, flat: Sequence[bytes]) -> Prompt:
    """A prompt from its entry; whatever is missing or odd there has its default, so that `redis-cli` can ask too."""
    fields = pair_up(flat)
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    on_loss: OnLoss = "retry" if texts.get("on_loss") == "retry" else "stop"
    return Prompt(
        id=texts.get("id") or entry_id.decode(),
        text=texts.get("text", ""),
        author=texts.get("author", ""),
        model=texts.get("model", ""),
        on_loss=on_loss,
        supersedes=texts.get("supersedes") or None,
        submitted_ms=number(texts.get("submitted_ms")) or 0,
        options=_options(texts.get("options", "")),
        attachments=_attachments(texts.get("attachments", "")),
    )


def _options(text: str) -> dict[str, str]:
    try:
        found: object = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in cast("dict[object, object]", found).items()}


def _attachments(text: str) -> tuple[Attachment, ...]:
    try:
        found: object = json.loads(text or "[]")
    except ValueError:
        return ()
    listed = cast("list[object]", found) if isinstance(found, list) else []
    return tuple(_attachment(cast("dict[str, Any]", item)) for item in listed if isinstance(item, dict))


def _attachment(found: dict[str, Any]) -> Attachment:
    size: object = found.get("size")
    return Attachment(
        name=str(found.get("name") or ""),
        media_type=str(found.get("media_type") or ""),
        size=size if isinstance(size, int) else 0,
        block_key=str(found.get("block_key") or ""),
    )


def _sound(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()
