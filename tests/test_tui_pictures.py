"""Pictures on the timeline: their colours in cells, folded and cut off, what is not shown and why, true pixels."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.selection import SELECT_ALL

from bus.entities import Created, Entity, GeneratedImage
from tests.support.captured import Capture, captured, forbidden
from tests.support.gallery import png
from tests.support.timeline import TimelineApp, answer, created, lines, numbered, show, updated
from tests.support.waiting import wait_until
from tui.picture_worker import answered, fitted
from tui.timeline import pictures
from tui.timeline.pictures import (
    LEAST_COLUMNS,
    Drawn,
    Pictures,
    Way,
    _read,  # pyright: ignore[reportPrivateUsage] (a wall, tried by itself)
    way_for,
)
from tui.timeline.view import TimelineView

RED, BLUE, NOTHING = b"\xff\0\0\xff", b"\0\0\xff\xff", b"\0\0\0\0"
KITTY = r"\x1b_Gi=\d+,m=[01],f=100,q=2;[A-Za-z0-9+/=]+\x1b\\|\x1b_Ga=p,i=\d+,c=\d+,r=\d+,U=1,q=2\x1b\\"


def halves(
    columns: int, rows: int, above: bytes = RED, below: bytes = BLUE, *, said: tuple[int, int] | None = None
) -> str:
    """A picture, its upper half of one colour and its lower of another; `said` is the size that it claims."""
    data = b"".join(b"\0" + (above if row < rows // 2 else below) * columns for row in range(rows))
    return png(*(said or (columns, rows)), data)


def image(encoded: str, *, done: bool = True) -> GeneratedImage:
    return GeneratedImage(id="i", image_base64=encoded, done=done)


@asynccontextmanager
async def shown(
    *entities: Entity, way: Way = "blocks", size: tuple[int, int] = (60, 20)
) -> AsyncGenerator[TimelineApp]:
    """A timeline that shows pictures, drawn as for a terminal."""
    app = TimelineApp()
    app.driver_class = Capture
    async with app.run_test(headless=False, size=size):
        app.view.pictures = Pictures(app.view, way)
        app.view.focus()
        show(app.view, *created(*entities))
        yield app


def drawing(app: TimelineApp) -> bool:
    """Whether a picture is being drawn."""
    return any(worker.group == "pictures" and not worker.is_finished for worker in app.workers)


def painted(view: TimelineView) -> list[str]:
    """The rows that are a picture."""
    return [row for row in lines(view) if row.strip() and not row.strip("\u2580 ")]


def colours(view: TimelineView) -> list[set[tuple[str, str]]]:
    """Of each row of a picture, the colours above and below."""
    found: list[set[tuple[str, str]]] = []
    for y in range(view.size.height):
        styles = [style for text, style, _ in view.render_line(y) if "\u2580" in text and style]
        pairs = {(s.color.name, s.bgcolor.name) for s in styles if s.color and s.bgcolor}
        found += [pairs] if pairs else []
    return found


async def test_a_picture_is_there_in_its_colours_and_what_is_not_there_is_the_background() -> None:
    async with shown(image(halves(20, 6, RED, NOTHING))) as app:
        assert lines(app.view) == ["▣ Image  PNG, 20×6, 0 kB  save: m"]
        await wait_until(lambda: bool(painted(app.view)))
        assert painted(app.view) == ["  " + "▀" * 20] * 3
        ground = app.view.background_colors[1].hex6.lower()
        assert colours(app.view) == [{("#ff0000", "#ff0000")}, {("#ff0000", ground)}, {(ground, ground)}]
        assert not forbidden(captured(app))
        assert app.view.get_selection(SELECT_ALL) == ("▾ Image  PNG, 20×6, 0 kB  save: m", "\n"), "no cell is in a copy"


async def test_a_picture_folds_scrolls_out_of_sight_and_takes_the_width_there_is() -> None:
    before, after = answer("a", "Above"), answer("b", numbered(9))
    async with shown(before, image(halves(100, 40)), after, size=(60, 20)) as app:
        view = app.view
        view.action_scroll_home()
        await wait_until(lambda: bool(painted(view)))
        width, rows = len(painted(view)[0]) - 2, len(painted(view))
        assert (width, rows) == (54, 11), "as much as there is room for, and as high as it is wide"
        view.toggle(1, "folded")
        assert painted(view) == []
        assert "▸ Image  PNG, 100×40, 0 kB  save: m" in lines(view)
        view.toggle(1, "folded")
        view.scroll_rows(8)
        assert 0 < len(painted(view)) < rows, "cut off at the edge"
        view.scroll_rows(-8)
        view.styles.width = 40
        await wait_until(lambda: bool(painted(view)) and len(painted(view)[0]) - 2 == 34)


def test_a_picture_takes_no_more_cells_than_it_has_pixels_to_fill() -> None:
    order = {"columns": 60, "rows": 18, "cell": (10, 20), "graphics": False}
    assert fitted((8, 8), order) == (8, 4)
    assert fitted((1000, 100), order) == (60, 3)
    assert fitted((100, 10_000), order) == (1, 18)
    assert fitted((8, 8), {**order, "graphics": True}) == (1, 1)
    assert fitted((640, 400), {**order, "graphics": True}) == (58, 18)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (halves(400, 400)[:200], "it is not whole"),
        ("not base64!", "it is not whole"),
        (base64.b64encode(b"<svg/>").decode(), "it is no PNG, JPEG, GIF or WebP, or not whole"),
        (halves(4, 4, said=(70_000, 70_000)), "70,000×70,000 pixels are too many"),
    ],
)
def test_what_is_wrong_with_a_picture_is_said(encoded: str, why: str) -> None:
    order = {"columns": 20, "rows": 9, "cell": (10, 20), "graphics": False, "background": "#000000"}
    assert answered(encoded.encode(), order) == {"error": why}


HOSTILE = {
    "what is made of it": ("say('', '\\x1b]52;c;eA==\\x07', '#ff0000')", "what came of it is no picture"),
    "a style": ("say('', '\\u2580', 'link https://evil.example')", "what came of it is no picture"),
    "what is sent": ("say('\\x1b]52;c;eA==\\x07', '\\u2580', '#ff0000')", "what came of it is no picture"),
    "its end": ("os.kill(os.getpid(), 9)", "it took too much memory or time"),
    "its failure": ("raise ValueError", "what draws it has failed"),
    "its silence": ("time.sleep(9)", "it took too long"),
}
SAY = """\
import json, os, sys, time
def say(sent, text, style):
    sys.stdout.write(sent + chr(10) + json.dumps({"rows": [[[text, style]]]}))
