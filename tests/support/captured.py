"""What the app sends to a terminal: drawn for real, in this process, and read by a strict list of what may be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from textual.drivers.headless_driver import HeadlessDriver

if TYPE_CHECKING:
    from textual.app import App

DRAWING = (
    r"\x1b\[[\d;]*m|\x1b\[\d+;\d+H|\x1b\[\?2026[hl]|\x1b\]22;[a-z-]+\x07|\n"
    r"|\x1b\[\d+;\d+r\x1b\[\d+;1H\x1b\[\d+[LM]\x1b\[r"
)
"""Colours, the place and shape of cursors, the marks around a frame: all that the toolkit needs to draw one. And rows
that are moved between margins, which are taken back at once.
"""

STARTING = (
    r"\x1b\[\?(?:25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2048|7)[hl]"  # modes
    r"|\x1b\[\?(?:2026|2048)\$p|\x1b\[(?:>\d+|<)u|\x1b\]11;\?\x1b\\|\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x07|\x1b\[2[23];2t|\r\n"
)
"""What a terminal is asked and told once, at the beginning and the end; and line ends, as it makes them itself."""

SAID = r"\x1b\[[\d;]*m|\n"
"""What the commands without a screen send to a terminal beside text."""

FORBIDDEN = (
    {chr(code) for code in range(0x20)}
    | {chr(code) for code in range(0x7F, 0xA0)}
    | set("\u061c\u2028\u2029\u200b\u200e\u200f\u2060\ufeff\u00ad")
    | {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xE0000, 0xE0080))}
    | {chr(code) for code in range(0xD800, 0xE000)}
)
"""Characters that no text may bring to a terminal."""


def forbidden(sent: str, allowed: str = DRAWING) -> set[str]:
    """The characters of `sent` that command a terminal or hide something, beside what is `allowed`."""
    return FORBIDDEN & set(re.sub(allowed, "", sent))


class Capture(HeadlessDriver):
    """A driver without a terminal that is drawn to all the same."""

    @property
    def is_headless(self) -> bool:
        """False: an app draws nothing where it knows that nobody looks."""
        return False

    def __init__(self, app: App[Any], *, debug: bool, mouse: bool, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.sent: list[str] = []

    def write(self, data: str) -> None:
        """Keep it."""
        self.sent.append(data)


def captured(app: App[Any]) -> str:
    """All that `app`, whose driver is a `Capture`, has sent so far."""
    driver = app._driver  # pyright: ignore[reportPrivateUsage]
    assert isinstance(driver, Capture)
    return "".join(driver.sent)
