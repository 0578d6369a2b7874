"""The smallest Textual program that takes a key: the floor of every start-up."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Input


class Minimal(App[None]):
    """One input."""

    def compose(self) -> ComposeResult:
        """The input."""
        yield Input(placeholder="minimal-ready")


if __name__ == "__main__":
    Minimal().run()
