"""A provider on loopback that a test scripts: it answers by path, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = (
    'data: {"choices": [{"index": 0, "delta": {"content": "Hello from the box."}}]}\n\n'
    'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    "data: [DONE]\n\n"
)
"""An answer of Chat Completions."""


@dataclass
class Reply:
    """What is said to one path: an object as JSON, or a text as a stream of events."""

    body: object = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: threading.Event | None = None
    """Nothing is said before that is set."""


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


class ModelServer:
    """Serves `replies` by path (with its query); 404 for any other."""

    def __init__(self, replies: Mapping[str, Reply | object]) -> None:
        self.replies = {path: r if isinstance(r, Reply) else Reply(r) for path, r in replies.items()}
        self.received: list[Received] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def secrets(self) -> str:
        """All header values that it ever got."""
        return "\n".join(value for request in self.received for value in request.headers.values())

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        """Keep the request, and say what is to be said."""
        body = to.rfile.read(int(to.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in to.headers.items()}
        self.received.append(Received(to.path, headers, json.loads(body) if body else None))
        reply = self.replies.get(to.path, Reply({"error": {"message": "nothing here"}}, 404))
        if reply.after is not None:
            reply.after.wait()
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        kind = "text/event-stream" if isinstance(reply.body, str) else "application/json"
        to.send_response(reply.status)
        for name, value in {"content-type": kind, "connection": "close", **reply.headers}.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(text.encode())

    def close(self) -> None:
        """Let go of every request, and of the port."""
        for reply in self.replies.values():
            if reply.after is not None:
                reply.after.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextmanager
def model_server(replies: Mapping[str, Reply | object]) -> Generator[ModelServer]:
    """A server with these replies, while the test needs it."""
    server = ModelServer(replies)
    try:
        yield server
    finally:
        server.close()
