"""A provider as a process of its own: `python -m tests.bench.fast_provider RATE COUNT`, deltas a second and in all.

It prints its port and answers one request, in Chat Completions. Each delta says when it was sent (monotonic seconds).
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.support.provider_http import sse

RATE, COUNT = int(sys.argv[1]), int(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    """Answers whatever is asked."""

    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        began = time.monotonic()
        for number in range(COUNT):
            early = began + number / RATE - time.monotonic()
            if early > 0:
                time.sleep(early)
            self.wfile.write(sse({"choices": [{"index": 0, "delta": {"content": f"{time.monotonic():.6f} "}}]}))
        self.wfile.write(sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]"))


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
