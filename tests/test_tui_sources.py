"""The sources over a real Redis and over real files: what chat, attach and replay read and send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bus.codec import encode
from bus.earlier import LAST
from bus.errors import BusError, StoreUnavailable, UnknownSession, WrongKeyType
from bus.events import Broken, Gap, Info, Partial, UserMessage
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem, QueueChanged
from bus.meta import Metadata
from bus.redis.store import Store
from bus.session import ConnectionState, Prompt, Queue, SessionInfo
from bus.stream import Entry
from bus.writer import Writer
from tests.support.redis_server import RedisServer
from tests.support.scripted_source import Story
from tests.support.waiting import wait_until
from tui import live_source
from tui.cli.context import Context
from tui.cli.printing import json_line
from tui.config import load_config
from tui.library import StoreLibrary
from tui.live_source import LiveSource
from tui.openings import Attach, Chat, Replay, StreamName
from tui.outbox import Outbox
from tui.paths import find_paths
from tui.player import Player
from tui.replay_source import ReplaySource, read_file
from tui.sources import Source


@dataclass
class Engine:
    """A local engine that only counts what was asked of it."""

    session: SessionInfo
    asked: list[str] = field(default_factory=list[str])

    async def ensure(self) -> None:
        self.asked.append("ensure")

    def stop(self) -> None:
        self.asked.append("stop")

    def interrupt(self) -> bool:
        self.asked.append("interrupt")
        return True


class Reader:
    """Reads a source in the background, as a screen does."""

    def __init__(self, source: Source) -> None:
        self.items: list[FeedItem] = []
        self._task = asyncio.create_task(self._read(source.items()))

    async def _read(self, items: AsyncIterator[FeedItem]) -> None:
        async for item in items:
            self.items.append(item)

    @property
    def connections(self) -> list[str]:
        """How the connection was, one after the other."""
        return [item.state.status for item in self.items if isinstance(item, ConnectionChanged)]

    @property
    def read(self) -> list[Entry]:
        """The entries, as they came."""
        return [entry for item in self.items if isinstance(item, EntriesRead) for entry in item.entries]

    @property
    def queue(self) -> Queue:
        """The queue as it was told last."""
        return next((item.queue for item in reversed(self.items) if isinstance(item, QueueChanged)), Queue())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
def engines() -> list[Engine]:
    return []


@pytest.fixture
def new_chat(store: Store, engines: list[Engine]) -> LiveSource:
    def make(session: SessionInfo) -> Engine:
        engines.append(Engine(session))
        return engines[-1]

    return LiveSource(store, SessionInfo(id="", model="demo"), mode="chat", author="ada@desk", make_engine=make)


async def test_a_new_chat_exists_from_its_first_letter_on(
    new_chat: LiveSource, store: Store, engines: list[Engine]
) -> None:
    reader = Reader(new_chat)
    await wait_until(lambda: reader.items)
    assert await store.sessions() == []
    await new_chat.begin()
    await new_chat.begin()
    assert [info.id for info in await store.sessions()] == [new_chat.session.id]
    assert [engine.asked for engine in engines] == [["ensure", "ensure"]]
    await reader.close()


async def test_a_chat_that_has_not_begun_says_when_redis_is_away(
    new_chat: LiveSource, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_source, "GREET_SECONDS", 0.02)
    reader = Reader(new_chat)
    await wait_until(lambda: reader.connections == ["live"])
    redis_server.kill9()
    await wait_until(lambda: reader.connections[1:3] == ["reconnecting"] * 2)
    redis_server.restart()
    await wait_until(lambda: reader.connections[-1] == "live")
    await new_chat.begin()
    await wait_until(lambda: reader.connections[-2:] == ["connecting", "live"])
    await reader.close()


async def test_a_chat_in_which_nothing_was_asked_is_taken_away(new_chat: LiveSource, store: Store) -> None:
    await new_chat.begin()
    await new_chat.close()
    assert await store.sessions() == []


async def test_a_prompt_waits_in_the_queue_and_can_be_taken_back(new_chat: LiveSource, store: Store) -> None:
    reader = Reader(new_chat)
    await new_chat.submit("What is a riffle?\nShort, please.", model="demo:fast", supersedes="t0")
    await wait_until(lambda: reader.queue.prompts)
    (prompt,) = reader.queue.prompts
    assert (prompt.text, prompt.author, prompt.model) == ("What is a riffle?\nShort, please.", "ada@desk", "demo:fast")
    assert prompt.supersedes == "t0"
    assert new_chat.session.title == "What is a riffle?"
    taken = await new_chat.withdraw(prompt.id)
    assert taken is not None
    assert taken.text == prompt.text
    assert await new_chat.withdraw(prompt.id) is None
    await new_chat.close()
    assert len(await store.sessions()) == 1
    await reader.close()


async def test_what_was_begun_before_redis_had_answered_is_not_sent_again() -> None:
    outbox, prompt = Outbox(), Prompt(id="p1", text="why?", author="ada@desk")
    outbox.take([Entry("1-0", UserMessage(meta=Metadata(message_id="m"), text="why?", prompt_id="p1"), 0)])
    outbox.add(prompt)
    assert outbox.unbegun == []


async def test_a_prompt_is_known_here_before_anybody_can_begin_it(
    new_chat: LiveSource, store: Store, redis_server: RedisServer
) -> None:
    reader = Reader(new_chat)
    await new_chat.begin()
    redis_server.stop()
    sending = asyncio.create_task(new_chat.submit("one", prompt_id="p1"))
    await wait_until(lambda: [prompt.id for prompt in new_chat.unbegun] == ["p1"])
    redis_server.cont()
    await sending
    async with store.seat(new_chat.session.id, engine_id="e1") as seat:
        assert await seat.next_work()
        await seat.sink.publish(UserMessage(meta=Metadata(message_id="m"), text="one", prompt_id="p1"))
        await wait_until(lambda: not new_chat.unbegun)
    await reader.close()


async def test_a_prompt_that_could_not_be_sent_is_not_sent_later(
    new_chat: LiveSource, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.submit.PATIENCE_SECONDS", 0.1)
    await new_chat.begin()
    redis_server.kill9()
    with pytest.raises(StoreUnavailable):
        await new_chat.submit("one")
    assert new_chat.unbegun == []


async def test_p05_a_prompt_that_somebody_else_took_back_is_not_sent_to_a_redis_that_came_back_empty(
    new_chat: LiveSource, store: Store, redis_server: RedisServer
) -> None:
    reader = Reader(new_chat)
    await new_chat.submit("one")
    await new_chat.submit("two")
    await wait_until(lambda: len(reader.queue.prompts) == 2)
    one, two = reader.queue.prompts
    assert await store.withdraw(new_chat.session.id, one.id)
    await wait_until(lambda: [prompt.id for prompt in new_chat.unbegun] == [two.id])
    redis_server.restart(empty=True)

    async def asked() -> list[str]:
        with suppress(StoreUnavailable):
            return [prompt.id for prompt in (await store.queue(new_chat.session.id)).prompts]
        return []

    assert await wait_until(asked) == [two.id]
    await reader.close()


async def test_an_interrupt_goes_over_redis_and_pauses_what_waits(new_chat: LiveSource, engines: list[Engine]) -> None:
    reader = Reader(new_chat)
    await new_chat.submit("one")
    await wait_until(lambda: reader.queue.prompts)
    await new_chat.interrupt()
    await wait_until(lambda: reader.queue.paused)
    assert "interrupt" not in engines[0].asked
    await new_chat.resume_queue()
    await wait_until(lambda: not reader.queue.paused)
    await reader.close()


async def test_p10_without_redis_an_interrupt_is_a_signal(
    new_chat: LiveSource, engines: list[Engine], redis_server: RedisServer
) -> None:
    await new_chat.begin()
    redis_server.close()
    await new_chat.interrupt()
    assert engines[0].asked == ["ensure", "interrupt"]


async def test_an_attached_terminal_starts_an_engine_only_when_somebody_agrees(
    store: Store, engines: list[Engine]
) -> None:
    def make(session: SessionInfo) -> Engine:
        engines.append(Engine(session))
        return engines[-1]

    session = await store.create_session(SessionInfo(id="", owner="ada@desk"))
    attached = LiveSource(store, session, mode="attach", author="ada@desk", make_engine=make, engine_allowed=False)
    reader = Reader(attached)
    await wait_until(lambda: ConnectionChanged(ConnectionState("live", detail="process")) in reader.items)
    assert not attached.engine_wanted
    await attached.submit("Is anybody there?")
    await wait_until(lambda: attached.engine_wanted)
    assert engines == []
    await attached.allow_engine()
    assert engines[0].asked[:1] == ["ensure"] and not attached.engine_wanted
    await reader.close()


# -- the library --------------------------------------------------------------------------------------------------


@pytest.fixture
async def library(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[StoreLibrary]:
    paths = find_paths({"RIFFLE_HOME": str(tmp_path)})
    config = load_config(paths, {"RIFFLE_REDIS_URL": redis_server.url})
    opened = StoreLibrary(Context(paths, config))
    yield opened
    await opened.close()


async def test_what_the_command_line_names_is_opened(library: StoreLibrary, store: Store) -> None:
    session = await store.create_session(SessionInfo(id="", title="rivers", answering="pool"))
    attached = await library.open(Attach(session="rivers", read_only=True))
    assert (attached.session.id, attached.mode, attached.read_only) == (session.id, "attach", True)
    chat = await library.open(Chat(session=session.id[:8]))
    assert (chat.session.id, chat.mode, chat.read_only) == (session.id, "chat", False)
    assert (await library.open(Chat(model="demo"))).session.id == ""


@pytest.mark.parametrize(("position", "begins"), [(None, 1 + 600 - LAST), ("start", 1)])
async def test_a_long_session_is_read_from_its_start_where_that_was_asked_for(
    library: StoreLibrary, store: Store, position: str | None, begins: int
) -> None:
    session = await store.create_session(SessionInfo(id=""))
    async with Writer(store.stream(session.id), writer="w", epoch=1) as writer:
        for number in range(600):
            await writer.publish(Info(message=str(number)))
        await writer.flush()
    reader = Reader(await library.open(Attach(session=session.id, read_only=True, position=position)))
    await wait_until(lambda: reader.read and reader.read[-1].n == 600)
    assert [entry.n for entry in reader.read] == list(range(begins, 601))
    assert any(isinstance(item, BeganLate) for item in reader.items) == (position is None)
    await reader.close()


async def test_v03_what_is_not_there_is_told(library: StoreLibrary) -> None:
    with pytest.raises(UnknownSession):
        await library.open(Attach(session="nothing"))
    with pytest.raises(UnknownSession, match="no session to continue"):
        await library.open(Chat(continue_last=True))


# -- recordings ---------------------------------------------------------------------------------------------------


async def test_a_replay_hands_its_entries_out_by_the_clock() -> None:
    entries = Story().ask("q").say("a", "b").finish().take().entries
    now = 0.0
    player = Player([entry.ts for entry in entries], clock=lambda: now)
    source = ReplaySource(SessionInfo(id="x"), entries, player)
    reader = Reader(source)
    await wait_until(lambda: len(reader.items) == 2)
    source.play("step")
    await wait_until(lambda: len(reader.items) == 3)
    source.play("faster")
    source.play("slower")
    source.play("show_end")
    await wait_until(lambda: player.ended and len(reader.items) >= 4)
    read = [entry for item in reader.items if isinstance(item, EntriesRead) for entry in item.entries]
    assert read == entries
    assert isinstance(reader.items[0], ConnectionChanged)
    await reader.close()


async def test_a_file_is_replayed_as_it_was_printed(tmp_path: Path, library: StoreLibrary) -> None:
    event = Partial(delta="hi")
    payload = encode(event).decode()
    lines = [
        json.dumps({"id": "5-0", "ts": 5_000, "event": json.loads(payload)}),
        json.dumps({"id": "6-0", "ts": 6_000, "raw": "{{{"}),
        json.dumps({"id": None, "ts": 6_000, "event": {"type": "riffle-gap", "count": 2}}),
        "",
        payload,
        "not json",
    ]
    path = tmp_path / "story.jsonl"
    path.write_text("\n".join(lines))
    entries = await read_file(path)
    assert [type(entry.event) for entry in entries] == [Partial, Broken, Gap, Partial, Broken]
    assert [(entry.id, entry.ts) for entry in entries[:3]] == [("5-0", 5_000), ("6-0", 6_000), ("", 6_000)]
    assert json.loads(json_line(entries[2]))["id"] is None
    source = await library.open(Replay(session=str(path), speed=0))
    assert source.player is not None
    assert source.player.total >= 1.0
    assert list(source.player.take()) == [0, 1, 2, 3, 4]


async def test_v03_an_empty_recording_is_told(tmp_path: Path, library: StoreLibrary) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    with pytest.raises(BusError, match=r"nothing to replay in empty\.jsonl"):
        await library.open(Replay(session=str(path)))


async def test_r16_a_key_that_is_no_stream_is_refused_with_its_name(
    library: StoreLibrary, redis_server: RedisServer
) -> None:
    redis_server.command("SET", "notes", "text")
    with pytest.raises(WrongKeyType, match="'notes'"):
        await library.open(Attach(stream=StreamName(key="notes")))
