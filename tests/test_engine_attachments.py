"""Files that go with a prompt: each API's own form of them, and that a second engine sends the same."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from bus.attachment import Attachment
from bus.codec import decode, encode
from bus.events import Error, UserMessage
from engine.anthropic_request import anthropic_body
from engine.engine import EngineConfig
from engine.openai_chat_request import chat_body
from engine.openai_responses_request import responses_body
from engine.ports import Block, File, Request, Work
from engine.service import Service
from engine.tools import Toolbox
from tests.support.scripted import Scripted, end, say
from tests.support.seat import MemorySeat, work

PNG, PDF, TEXT = b"\x89PNG...", b"%PDF-1.7", b"print('hi')\n"
FILES = [
    File(name="a.png", media_type="image/png", block_key="k1", data=PNG),
    File(name="b.pdf", media_type="application/pdf", block_key="k2", data=PDF),
    File(name="c.py", media_type="text/plain", block_key="k3", data=TEXT),
    File(name="d.png", media_type="image/png", block_key="k4"),
]
AS_TEXT = "<file name='c.py'>\nprint('hi')\n</file>"
GONE = "[The file d.png was attached here. It is not there any more.]"
ASKED = Request(model="m", blocks=[Block(kind="user", text="Look", files=FILES)])


def url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def test_chat_completions_takes_data_addresses() -> None:
    (message,) = chat_body(ASKED, "p", official=True)["messages"]
    assert message == {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": url("image/png", PNG)}},
            {"type": "file", "file": {"filename": "b.pdf", "file_data": url("application/pdf", PDF)}},
            {"type": "text", "text": AS_TEXT},
            {"type": "text", "text": GONE},
            {"type": "text", "text": "Look"},
        ],
    }


def test_responses_takes_them_as_inputs() -> None:
    (message,) = responses_body(ASKED, "p")["input"]
    assert message == {
        "role": "user",
        "content": [
            {"type": "input_image", "image_url": url("image/png", PNG), "detail": "auto"},
            {"type": "input_file", "filename": "b.pdf", "file_data": url("application/pdf", PDF)},
            {"type": "input_text", "text": AS_TEXT},
            {"type": "input_text", "text": GONE},
            {"type": "input_text", "text": "Look"},
        ],
    }


def test_anthropic_takes_pictures_and_documents() -> None:
    (message,) = anthropic_body(ASKED, "p")["messages"]

    def source(media_type: str, data: bytes) -> dict[str, Any]:
        return {"type": "base64", "media_type": media_type, "data": b64encode(data).decode()}

    assert message["content"] == [
        {"type": "image", "source": source("image/png", PNG)},
        {"type": "document", "source": source("application/pdf", PDF), "title": "b.pdf"},
        {"type": "text", "text": AS_TEXT},
        {"type": "text", "text": GONE},
        {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}},
    ]


def test_without_files_a_prompt_is_what_it_was() -> None:
    plain = Request(model="m", blocks=[Block(kind="user", text="Look")])
    assert chat_body(plain, "p", official=True)["messages"] == [{"role": "user", "content": "Look"}]
    assert responses_body(plain, "p")["input"] == [{"role": "user", "content": "Look"}]


# -- the engine ------------------------------------------------------------------------------------------------

PICTURE = Attachment(name="a.png", media_type="image/png", size=len(PNG), block_key="k1")


async def serve(seat: MemorySeat, *prompts: Work) -> Scripted:
    provider = Scripted([[say("Yes."), end()] for _ in prompts])
    service = Service(seat, make_provider=lambda model: provider, tools=Toolbox(), config=EngineConfig(model="gpt-x"))
    seat.submit(*prompts, None)
    await service.run()
    return provider


async def test_the_stream_names_the_file_and_a_second_engine_sends_it_again() -> None:
    seat = MemorySeat()
    seat.files["k1"] = PNG
    first = await serve(seat, work("Look", attachments=[PICTURE]), work("And?"))
    (said, _) = (event for event in seat.sink.events if isinstance(event, UserMessage))
    assert said.attachments == [PICTURE]
    assert b"PNG..." not in encode(said) and decode(encode(said)) == said
    cut = seat.sink.types().index("run-finished") + 1
    other = MemorySeat(past=[decode(encode(event)) for event in seat.sink.events[:cut]])
    other.files = seat.files
    second = await serve(other, work("And?"))
    (block, *_) = second.requests[0].blocks
    assert [file.data for file in block.files] == [PNG]
    assert chat_body(second.requests[0], "p", official=True) == chat_body(first.requests[1], "p", official=True)


async def test_a_file_that_is_gone_is_said_and_nothing_is_asked_without_it() -> None:
    seat = MemorySeat()
    provider = await serve(seat, work("Look", attachments=[PICTURE]))
    (error,) = (event for event in seat.sink.events if isinstance(event, Error))
    assert (error.code, error.error_string) == ("file-gone", "The attached file is gone from Redis: a.png.")
    assert provider.requests == [] and seat.sink.types()[-1] == "run-failed"


async def test_of_a_file_that_goes_later_the_model_is_told() -> None:
    seat = MemorySeat()
    seat.files["k1"] = PNG
    await serve(seat, work("Look", attachments=[PICTURE]))
    provider = await serve(MemorySeat(past=seat.sink.events), work("And?"))
    assert "It is not there any more." in str(chat_body(provider.requests[0], "p", official=True))
