"""The title of the terminal's window: that of the session, as long as the program has the terminal."""

from __future__ import annotations

import os

from textual.drivers.linux_driver import LinuxDriver

from tui.clean import clean_line

KEEP, GIVE_BACK = "\x1b[22;2t", "\x1b[23;2t"
"""The terminal remembers the title that it has, and takes it again."""

LONGEST = 80


class TitledDriver(LinuxDriver):
    """The toolkit's driver, which names the window."""

    _title = ""

    def start_application_mode(self) -> None:
        """Take the terminal, and its title."""
        super().start_application_mode()
        if self._writer_thread is not None:
            self._say(KEEP)
            self._say_title()

    def stop_application_mode(self) -> None:
        """Give both back."""
        self._say(GIVE_BACK)
        super().stop_application_mode()

    def show_title(self, title: str) -> None:
        """Name the window after a session, whoever gave it its title."""
        if title != self._title:
            self._title = title
            self._say_title()

    def _say_title(self) -> None:
        title = clean_line(self._title).strip()[:LONGEST]
        self._say(f"\x1b]2;{f'{title} · ' if title else ''}riffle\x07")

    def _say(self, sequence: str) -> None:
        # The console of Linux has no window, and would draw some of it.
        if os.environ.get("TERM") != "linux":
            self.write(sequence)
