"""The main screens as pictures, in two themes and two sizes. `make snapshots` draws them anew: look at each."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from bus.entities import GeneratedImage
from bus.events import Event, Interrupt, RunStopped, Status, UserMessage
from bus.feed import QueueChanged
from bus.meta import Metadata
from bus.session import Prompt, Queue, SessionInfo
from engine.failures import Stalled
from tests import pictures
from tests.support import gallery
from tests.support.conversation import conversation
from tests.support.gallery import Gallery
from tests.support.provider_http import Answer
from tests.support.riffle import ROOT
from tests.support.riffle_app import Screen
from tests.support.scripted_source import LIVE, STARTED_MS, ScriptedLibrary, ScriptedSource, Story
from tests.support.troubles import refused, said, told
from tests.support.waiting import wait_until
from tui.openings import Attach, Chat, Replay
from tui.player import Player
from tui.replay_source import ReplaySource
from tui.screens.picker import Picker
from tui.timeline.pictures import Pictures
from tui.widgets.search_bar import SearchBar

SnapCompare = Callable[..., bool]
Drive = Callable[[Pilot[Any]], Awaitable[None]]

THEMES = ("dusk", "paper")
SIZES = {"80x24": (80, 24), "160x50": (160, 50)}
in_all_looks = pytest.mark.parametrize(("theme", "size"), [(t, s) for t in THEMES for s in SIZES])

ANSWER = """\
## Where riffles come from

A **riffle** is a shallow stretch of a stream where the water breaks over stones. It forms where the *current slows*
and drops its gravel:

1. the channel widens,
2. the water loses speed,
3. the coarse stones settle first.

| part   | depth   | speed |
| ------ | ------- | ----: |
| riffle | shallow |  fast |
| pool   | deep    |  slow |

