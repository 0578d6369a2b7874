"""How a call goes over HTTP: the key, silence, breaks, cancelling; and the words for what goes wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from bus.events import Error, Event, Partial
from engine.failures import Advice, Service, advice, explain
from engine.ports import Block, Request
from engine.sse import EventReader
from tests.support.provider_http import HELLO, KEY, Answer, Api, FakeServer, ask, fold, provider, sse

CHAT = sse({"choices": [{"delta": {"content": "Hi"}}]})
RESPONSES = sse({"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"})
ANTHROPIC = sse(
    {"type": "message_start", "message": {}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}},
)
BEGINNINGS: dict[Api, bytes] = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "anthropic-messages": ANTHROPIC,
}
every_api = pytest.mark.parametrize("api", list(BEGINNINGS))
SERVICE = Service(name="Someone", model="a-model", base_url="https://u:p@host/v1", key_variable="A_KEY", secrets=(KEY,))


def failed(events: list[Event]) -> Error:
    error = fold(events).error
    assert error is not None
    return error


@every_api
async def test_silence_ends_the_call_and_keeps_the_text(api: Api) -> None:
    answer = Answer(body=BEGINNINGS[api], hangs=True)
    events = await ask(api, FakeServer(answer), idle_seconds=1.0)
    assert fold(events).text == "Hi"
    assert failed(events).code == "timeout" and "sent nothing" in failed(events).error_string
    assert answer.closed


@every_api
async def test_comments_and_pings_are_silence_too(api: Api) -> None:
    noise = b": still here\n\n" + sse({"type": "ping"})
    answer = Answer(body=noise * 3, size=len(noise), hangs=True)
    assert failed(await ask(api, FakeServer(answer), idle_seconds=1.0)).code == "timeout"


@every_api
async def test_a_broken_connection_keeps_the_text(api: Api) -> None:
    answer = Answer(body=BEGINNINGS[api], raises=httpx2.ReadError("reset by peer"))
    events = await ask(api, FakeServer(answer))
    assert fold(events).text == "Hi"
    assert failed(events).code == "cut-off" and "reset by peer" in failed(events).error_string


async def test_a_connection_that_breaks_after_the_answer_harms_nothing() -> None:
    body = sse({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    got = fold(await ask("openai-chat", FakeServer(Answer(body=body, raises=httpx2.ReadError("late")))))
    assert (got.text, got.stop_reason) == ("Hi", "stop")
    silent = Answer(body=body, hangs=True)
    assert fold(await ask("openai-chat", FakeServer(silent), idle_seconds=1.0)).stop_reason == "stop"


@every_api
async def test_cancelling_closes_the_connection(api: Api) -> None:
    answer = Answer(body=BEGINNINGS[api], hangs=True)
    asked = provider(api, FakeServer(answer))
    heard = asyncio.Event()

    async def listen() -> None:
        async for event in asked.stream(HELLO):
            if isinstance(event, Partial):
                heard.set()

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(heard.wait(), 5)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert answer.closed
    await asked.close()


@every_api
async def test_data_that_is_no_json_is_an_error_in_words(api: Api) -> None:
    for body in (b"data: {oops\n\n", b'data: {"a": "\xff"}\n\n'):
        assert failed(await ask(api, FakeServer(body))).code == "bad-data"


@every_api
async def test_an_error_before_the_answer_comes_alone(api: Api) -> None:
    words = f'{{"error": {{"message": "the key {KEY} is bad"}}}}'.encode()
    events = await ask(api, FakeServer(Answer(status=401, body=words)))
    assert len(events) == 1
    error = failed(events)
    assert error.code == "wrong-key" and KEY not in error.error_string
    assert "_API_KEY" in (error.hint or "")


@every_api
async def test_without_a_key_nothing_is_sent_to_the_official_host(api: Api) -> None:
    server = FakeServer(BEGINNINGS[api])
    assert failed(await ask(api, server, key=None)).code == "no-key"
    assert server.requests == []


async def test_a_server_of_ones_own_gets_no_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, KEY)
    for api, body in BEGINNINGS.items():
        server = FakeServer(body)
        await ask(api, server, key=None, base_url="http://localhost:1234/v1")
        assert server.requests and not any(KEY in value for value in server.requests[0].headers.values())


async def test_events_carry_the_ids_of_the_request() -> None:
    request = Request(model="m", blocks=[Block(kind="user", text="x")], session_id="s", inference_id="i", turn_id="t")
    for event in await ask("openai-chat", FakeServer(CHAT + b"data: [DONE]\n\n"), request):
        ids = (event.meta.session_id, event.meta.inference_id, event.meta.turn_id)
        assert ids == ((None, None, None) if isinstance(event, Partial) else ("s", "i", "t"))


async def test_a_page_instead_of_a_stream_is_told_from_a_cut() -> None:
    page = Answer(body=b"<html>", headers={"content-type": "text/html; charset=utf-8"})
    error = failed(await ask("openai-chat", FakeServer(page), base_url="http://localhost:1234"))
    assert error.code == "not-a-stream" and "http://localhost:1234" in (error.hint or "")
    assert page.closed


# -- words -----------------------------------------------------------------------------------------------------


class Refusal(Exception):
    """As an SDK's status error looks."""

    def __init__(self, status: int, message: str = "no", *, headers: dict[str, str] | None = None, **body: Any) -> None:
        super().__init__(message)
        self.status_code = status
        self.body = {"error": {"message": message, **body}}
        self.response = httpx2.Response(status, headers=headers or {})


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (Refusal(400, "prompt is too long: 9 tokens > 8"), "context-too-long", False),
        (Refusal(400, code="context_length_exceeded"), "context-too-long", False),
        (Refusal(400, "Your credit balance is too low"), "no-credit", False),
        (Refusal(429, code="insufficient_quota"), "no-credit", False),
        (Refusal(401), "wrong-key", False),
        (Refusal(403), "not-allowed", False),
        (Refusal(404), "unknown-model", False),
        (Refusal(422), "bad-request", False),
        (Refusal(429), "rate-limit", True),
        (Refusal(500), "server-error", True),
        (Refusal(529), "overloaded", True),
        (Refusal(200, type="overloaded_error"), "overloaded", True),
        (Refusal(500, headers={"x-should-retry": "false"}), "server-error", False),
        (httpx2.ConnectError("refused"), "unreachable", True),
        (httpx2.ReadTimeout("slow"), "timeout", True),
        (httpx2.RemoteProtocolError("half a body"), "cut-off", True),
    ],
)
def test_errors_are_told_apart(error: Exception, code: str, retryable: bool) -> None:
    failure = explain(error, SERVICE)
    assert (failure.code, failure.retryable) == (code, retryable)
    assert "Someone" in failure.message or "a-model" in failure.message
    assert "u:p" not in failure.message + (failure.hint or "")


async def test_the_advice_stands_in_the_event() -> None:
    answer = Answer(status=429, headers={"retry-after": "7"}, body=b'{"error": {"message": "slow down"}}')
    assert advice(failed(await ask("openai-chat", FakeServer(answer)))) == Advice(True, 7.0)
    assert advice(Error(error_string="?")) == Advice(False, None)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_events_are_read_whatever_ends_the_lines_and_cuts_the_bytes(ending: str, size: int) -> None:
    lines = [
        "\ufeff: comment",
        "data: a",
        "",
        "data:",
        "",
        "event: x",
        "data:b",
        "data: c",
        "",
        "data: \u2028d",
        "",
        "data: cut off",
    ]
    body = ending.join([*lines, ""]).encode()
    reader = EventReader()
    events = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    assert [*events, *reader.close()] == ["a", "b\nc", "\u2028d"]
