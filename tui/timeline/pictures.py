"""Pictures as cells: what each looks like at a width, drawn by a process of its own when it comes near the screen.

Two pixels are one half block, a cell that scrolls, is cut off and drawn again like any text. Where the terminal knows
Kitty's graphics with placeholders, those are the cells, and the terminal puts true pixels in their place. Sixel is not
used: its pixels stand where they were painted, whatever scrolls under them.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import struct
import sys
import termios
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from rich.cells import cell_len

from bus.entities import Entity, GeneratedImage
from tui.markdown.text import Run

if TYPE_CHECKING:
    from tui.timeline.folding import FoldingView

Way = Literal["off", "blocks", "graphics"]

WORKER = Path(__file__).parent.parent / "picture_worker.py"

MOST_COLUMNS, MOST_ROWS = 64, 18
"""So much of the screen a picture may take."""

LEAST_COLUMNS = 16
"""In fewer nothing can be made out."""

MOST_CHARACTERS = 48 * 1024 * 1024
"""Of base64. Decoding more takes longer than anybody waits."""

SECONDS = 30.0
KEPT = 64

USUAL_CELL = (10, 20)
"""Pixels of a cell, where the terminal does not say."""

_PLACEHOLDERS = ("xterm-kitty", "xterm-ghostty")
"""Terminals that put pixels in the place of characters. By their name in TERM: others that know Kitty's graphics know
no placeholders, and a multiplexer, which has a name of its own, does not let the pixels through."""

# What the process may say. It has handled bytes of somebody else.
_TEXT = re.compile("\u2580+|(?:\U0010eeee[^\x00-\u02ff\ud800-\udfff]{3})+")
_STYLE = re.compile(r"#[0-9a-f]{6}(?: on #[0-9a-f]{6})?")
_SENT = re.compile(r"(?:\x1b_G(?:(?:[imfqcrU]=\d+|a=p)(?:,|(?=[;\x1b])))+(?:;[A-Za-z0-9+/=]*)?\x1b\\)*")


class Drawn(NamedTuple):
    """What a picture looks like, or why it is not shown. `sent` goes to the terminal before the rows."""

    rows: tuple[tuple[Run, ...], ...] = ()
    error: str = ""
    sent: str = ""


class _Key(NamedTuple):
    picture: int
    columns: int
    background: str


def way_for(setting: str, env: Mapping[str, str], color_system: str | None) -> Way:
    """How pictures are shown here: `setting` is auto, blocks or off."""
    if setting == "off" or env.get("NO_COLOR") or color_system not in ("256", "truecolor"):
        return "off"
    # The number of a picture is the colour of its placeholders: it must come through as it is.
    has_graphics = env.get("TERM") in _PLACEHOLDERS and color_system == "truecolor"
    return "graphics" if setting == "auto" and has_graphics else "blocks"


class Pictures:
    """Finds what pictures look like in a view. One that is not drawn yet is drawn, and the view then told."""

    def __init__(self, view: FoldingView, way: Way) -> None:
        self._view = view
        self._way = way
        self._drawn: OrderedDict[_Key, Drawn] = OrderedDict()
        self._wanted: dict[str, tuple[_Key, str]] = {}
        self._shown: dict[str, _Key] = {}
        """By entity, what it looked like last: that stays until it is drawn anew."""
        self._is_drawing = False
        view.app.theme_changed_signal.subscribe(view, self._theme_changed)
        view.app.app_resume_signal.subscribe(view, self._resumed)  # pyright: ignore[reportUnknownMemberType]

    def find(self, entity: Entity, width: int) -> Drawn | None:
        """The picture of an entity in at most `width` cells; None: there is none, or not yet."""
        if not isinstance(entity, GeneratedImage) or not entity.image_base64 or self._way == "off":
            return None
        columns = min(width, MOST_COLUMNS)
        if columns < LEAST_COLUMNS:
            return None
        key = _Key(hash(entity.image_base64), columns, self._view.background_colors[1].hex6.lower())
        if key in self._drawn:
            self._drawn.move_to_end(key)
            self._shown[entity.id] = key
        else:
            self._wanted[entity.id] = (key, entity.image_base64)
            if not self._is_drawing:
                self._is_drawing = True
                self._view.run_worker(self._draw_all(), group="pictures")
        shown = self._shown.get(entity.id)
        return self._drawn.get(shown) if shown else None

    def _theme_changed(self, _: object) -> None:
        self._view.outdate((GeneratedImage,))

    def _resumed(self, _: object) -> None:
        # Who had the terminal meanwhile has taken the pixels away.
        self._drawn.clear()
        self._view.outdate((GeneratedImage,))

    async def _draw_all(self) -> None:
        """One after another, the newest wish first: it is on the screen."""
        try:
            while self._wanted:
                _, (key, picture) = self._wanted.popitem()
                if key in self._drawn:  # asked for again while it was drawn
                    continue
                drawn = await self._draw(key, picture)
                if drawn.sent:
                    self._send(drawn.sent)
                self._drawn[key] = drawn._replace(sent="")
                if len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
                self._view.outdate((GeneratedImage,))
        finally:
            self._is_drawing = False

    def _send(self, sequence: str) -> None:
        driver = self._view.app._driver  # pyright: ignore[reportPrivateUsage]
        if driver is not None:
            driver.write(sequence)

    async def _draw(self, key: _Key, picture: str) -> Drawn:
        if len(picture) > MOST_CHARACTERS:
            return Drawn(error=f"{len(picture) * 3 // 4 // 1_000_000} MB are too many")
        order = {
            "columns": key.columns,
            "rows": MOST_ROWS,
            "cell": _cell_size(),
            "background": key.background,
            "graphics": self._way == "graphics",
        }
        try:
            async with asyncio.timeout(SECONDS):
                return _read(await _answer(order, picture.encode("ascii", "replace")), key.columns)
        except TimeoutError:
            return Drawn(error="it took too long")
        except OSError as error:
            return Drawn(error=f"what draws it cannot be started ({error.strerror})")


async def _answer(order: Mapping[str, object], picture: bytes) -> str:
    """What the process says of a picture."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-W", "ignore", str(WORKER), json.dumps(order)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        answer, _ = await process.communicate(picture)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    match process.returncode:
        case 0:
            return answer.decode("utf-8", "replace")
        case int(code) if code > 0:
            return '{"error": "what draws it has failed"}'
        case _:
            return '{"error": "it took too much memory or time"}'


