"""One turn: which events it writes in which order, and what a tool, a fault or an interrupt makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import pytest

from bus.events import (
    Error,
    Event,
    Final,
    Interrupt,
    Partial,
    PartialThinking,
    Retry,
    RunFailed,
    RunStarted,
    RunStopped,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallExecute,
    ToolCallExecutionResult,
    UserMessage,
)
from engine.call import Call
from engine.engine import Engine, EngineConfig, Outcome
from engine.history import History
from engine.ports import Work
from engine.tools import Arguments, Tool, Toolbox, ToolError
from tests.support.scripted import HANG, Line, Scripted, crash, end, fail, say, think, use
from tests.support.seat import ListSink, work

E = TypeVar("E", bound=Event)


class City(Arguments):
    city: str


class Weather:
    """A tool whose answers a test lets out one by one."""

    def __init__(self, *, held: bool = False) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.stopped: list[str] = []
        self.answers: dict[str, asyncio.Event] = {}
        self._held = held

    def box(self) -> Toolbox:
        return Toolbox([Tool(name="weather", description="The weather.", arguments=City, run=self._run)])

    async def _run(self, arguments: City) -> str:
        self.answers[arguments.city] = asyncio.Event()
        self.asked.put_nowait(arguments.city)
        try:
            if self._held:
                await self.answers[arguments.city].wait()
        except asyncio.CancelledError:
            self.stopped.append(arguments.city)
            raise
        if arguments.city == "Atlantis":
            raise ToolError("Atlantis has sunk.")
        return f"rain in {arguments.city}"


class Run:
    """An engine with a scripted provider."""

    def __init__(self, *scripts: Sequence[Line], tools: Toolbox | None = None, config: EngineConfig | None = None):
        self.sink = ListSink()
        self.history = History()
        self.provider = Scripted(scripts)
        config = config or EngineConfig(backoff=0.001)
        self.engine = Engine("s1", self.sink, history=self.history, tools=tools or Toolbox(), config=config)

    async def ask(self, prompt: str | Work = "Hello?") -> Outcome:
        asked = work(prompt) if isinstance(prompt, str) else prompt
        return await self.engine.run(asked, self.provider, "m-1")

    def only(self, kind: type[E]) -> E:
        (event,) = self.all(kind)
        return event

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.sink.events if isinstance(event, kind)]


async def test_a_turn_tells_its_story_in_order() -> None:
    run = Run([think("hm"), say("Hello "), say("you."), end()])
    assert await run.ask("Hi?") == "finished"
    assert run.sink.types() == [
        "riffle-user-message",
        "run-started",
        "start",
        "info",
        "partial-thinking",
        "riffle-provider-block",
        "info",
        "partial",
        "partial",
        "final",
        "run-finished",
    ]
    message = run.only(UserMessage)
    assert (message.text, message.author, message.prompt_id) == ("Hi?", "ada@here", "prompt: Hi?")
    assert run.only(Final).text == "Hello you."


async def test_every_event_but_a_delta_carries_the_ids_of_its_turn() -> None:
    run = Run(
        [think("hm"), use("c1", "weather", '{"city":"Rome"}'), end()], [say("Rain."), end()], tools=Weather().box()
    )
    await run.ask()
    deltas = (Partial, PartialThinking, ToolCallArgumentsDelta)
    ids = {
        (event.meta.session_id, event.meta.inference_id, event.meta.turn_id)
        for event in run.sink.events
        if not isinstance(event, deltas)
    }
    assert len(ids) == 1 and all(ids.pop())
    assert all(event.meta.turn_id is None for event in run.sink.events if isinstance(event, deltas))


async def test_the_end_of_a_call_carries_usage_reason_and_times() -> None:
    run = Run([say("Yes."), end("stop")])
    await run.ask()
    meta = run.only(Final).meta
    assert meta.usage is not None and meta.usage.output_tokens == 5
    assert (meta.model, meta.stop_reason) == ("m-1", "stop")
    assert meta.duration_ms is not None and meta.duration_ms >= 0
    assert meta.extra is not None and "first_token_ms" in meta.extra


async def test_tools_run_and_the_next_call_is_told_their_results() -> None:
    run = Run(
        [say("Let me see."), use("c1", "weather", '{"city":"Rome"}'), end("tool_use")],
        [say("It rains."), end()],
        tools=Weather().box(),
    )
    assert await run.ask() == "finished"
    assert run.sink.types()[2:] == [
        "start",
        "partial",
        "tool-call-started",
        "tool-call-arguments-delta",
        "tool-call",
        "final",
        "tool-call-execute",
        "tool-call-execution-result",
        "start",
        "partial",
        "final",
        "run-finished",
    ]
    told = [(b.kind, b.text, b.call_id) for b in run.provider.requests[1].blocks]
    assert told == [
        ("user", "Hello?", ""),
        ("text", "Let me see.", ""),
        ("tool-call", '{"city":"Rome"}', "c1"),
        ("tool-result", "rain in Rome", "c1"),
    ]
    first, second = run.all(Final)
    assert run.only(ToolCallExecute).meta.message_id == first.meta.message_id != second.meta.message_id


async def test_parallel_tools_run_at_once_and_are_given_back_in_call_order() -> None:
    weather = Weather(held=True)
    run = Run(
        [use("a", "weather", '{"city":"Oslo"}'), use("b", "weather", '{"city":"Rome"}'), end()],
        [say("Done."), end()],
        tools=weather.box(),
    )
    turn = asyncio.create_task(run.ask())
    assert [await weather.asked.get(), await weather.asked.get()] == ["Oslo", "Rome"]
    weather.answers["Rome"].set()
    await run.sink.has("tool-call-execution-result", 1)
    weather.answers["Oslo"].set()
    assert await turn == "finished"
    assert [e.tool_result.id for e in run.all(ToolCallExecutionResult)] == ["b", "a"]
    results = [b for b in run.provider.requests[1].blocks if b.kind == "tool-result"]
    assert [(b.call_id, b.text) for b in results] == [("a", "rain in Oslo"), ("b", "rain in Rome")]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("weather", '{"city":"Atlantis"}', "Atlantis has sunk."),
        ("weather", '{"town":"Rome"}', "The arguments of weather are wrong"),
        ("weather", '{"city":"Ro', "JSON"),
        ("forecast", "{}", "There is no tool 'forecast'. The tools are: weather."),
    ],
)
async def test_a_tool_that_fails_tells_the_model_why(name: str, arguments: str, words: str) -> None:
    run = Run([use("c1", name, arguments), end()], [say("I see."), end()], tools=Weather().box())
    assert await run.ask() == "finished"
    result = run.only(ToolCallExecutionResult).tool_result
    assert result.error is True and words in result.result
    told = run.provider.requests[1].blocks[-1]
    assert told.failed and told.text == result.result


async def test_a_tool_that_runs_at_the_provider_is_not_run_here() -> None:
    weather = Weather()

    def search(call: Call) -> None:
        call.tool_started("s1", "weather", at_provider=True)
        call.tool_call("s1", '{"city":"Rome"}')
        call.provider_tool_result("s1", "sun")

    run = Run([search, say("Sun."), end()], tools=weather.box())
    assert await run.ask() == "finished"
    assert weather.asked.empty() and len(run.all(ToolCall)) == 1
    assert [b.kind for b in run.history.blocks()] == ["user", "text"]


async def test_a_paused_turn_is_asked_to_go_on() -> None:
    run = Run([say("First. "), end("pause_turn")], [say("Second."), end("end_turn")])
    assert await run.ask() == "finished"
    assert [b.text for b in run.provider.requests[1].blocks] == ["Hello?", "First. "]


async def test_the_tool_loop_ends_after_max_calls() -> None:
    again = [use("c1", "weather", '{"city":"Rome"}'), end()]
    run = Run(again, again, again, tools=Weather().box(), config=EngineConfig(max_calls=2))
    assert await run.ask() == "max-calls"
    assert len(run.provider.requests) == 2
    # The second call's tool is not run: no call would be told its result.
    assert len(run.all(ToolCall)) == 2 and len(run.all(ToolCallExecute)) == 1
    assert run.only(RunStopped).reason == "max-calls"
    assert run.history.open_turn() is None


# -- faults ----------------------------------------------------------------------------------------------------


async def test_a_call_that_showed_nothing_is_tried_again_in_sight() -> None:
    run = Run([fail("Overloaded.", retryable=True)], [fail("Overloaded.", retryable=True)], [say("Yes."), end()])
    assert await run.ask() == "finished"
    assert run.sink.types() == [
        "riffle-user-message",
        "run-started",
        "riffle-retry",
        "riffle-retry",
        "start",
        "partial",
        "final",
        "run-finished",
    ]
    first, second = run.all(Retry)
    assert (first.attempt, second.attempt, first.reason) == (1, 2, "Overloaded.")
    assert first.delay_ms < second.delay_ms


async def test_retries_end() -> None:
    run = Run(*[[fail("Overloaded.", retryable=True)]] * 3, config=EngineConfig(retries=2, backoff=0.001))
    assert await run.ask() == "failed"
    assert run.sink.types()[2:] == ["riffle-retry", "riffle-retry", "error", "run-failed"]
    assert run.only(RunFailed).error_string == "Overloaded."


async def test_a_call_that_has_shown_something_is_not_tried_again() -> None:
    run = Run([say("I th"), fail("Overloaded.", retryable=True)])
    assert await run.ask() == "failed"
    assert run.sink.types()[2:] == ["start", "partial", "error", "run-failed"]
    assert [b.kind for b in run.history.blocks()] == ["user"]


async def test_the_provider_says_how_long_to_wait_at_least() -> None:
    run = Run([fail("Slow down.", retryable=True, retry_after=0.05)], [say("Yes."), end()])
    await run.ask()
    assert run.only(Retry).delay_ms == 50


async def test_nobody_is_left_to_wait_for_an_hour() -> None:
    run = Run([fail("Slow down.", retryable=True, retry_after=3600)])
    assert await run.ask() == "failed"


async def test_a_fault_of_an_adapter_is_an_error_without_secrets() -> None:
    run = Run([crash])
    assert await run.ask() == "failed"
    error = run.only(Error)
    assert "ValueError" in error.error_string and "sk-secret" not in error.model_dump_json()


async def test_a_stream_without_an_end_is_an_error() -> None:
    run = Run([say("And th")])
    assert await run.ask() == "failed"
    assert run.only(Error).code == "cut-off"


# -- interrupts ------------------------------------------------------------------------------------------------


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
    assert not done and run.sink.types()[-1] == "partial"
    run.sink.room.set()
    assert await turn == "interrupted"
    assert run.sink.types()[-2:] == ["interrupt", "run-stopped"]


# -- several turns ---------------------------------------------------------------------------------------------


async def test_a_turn_names_the_one_before_it_and_a_retry_what_it_replaces() -> None:
    run = Run([say("One."), end()], [say("Two."), end()], [say("Two, better."), end()])
    await run.ask("1")
    await run.ask("2")
    first, second = (event.meta.turn_id for event in run.all(UserMessage))
    await run.ask(work("2", supersedes=second))
    messages = run.all(UserMessage)
    assert [message.parent_turn_id for message in messages] == [None, first, first]
    assert messages[2].supersedes == second
    assert [b.text for b in run.provider.requests[2].blocks] == ["1", "One.", "2"]
    assert [b.text for b in run.history.blocks()] == ["1", "One.", "2", "Two, better."]


async def test_what_the_config_says_of_a_provider_goes_into_its_requests() -> None:
    tables = {"scripted": {"max_tokens": 99, "temperature": 1}, "other": {"max_tokens": 1}}
    run = Run([say("Yes."), end()], config=EngineConfig(system="Be brief.", providers=tables))
    await run.ask()
    (request,) = run.provider.requests
    assert (request.model, request.system, request.max_tokens, request.temperature) == ("m-1", "Be brief.", 99, 1.0)
