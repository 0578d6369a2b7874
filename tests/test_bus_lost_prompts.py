"""Prompts that no engine survives, that somebody trimmed away, and sessions that Redis has forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

import pytest

from bus.errors import Fenced, LeaseTaken
from bus.events import Error, Event, RunStopped, UserMessage
from bus.redis.store import Store
from bus.retry import insist
from bus.session import OnLoss, Prompt, Queue, SessionInfo
from engine.engine import EngineConfig
from engine.service import Service
from engine.tools import Toolbox
from tests.support.prompts import LEASE_SECONDS, Far, answer, begin, claimed, far_from, prompt, seat, waiting
from tests.support.redis_server import RedisServer
from tests.support.scripted import Line, Scripted, end, say
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis


@pytest.fixture
async def session(store: Store) -> str:
    return (await store.create_session(SessionInfo(id="s1", owner="ann@box", cwd="/home/ann", answering="pool"))).id


@pytest.fixture
async def far(redis_server: RedisServer, store: Store) -> AsyncIterator[Far]:
    async with far_from(redis_server, store) as way:
        yield way


async def serve(store: Store, *scripts: Sequence[Line], name: str = "served") -> list[Event]:
    """Let an engine answer what there is; all events of the session afterwards."""
    async with seat(store, name, idle=0.05) as at:
        provider = Scripted(scripts)
        config = EngineConfig(model="m")
        await Service(at, make_provider=lambda model: provider, tools=Toolbox(), config=config).run()
        return [event async for event in at.history()]


async def die_with(store: Store, name: str, *, begun: bool) -> None:
    """Claim the next prompt as an engine that dies with it: it neither finishes it nor closes its turn."""
    async with seat(store, name) as at:
        work = await claimed(at)
        if begun:
            await begin(at, work)


# -- prompts that kill -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_loss", ["stop", "retry"])
async def test_p06_a_prompt_that_kills_three_engines_before_their_first_word_is_set_aside(
    store: Store, session: str, on_loss: OnLoss
) -> None:
    poison = prompt("poison", "Die!", on_loss)
    await store.submit(session, poison)
    await store.submit(session, prompt("next"))
    for engine in ("e1", "e2", "e3"):
        await die_with(store, engine, begun=False)
    events = await serve(store, [say("Fine."), end()])
    assert [event.type for event in events[:4]] == ["riffle-user-message", "run-started", "error", "run-failed"]
    assert [event.text for event in events if isinstance(event, UserMessage)] == ["Die!", "ask next"]
    (error,) = [event for event in events if isinstance(event, Error)]
    assert error.error_string.startswith("This prompt was set aside: 3 engines took it up")
    assert events[-1].type == "run-finished"
    assert await store.set_aside(session) == [poison]
    assert await waiting(store) == []
    assert not await store.submit(session, poison)


async def test_p06_work_that_was_begun_is_tried_three_times_and_not_once_more(store: Store, session: str) -> None:
    await store.submit(session, prompt("poison", on_loss="retry"))
    for engine in ("e1", "e2", "e3"):
        await die_with(store, engine, begun=True)
    events = await serve(store)
    asked = [event for event in events if isinstance(event, UserMessage)]
    assert len(asked) == 4
    assert [event.supersedes for event in asked[1:]] == [None, None, asked[2].meta.turn_id]
    assert [event.type for event in events[-2:]] == ["error", "run-failed"]
    assert [kept.id for kept in await store.set_aside(session)] == ["poison"]


async def test_p06_two_engines_may_die_with_a_prompt_and_the_third_one_answers(store: Store, session: str) -> None:
    await store.submit(session, prompt("p1", on_loss="retry"))
    await die_with(store, "e1", begun=False)
    await die_with(store, "e2", begun=True)
    events = await serve(store, [say("Here."), end()])
    assert events[-1].type == "run-finished"
    assert await store.set_aside(session) == []


async def test_p06_how_many_engines_a_prompt_may_cost_can_be_said(store: Store, session: str) -> None:
    await store.submit(session, prompt("p1"))
    await die_with(store, "e1", begun=False)
    async with store.seat(session, engine_id="e2", max_deliveries=1) as at:
        assert (await claimed(at)).fate == "set-aside"


async def test_an_engine_that_dies_after_it_said_so_does_not_say_it_again(store: Store, session: str) -> None:
    await store.submit(session, prompt("poison"))
    for engine in ("e1", "e2", "e3"):
        await die_with(store, engine, begun=False)
    async with seat(store, "e4") as at:
        await answer(at, await claimed(at))
    assert [event.type for event in await serve(store)].count("riffle-user-message") == 1


async def test_a_try_that_was_lost_is_no_part_of_the_conversation(store: Store, session: str) -> None:
    await store.submit(session, prompt("p1", "Why?", "retry"))
    async with seat(store, "dead") as at:
        await begin(at, await claimed(at))
    provider = Scripted([[say("Because."), end()]])
    async with seat(store, "new", idle=0.05) as at:
        config = EngineConfig(model="m")
        await Service(at, make_provider=lambda model: provider, tools=Toolbox(), config=config).run()
    assert [(block.kind, block.text) for block in provider.requests[0].blocks] == [("user", "Why?")]


# -- between claim and end -------------------------------------------------------------------------------------


async def test_p03_a_prompt_whose_engine_died_before_its_first_word_waits_again_and_is_answered_once(
    store: Store, session: str, far: Far
) -> None:
    async with Viewer(store.watch(session)) as viewer:
        dead = seat(far.store, "dead")
        await dead.__aenter__()
        await store.submit(session, prompt("p1"))
        assert (await claimed(dead)).deliveries == 1
        await wait_until(lambda: viewer.leases[-1:] != [None] and viewer.queues[-1] == Queue())
        await far.die()
        await wait_until(lambda: viewer.queues[-1].prompts == (prompt("p1"),), what="the prompt in the queue again")
        events = await serve(store, [say("Once."), end()])
        assert [event.type for event in events].count("final") == 1
        await wait_until(lambda: viewer.queues[-1] == Queue())
    await dead.__aexit__(None, None, None)


@pytest.mark.parametrize("on_loss", ["stop", "retry"])
async def test_p04_a_turn_that_lacks_only_its_end_is_finished_and_not_lost(
    store: Store, session: str, on_loss: OnLoss
) -> None:
    await store.submit(session, prompt("p1", on_loss=on_loss))
    async with seat(store, "dead", idle=0.05) as at:
        provider = Scripted([[say("All of it."), end()]])
        service = Service(at, make_provider=lambda model: provider, tools=Toolbox(), config=EngineConfig(model="m"))
        publish = at.sink.publish

        async def die_at_the_end(event: Event) -> None:
            if event.type == "run-finished":
                raise ConnectionAbortedError
            await publish(event)

        at.sink.publish = die_at_the_end
        with pytest.raises(ConnectionAbortedError):
            await service.run()
    events = await serve(store)
    assert [event.type for event in events[-2:]] == ["final", "run-finished"]
    assert await waiting(store) == []


async def test_p07_an_engine_with_the_name_of_another_takes_its_place(store: Store, session: str) -> None:
    old = seat(store, "same")
    await old.__aenter__()
    await old.sink.publish(RunStopped(reason="first"))
    await old.sink.flush()
    async with seat(store, "same") as new:
        await store.submit(session, prompt("p1"))
        with pytest.raises(LeaseTaken):
            await old.next_work()
        await old.sink.publish(RunStopped(reason="late"))
        with pytest.raises(Fenced):
            await old.sink.flush()
        assert (await claimed(new)).deliveries == 1
    await old.__aexit__(None, None, None)


async def test_an_engine_that_slept_longer_than_its_lease_goes_on_where_nobody_else_has_come(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        assert [event async for event in at.history()] == []
        redis_server.command("DEL riffle:{s1}:lease")
        await store.submit(session, prompt("p1"))
        assert (await claimed(at)).prompt_id == "p1"
        assert await store.lease(session)


# -- prompts that are gone -------------------------------------------------------------------------------------


@pytest.mark.parametrize("was_claimed", [False, True])
async def test_p11_a_prompt_that_somebody_trimmed_away_is_said_to_be_lost_once(
    redis_server: RedisServer, store: Store, session: str, was_claimed: bool
) -> None:
    await store.submit(session, prompt("p0"))
    await serve(store, [say("Zero."), end()])
    for name in ("p1", "p2", "p3"):
        await store.submit(session, prompt(name))
    await store.withdraw(session, "p3")
    if was_claimed:
        await die_with(store, "dead", begun=False)
    redis_server.command("XTRIM riffle:{s1}:prompts MAXLEN 1")
    await serve(store, [say("Two."), end()])
    events = await serve(store)
    errors = [event for event in events if isinstance(event, Error)]
    assert [error.code for error in errors] == ["prompt-lost"]
    assert "was removed from the queue" in errors[0].error_string
    asked = [event.prompt_id for event in events if isinstance(event, UserMessage)]
    assert asked == ["p0", "p2"]
    assert redis_server.command("XPENDING riffle:{s1}:prompts engines - + 10").strip() == "0"


async def test_p11_the_turn_of_a_trimmed_prompt_that_was_begun_is_cut_off_and_nothing_else_is_said(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    await store.submit(session, prompt("p1"))
    await die_with(store, "dead", begun=True)
    redis_server.command("XTRIM riffle:{s1}:prompts MAXLEN 0")
    kinds = [event.type for event in await serve(store)]
    assert kinds == ["riffle-user-message", "interrupt", "run-stopped"]


# -- interrupts ------------------------------------------------------------------------------------------------


async def test_p10_an_interrupt_that_comes_after_its_turn_has_ended_does_nothing(store: Store, session: str) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1"))
        await at.finish(await claimed(at))
        for name in ("p2", "p3"):
            await store.submit(session, prompt(name))
        await claimed(at)
        stopped = asyncio.create_task(at.interrupted())
        await store.interrupt(session, "late", "p1")
        assert not (await store.queue(session)).paused
        await store.interrupt(session, "in time", "p2")
        await store.interrupt(session, "twice", "p2")
        assert await stopped == "in time"
        assert (await store.queue(session)).paused


# -- a Redis that has forgotten --------------------------------------------------------------------------------


async def test_a_session_is_restored_with_all_that_its_engine_knows(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1", "Name me!"))
        work = await claimed(at)
        before = await store.session(session)
        assert before
        redis_server.restart(empty=True)
        await answer(at, work)
        await at.finish(work)
        after = await wait_until(lambda: _whole(store), timeout=LEASE_SECONDS + 10)
        assert after
    assert before.title == "Name me!"
    changed = {"updated_ms", "messages", "stream_epoch"}
    assert {k: v for k, v in asdict(after).items() if k not in changed} == {
        k: v for k, v in asdict(before).items() if k not in changed
    }


async def test_a_title_that_was_changed_meanwhile_is_the_one_that_is_restored(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    async with seat(store) as at:
        await store.submit(session, prompt("p1", "First"))
        work = await claimed(at)
        await store.rename_session(session, "Renamed")
        await answer(at, work)
        await at.finish(work)
        redis_server.restart(empty=True)
        await insist(lambda: store.submit(session, prompt("p2", "Second")))
        assert (await claimed(at)).prompt_id == "p2"
        after = await wait_until(lambda: _whole(store), timeout=LEASE_SECONDS + 10)
        assert after
    assert (after.title, after.owner, after.answering) == ("Renamed", "ann@box", "pool")


async def _whole(store: Store) -> SessionInfo | None:
    info = await insist(lambda: store.session("s1"))
    return info if info and info.stream_epoch and info.live else None


async def test_a_prompt_that_was_set_aside_is_deleted_with_its_session(
    redis_server: RedisServer, store: Store, session: str
) -> None:
    redis_server.command("XADD riffle:{s1}:dead * id p1 text Die")
    assert await store.set_aside(session) == [Prompt(id="p1", text="Die", author="")]
    await store.delete_session(session)
    assert await store.set_aside(session) == []
    assert await store.was_deleted(session)
