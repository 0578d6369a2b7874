"""The demo: its story, its tools, its answers to what it suggests, and its pace."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from bus.events import Event, Final, Partial, PartialThinking, ToolCall, ToolCallExecutionResult
from engine.demo.provider import Demo
from engine.demo.story import choose, stories
from engine.engine import Engine, EngineConfig
from engine.history import History
from engine.ports import Block, Request
from engine.toolbox import read_only_tools
from engine.tools import Toolbox
from tests.support.seat import ListSink, work


async def play(*questions: str, tools: Toolbox, variant: str = "instant") -> list[Event]:
    """The events of a session with the demo."""
    sink = ListSink()
    engine = Engine("s1", sink, history=History(), tools=tools, config=EngineConfig())
    provider = Demo(variant)
    for question in questions:
        assert await engine.run(work(question), provider, variant) == "finished"
    return sink.events


def texts(events: list[Event]) -> list[str]:
    return [event.text or "" for event in events if isinstance(event, Final)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "songs").mkdir()
    (tmp_path / "notes.md").write_text("Notes.")
    return tmp_path


async def test_the_first_answer_shows_a_bit_of_everything(folder: Path) -> None:
    events = await play("Hello there!", tools=read_only_tools(folder))
    before, after = texts(events)
    assert "Hello there!" in before and "not a language model" in before
    assert "**1 folder and 1 file**: `songs/` and `notes.md`" in after
    for piece in ("\n## ", "\n1. ", "\n   - ", "\n|:---", "\n```python\n", "\n```sh\n", "\n> ", "Ask me: "):
        assert piece in after, piece
    assert any(isinstance(event, PartialThinking) for event in events)
    (asked,) = [event for event in events if isinstance(event, ToolCall)]
    (said,) = [event for event in events if isinstance(event, ToolCallExecutionResult)]
    assert asked.tool_call.name == "list_files" and "songs/" in said.tool_result.result


async def test_it_counts_what_it_says(folder: Path) -> None:
    events = await play("Hello", tools=read_only_tools(folder))
    first, last = (event.meta for event in events if isinstance(event, Final))
    assert (first.stop_reason, last.stop_reason) == ("tool_use", "stop")
    assert first.usage is not None and last.usage is not None
    assert 0 < first.usage.input_tokens < last.usage.input_tokens < 1000
    assert 0 < first.usage.output_tokens < last.usage.output_tokens < 1000
    assert last.extra is not None and last.extra["reasoning_tokens"] > 10


async def test_without_tools_it_does_not_pretend() -> None:
    (text,) = texts(await play("Hello", tools=Toolbox()))
    assert "Tools are switched off here" in text


def suggested() -> set[str]:
    """All that the stories ask to be asked."""
    lines = [line for story in stories().values() for line in story.said().splitlines() if "Ask me: " in line]
    return {question for line in lines for question in re.findall(r"\*(.+?)\*", line)}


def test_every_suggestion_is_answered_with_another_story() -> None:
    answers = {question: choose(question, first=False).name for question in suggested()}
    assert len(answers) >= 8
    assert set(answers.values()) == {"stream", "attach", "replay", "markdown", "keys", "tools"}, answers


@pytest.mark.parametrize(
    ("question", "story"),
    [
        ("so what IS a stream", "stream"),
        ("attaching from elsewhere, please", "attach"),
        ("can I open this in a second terminal", "attach"),
        ("Show me how a replay works", "replay"),
        ("how do i play it again", "replay"),
        ("table!", "markdown"),
        ("some code please", "markdown"),
        ("how can I use claude", "keys"),
        ("which tools are there?", "tools"),
        ("tour", "welcome"),
        ("What is the capital of France?", "other"),
    ],
)
def test_follow_ups_are_understood_in_other_words(question: str, story: str) -> None:
    assert choose(question, first=False).name == story


async def test_it_is_honest_about_what_it_cannot_answer(folder: Path) -> None:
    events = await play("Hello", "What is *the* capital\nof France?", tools=read_only_tools(folder))
    answer = texts(events)[-1]
    assert r"What is \*the\* capital of France?" in answer
    assert "I am the demo" in answer and "OPENAI_API_KEY" in answer


async def test_the_long_answer_is_long_and_mixed(folder: Path) -> None:
    (text,) = texts(await play("Go", tools=read_only_tools(folder), variant="long+instant"))
    assert 20_000 <= len(text) <= 30_000
    assert text.count("\n|") > 50 and text.count("\n```") > 20 and text.count("\n- ") > 10
    assert not re.search(r"^(# .*\n\n?){2}|\{\w+\}|%%", text, re.MULTILINE)


def test_no_story_has_anything_left_to_fill_in() -> None:
    for story in stories().values():
        assert story.parts, story.name
        assert all("%%" not in part.text for part in story.parts), story.name
        assert story.words or story.name == "other"


async def test_it_speaks_at_a_human_pace() -> None:
    request = Request(model="demo", blocks=[Block(kind="user", text="markdown")])
    times: list[float] = []
    async for event in Demo().stream(request):
        if isinstance(event, PartialThinking | Partial):
            times.append(time.monotonic())
        if len(times) == 50:
            break
    assert 0.4 < times[-1] - times[0] < 3.0


async def test_it_can_be_interrupted_at_any_pace() -> None:
    sink = ListSink()
    history = History()
    engine = Engine("s1", sink, history=history, tools=Toolbox(), config=EngineConfig())
    turn = asyncio.create_task(engine.run(work("Go"), Demo("long+instant"), "demo"))
    await sink.has("partial", 10)
    engine.interrupt("bob@there")
    assert await turn == "interrupted"
    assert history.blocks()[-1].interrupted
