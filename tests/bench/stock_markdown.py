"""Textual's own Markdown widget in the smallest client: `OPENAI_BASE_URL` says where it asks what is typed."""

from __future__ import annotations

import asyncio
import json
import os
from urllib.parse import urlsplit

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Markdown


class Stock(App[None]):
    """A prompt, and the answer above it."""

    def compose(self) -> ComposeResult:
        """Both."""
        with VerticalScroll() as view:
            view.can_focus = False
            yield Markdown()
        yield Input(placeholder="stock-ready")

    def on_mount(self) -> None:
        """Follow the end, and take keys."""
        self.query_one(VerticalScroll).anchor()
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask."""
        event.input.value = ""
        self.run_worker(self._ask(event.value))

    async def _ask(self, prompt: str) -> None:
        address = urlsplit(os.environ["OPENAI_BASE_URL"])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        body = json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode()
        writer.write(b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        stream = Markdown.get_stream(self.query_one(Markdown))
        async for line in reader:
            if line.startswith(b"data: {"):
                await stream.write(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
        await stream.stop()
        writer.close()


if __name__ == "__main__":
    Stock().run()
