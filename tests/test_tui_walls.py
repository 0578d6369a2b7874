"""Hostile text: no character that commands a terminal gets through, wherever it comes from and however it is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from bus.entities import (
    AssistantText,
    Change,
    Citations,
    CodeInterpreter,
    Created,
    Entity,
    Failure,
    FileSearch,
    GapMarker,
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
    Updated,
    UserText,
    WebSearch,
)
from tests.support.timeline import TimelineApp
from tui.clean import clean, clean_line, is_clean_line
from tui.output_filter import ControlFilter
from tui.timeline.view import TimelineView

PAYLOADS = {
    "clipboard write": "\x1b]52;c;UFdORUQ=\x1b\\",
    "title": "\x1b]0;PWNED\x07\x1b]2;PWNED\x1b\\",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "device control": "\x1bP1$r0m\x1b\\\x1b_Gi=1;AAAA\x1b\\\x1b]1337;File=:AAAA\x07",
    "forged screen": "\x1b[2J\x1b[H\x1b[31mALL PASSED",
    "query": "\x1b[6n\x1bP$qm\x1b\\",
    "paste break-out": "\x1b[201~rm -rf /\n",
    "eight-bit controls": "\x9b2J\x9d0;PWNED\x9c\x85",
    "bell, backspace, form feed": "a\x07b\x08c\x0bd\x0ce\rf",
    "nul and delete": "a\x00b\x7fc",
    "bidirectional": "user\u202e\u2066// admin\u2069\u2066 check\u2028x\u2029y",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade",
    "tags": "hi\U000e0068\U000e0069\U000e007f\U000e0100",
    "lone surrogate": "a\ud800b\udfffc",
    "escape in an address": "<http://a.example/%1b[31m> http://b.example/%1b]0;x%07",
    "escape in a link": "[t](http://c.example/%1b]52;c;x \"%1b[2J\") ![i](http://d.example/%9b)",
    "entities": "&#27;[2J &#x9b;2J &#0; &#x202e;",
}  # fmt: skip

FORBIDDEN = (
    {chr(code) for code in range(0x20)}
    | {chr(code) for code in range(0x7F, 0xA0)}
    | set("\u061c\u2028\u2029\u200b\u200e\u200f\u2060\ufeff\u00ad")
    | {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xE0000, 0xE0080))}
    | {chr(code) for code in range(0xD800, 0xE000)}
)


def buffer(text: str) -> TextBuffer:
    return TextBuffer(text)


ENTITIES: dict[str, Callable[[str], Entity]] = {
    "prompt": lambda text: UserText(id="e", text=text, author=text),
    "answer": lambda text: AssistantText(id="e", text=buffer(text)),
    "answer in a fence": lambda text: AssistantText(id="e", text=buffer(f"```{text}\n{text}\n")),
    "answer in a table": lambda text: AssistantText(id="e", text=buffer(f"| {text} |\n|---|\n| {text} |\n")),
    "thinking": lambda text: Thinking(id="e", text=buffer(text), done=True),
    "live thinking": lambda text: Thinking(id="e", text=buffer(text)),
    "tool": lambda text: ToolUse(id="e", name=text, input=buffer(text), result=text, state="done"),
    "tool with fields": lambda text: ToolUse(
        id="e", name="t", input=buffer('{"a": "\\u001b[2J\\u009b", "\\u001b]0;x": "y"}'), result=text, state="failed"
    ),
    "web search": lambda text: WebSearch(
        id="e", queries=[text], urls=[text], results=[{"title": text, "url": text, "snippet": text}]
    ),
    "file search": lambda text: FileSearch(id="e", results=[{"filename": text, "url": text}]),
    "code": lambda text: CodeInterpreter(id="e", code=buffer(text)),
    "mcp": lambda text: McpCall(id="e", arguments=buffer(text), done=True),
    "citation": lambda text: Citations(id="e", sources=[Source(title=text, url=text)]),
    "notice": lambda text: Notice(id="e", kind="log", level=text, message=text, fields={text: text}),
    "mode": lambda text: ModeSwitch(id="e", from_mode=text, to_mode=text, analysis=text),
    "failure": lambda text: Failure(id="e", message=text, code=text, hint=text),
    "interruption": lambda text: Interruption(id="e", author=text),
    "summary": lambda text: TurnSummary(id="e", model=text, stop_reason=text),
    "unknown": lambda text: UnknownEvent(id="e", type=text, payload=text),
    "broken": lambda text: UnknownEvent(id="e", payload=text, broken=text),
    "gap": lambda text: GapMarker(id="e", count=1, reason=text),
}


def show(view: TimelineView, *changes: Change) -> None:
    view.show(changes)
    view.flush()


def drawn(view: TimelineView, *, filtered: bool) -> str:
    """Everything on the screen, as it would be written."""
    segments = [segment for y in range(view.size.height) for segment in view.render_line(y)]
    if filtered:
        segments = ControlFilter().apply(segments, Color(0, 0, 0))
    assert all(segment.style is None or segment.style.link is None for segment in segments)
    return "".join(segment.text for segment in segments)


def forbidden(text: str) -> set[str]:
    return FORBIDDEN & set(text)


@pytest.mark.parametrize("kind", list(ENTITIES))
async def test_no_entity_shows_a_forbidden_character(kind: str) -> None:
    app = TimelineApp()
    async with app.run_test(size=(90, 40)):
        view = app.view
        for open_all in (False, True):
            for text in PAYLOADS.values():
                view.reset()
                show(view, Created(ENTITIES[kind](f"before {text} after")))
                # The first wall holds alone; nothing that is drawn needs the second.
                assert not forbidden(drawn(view, filtered=False)), (kind, text)
            if not open_all:
                view.action_toggle_tools()
                view.action_toggle_thinking()


@pytest.mark.parametrize("payload", list(PAYLOADS))
async def test_a_payload_that_is_split_over_deltas_is_as_harmless(payload: str) -> None:
    text = PAYLOADS[payload]
    app = TimelineApp()
    async with app.run_test(size=(90, 20)):
        view = app.view
        for cut in range(len(text) + 1):
            view.reset()
            for make in (AssistantText, Thinking):
                entity = make(id=make.__name__)
                show(view, Created(entity))
                for part in (text[:cut], text[cut:]):
                    entity.text.append(part)
                    show(view, Updated(entity))
                    assert not forbidden(drawn(view, filtered=True)), (payload, cut)


def test_the_filter_stops_what_no_text_of_ours_could_hold() -> None:
    segments = [Segment(text, Style(bold=True)) for text in PAYLOADS.values()]
    safe = ControlFilter().apply(segments, Color(0, 0, 0))
    assert not forbidden("".join(segment.text for segment in safe))
    assert all(segment.style == Style(bold=True) for segment in safe)


def test_the_filter_takes_terminal_links_away_and_leaves_the_rest_alone() -> None:
    clean_segment = Segment("fine ☑ 日本 👩‍👩‍👧", Style(color="red"))
    linked = Segment("text", Style(link="https://evil.example/\x1b]52;c;x\x07", italic=True))
    first, second = ControlFilter().apply([clean_segment, linked], Color(0, 0, 0))
    assert first is clean_segment
    assert second.style is not None
    assert second.style.link is None
    assert second.style.italic


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
