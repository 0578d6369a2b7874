"""How long an engine waits, and what it says meanwhile: silence, retries, answers that end before they are whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bus.events import Error, Log, Retry, Status
from engine.engine import EngineConfig
from engine.failures import Service, explain
from tests.support.provider_http import Answer, Api, FakeServer, ask, fold, provider, sse
from tests.support.scripted import HANG, end, fail, say
from tests.support.seat import ListSink, work
from tests.support.turn import Run

SERVICE = Service(name="Someone", model="a-model", base_url="https://host/v1", key_variable="A_KEY")
SOON = 0.02
"""Of silence, until a word is said."""


async def test_a_silent_provider_is_told_again_and_again_and_can_be_stopped() -> None:
    run = Run([say("Well, "), HANG], config=EngineConfig(silence=SOON))
    turn = asyncio.create_task(run.ask())
    await run.sink.has("status", 2)
    run.engine.interrupt("bob@there")
    assert await turn == "interrupted"
    first, second = run.all(Status)[:2]
    assert (first.message, second.message) == ("m-1 has said nothing for 0.02 s.", "m-1 has said nothing for 0.04 s.")
    assert first.passing and first.meta.turn_id


async def test_a_word_about_silence_is_no_answer() -> None:
    answer = sse({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}, "[DONE]")
    silent = provider("openai-chat", FakeServer(Answer(hangs=True), answer), idle_seconds=0.3)
    run = Run(config=EngineConfig(silence=SOON, backoff=0.001))
    assert await run.engine.run(work("Hello?"), silent, "m-1") == "finished"
    await silent.close()
    types = run.sink.types()
    assert types.index("status") < types.index("riffle-retry") < types.index("start")
    assert "sent nothing for 0.3 s" in run.only(Retry).reason


async def test_waiting_for_the_stream_is_no_silence_of_the_provider() -> None:
    run = Run([say("Well, "), end()], config=EngineConfig(silence=SOON), sink=Narrow())
    turn = asyncio.create_task(run.ask())
    await run.sink.has("partial")
    await asyncio.wait({turn}, timeout=SOON * 5)
    assert not turn.done()
    run.sink.room.set()
    assert await turn == "finished"
    assert not run.all(Status)


class Narrow(ListSink):
    """Has no room from the first text on."""

    async def publish(self, event: Any) -> None:
        """Take it."""
        if event.type == "partial":
            self.room.clear()
        await super().publish(event)


async def test_a_retry_says_why_when_and_which_of_how_many() -> None:
    broken = fail("Someone is overloaded.", retryable=True, retry_after=0.05)
    run = Run([broken], [broken], [say("Yes."), end()], config=EngineConfig(retries=2, backoff=0.001))
    assert await run.ask() == "finished"
    assert [(e.attempt, e.attempts, e.reason, e.delay_ms) for e in run.all(Retry)] == [
        (1, 2, "Someone is overloaded.", 50),
        (2, 2, "Someone is overloaded.", 50),
    ]


async def test_a_wait_that_is_too_long_is_left_to_the_person() -> None:
    server = FakeServer(Answer(status=429, headers={"retry-after": "720"}, body=b'{"error": {"message": "slow down"}}'))
    limited = provider("openai-chat", server)
    run = Run()
    assert await run.engine.run(work("Hello?"), limited, "m-1") == "failed"
    await limited.close()
    assert len(server.requests) == 1
    assert run.only(Error).hint == "It asks to be left alone for 12 min. Ask again after that."


class Limited(Exception):
    """As an SDK's error about a rate looks."""

    status_code = 429
    body = None

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("slow down")
        self.response = Answer(headers=headers)


@pytest.mark.parametrize(
    ("headers", "seconds", "words"),
    [
        ({"retry-after": "0.4"}, 0.4, "1 s"),
        ({"retry-after": "45"}, 45.0, "45 s"),
        ({"Retry-After": "91"}, 91.0, "2 min"),
        ({"retry-after": "36000"}, 36000.0, "10 h"),
        ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5, "3 s"),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0, None),
        # By the server's clock, not by this machine's.
        (
            {"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"},
            30.0,
            "30 s",
        ),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "soon"}, None, None),
        ({}, None, None),
    ],
)
def test_the_wait_that_is_asked_for_is_said(headers: dict[str, str], seconds: float | None, words: str | None) -> None:
    failure = explain(Limited(headers), SERVICE)
    assert failure.retry_after == seconds
    assert failure.hint == (f"It asks to be left alone for {words}. Ask again after that." if words else _PLAIN)


_PLAIN = "Wait, then try again."


# -- answers that are not whole ----------------------------------------------------------------------------------


def chat(reason: str) -> bytes:
    return sse({"choices": [{"delta": {"content": "Half"}, "finish_reason": reason}]}, "[DONE]")


def responses(reason: str) -> bytes:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "Half"}
    return sse(
        delta, {"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}, "output": []}}
    )


def anthropic(reason: str) -> bytes:
    return sse(
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Half"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}},
        {"type": "message_stop"},
    )


@pytest.mark.parametrize(
    ("api", "body", "words"),
    [
        ("openai-chat", chat("length"), "limit of output tokens was reached. Ask it to go on"),
        ("openai-responses", responses("max_output_tokens"), "limit of output tokens was reached. Ask it to go on"),
        ("anthropic-messages", anthropic("max_tokens"), "limit of output tokens was reached. Ask it to go on"),
        ("openai-chat", chat("content_filter"), "content filter. Ask in other words"),
        ("openai-responses", responses("content_filter"), "content filter. Ask in other words"),
        ("anthropic-messages", anthropic("refusal"), "The model declined to answer"),
        ("anthropic-messages", anthropic("model_context_window_exceeded"), "context window is full"),
        ("openai-responses", responses("a new one"), "The answer is incomplete: a new one."),
    ],
)
async def test_an_answer_that_is_not_whole_says_so_and_keeps_the_text(api: Api, body: bytes, words: str) -> None:
    events = await ask(api, FakeServer(body))
    (notice,) = [event for event in events if isinstance(event, Log)]
    assert notice.level == "warn" and words in notice.message
    assert (fold(events).text, fold(events).error) == ("Half", None)
