"""What an empty session says: what this is, which model answers, how to begin."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

DEMO_NOTE = "No API key is set, so the demo model answers. Set OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one."


class Welcome(Static):
    """Fills the place of a timeline that has nothing to show yet."""

    ALLOW_SELECT = False

    def show_chat(self, model: str, *, demo_since_no_key: bool) -> None:
        """A new conversation."""
        lines = [
            Content.assemble(("riffle", "bold $text-primary"), ("  every conversation is a stream", "$text-muted")),
            Content(""),
            Content.assemble(("model   ", "$text-muted"), model or "…"),
        ]
        if demo_since_no_key:
            lines.append(Content.styled(DEMO_NOTE, "$text-warning"))
        lines += [
            Content(""),
            _hint("Enter", "sends, Ctrl+J starts a new line"),
            _hint("Ctrl+P", "lists everything there is to do"),
            _hint("riffle attach", "in a second terminal shows this session there"),
        ]
        self.update(Content("\n").join(lines))

    def show_line(self, title: str, detail: str) -> None:
        """One thing to say, in place of a timeline."""
        self.update(Content.assemble((title, "bold $text-primary"), "\n\n", (detail, "$text-muted")))


def _hint(key: str, what: str) -> Content:
    return Content.assemble((f"{key:<15}", "$text-secondary"), (what, "$text-muted"))
