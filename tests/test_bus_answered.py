"""A prompt is answered once: every claim is checked against the stream, whatever Redis has forgotten."""

from __future__ import annotations

import pytest

from bus.events import Event, Final, RunFailed, RunFinished, RunStarted, RunStopped, ToolCallExecute, UserMessage
from bus.meta import Metadata
from bus.redis.answered import Answered
from bus.redis.store import Store
from bus.retry import insist
from bus.session import OnLoss, SessionInfo
from tests.support.prompts import answer, claimed, prompt, seat
from tests.support.redis_server import RedisServer

LOST = RunStopped(reason="engine-lost")


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1"))).id


def begun(name: str = "p1", turn_id: str | None = None) -> UserMessage:
    return UserMessage(prompt_id=name, meta=Metadata(turn_id=turn_id))


@pytest.mark.parametrize(
    ("events", "on_loss", "may"),
    [
        ([], "stop", True),
        ([begun("other"), RunFinished()], "stop", True),
        ([begun()], "stop", False),
        ([begun(), LOST], "stop", False),
        ([begun()], "retry", True),
        ([begun(), RunStarted(), LOST], "retry", True),
        ([begun(), LOST, begun(), LOST], "retry", True),
        ([begun(), LOST, begun(), RunFinished()], "retry", False),
        ([begun(), ToolCallExecute(), LOST], "retry", False),
        ([begun(), RunFinished()], "retry", False),
        ([begun(), RunFailed()], "retry", False),
        ([begun(), RunStopped(reason="interrupt")], "retry", False),
        ([begun(), LOST, begun("other"), ToolCallExecute(), RunFinished()], "retry", True),
        ([begun(), Final(meta=Metadata(stop_reason="stop"))], "retry", False),
        ([begun(), Final(meta=Metadata(stop_reason="tool_use"))], "retry", True),
        ([begun("p1", "t1"), LOST, RunFailed(meta=Metadata(turn_id="elsewhere"))], "retry", True),
        ([begun("p1", "t1"), LOST, begun("p1", "t2"), RunFailed(meta=Metadata(turn_id="t2"))], "retry", False),
    ],
)
def test_what_the_stream_says_of_a_prompt_decides(events: list[Event], on_loss: OnLoss, may: bool) -> None:
    answered = Answered()
    for event in [*events, *events]:
        answered.take(event)
    assert answered.may_answer(prompt("p1", on_loss=on_loss)) is may


async def test_p04_an_answer_that_was_whole_when_its_engine_died_is_not_given_again(store: Store, session: str) -> None:
    await store.submit(session, prompt("p1", on_loss="retry"))
    await store.submit(session, prompt("p2"))
    dead = seat(store, "dead")
    await dead.__aenter__()
    await answer(dead, await claimed(dead))
    await dead.__aexit__(None, None, None)
    async with seat(store, "new") as at:
        assert (await claimed(at)).prompt_id == "p2"


@pytest.mark.parametrize("on_loss", ["stop", "retry"])
async def test_a_redis_that_forgot_that_a_prompt_was_answered_is_not_believed(
    redis_server: RedisServer, store: Store, session: str, on_loss: OnLoss
) -> None:
    await store.submit(session, prompt("p1", on_loss=on_loss))
    async with seat(store) as at:
        work = await claimed(at)
        await answer(at, work)
        before_finish = redis_server.save_data()
        await at.finish(work)
        redis_server.restart(data=before_finish)
        await insist(lambda: store.submit(session, prompt("p2")))
        assert (await claimed(at)).prompt_id == "p2"


async def test_p05_a_redis_that_forgot_even_the_claim_is_not_believed(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    await store.submit(session, prompt("p1"))
    async with seat(store) as at:
        work = await claimed(at)
        await answer(at, work)
        await at.finish(work)
    redis_server.command("XADD riffle:{s1}:prompts * id p1 text again")
    await store.submit(session, prompt("p2"))
    async with seat(store, "e2") as at:
        assert (await claimed(at)).prompt_id == "p2"


async def test_the_number_of_messages_is_that_of_the_stream_however_often_it_is_told(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        for name in ("p1", "p2"):
            await store.submit(session, prompt(name))
            work = await claimed(at)
            await answer(at, work)
            before_finish = redis_server.save_data()
            await at.finish(work)
        assert await _messages(store) == 4
        redis_server.restart(data=before_finish)
        await insist(lambda: store.submit(session, prompt("p3")))
        await claimed(at)
        assert await _messages(store) == 5
    async with seat(store, "e2") as at:
        assert (await claimed(at)).prompt_id == "p3"
        assert await _messages(store) == 5


async def _messages(store: Store) -> int:
    info = await store.session("s1")
    assert info
    return info.messages


# -- prompts that somebody wrote by hand -----------------------------------------------------------------------


async def test_prompts_without_ids_are_kept_apart(redis_server: RedisServer, store: Store, session: str) -> None:
    ids = [redis_server.command(f"XADD riffle:{{s1}}:prompts * text {text}") for text in ("one", "two", "three")]
    assert [queued.id for queued in (await store.queue(session)).prompts] == ids
    dead = seat(store, "dead")
    await dead.__aenter__()
    work = await claimed(dead)
    await answer(dead, work)
    await dead.finish(work)
    await claimed(dead)
    await dead.__aexit__(None, None, None)
    async with seat(store, "new") as at:
        work = await claimed(at)
        assert (work.prompt_id, work.text) == (ids[1], "two")


async def test_prompts_by_hand_can_be_taken_back(redis_server: RedisServer, store: Store, session: str) -> None:
    entry = redis_server.command("XADD riffle:{s1}:prompts * text one")
    redis_server.command("XADD riffle:{s1}:prompts * id h1 text two")
    for name, text in ((entry, "one"), ("h1", "two")):
        taken = await store.withdraw(session, name)
        assert taken
        assert (taken.id, taken.text) == (name, text)
        assert await store.withdraw(session, name) is None
    assert (await store.queue(session)).prompts == ()
