"""Every card in every state, as pages of a picture book."""

from __future__ import annotations

import base64
import struct
import zlib

from bus.attachment import Attachment
from bus.entities import (
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
from tests.support.timeline import NOW_MS, TimelineApp, answer, thinking, tool
from tui.themes import find_themes, load_theme, own_folder

DIFF = """\
--- a/bus/reader.py
+++ b/bus/reader.py
@@ -12,6 +12,7 @@ def read(stream):
     cursor = START
     while True:
-        entries = stream.read(cursor)
+        entries = stream.read(cursor, count=500)
+        cursor = entries[-1].id
         yield from entries
"""

FOUND = [
    {"title": "Riffle (stream)", "url": "https://en.wikipedia.example/Riffle", "snippet": "A shallow landform."},
    {"title": "Pools and riffles", "url": "https://rivers.example/pools"},
    {"title": "Gravel", "url": "https://gravel.example/a"},
    {"title": "Widths", "url": "https://widths.example/7"},
]

# The first bytes of a PNG of 1024x768.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAABAAAAAMACAIAAAA" + "A" * 400_000

WRITTEN = (
    '{"path": "notes/rivers.md", "edits": [{"line": 3, "text": "Riffles"}], "dry_run": true, "reason": "One.\\nTwo."}'
)


def talk() -> list[Entity]:
    """What people and models say, and how a turn ends."""
    asked = UserText(
        id="u2",
        text="日本語の質問です。👩‍👩‍👧 and e\u0301 accents; שלום עולם, then a line that is long enough to be wrapped.",
        author="grace@hall",
        attachments=(Attachment(name="map.png", media_type="image/png", size=48_213, block_key=""),),
    )
    redacted = Thinking(id="t3", done=True, redacted=True)
    return [
        UserText(id="u1", text="How does a riffle form?", author="me@here"),
        thinking("t1", "Gravel, then the speed of the water, and then how far apart they are.", seconds=4.2),
        redacted,
        answer("a1", "Where the *current slows*, it drops **gravel**[^1]: see `spacing()`."),
        Citations(id="c1", sources=[Source(title="Riffle (stream)", url="https://en.wikipedia.example/Riffle"),
                                    Source(url="https://rivers.example/pools"), Source(title="A book")]),
        TurnSummary(id="s1", model="claude-sonnet-4-5", calls=2, input_tokens=12_345, cached_tokens=10_000,
                    output_tokens=1_340, reasoning_tokens=420, duration_ms=12_400, first_token_ms=640,
                    output_tokens_per_second=87.4, stop_reason="max_tokens"),
        asked,
        thinking("t2", "The person writes in two scripts. Answer in the first of them, and keep it short."),
        answer("a2", "| 場所 | depth |\n|---|---:|\n| 瀬 | 0.2 m |\n| 👩‍👩‍👧 | 3 |\n", done=False),
        Interruption(id="i1", author="grace@hall"),
        Failure(id="f1", message="The provider refused the key.", code="401", hint="Set OPENAI_API_KEY."),
        GapMarker(id="g1", count=12, reason="the stream was trimmed"),
        CompactedTurns(id="k1", text=TextBuffer("Rivers were talked about."), turns=14, tokens_before=91_000,
                       tokens_after=2_100),
        Notice(id="n1", kind="retry", message="Slow down: tried again in 2 s"),
        Notice(id="n2", kind="log", level="error", message="disk full", fields={"path": "/var"}),
        Notice(id="n3", kind="info", message="cache warm"),
        ModeSwitch(id="m1", from_mode="plan", to_mode="act", analysis="The plan is agreed on."),
        UnknownEvent(id="x1", type="acme.progress", payload='{"done": 3}'),
        UnknownEvent(id="x2", broken="not JSON", payload="{"),
    ]  # fmt: skip


def tools() -> list[Entity]:
    """Tool calls and what runs at the provider, in all their states."""
    writing = ToolUse(id="w1", name="write_file", input=TextBuffer('{"path": "a'), state="writing",
                      started_ms=NOW_MS - 700)  # fmt: skip
    code = CodeInterpreter(id="p1", code=TextBuffer("print(6 * width)\n"), running=True, started_ms=NOW_MS - 900)
    ran = CodeInterpreter(
        id="p2", code=TextBuffer("width = 7\nprint(6 * width)\n"), result="42\n", done=True, started_ms=0, ended_ms=800
    )
    rows = "\n".join(f"{number:>3}  src/part{number}.py" for number in range(90))
    return [
        writing,
        tool("w2", "read_file", '{"path": "notes/rivers.md"}', state="waiting"),
        tool("w3", "search_files", '{"pattern": "riffle", "limit": 20}', state="running"),
        tool("w4", "list_files", '{"path": "src"}', rows),
        tool("w5", "read_file", '{"path": "gone.md"}', "There is no file gone.md.", state="failed"),
        ToolUse(id="w6", name="read_file", input=TextBuffer('{"path": "b"}'), state="interrupted", done=True),
        tool("w7", "git_diff", "{}", DIFF),
        tool("w8", "edit_file", WRITTEN, '{"ok": true, "changed": [3, 4]}'),
        tool("w9", "touch", '{"path": "c"}', ""),
        tool("w10", "fetch", '{"url": "https://x.example"}', "x" * 9_000),
        WebSearch(id="b1", queries=["riffle formation", "riffle spacing"], results=FOUND, done=True,
                  started_ms=0, ended_ms=1_400),
        WebSearch(id="b2", queries=["gravel"], started_ms=NOW_MS - 1_200),
        FileSearch(id="b3", results=[{"filename": "rivers.md", "snippet": "Riffles alternate with pools."}], done=True),
        code,
        ran,
        McpCall(id="p3", name="weather", arguments=TextBuffer('{"city": "Bern"}'), result="No such city.", done=True,
                failed=True),
        GeneratedImage(id="p4", image_base64=PICTURE, done=True),
        GeneratedImage(id="p5", started_ms=NOW_MS - 3_000),
    ]  # fmt: skip


def pictures() -> list[Entity]:
    """Pictures that can be shown, and one that cannot."""
    whole = gradient(64, 32)
    return [
        UserText(id="u1", text="Paint a sunset.", author="me@here"),
        GeneratedImage(id="p1", image_base64=whole, done=True),
        GeneratedImage(id="p2", image_base64=whole, done=True),
        GeneratedImage(id="p3", image_base64=whole[:400], done=True),
        answer("a1", "The last one broke off."),
    ]


def gradient(width: int, height: int) -> str:
    """A PNG in base64: from blue to red, see-through in the middle."""

    def pixel(x: int, y: int) -> bytes:
        is_hole = (2 * x - width) ** 2 + (4 * y - 2 * height) ** 2 < height**2
        return bytes((255 * y // height, 60 + 60 * x // width, 255 - 255 * y // height, 0 if is_hole else 255))

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    return png(width, height, rows)


def png(width: int, height: int, rows: bytes) -> str:
    """A PNG in base64 that says to be of that size; `rows` are RGBA, a zero byte before each."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = [b"IHDR" + head, b"IDAT" + zlib.compress(rows), b"IEND"]
    parts = (struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


class Gallery(TimelineApp):
    """A page in one of our themes; `opened`: with everything open."""

    CSS = "TimelineView { height: 1fr; background: $background; } Screen { background: $background; }"

    def __init__(self, theme: str, entities: list[Entity], *, opened: bool = False) -> None:
        super().__init__()
        found = {found.name: found for found in find_themes([own_folder()])}
        self.register_theme(load_theme(found[theme]))
        self.theme = theme
        self._entities = entities
        self._opened = opened
        self.view.me = "me@here"
        self.view.animated = False

    def on_mount(self) -> None:
        """Show the page."""
        self.view.show([Created(entity) for entity in self._entities])
        if self._opened:
            self.view.action_toggle_tools()
            self.view.action_toggle_thinking()
        self.view.action_scroll_home()
        self.view.flush()