"""


async def test_whatever_the_process_does_that_decodes_a_picture_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = tmp_path / "worker.py"
    monkeypatch.setattr(pictures, "WORKER", worker)
    async with shown() as app:
        for name, (said, why) in HOSTILE.items():
            worker.write_text(f"{SAY}{said}\n")
            monkeypatch.setattr(pictures, "SECONDS", 0.2 if "sleep" in said else 30.0)
            show(
                app.view, Created(GeneratedImage(id=name, image_base64=halves(20, 6 + len(app.view.document.sections))))
            )
            await wait_until(lambda why=why: why in lines(app.view)[-1], what=f"{name}: {why}")
            assert not drawing(app)
        assert [row for row in lines(app.view) if not row.startswith(("▣ Image", "  It is not shown"))] == []
        assert not forbidden(captured(app))
        assert "evil" not in captured(app)


async def test_the_picture_before_stays_until_the_next_is_drawn_and_one_is_drawn_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, seen = tmp_path / "worker.py", tmp_path / "seen"
    worker.write_text(f"{SAY}open({str(seen)!r}, 'a').write('x')\nsay('', '\u2580' * 20, '#ff0000')\n")
    monkeypatch.setattr(pictures, "WORKER", worker)
    entity = image(halves(20, 6), done=False)
    async with shown(entity) as app:
        app.view.outdate((GeneratedImage,))  # asked for again before it is there
        await wait_until(lambda: bool(painted(app.view)))
        entity.image_base64 = halves(20, 8)
        show(app.view, updated(entity))
        assert painted(app.view), "the preview before"
        for step in range(20):
            entity.image_base64 = halves(20, 10 + step)
            show(app.view, updated(entity))
        await wait_until(lambda: not drawing(app))
        assert seen.read_text() == "xx", "what is there, or what nobody waits for any more, is not drawn"


async def test_a_terminal_that_knows_kittys_placeholders_gets_true_pixels_and_cells_for_them() -> None:
    async with shown(image(halves(200, 80)), way="graphics") as app:
        view = app.view
        await wait_until(lambda: "\U0010eeee" in "".join(lines(view)))
        sent = captured(app)
        assert re.search(KITTY, sent)
        assert not forbidden(re.sub(KITTY, "", sent))
        assert [row.count("\U0010eeee") for row in lines(view)] == [0, 20, 20, 20, 20]
        assert {view.render_line(y).cell_length for y in range(view.size.height)} == {view.size.width - 1}


@pytest.mark.parametrize(
    ("setting", "env", "system", "way"),
    [
        ("auto", {"TERM": "xterm-256color"}, "truecolor", "blocks"),
        ("auto", {"TERM": "xterm-kitty"}, "truecolor", "graphics"),
        ("auto", {"TERM": "xterm-kitty"}, "256", "blocks"),
        ("blocks", {"TERM": "xterm-kitty"}, "truecolor", "blocks"),
        ("auto", {"TERM": "tmux-256color"}, "256", "blocks"),
        ("auto", {"TERM": "linux"}, "standard", "off"),
        ("auto", {"TERM": "xterm-kitty", "NO_COLOR": "1"}, "truecolor", "off"),
        ("off", {"TERM": "xterm-kitty"}, "truecolor", "off"),
    ],
)
def test_how_pictures_are_shown_depends_on_the_setting_and_the_terminal(
    setting: str, env: dict[str, str], system: str, way: str
) -> None:
    assert way_for(setting, env, system) == way


async def test_where_there_is_no_room_or_no_colour_there_is_the_placeholder_and_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "WORKER", Path("/nowhere"))
    ways: tuple[tuple[Way, int], ...] = (("off", 60), ("blocks", LEAST_COLUMNS))
    for way, width in ways:
        async with shown(image(halves(20, 6)), way=way, size=(width, 20)) as app:
            assert not drawing(app)
            assert lines(app.view)[0].startswith("▣ Image")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("\x1b_Ga=d\x1b\\", "\u2580"),
        ("\x1b_Gi=1,t=f;L2V0Yy9wYXNzd2Q=\x1b\\", "\u2580"),
        ("", "\U0010eeee\u202e\u2066\u202e"),
        ("", "\u2580" * 21),
        ("", "text"),
    ],
)
def test_the_process_that_draws_can_say_nothing_but_a_picture(sent: str, text: str) -> None:
    def said(sent: str, text: str) -> Drawn:
        return _read(f"{sent}\n{json.dumps({'rows': [[(text, '#000000')]]})}", 20)

    assert said("", "\u2580" * 20).rows
    assert said("\x1b_Ga=p,i=7,c=4,r=2,U=1,q=2\x1b\\", "\U0010eeee\u0305\u0305\u0305").rows
    assert said(sent, text).error
