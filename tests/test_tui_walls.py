"""Hostile text: no character that commands a terminal gets through, wherever it comes from and however it is cut."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from bus.attachment import Attachment
from bus.entities import (
    Appended,
    AssistantText,
    Citations,
    CodeInterpreter,
    CompactedTurns,
    Created,
    Entity,
    Failure,
    FileSearch,
    GapMarker,
    GeneratedImage,
    Interruption,
    McpCall,
    ModeSwitch,
    Notice,
    Source,
    TextBuffer,
    Thinking,
    ToolUse,
    TurnSummary,
    UnknownEvent,
    UserText,
    WebSearch,
)
from bus.events import Broken
from bus.feed import ConnectionChanged, LeaseChanged, QueueChanged
from bus.session import ConnectionState, EngineLease, Prompt, Queue, SessionInfo
from bus.stream import Entry
from engine.profiles import Profile
from tests.support.captured import FORBIDDEN, SAID, STARTING, Capture, captured, forbidden
from tests.support.riffle_app import Screen
from tests.support.scripted_source import LIVE, ScriptedLibrary, ScriptedSource, Story
from tests.support.timeline import TimelineApp
from tests.support.waiting import wait_until
from tui.app import Riffle
from tui.clean import clean, clean_line, is_clean_line
from tui.cli.errors import complain
from tui.cli.printing import json_line, say, tidy, yaml_document
from tui.cli.sessions import print_sessions
from tui.cli.transcript import Transcript
from tui.crash import write_report
from tui.output_filter import ControlFilter
from tui.timeline.cards import Look
from tui.timeline.section import Section
from tui.window_title import TitledDriver

PAYLOADS = {
    "clipboard write": "\x1b]52;c;UFdORUQ=\x1b\\",
    "clipboard read": "\x1b]52;c;?\x07",
    "title": "\x1b]0;PWNED\x07\x1b]2;PWNED\x1b\\",
    "title on the stack": "\x1b[22;0t\x1b[21t",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "notification": "\x1b]9;PWNED\x1b\\\x1b]777;notify;a;b\x07\x1b]99;;x\x1b\\",
    "colours": "\x1b]4;1;#ff0000\x07\x1b]11;#000\x1b\\\x1b]104\x07",
    "device control": "\x1bP1$r0m\x1b\\\x1bP+q544e\x1b\\",
    "application command": "\x1b_Gi=1,a=T;AAAA\x1b\\",
    "privacy message, start of string": "\x1b^x\x1b\\\x1bXy\x1b\\",
    "sixel": "\x1bPq#0;2;0;0;0~~@@\x1b\\",
    "file transfer": "\x1b]1337;File=inline=1:AAAA\x07",
    "tmux": "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\",
    "forged screen": "\x1b[2J\x1b[H\x1b[31mALL PASSED",
    "modes": "\x1b[?1049l\x1b[?1003h\x1b[?2026h\x1b[>1u\x1bc",
    "query": "\x1b[6n\x1b[c\x1bP$qm\x1b\\\x05",
    "keys": "\x1b[>4;2m\x1b=\x1b[4h",
    "paste break-out": "\x1b[201~rm -rf /\n",
    "eight-bit controls": "\x9b2J\x9d0;PWNED\x9c\x85\x90\x9f",
    "backspaces and returns": "safe\x08\x08\x08\x08evil\rHIDE\x7f",
    "bell, form feed, shifts": "a\x07b\x0bd\x0ce\x0ef\x0fg",
    "nul": "a\x00b",
    "bidirectional": "user\u202e\u2066// admin\u2069\u2066 check\u2028x\u2029y\u061c",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade\u200ef\u2063",
    "tags": "hi\U000e0068\U000e0069\U000e007f\U000e0100",
    "lone surrogate": "a\ud800b\udfffc",
    "combining": "Z" + "\u0301\u0489\u0336" * 300,
    "markup": "[red]x[/red][/][@click=app.quit]y[/] [link=https://evil.example]z[/link]",
    "escape in an address": "<http://a.example/%1b[31m> http://b.example/%1b]0;x%07",
    "escape in a link": "[t](http://c.example/%1b]52;c;x \"%1b[2J\") ![i](http://d.example/%9b)",
    "entities": "&#27;[2J &#x9b;2J &#0; &#x202e;",
    "json": '{"a": "\\u001b[2J\\u009b\\u202e", "\\u001b]0;x": ["\\u0007"]}',
}  # fmt: skip

ALL = " ".join(PAYLOADS.values())

WIDE = 3000
"""Columns that all payloads fit into: what is cut off at the right proves nothing."""

ENTITIES: dict[str, Callable[[str], Entity]] = {
    "prompt": lambda text: UserText(
        id="e",
        text=text,
        author=text,
        attachments=(Attachment(name=text, media_type=text, size=1, block_key=""),),
    ),
    "answer": lambda text: AssistantText(id="e", text=TextBuffer(text)),
    "answer in a fence": lambda text: AssistantText(id="e", text=TextBuffer(f"```{text}\n{text}\n")),
    "answer in a table": lambda text: AssistantText(id="e", text=TextBuffer(f"| {text} |\n|---|\n| {text} |\n")),
    "thinking": lambda text: Thinking(id="e", text=TextBuffer(text), done=True),
    "live thinking": lambda text: Thinking(id="e", text=TextBuffer(text)),
    "tool": lambda text: ToolUse(id="e", name=text, input=TextBuffer(text), result=text, state="done"),
    "failed tool": lambda text: ToolUse(id="e", name="t", input=TextBuffer(text), result=text, state="failed"),
    "running tool": lambda text: ToolUse(id="e", name=text, input=TextBuffer(text), state="writing"),
    "diff": lambda text: ToolUse(
        id="e", name="t", input=TextBuffer("{}"), result=f"--- a/{text}\n+++ b\n@@ -1 +1 @@ {text}\n-{text}\n+{text}\n",
        state="done",
    ),
    "web search": lambda text: WebSearch(
        id="e", queries=[text], urls=[text], results=[{"title": text, "url": text, "snippet": text}]
    ),
    "file search": lambda text: FileSearch(id="e", results=[{"filename": text, "url": text}]),
    "code": lambda text: CodeInterpreter(id="e", code=TextBuffer(text)),
    "mcp": lambda text: McpCall(id="e", arguments=TextBuffer(text), done=True),
    "image": lambda text: GeneratedImage(id="e", image_base64=text, done=True),
    "citation": lambda text: Citations(id="e", sources=[Source(title=text, url=f"https://x.example/{text}")]),
    "notice": lambda text: Notice(id="e", kind="log", level=text, message=text, fields={text: text}),
    "mode": lambda text: ModeSwitch(id="e", from_mode=text, to_mode=text, analysis=text),
    "failure": lambda text: Failure(id="e", message=text, code=text, hint=text),
    "interruption": lambda text: Interruption(id="e", author=text),
    "summary": lambda text: TurnSummary(id="e", model=text, stop_reason=text),
    "summed up": lambda text: CompactedTurns(id="e", text=TextBuffer(text), turns=3),
    "unknown": lambda text: UnknownEvent(id="e", type=text, payload=text),
    "broken": lambda text: UnknownEvent(id="e", payload=text, broken=text),
    "gap": lambda text: GapMarker(id="e", count=1, reason=text),
}  # fmt: skip


def hostile() -> list[Entity]:
    """Every payload at every place of the timeline."""
    return [named(make(f"before {ALL} after"), kind) for kind, make in ENTITIES.items()]


def named(entity: Entity, id: str) -> Entity:
    entity.id = id
    return entity


def words(sent: str) -> str:
    """What a person reads of it."""
    return re.sub(r"\x1b\[[\d;?]*\w", "", sent)


async def test_nothing_on_the_timeline_commands_a_terminal() -> None:
    app = TimelineApp()
    app.driver_class = Capture
    async with app.run_test(headless=False, size=(WIDE, 500)) as pilot:
        view = app.view
        for open_all in (False, True):
            if open_all:
                view.action_toggle_tools()
                view.action_toggle_thinking()
            else:
                view.show([Created(entity) for entity in hostile()])
            view.flush()
            await pilot.pause()
            assert view.document.total < view.size.height, "all of it is on the screen"
            # The first wall holds alone: nothing that was made to be drawn needs the second.
            assert not FORBIDDEN & set("".join(view.plain_lines()))
        sent = captured(app)
        assert not forbidden(sent)
        assert sent.encode()
        assert "An entry that cannot be read" in words(sent)
        assert "[@click=app.quit]" in words(sent)


def answer(text: str) -> tuple[Entity, TextBuffer]:
    entity = AssistantText(id="e", text=TextBuffer(text))
    return entity, entity.text


def thinking(text: str) -> tuple[Entity, TextBuffer]:
    entity = Thinking(id="e", text=TextBuffer(text))
    return entity, entity.text


def arguments(text: str) -> tuple[Entity, TextBuffer]:
    entity = ToolUse(id="e", name="t", input=TextBuffer(text), state="writing")
    return entity, entity.input


@pytest.mark.parametrize("growing", [answer, thinking, arguments])
def test_a_payload_is_as_harmless_wherever_it_is_cut(growing: Callable[[str], tuple[Entity, TextBuffer]]) -> None:
    look = Look(opened=frozenset({"tool"}))
    for name, text in PAYLOADS.items():
        for cut in range(min(len(text), 80)):
            entity, buffer = growing(text[:cut])
            section = Section(entity, 1)
            for rest in ("", text[cut:]):
                buffer.append(rest)
                section.build(60, look, grew=bool(rest))
                drawn = [Segment(line.text) for block in section.blocks for line in block.lines(60)]
                sent = "".join(segment.text for segment in ControlFilter().apply(drawn, Color(0, 0, 0)))
                assert not FORBIDDEN & set(sent), (name, cut)


def make_files(folder: Path) -> None:
    """Files whose names are payloads, and one whose name is no UTF-8."""
    for text in (*PAYLOADS.values(), "\udcff"):
        name = text.replace("/", "").replace("\0", "").encode(errors="replace")[:200]
        (folder / os.fsdecode(b"file " + name)).touch()


async def test_nothing_beside_the_timeline_commands_a_terminal(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status line, the queue, the prompt, notes, dialogs and lists, each with all payloads in one line."""
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    story = Story().ask("Hello", model=f"model-of-stream {ALL}").say("Yes").finish()
    lease = EngineLease(
        engine_id="e", epoch=1, version="1", host="h", pid=1, busy=True, started_ms=0, trouble=f"the-trouble {ALL}"
    )
    waiting = QueueChanged(Queue((Prompt(id="q", text=f"the-queue {ALL}", author=ALL),)))
    info = SessionInfo(id="s", title=f"the-title {ALL}", model=ALL)
    source = ScriptedSource(script=[LIVE, story.take(), waiting], session=info)
    app = Screen(own_home, ScriptedLibrary(source), models=[f"the-model {ALL}"])
    app.driver_class = Capture
    app.config.profiles["p"] = Profile(name=f"the-profile {ALL}")
    app.library.listed = [
        SessionInfo(id=f"s{n}", title=f"session{n} {text}", model=text, live=True)
        for n, text in enumerate(PAYLOADS.values())
    ]
    async with app.run_test(headless=False, size=(WIDE, 60), notifications=True) as pilot:

        async def seen(text: str) -> None:
            await wait_until(lambda: text in words(captured(app)), what=f"{text!r} on the screen")

        await app.read(2)
        await seen("the-title")
        await seen("the-queue")
        source.push(ConnectionChanged(ConnectionState("reconnecting", detail=f"the-connection {ALL}")))
        await seen("the-connection")
        source.push(LIVE, story.ask("More").say("Now").take(), LeaseChanged(lease))
        await seen("the-trouble")
        Riffle.notify(app, f"the-note {ALL}", title=f"the-heading {ALL}")
        await seen("the-note")
        await pilot.press("@")
        await seen("file ␛]")
        app.prompt.set_text(f"the-draft {ALL}")
        await seen("the-draft")
        app.ask_about_link(f"https://x.example/the-link{ALL}")
        await seen("the-link")
        for pick, mark in (
            (app.pick_session, "session29"),
            (app.pick_model, "the-model"),
            (app.pick_profile, "the-profile"),
        ):
            await pilot.press("escape")
            pick()
            await seen(mark)
        assert not forbidden(captured(app))


