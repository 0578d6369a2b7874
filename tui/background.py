"""Whether the terminal is light or dark: asked of itself, while the screen is already there and keys are typed.

Nothing waits for the answer. It comes among the keys, where it is taken out, and nothing else is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import ClassVar, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from tui.lasting_output import LastingOutput
from tui.window_title import TitledDriver

QUESTION = "\x1b]11;?\x1b\\"

ANSWER_SECONDS = 3.0
"""For so long an answer is looked for. One that comes later would be taken for keys; no terminal is that slow."""

_ANSWER = re.compile(
    r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})[^\x07\x1b]*(?:\x07|\x1b\\)"
)
_BEGUN = re.compile(r"\x1b\]1[^\x07\x1b]{0,40}\x1b?\Z")


class Background(Message):
    """The terminal has said what its background is."""

    def __init__(self, *, dark: bool) -> None:
        super().__init__()
        self.dark = dark


def guessed_dark(env: Mapping[str, str]) -> bool | None:
    """What the environment says (COLORFGBG, such as `15;0`); None where it says nothing."""
    color = env.get("COLORFGBG", "").rpartition(";")[2]
    return int(color) in (*range(7), 8) if color.isascii() and color.isdigit() else None


def is_dark(red: str, green: str, blue: str) -> bool:
    """Whether a color of hexadecimal digits, as many of each as the terminal likes, is nearer to black."""
    r, g, b = (int(digits, 16) / (16 ** len(digits) - 1) for digits in (red, green, blue))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.5


class Parser(XTermParser):
    """The toolkit's parser of keys, which does not know the answer and would type it."""

    asked_at: ClassVar[float] = float("-inf")
    """Monotonic seconds. There is one terminal."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._rest = ""

    def feed(self, data: str) -> Iterable[Message]:
        """Messages of what came in, the answer among them."""
        # Nothing at all is the end of input to the toolkit.
        if not data or time.monotonic() - self.asked_at > ANSWER_SECONDS:
            yield from super().feed(self._take_rest() + data)
            return
        data = self._take_rest() + data
        if found := _ANSWER.search(data):
            yield Background(dark=is_dark(*found.groups()))
            data = data[: found.start()] + data[found.end() :]
        elif begun := _BEGUN.search(data):
            data, self._rest = data[: begun.start()], begun[0]
        if data:
            yield from super().feed(data)

    def _take_rest(self) -> str:
        rest, self._rest = self._rest, ""
        return rest


class AskingDriver(TitledDriver):
    """The toolkit's driver, which can ask for the background and outlives its terminal."""

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._file = cast("TextIO", LastingOutput(self._file))
        super().start_application_mode()

    def ask_background(self) -> None:
        """Ask; `Background` follows where the terminal answers."""
        Parser.asked_at = time.monotonic()
        self.write(QUESTION)
        self.flush()

    def run_input_thread(self) -> None:
        """Read keys with our parser."""
        # The driver makes its own by this name, and has no other place for ours.
        setattr(linux_driver, "XTermParser", Parser)  # noqa: B010 (it is not exported)
        super().run_input_thread()
