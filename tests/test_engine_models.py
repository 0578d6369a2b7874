"""What a provider says that it offers: each API's own list, and every way in which there is none."""

from __future__ import annotations

import socket

import pytest

from engine import catalogue
from engine.catalogue import NotListed, Offer, offers
from engine.models import Endpoint, endpoint
from engine.openai_chat_request import chat_body
from engine.ports import Block, Request
from tests.support.model_server import ModelServer, Reply, model_server

KEY = "sk-a-secret-that-nobody-may-see"


def place(server: ModelServer | str, api: str = "openai-chat", key: str | None = KEY) -> Endpoint:
    url = server if isinstance(server, str) else server.url
    table = {"base_url": url if api == "anthropic" else f"{url}/v1", "api": api, "api_key": key or ""}
    found = endpoint("box", {}, {"box": table})
    assert found is not None
    return found


async def failure(of: Endpoint) -> catalogue.Failure:
    with pytest.raises(NotListed) as problem:
        await offers(of)
    told = problem.value.failure
    assert KEY not in f"{told.message}{told.hint}"
    return told


@pytest.mark.parametrize(
    ("model", "context"),
    [
        ({"id": "m"}, None),
        ({"id": "m", "context_length": 8192, "architecture": {"output_modalities": ["text"]}}, 8192),
        ({"id": "m", "context_window": 131072, "active": True}, 131072),
        ({"id": "m", "max_context_length": 32768, "capabilities": {"completion_chat": True}}, 32768),
        ({"id": "m", "max_model_len": 2048}, 2048),
        ({"id": "m", "meta": {"n_ctx_train": 4096}}, 4096),
        ({"name": "m", "context_length": "many"}, None),
    ],
)
async def test_the_context_window_is_read_where_the_server_tells_it(model: object, context: int | None) -> None:
    with model_server({"/v1/models": {"object": "list", "data": [model]}}) as server:
        assert await offers(place(server)) == [Offer("m", context)]
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"


async def test_what_cannot_chat_is_left_out_where_the_server_tells_it() -> None:
    models = [
        {"id": "embed", "capabilities": {"completion_chat": False}},
        {"id": "painter", "architecture": {"output_modalities": ["image"]}},
        {"id": "gone", "active": False},
        {"id": "retired", "lifecycle": "retired"},
        {"id": ""},
        "nonsense",
        {"id": "talker"},
    ]
    with model_server({"/v1/models": models}) as server:  # a bare list, as some send
        assert await offers(place(server)) == [Offer("talker")]


async def test_anthropics_list_comes_in_pages() -> None:
    pages = {
        "/v1/models?limit=1000": {"data": [{"id": "a", "max_input_tokens": 200000}], "has_more": True, "last_id": "a"},
        "/v1/models?limit=1000&after_id=a": {"data": [{"id": "b"}], "has_more": False, "last_id": "b"},
    }
    with model_server(pages) as server:
        assert await offers(place(server, "anthropic")) == [Offer("a", 200000), Offer("b")]
    for request in server.received:
        assert request.headers["x-api-key"] == KEY and request.headers["anthropic-version"]
        assert "authorization" not in request.headers


async def test_a_next_page_is_asked_of_the_same_server_only() -> None:
    with model_server({}) as other, model_server({}) as server:
        server.replies["/v1/models"] = Reply({"data": [{"id": "a"}], "links": {"next": "/v1/models?offset=1"}})
        elsewhere = {"data": [{"id": "b"}], "links": {"next": f"{other.url}/v1/models"}}
        server.replies["/v1/models?offset=1"] = Reply(elsewhere)
        assert await offers(place(server)) == [Offer("a"), Offer("b")]
    assert other.received == []


async def test_a_list_without_end_ends() -> None:
    with model_server({"/v1/models": {"data": [{"id": "a"}], "links": {"next": "/v1/models"}}}) as server:
        assert len(await offers(place(server))) == catalogue.MOST_PAGES


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply({"error": {"message": f"bad key {KEY}"}}, 401), "wrong-key", "box refused the API key (401): bad key …"),
        (Reply({"error": {"message": "no"}}, 404), "no-list", "box has no list of models at"),
        (Reply({"error": {"message": "slow down"}}, 429), "rate-limit", "slow down"),
        (Reply("<html>Welcome</html>"), "no-list", "but not with a list of models"),
        (Reply({"data": "none"}), "no-list", "but not with a list of models"),
    ],
)
async def test_a_refusal_is_told_in_words(reply: Reply, code: str, words: str) -> None:
    with model_server({"/v1/models": reply}) as server:
        told = await failure(place(server))
    assert told.code == code and words in told.message


async def test_a_redirect_is_told_and_not_followed() -> None:
    with model_server({}) as other, model_server({}) as server:
        server.replies["/v1/models"] = Reply({}, 302, {"location": f"{other.url}/v1/models"})
        told = await failure(place(server))
    assert told.code == "redirected" and other.url in told.message
    assert other.received == []


async def test_nobody_at_the_address_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        told = await failure(place(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert told.code == "unreachable" and "cannot be reached" in told.message


async def test_a_silent_provider_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(catalogue, "ANSWER_SECONDS", 0.1)
    with model_server({"/v1/models": Reply({}, after=threading.Event())}) as server:
        told = await failure(place(server))
    assert told.code == "timeout" and "did not answer" in told.message


PLAIN = {"reasoning": "because"}
DETAILS = {"reasoning_details": [{"type": "reasoning.text", "text": "be", "signature": "s"}, {"summary": "cause"}]}


@pytest.mark.parametrize(
    ("field", "came", "in_loop", "later"),
    [
        ("", PLAIN, PLAIN, {}),
        ("", DETAILS, DETAILS, DETAILS),
        ("reasoning_content", PLAIN, {"reasoning_content": "because"}, {"reasoning_content": "because"}),
        ("reasoning", {"reasoning_content": "because"}, PLAIN, PLAIN),
        ("reasoning_content", DETAILS, {"reasoning_content": "because"}, {"reasoning_content": "because"}),
        ("reasoning_details", DETAILS, DETAILS, DETAILS),
        ("none", PLAIN, {}, {}),
        ("none", DETAILS, {}, {}),
    ],
)
def test_reasoning_goes_back_as_the_server_wants_it(
    field: str, came: dict[str, object], in_loop: dict[str, object], later: dict[str, object]
) -> None:
    blocks = [
        Block(kind="user", text="Why?"),
        Block(kind="provider", provider="box", data=came),
        Block(kind="tool-call", call_id="c1", name="look", text="{}"),
        Block(kind="tool-result", call_id="c1", name="look", text="seen"),
    ]
    for added, wanted in (([], in_loop), ([Block(kind="user", text="And?")], later)):
        body = chat_body(Request(model="m", blocks=[*blocks, *added]), "box", official=False, reasoning_field=field)
        answer = body["messages"][1]
        assert {key: value for key, value in answer.items() if key.startswith("reasoning")} == wanted
