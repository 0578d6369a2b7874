"""Plain mode: a session as appended lines, for screen readers and for terminals that cannot draw."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.builtin_events import Citation
from bus.errors import StoreUnavailable
from bus.events import (
    Event,
    Final,
    Interrupt,
    Partial,
    RunFinished,
    RunStarted,
    RunStopped,
    Start,
    UserMessage,
)
from bus.feed import BeganLate, ConnectionChanged, EntriesRead, FeedItem
from bus.meta import Correlation, Metadata
from bus.session import ConnectionState, Queue, SessionInfo
from bus.stream import Entry
from tests.support.captured import forbidden
from tests.support.riffle import Home
from tests.support.scripted_source import LIVE, STARTED_MS, ScriptedSource, Story
from tests.support.terminal import CTRL_C, ENTER
from tests.support.waiting import wait_until
from tui.facts import Mode
from tui.plain import PlainSession
from tui.plain_text import PlainText
from tui.player import Player
from tui.replay_source import ReplaySource
from tui.silences import Silences


class Typed:
    """A keyboard that a test types on; `None` is the end of input."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def line(self) -> str | None:
        return await self.lines.get()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Reading:
    """A plain session over a script, what it wrote, and the keyboard."""

    def __init__(self, *script: object, mode: Mode = "chat") -> None:
        self.source = ScriptedSource(script=[LIVE, *script], mode=mode)  # type: ignore[list-item]
        self.terminal = Terminal()
        self.keyboard = Typed()
        self.session = PlainSession(self.source, PlainText(self.terminal), self.keyboard)
        self.running: asyncio.Future[None]

    @property
    def said(self) -> str:
        return self.terminal.getvalue()

    def type(self, *lines: str | None) -> None:
        for line in lines:
            self.keyboard.lines.put_nowait(line)

    async def asked(self) -> None:
        """Wait until the prompt is asked for."""
        await wait_until(lambda: self.said.endswith("\nUser: "), what=f"the label behind {self.said!r}")

    async def heard(self, words: str) -> None:
        await wait_until(lambda: words in self.said, what=f"{words!r} in {self.said!r}")


@asynccontextmanager
async def reading(*script: object) -> AsyncGenerator[Reading]:
    read = Reading(*script)
    read.running = asyncio.ensure_future(read.session.run())
    yield read
    read.type(None)
    await read.running


def turn(prompt_id: str, text: str, said: str, *ending: Event) -> EntriesRead:
    """A turn of the prompt with this id, which ends, or does not."""
    meta = Metadata(turn_id=prompt_id, message_id=f"m-{prompt_id}", session_id="s")
    events = [
        UserMessage(meta=meta, text=text, prompt_id=prompt_id, author="ada@desk"),
        RunStarted(meta=meta),
        Start(meta=meta),
        Partial(meta=meta, correlation=Correlation(segment_id=prompt_id), delta=said),
        *(event.model_copy(update={"meta": meta}) for event in ending),
    ]
    entries = [Entry(f"9{n}-0", event, STARTED_MS + n) for n, event in enumerate(events)]
    return EntriesRead(entries, caught_up=True)


async def test_a_conversation_is_appended_behind_labels() -> None:
    told = Story().ask("Why is water wet?").think("Hm.").say("Because ", "it is.")
    told.tool("read_file", '{"path": "a"}', "wet\nvery")
    told.add(Citation(meta=Metadata(message_id="m1"), title="Rivers", url="https://r.example"))
    async with reading(told.finish().take()) as read:
        await read.asked()
    assert read.said.rstrip().split("\n\n") == [
        "User: Why is water wet?",
        "Assistant is thinking.",
        "Assistant: Because it is.",
        'Tool call: read_file {"path": "a"}\nTool result: wet\nvery',
        "Source 1: Rivers https://r.example",
        "User:",
    ]
    assert not forbidden(read.said, "\n"), "nothing but text: no colours, nothing that moves"


async def test_what_is_typed_is_sent_and_not_said_again_and_its_answer_is_awaited() -> None:
    async with reading(Story().ask("One").say("First").finish().take()) as read:
        await read.asked()
        read.type("And two,\\", "three?")
        await wait_until(lambda: read.source.sent)
        assert read.source.sent[0].text == "And two,\nthree?"
        [sent] = read.source.prompt_ids
        read.source.push(turn(sent, "And two,\nthree?", "Second"))
        await read.heard("Assistant: Second")
        assert read.said.count("User: ") == 2, "nobody is asked while an answer comes"
        read.source.push(turn(sent, "And two,\nthree?", "Second", Final(text="Second"), RunFinished()))
        await read.asked()
        assert read.said.count("three?") == 0, "it stands there as it was typed"
        read.source.failure = StoreUnavailable("Redis did not answer.")
        read.type("Again?")
        await read.heard("Error: Redis did not answer.")
        await read.asked()


