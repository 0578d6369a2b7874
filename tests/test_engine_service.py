"""The life of an engine process: what it does first, how it is stopped, and that a broken set-up is said in words."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

import pytest

from bus.errors import AccessDenied
from bus.events import Error, Event, Interrupt, Partial, RunStarted, RunStopped, Start, UserMessage
from bus.meta import Metadata
from engine.call import Call
from engine.engine import EngineConfig
from engine.errors import MissingKey
from engine.ports import Provider
from engine.service import Service
from engine.tools import Toolbox
from tests.support.scripted import HANG, Line, Scripted, end, say
from tests.support.seat import ListSink, MemorySeat, work

CONFIG = EngineConfig(model="gpt-x")


def service(seat: MemorySeat, *scripts: Sequence[Line]) -> tuple[Service, Scripted]:
    provider = Scripted(scripts)
    return Service(seat, make_provider=lambda model: provider, tools=Toolbox(), config=CONFIG), provider


async def test_prompts_are_answered_one_after_the_other() -> None:
    seat = MemorySeat()
    engine, provider = service(seat, [say("One."), end()], [say("Two."), end()])
    seat.submit(work("1"), work("2"), None)
    await engine.run()
    assert [item.text for item in seat.finished] == ["1", "2"]
    assert [block.text for block in provider.requests[1].blocks] == ["1", "One.", "2"]
    assert provider.requests[0].model == "gpt-x" and provider.closed


async def test_p01_the_turn_of_a_dead_engine_is_closed_first() -> None:
    meta = Metadata(session_id="s1", inference_id="i0", turn_id="t0")
    of_call = Metadata(message_id="m0")
    past: list[Event] = [
        UserMessage(meta=meta, text="Hi?"),
        RunStarted(meta=meta),
        Start(meta=meta.model_copy(update={"message_id": "m0"})),
        Partial(meta=of_call, delta="Hel", offset=0),
    ]
    seat = MemorySeat(past=past)
    engine, _ = service(seat)
    seat.submit(None)
    await engine.run()
    interrupt, stopped = seat.sink.events[len(past) :]
    assert isinstance(interrupt, Interrupt) and isinstance(stopped, RunStopped)
    assert (interrupt.text, interrupt.meta.message_id, interrupt.meta.turn_id) == ("Hel", "m0", "t0")
    assert (stopped.reason, stopped.meta.turn_id) == ("engine-lost", "t0")


async def test_an_interrupt_stops_the_turn_and_the_next_prompt_is_answered() -> None:
    seat = MemorySeat()
    engine, _ = service(seat, [say("One, "), HANG], [say("Two."), end()])
    running = asyncio.create_task(engine.run())
    seat.submit(work("1"), work("2"), None)
    await seat.sink.has("partial")
    seat.interrupt("bob@there")
    await running
    assert [event.author for event in seat.sink.events if isinstance(event, Interrupt)] == ["bob@there"]
    assert len(seat.finished) == 2 and seat.sink.types()[-1] == "run-finished"


async def test_a_store_that_lets_nobody_in_any_more_ends_the_engine_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seat = MemorySeat()
    engine, _ = service(seat, [say("One, "), HANG])
    running = asyncio.create_task(engine.run())
    seat.submit(work("1"))
    await seat.sink.has("partial")
    seat.denied = seat.sink.denied = AccessDenied("Redis does not accept this user or password.")
    seat.interrupt("bob@there")
    with pytest.raises(AccessDenied):
        await running
    gc.collect()
    assert caplog.messages == []


async def test_a_set_up_that_cannot_work_fails_the_turn_in_words() -> None:
    def no_key(model: str) -> Provider:
        raise MissingKey("There is no API key for OpenAI.", "Set OPENAI_API_KEY.")

    seat = MemorySeat()
    engine = Service(seat, make_provider=no_key, tools=Toolbox(), config=CONFIG)
    seat.submit(work("1"), work("2", model="gtp:5"), None)
    await engine.run()
    first, second = (event for event in seat.sink.events if isinstance(event, Error))
    assert (first.error_string, first.code) == ("There is no API key for OpenAI.", "missing-key")
    assert first.hint == "Set OPENAI_API_KEY."
    assert second.code == "unknown-model" and "gtp:5" in second.error_string
    assert seat.sink.types()[:4] == ["riffle-user-message", "run-started", "error", "run-failed"]


async def test_a_cancelled_engine_writes_the_end_of_its_turn() -> None:
    seat = MemorySeat()
    engine, provider = service(seat, [say("One, "), HANG])
    running = asyncio.create_task(engine.run())
    seat.submit(work("1"))
    await seat.sink.has("partial")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert seat.sink.types()[-2:] == ["interrupt", "run-stopped"]
    assert provider.closed and not seat.finished


async def test_a_sink_that_refuses_ends_the_engine() -> None:
    class Fenced(Exception):
        pass

    class Refusing(ListSink):
        async def publish(self, event: Event) -> None:
            if isinstance(event, Partial):
                raise Fenced
            await super().publish(event)

    seat = MemorySeat()
    seat.sink = Refusing()
    engine, _ = service(seat, [say("One."), end()])
    seat.submit(work("1"))
    with pytest.raises(Fenced):
        await engine.run()
    assert not seat.finished


# -- leaving ---------------------------------------------------------------------------------------------------


async def test_an_engine_that_leaves_gives_its_answer_to_the_end_and_takes_no_further_work() -> None:
    seat = MemorySeat()

    def leave(call: Call) -> None:
        engine.leave()

    engine, _ = service(seat, [say("One, "), leave, say("two."), end()], [say("Three."), end()])
    seat.submit(work("1"), work("2"))
    await engine.run()
    assert [item.text for item in seat.finished] == ["1"]
    assert seat.sink.types()[-3:] == ["partial", "final", "run-finished"]


async def test_an_idle_engine_leaves_at_once() -> None:
    seat = MemorySeat()
    engine, _ = service(seat, [say("One."), end()])
    running = asyncio.create_task(engine.run())
    seat.submit(work("1"))
    await seat.sink.has("run-finished")
    engine.leave()
    await running
    assert len(seat.finished) == 1


async def test_p10_a_stop_is_taken_once_though_it_comes_in_two_ways() -> None:
    seat = MemorySeat()
    engine, _ = service(seat, [say("One, "), HANG], [say("Two."), end()])
    assert engine.interrupt("bob@there") is False
    running = asyncio.create_task(engine.run())
    seat.submit(work("1"))
    await seat.sink.has("partial")
    assert engine.interrupt("bob@there") is True
    await seat.sink.has("run-stopped")
    assert engine.interrupt("bob@there") is True
    seat.submit(work("2"), None)
    await running
    assert seat.sink.types()[-1] == "run-finished"


async def test_a_stop_is_heard_before_the_turn_has_begun() -> None:
    seat = MemorySeat()
    provider = Scripted([[HANG]])

    def make_provider(model: str) -> Provider:
        asyncio.get_running_loop().call_soon(lambda: engine.interrupt("bob@there"))
        return provider

    engine = Service(seat, make_provider=make_provider, tools=Toolbox(), config=CONFIG)
    seat.submit(work("1"), None)
    await engine.run()
    assert seat.sink.types()[-2:] == ["interrupt", "run-stopped"]
