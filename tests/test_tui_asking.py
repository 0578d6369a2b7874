"""A prompt on its way to an engine: asked once whatever is lost, and answered by whom it may be."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.errors import StoreUnavailable
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from engine.ports import Provider
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.scripted import Scripted, end, say
from tests.support.seat import MemorySeat, work
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until
from tui.cli import answering
from tui.cli.context import Context
from tui.config import load_config
from tui.engine_process import EngineProcess
from tui.library import StoreLibrary
from tui.live_source import LiveSource
from tui.openings import Chat
from tui.ownership import author
from tui.paths import find_paths
from tui.submit import PATIENCE_SECONDS

HERE = socket.gethostname()


def context(home: Path, redis_url: str = "", **flags: str | bool) -> Context:
    paths = find_paths({"RIFFLE_HOME": str(home)})
    return Context(paths, load_config(paths, {"RIFFLE_REDIS_URL": redis_url}, flags))


# -- once ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(redis_server.socket) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy: Proxy) -> AsyncIterator[Store]:
    """A store behind the proxy."""
    opened = await open_store(proxy.url, client_name="riffle-test")
    yield opened
    await opened.close()


async def test_a_prompt_whose_reply_is_lost_is_asked_once(store: Store, far: Store, proxy: Proxy) -> None:
    session = await store.create_session(SessionInfo(id="s1"))
    source = LiveSource(far, session, mode="attach", author="ada@desk")
    proxy.lose_replies_to = b"{s1}:prompts"
    sending = asyncio.create_task(source.submit("An expensive question"))
    await wait_until(lambda: proxy.losses)
    proxy.lose_replies_to = None
    await sending
    assert [prompt.text for prompt in (await store.queue("s1")).prompts] == ["An expensive question"]


async def test_a_prompt_that_is_sent_again_under_its_id_is_asked_once(
    store: Store, far: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.submit.PATIENCE_SECONDS", PATIENCE_SECONDS / 20)
    session = await store.create_session(SessionInfo(id="s1"))
    source = LiveSource(far, session, mode="attach", author="ada@desk")
    proxy.lose_replies_to = b"{s1}:prompts"
    with pytest.raises(StoreUnavailable):
        await source.submit("An expensive question", prompt_id="p1")
    proxy.lose_replies_to = None
    await source.submit("An expensive question", prompt_id="p1")
    assert [prompt.id for prompt in (await store.queue("s1")).prompts] == ["p1"]


# -- by an engine of this terminal's ------------------------------------------------------------------------------


class Leaving(EngineProcess):
    """Its engines hold no lease, as one that is about to end, and end when their input does."""

    def __init__(self, store: Store, log: Path) -> None:
        super().__init__("s1", lease=lambda: store.lease("s1"), redis_url=None, log=log)
        self.started: list[subprocess.Popen[bytes]] = []

    def _start(self) -> subprocess.Popen[bytes]:
        self.started.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        return self.started[-1]

    def end_last(self) -> int:
        process = self.started[-1]
        process.communicate()
        return process.returncode


async def test_an_engine_that_is_leaving_is_followed_by_another(store: Store, tmp_path: Path) -> None:
    session = await store.create_session(SessionInfo(id="s1", owner="ada@desk"))
    engine = Leaving(store, tmp_path / "engine.log")
    source = LiveSource(store, session, mode="chat", author="ada@desk", make_engine=lambda info: engine)
    await source.begin()
    await source.submit("Is anybody there?")
    assert len(engine.started) == 1
    assert engine.end_last() == 0
    await wait_until(lambda: len(engine.started) == 2)
    engine.stop()
    assert engine.end_last() < 0


async def test_an_engine_is_ended_with_the_session_in_which_nothing_was_asked(store: Store, tmp_path: Path) -> None:
    engine = Leaving(store, tmp_path / "engine.log")
    source = LiveSource(
        store, SessionInfo(id="", owner="ada@desk"), mode="chat", author="ada@desk", make_engine=lambda info: engine
    )
    await source.begin()
    await source.close()
    assert engine.end_last() < 0


# -- by whom ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "answered_here", "words"),
    [
        (f"somebody@{HERE}", True, ""),
        ("ada@a-machine-far-away", False, "It waits until ada@a-machine-far-away opens it again."),
        ("", False, "It waits until whoever made the session opens it again."),
    ],
)
async def test_a_chat_in_a_session_of_somebody_elses_starts_no_engine_unasked(
    store: Store, redis_server: RedisServer, tmp_path: Path, owner: str, answered_here: bool, words: str
) -> None:
    session = await store.create_session(SessionInfo(id="", owner=owner))
    library = StoreLibrary(context(tmp_path, redis_server.url))
    chat = await library.open(Chat(session=session.id))
    async with Viewer(chat.items()):
        await chat.submit("Is anybody there?")
        await wait_until(lambda: chat.engine_wanted or chat.unanswered)
        assert (chat.engine_wanted, chat.unanswered) == (answered_here, words)
    await library.close()


async def test_a_chat_can_be_left_to_any_engine(store: Store, redis_server: RedisServer, tmp_path: Path) -> None:
    library = StoreLibrary(context(tmp_path, redis_server.url, **{"engine.answering": "pool"}))
    chat = await library.open(Chat())
    await chat.begin()
    async with Viewer(chat.items()):
        await chat.submit("Is anybody there?")
        await wait_until(lambda: chat.unanswered)
    (session,) = await store.sessions()
    assert session.answering == "pool"
    assert "riffle engine" in chat.unanswered
    await library.close()


@pytest.mark.parametrize(
    ("session", "has_tools"),
    [
        (SessionInfo(id="s1", owner=author(), cwd="/"), True),
        (SessionInfo(id="s1", owner=author(), cwd="/", answering="pool"), False),
        (SessionInfo(id="s1", owner="mallory@elsewhere", cwd="/"), False),
        (SessionInfo(id="s1", owner=author(), cwd="/no/such/folder"), False),
        (SessionInfo(id="s1", owner=author(), cwd="."), False),
    ],
)
async def test_tools_read_only_the_folder_of_this_users_own_session(
    session: SessionInfo, has_tools: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([[say("Yes."), end()]])

    def resolve(*_: object) -> Provider:
        return provider

    monkeypatch.setattr(answering, "resolve", resolve)
    seat = MemorySeat()
    seat.submit(work("Which files are there?", model="demo"), None)
    await answering.service_at(seat, session, context(tmp_path)).run()
    (request,) = provider.requests
    assert bool(request.tools) == has_tools
    assert ("read files in the folder /" in request.system) == has_tools