async def test_control_c_stops_an_answer_and_twice_quits() -> None:
    async with reading(turn("p", "Count", "One, two")) as read:
        await read.heard("One, two")
        read.session.interrupt()
        await wait_until(lambda: read.source.stopped)
        await read.heard("Stopping the answer.")
        read.source.push(turn("p", "Count", "One, two", Interrupt(text="One, two"), RunStopped(reason="interrupt")))
        await read.heard("Note: interrupted")
        await read.asked()
        read.session.interrupt()
        await asyncio.wait_for(read.running, 5)


async def test_what_others_ask_is_read_out_while_a_line_is_typed() -> None:
    async with reading(Story().ask("One").say("First").finish().take()) as read:
        await read.asked()
        read.source.push(turn("p", "From elsewhere", "Yes", Final(text="Yes"), RunFinished()))
        await read.heard("User: From elsewhere\n\nAssistant: Yes\n\nUser: ")
        read.source.push(ConnectionChanged(ConnectionState("reconnecting", detail="Redis is away.")), LIVE)
        await read.heard("Note: Redis is away.")
        await read.heard("Note: Redis is back.")
        read.source.push_queue(Queue((), paused=True))
        read.type("")
        await wait_until(lambda: "resume_queue" in read.source.calls)


async def test_what_is_not_read_out_of_a_long_session_is_said() -> None:
    async with reading(BeganLate(3120), Story().ask("One").say("First").finish().take()) as read:
        await read.heard("Note: 3,120 earlier entries are not read out. To read them: riffle tail ")
        await read.heard("User: One\n\nAssistant: First\n")


async def test_a_recording_ends_by_itself_and_asks_for_nothing() -> None:
    read = Reading(mode="replay")
    told = Story().ask("One").say("First").finish().take()
    read.source.items = lambda: played(told)  # type: ignore[method-assign]
    await asyncio.wait_for(read.session.run(), 5)
    assert read.said == "User: One\n\nAssistant: First\n"


@pytest.mark.parametrize("speed", [float("inf"), 1.0])
async def test_the_long_pauses_of_a_recording_are_said_when_they_begin(speed: float) -> None:
    told = Story().ask("One").say("First, ").wait(42_000).say("second").finish().wait(9_000).ask("Two").wait(3_725_000)
    entries = told.say("Third").finish().take().entries
    now = [0.0]
    player = Player([entry.ts for entry in entries], speed=speed, clock=lambda: now[0])
    source = ReplaySource(SessionInfo(id="x"), entries, player)
    terminal = Terminal()
    session = PlainSession(source, PlainText(terminal), Typed())
    running = asyncio.ensure_future(session.run())
    if speed == 1.0:
        now[0] = 0.35
        source.play("slower")  # any key has it look at the clock
        await wait_until(lambda: terminal.getvalue().endswith("Note: nothing for 42 s.\n"), what=terminal.getvalue())
        assert not player.ended
        source.play("end")
    await asyncio.wait_for(running, 5)
    assert terminal.getvalue() == (
        "User: One\n\nAssistant: First, \n\nNote: nothing for 42 s.\n\nAssistant: second\n\n"
        "User: Two\n\nNote: nothing for 1 h 2 min.\n\nAssistant: Third\n"
    )


async def played(*items: FeedItem) -> AsyncIterator[FeedItem]:
    for item in items:
        yield item


def test_a_dumb_terminal_gets_plain_mode(tmp_path: Path) -> None:
    home = Home(tmp_path, {"TERM": "dumb"})
    try:
        terminal = home.open("Hello", rows=90)
        terminal.wait_for("Tool call: list_files")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("User:"))
        terminal.type("How does replay work?" + ENTER)
        terminal.wait_for("not a recording of a screen")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("User:"))
        terminal.type(CTRL_C)
        terminal.wait_for("Control C again quits.")
        terminal.type(CTRL_C)
        assert terminal.wait_exit() == 0
        assert not forbidden(bytes(terminal.raw).decode(), r"\r\n")
        replay = home.call("replay", "Hello", "--plain", "--speed", "max")
        assert "Assistant: " in replay.stdout
    finally:
        home.close()


def test_a_pause_behind_a_burst_that_comes_in_parts_is_told_once_and_behind_it() -> None:
    times = [0] * 700 + [60_000]
    player = Player(times, clock=lambda: 0.0)
    assert len(player.take()) == 700
    silences = Silences(player)
    entries = [Entry(f"{number + 1}-0", UserMessage(text="x"), times[number]) for number in range(700)]
    told: list[str] = []
    for part in (entries[:500], entries[500:]):
        told += [said for said, _ in silences.between(EntriesRead(part, caught_up=False))] + [silences.ahead()]
    assert told == ["", "", "", "Note: nothing for 1 min."]