```python
def spacing(width: float) -> float:
    return 6 * width  # riffles repeat every five to seven widths
```
"""


def story() -> Story:
    told = Story().ask("How does a riffle form in a stream?", model="demo")
    told.think("The person asks about streams. ", "Gravel, then, and the speed of water.").say(ANSWER)
    told.tool("read_file", '{"path": "notes/rivers.md"}', "# Rivers\nRiffles alternate with pools.")
    told.say("Your own notes say the same: riffles alternate with pools.", segment=2)
    return told.finish()


def chat(home: Path, theme: str) -> Screen:
    told = story()
    done = told.take()
    running = told.ask("And the fish?", model="demo").say("Trout feed in the riffle, ", "and rest in").take()
    queue = Queue((Prompt(id="q1", text="Then write a haiku about it", author="ada@desk"),))
    source = ScriptedSource(script=[LIVE, done, running, QueueChanged(queue)])
    return Screen(home, ScriptedLibrary(source), theme=theme)


async def settled(pilot: Pilot[Any], *, entities: int = 0) -> Screen:
    app = pilot.app
    assert isinstance(app, Screen)
    await app.read(entities) if entities else await app.opened()
    await wait_until(lambda: app.folded.connection.status == "live", what="the connection is live")
    await pilot.pause()
    return app


@in_all_looks
def test_welcome(snap_compare: SnapCompare, own_home: Path, theme: str, size: str) -> None:
    app = Screen(own_home, ScriptedLibrary(ScriptedSource(script=[LIVE])), theme=theme, demo_since_no_key=True)

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot)

    assert snap_compare(app, run_before=drive, terminal_size=SIZES[size])


@in_all_looks
def test_chat(snap_compare: SnapCompare, own_home: Path, theme: str, size: str) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=8)

    assert snap_compare(chat(own_home, theme), run_before=drive, terminal_size=SIZES[size])


@in_all_looks
def test_sessions(snap_compare: SnapCompare, own_home: Path, theme: str, size: str) -> None:
    titles = ["How does a riffle form", "Rename a branch", "日本語の質問", "Trip to Lisbon", "Regex for dates"]
    app = chat(own_home, theme)
    app.library.listed = [
        SessionInfo(
            id=f"s{n}",
            title=titles[n % 5],
            model=("demo", "anthropic:claude-x", "openai:gpt-y")[n % 3],
            messages=2 + n * 3,
            updated_ms=STARTED_MS - n * n * 3_600_000,
            live=n in (0, 3),
        )
        for n in range(40)
    ]

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=8)
        await pilot.press("ctrl+s")
        await wait_until(lambda: isinstance(pilot.app.screen, Picker))
        await pilot.pause()

    assert snap_compare(app, run_before=drive, terminal_size=SIZES[size])


@in_all_looks
def test_replay(snap_compare: SnapCompare, own_home: Path, theme: str, size: str) -> None:
    entries = story().take().entries
    player = Player([entry.ts for entry in entries], clock=lambda: 0.0)
    app = Screen(own_home, ScriptedLibrary(), Replay(session="x"), theme=theme)
    app.library.source = ReplaySource(SessionInfo(id="x", title="x"), entries, player)  # type: ignore[assignment]

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        for _ in range(8):
            await pilot.press("full_stop")
        await wait_until(lambda: player.position == 9)
        await pilot.pause()

    assert snap_compare(app, run_before=drive, terminal_size=SIZES[size])


def interrupted(home: Path) -> Screen:
    told = Story().ask("Count to a million.", model="demo").say("One, two, three,")
    told.add(Interrupt(text="One, two, three,")).add(RunStopped(reason="interrupt"))
    source = ScriptedSource(script=[LIVE, told.take()])
    return Screen(home, ScriptedLibrary(source), Attach(session="x", read_only=True), theme="peat")


def test_read_only_and_narrow(snap_compare: SnapCompare, own_home: Path) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=2)

    assert snap_compare(interrupted(own_home), run_before=drive, terminal_size=(40, 14))


def troubled(home: Path, theme: str, *events: Event) -> Screen:
    told = Story()
    for event in events:
        told.add(event)
    return Screen(home, ScriptedLibrary(ScriptedSource(script=[LIVE, told.take()])), theme=theme)


def test_waiting_for_a_provider(snap_compare: SnapCompare, own_home: Path) -> None:
    limited = refused(429, "Slow down.", wait_ms=2)
    overloaded = refused(529, "Too many people ask.", wait_ms=8)
    events = told(
        ("Why do riffles murmur?", [limited, said("Air is caught where the water **breaks**.")]),
        ("And pools?", [overloaded, overloaded, said("")]),
        up_to_retry=3,
    )

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=7)

    assert snap_compare(troubled(own_home, "dusk", *events), run_before=drive, terminal_size=(100, 24))


def test_what_a_provider_refuses(snap_compare: SnapCompare, own_home: Path) -> None:
    events = told(
        ("With a wrong key", [refused(401, "Incorrect API key provided.")]),
        ("Of a model that is not there", [refused(404, "The model does not exist.", "model_not_found")]),
        ("Too much", [refused(400, "Your messages have 130,001 tokens.", "context_length_exceeded")]),
        ("Without credit", [refused(429, "You exceeded your current quota.", "insufficient_quota")]),
        ("Too often", [refused(429, "Rate limit reached.", wait_ms=720_000)]),
    )

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=15)

    assert snap_compare(troubled(own_home, "paper", *events), run_before=drive, terminal_size=(100, 45))


def test_answers_that_are_not_whole(snap_compare: SnapCompare, own_home: Path) -> None:
    half = "Riffles form where"
    events = told(
        ("Cut", [said(half, None)]),
        ("Broken", [Answer(body=said(half, None), raises=ConnectionResetError("Connection reset by peer"))]),
        ("Stalled", [Answer(body=said(half, None), raises=Stalled(300.0))]),
        ("Too long", [said(half, "length")]),
        ("Filtered", [said(half, "content_filter")]),
        ("Declined", [said("", refusal="I cannot help with that.")]),
    )
    slow = Status(message="gpt-4o has said nothing for 20 s.", passing=True)
    asked = UserMessage(meta=Metadata(turn_id="slow"), text="Slow", author="ada@desk")

    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=25)

    app = troubled(own_home, "dusk", *events, asked, slow)
    assert snap_compare(app, run_before=drive, terminal_size=(100, 62))


def test_a_tiny_terminal(snap_compare: SnapCompare, own_home: Path) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=8)

    assert snap_compare(chat(own_home, "shoal"), run_before=drive, terminal_size=(20, 5))


@pytest.mark.parametrize(("theme", "width"), [("dusk", 110), ("paper", 46)])
def test_cards(snap_compare: SnapCompare, theme: str, width: int) -> None:
    """What people and models say, and what stands between, in every state."""
    assert snap_compare(Gallery(theme, gallery.talk()), terminal_size=(width, 50 if width > 80 else 66))


@pytest.mark.parametrize(("theme", "width"), [("paper", 110), ("dusk", 46)])
def test_tool_cards(snap_compare: SnapCompare, theme: str, width: int) -> None:
    """Tool calls, searches, code and pictures, in every state."""
    assert snap_compare(Gallery(theme, gallery.tools()), terminal_size=(width, 72 if width > 80 else 86))


@pytest.mark.parametrize(("theme", "width"), [("dusk", 80), ("paper", 40)])
def test_pictures(snap_compare: SnapCompare, theme: str, width: int) -> None:
    """A picture in cells, one that is folded, one that is not whole."""
    app = Gallery(theme, gallery.pictures())

    async def drive(pilot: Pilot[Any]) -> None:
        app.view.pictures = Pictures(app.view, "blocks")
        app.view.outdate((GeneratedImage,))

        def ends_with_all_of_them() -> bool:
            app.view.follow()
            shown = "\n".join(app.view.plain_lines())
            return "It is not shown" in shown and "▀" in shown

        await wait_until(ends_with_all_of_them)
        app.view.toggle(2, "folded")
        app.view.action_scroll_home()

    assert snap_compare(app, run_before=drive, terminal_size=(width, 24))


def test_open_cards(snap_compare: SnapCompare) -> None:
    """Tool calls with all of their arguments, and more of their results."""
    shown = [card for card in gallery.tools() if card.id not in ("w4", "w10")]
    assert snap_compare(Gallery("peat", [*gallery.talk()[:2], *shown], opened=True), terminal_size=(90, 90))


@pytest.mark.parametrize("theme", ["peat", "shoal"])
def test_help(snap_compare: SnapCompare, own_home: Path, theme: str) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("f1")
        await pilot.pause()

    app = Screen(own_home, ScriptedLibrary(ScriptedSource(script=[LIVE])), theme=theme)
    assert snap_compare(app, run_before=drive, terminal_size=(100, 40))


@pytest.mark.parametrize("theme", ["peat", "shoal"])
def test_commands(snap_compare: SnapCompare, own_home: Path, theme: str) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot, entities=8)
        await pilot.press("ctrl+p")
        await wait_until(lambda: isinstance(pilot.app.screen, Picker))
        await pilot.pause()

    assert snap_compare(chat(own_home, theme), run_before=drive, terminal_size=(100, 30))


def test_completions(snap_compare: SnapCompare, own_home: Path) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("/", "down", "down")
        await pilot.pause()

    app = Screen(own_home, ScriptedLibrary(ScriptedSource(script=[LIVE])), Chat(), theme="dusk")
    assert snap_compare(app, run_before=drive, terminal_size=(80, 24))


# -- the pictures of the README and the docs: `make snapshots` copies them to docs/pictures ----------------------


def reader_session(home: Path, theme: str) -> Screen:
    queue = Queue((Prompt(id="q1", text="Then write the line for the changelog", author="ada@desk"),))
    source = ScriptedSource(script=[LIVE, conversation().take(), QueueChanged(queue)])
    return Screen(home, ScriptedLibrary(source), theme=theme)


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("dusk", (100, 55), (), id="chat-dark"),
        pytest.param("paper", (100, 55), (), id="chat-light"),
        pytest.param("dusk", (90, 26), ("ctrl+f", *"cursor", "up", "up", "up"), id="search"),
        pytest.param("peat", (46, 36), (), id="narrow"),
    ],
)
def test_readme(
    snap_compare: SnapCompare, own_home: Path, theme: str, size: tuple[int, int], keys: Sequence[str]
) -> None:
    async def drive(pilot: Pilot[Any]) -> None:
        app = await settled(pilot, entities=10)
        await pilot.press(*keys)
        if keys:
            bar = app.screen.query_one(SearchBar)
            await wait_until(lambda: "/" in str(bar.query(Static).last().render()), what="the hits are counted")
        await pilot.pause()

    assert snap_compare(reader_session(own_home, theme), run_before=drive, terminal_size=size)


def test_the_pictures_of_the_readme_are_those_of_the_tests() -> None:
    shown = {path.name: path.read_bytes() for path in pictures.FOLDER.glob("*.svg")}
    made = {picture.name: snapshot.read_bytes() for picture, snapshot in pictures.pictures().items()}
    assert made
    assert shown == made, "make snapshots renews them"
    named = re.findall(r"docs/pictures/([\w-]+\.svg)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) <= set(made)
