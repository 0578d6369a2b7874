"""A turn that is stopped: at every step what is shown stays, the turn is closed, and the model is told the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from bus.events import Event, Interrupt, Partial, RunStarted, RunStopped
from engine.history import History
from tests.support.scripted import HANG, end, fail, say, use
from tests.support.seat import ListSink
from tests.support.turn import Run
from tests.support.weather import Weather


async def test_an_interrupt_in_the_text_keeps_the_text() -> None:
    run = Run([say("One, "), say("two, "), HANG])
    turn = asyncio.create_task(run.ask())
    await run.sink.has("partial", 2)
    run.engine.interrupt("bob@there")
    assert await turn == "interrupted"
    assert run.sink.types()[-2:] == ["interrupt", "run-stopped"]
    interrupt = run.only(Interrupt)
    assert (interrupt.text, interrupt.author) == ("One, two, ", "bob@there")
    assert interrupt.meta.message_id == run.all(Partial)[0].meta.message_id
    assert interrupt.meta.turn_id == run.only(RunStarted).meta.turn_id
    assert run.only(RunStopped).reason == "interrupt"
    assert run.provider.open_calls == 0
    assert [(b.text, b.interrupted) for b in run.history.blocks()] == [("Hello?", False), ("One, two, ", True)]


async def test_an_interrupt_in_a_tool_stops_the_tool() -> None:
    weather = Weather(held=True)
    run = Run([say("Let me see."), use("c1", "weather", '{"city":"Rome"}'), end()], tools=weather.box())
    turn = asyncio.create_task(run.ask())
    assert await weather.asked.get() == "Rome"
    run.engine.interrupt("bob@there")
    assert await turn == "interrupted"
    assert weather.stopped == ["Rome"]
    assert run.sink.types()[-3:] == ["tool-call-execute", "interrupt", "run-stopped"]
    assert run.only(Interrupt).text is None
    told = [(b.kind, b.text) for b in run.history.blocks()]
    assert told[-1] == ("tool-result", "interrupted")


async def test_an_interrupt_ends_the_wait_for_a_retry() -> None:
    run = Run([fail("Slow down.", retryable=True, retry_after=60)])
    turn = asyncio.create_task(run.ask())
    await run.sink.has("riffle-retry")
    run.engine.interrupt("bob@there")
    assert await turn == "interrupted"
    assert run.sink.types()[-3:] == ["riffle-retry", "interrupt", "run-stopped"]


async def test_an_interrupt_without_a_turn_does_nothing() -> None:
    run = Run([say("Yes."), end()])
    run.engine.interrupt("bob@there")
    assert await run.ask() == "finished"
    run.engine.interrupt("bob@there")
    assert run.sink.types()[-1] == "run-finished"


async def test_a_cancelled_turn_writes_its_end_and_stays_cancelled() -> None:
    run = Run([say("One, "), HANG])
    turn = asyncio.create_task(run.ask())
    await run.sink.has("partial")
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert run.sink.types()[-2:] == ["interrupt", "run-stopped"]


async def test_an_interrupt_waits_for_room_in_the_journal() -> None:
    run = Run([say("One, "), HANG])
    turn = asyncio.create_task(run.ask())
    await run.sink.has("partial")
    run.sink.room.clear()
    run.engine.interrupt("bob@there")
    done, _ = await asyncio.wait({turn}, timeout=0.05)
    assert not done and run.sink.types()[-1] == "interrupt"
    run.sink.room.set()
    assert await turn == "interrupted"
    assert run.sink.types()[-2:] == ["interrupt", "run-stopped"]


def after(steps: int, do: Callable[[], None]) -> None:
    """Do it when the loop has gone round so often."""
    asyncio.get_running_loop().call_soon(partial(after, steps - 1, do) if steps else do)


def assert_closed(run: Run) -> None:
    """The turn begins and ends in the stream, and the history is what the stream says."""
    types = run.sink.types()
    assert types[0] == "riffle-user-message"
    assert types[-1] in ("run-stopped", "run-finished")
    assert run.history.open_turn() is None
    told = History()
    for event in run.sink.events:
        told.apply(event)
    assert told.blocks() == run.history.blocks()


@pytest.mark.parametrize("steps", range(16))
async def test_an_interrupt_at_any_step_leaves_a_closed_turn(steps: int) -> None:
    weather = Weather()
    run = Run([say("Let me see."), use("c1", "weather", '{"city":"Rome"}'), end()], [HANG], tools=weather.box())
    turn = asyncio.create_task(run.ask())
    after(steps, lambda: run.engine.interrupt("bob@there"))
    assert await turn == "interrupted"
    assert run.only(Interrupt).author == "bob@there"
    assert_closed(run)


class NarrowSink(ListSink):
    """Has room for so many events; whoever publishes the next one waits."""

    def __init__(self, room_for: int) -> None:
        super().__init__()
        self._room_for = room_for

    async def publish(self, event: Event) -> None:
        """Take `event`."""
        if len(self.events) == self._room_for:
            self.room.clear()
        await super().publish(event)


@pytest.mark.parametrize("room_for", range(10))
async def test_an_interrupt_while_the_journal_is_full_leaves_a_closed_turn(room_for: int) -> None:
    run = Run(
        [say("Let me see."), use("c1", "weather", '{"city":"Rome"}'), end()],
        [HANG],
        tools=Weather().box(),
        sink=NarrowSink(room_for),
    )
    turn = asyncio.create_task(run.ask())
    await run.sink.has_events(room_for + 1)
    run.engine.interrupt("bob@there")
    run.sink.room.set()
    assert await turn == "interrupted"
    assert_closed(run)
