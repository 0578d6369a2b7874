"""One turn: which events it writes in which order, and what a tool or a fault makes of it."""

from __future__ import annotations

import asyncio

import pytest

from bus.events import (
    Error,
    Final,
    Partial,
    PartialThinking,
    Retry,
    RunFailed,
    RunStopped,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallExecute,
    ToolCallExecutionResult,
    UserMessage,
)
from engine.call import Call
from engine.engine import EngineConfig
from tests.support.scripted import crash, end, fail, say, think, use
from tests.support.seat import work
from tests.support.turn import Run
from tests.support.weather import Weather


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
    run = Run([say("Yes."), end()], config=EngineConfig(providers=tables))
    await run.ask()
    (request,) = run.provider.requests
    assert (request.model, request.max_tokens, request.temperature) == ("m-1", 99, 1.0)