class Tty(io.StringIO):
    """A terminal, as far as a printer asks."""

    def isatty(self) -> bool:
        return True


def test_what_commands_print_commands_no_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tty = Tty()
    monkeypatch.setattr(sys, "stdout", tty)
    monkeypatch.setattr(sys, "stderr", tty)
    transcript = Transcript(tty, tty, full=True, metadata=True)
    for entity in hostile():
        entity.done = True
        transcript.show([Created(entity)])
    for text in PAYLOADS.values():
        growing = AssistantText(id=text)
        transcript.show([Created(growing)])
        for character in text:
            growing.text.append(character)
            transcript.show([Appended(growing, character)])
    transcript.finish()
    transcript.flush()
    print_sessions([SessionInfo(id=text, title=text, model=text) for text in PAYLOADS.values()], as_json=False)
    print_sessions([SessionInfo(id=text, title=text, model=text) for text in PAYLOADS.values()], as_json=True)
    for text in PAYLOADS.values():
        complain(text, text)
        say(text, "red")
        say(write_report(ValueError(text), tmp_path))
        entry = Entry(text, Broken(reason=text), 0, text.encode(errors="replace"))
        tty.write(tidy(json_line(entry), tty))
        tty.write(tidy(yaml_document(entry), tty))
    assert not forbidden(tty.getvalue(), SAID)
    assert "PWNED" in tty.getvalue()