def _is_drawn(run: Run) -> bool:
    """Whether a piece of a row is blocks or placeholders, whose marks are nothing but marks."""
    marks = run.text.replace("\u2580", "").replace("\U0010eeee", "")
    is_text = _TEXT.fullmatch(run.text) and all(unicodedata.category(mark) == "Mn" for mark in marks)
    return bool(is_text and _STYLE.fullmatch(run.style))


def _read(answer: str, columns: int) -> Drawn:
    sent, _, said = answer.rpartition("\n")
    try:
        if not _SENT.fullmatch(sent):
            raise ValueError
        tree = cast("dict[str, object]", json.loads(said))
        if error := tree.get("error"):
            return Drawn(error=str(error)[:200])
        found = cast("list[list[tuple[str, str]]]", tree["rows"])
        rows = tuple(tuple(Run(text, style) for text, style in row) for row in found)
        runs = [run for row in rows for run in row]
        if len(rows) > MOST_ROWS or not all(_is_drawn(run) for run in runs):
            raise ValueError
        if any(sum(cell_len(run.text) for run in row) > columns for row in rows):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Drawn(error="what came of it is no picture")
    return Drawn(rows, sent=sent)


def _cell_size() -> tuple[int, int]:
    """The width and height of the terminal's cells, in pixels."""
    try:
        rows, columns, width, height = struct.unpack("HHHH", fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8))
        cell = width // columns, height // rows
    except (OSError, ZeroDivisionError):
        return USUAL_CELL
    return cell if all(cell) else USUAL_CELL
