"""Output that outlives its terminal: when that is closed, what is still written goes nowhere.

The toolkit writes in a thread with a short queue. An error would end the thread, and then the app waits for ever for
room in the queue, deaf to every signal.
"""

from __future__ import annotations

from typing import TextIO


class LastingOutput:
    """A file to write to, without errors. `gone`: there was one, and the file is not written to any more."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.gone = False

    def write(self, text: str) -> int:
        """Write `text`, if there is still somebody to see it."""
        try:
            return len(text) if self.gone else self._file.write(text)
        except OSError:
            self.gone = True
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            if not self.gone:
                self._file.flush()
        except OSError:
            self.gone = True

    def fileno(self) -> int:
        """The terminal's file number."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._file.isatty()