def test_the_filter_stops_what_no_text_of_ours_could_hold() -> None:
    segments = [Segment(text, Style(bold=True)) for text in PAYLOADS.values()]
    safe = ControlFilter().apply(segments, Color(0, 0, 0))
    assert not forbidden("".join(segment.text for segment in safe))
    assert all(segment.style == Style(bold=True) for segment in safe)
    assert max(len(segment.text) for segment in safe) < 100, "no tower of accents is left"


def test_the_filter_takes_terminal_links_away_and_leaves_the_rest_alone() -> None:
    clean_segment = Segment("fine ☑ 日本 👩‍👩‍👧", Style(color="red"))
    linked = Segment("text", Style(link="https://evil.example/\x1b]52;c;x\x07", italic=True))
    first, second = ControlFilter().apply([clean_segment, linked], Color(0, 0, 0))
    assert first is clean_segment
    assert second.style is not None
    assert second.style.link is None
    assert second.style.italic


class Window(TitledDriver):
    """A driver without a terminal, and what it would have written."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def write(self, data: str) -> None:
        self.sent.append(data)


def test_no_title_of_a_session_gets_out_of_that_of_the_window() -> None:
    window = Window()
    for text in PAYLOADS.values():
        window.show_title(f"the-title {text}")
    assert len(window.sent) == len(PAYLOADS)
    assert all(each.startswith("\x1b]2;the-title ") and each.endswith("riffle\x07") for each in window.sent)
    assert not forbidden("".join(window.sent), STARTING)


def test_cleaning_keeps_what_people_write() -> None:
    text = "Grüße, \t日本語, עברית, 👩‍👩‍👧 ☑️, ﷽ \n — “quotes”"
    assert clean(text) is text
    assert clean("one\r\ntwo") == "one\ntwo"
    assert clean_line("a\tb\nc") == "a b c"


@pytest.mark.parametrize("payload", list(PAYLOADS))
def test_cleaning_goes_character_by_character(payload: str) -> None:
    text = PAYLOADS[payload]
    assert clean(text) == "".join(clean(character) for character in text)
    assert clean(clean(text)) == clean(text)
    assert not forbidden(clean_line(text))
    assert is_clean_line(clean_line(text))
