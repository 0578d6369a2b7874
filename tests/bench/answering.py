"""A provider as a process of its own: `python -m tests.bench.answering FOLDER` speaks Chat Completions.

A prompt says what it wants: kind, KB, tokens a second (`mixed 20 200`). When each marked token was sent is written to
a file of the prompt's name in FOLDER (JSON: mark to monotonic seconds), at the end of the answer.
"""

from __future__ import annotations

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

from tests.bench.answers import MARK, tokens
from tests.support.provider_http import sse

FOLDER = Path(sys.argv[1])
NUMBERS = count()


class Handler(BaseHTTPRequestHandler):
    """Answers the last prompt that it finds in a request."""

    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        kind, size, rate = re.findall(r"([a-z]+) (\d+) (\d+)", body)[-1]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        sent: dict[str, float] = {}
        began = time.monotonic()
        for number, token in enumerate(tokens(kind, int(size) * 1000, NUMBERS)):
            early = began + number / int(rate) - time.monotonic()
            if early > 0:
                time.sleep(early)
            body_part = sse({"choices": [{"index": 0, "delta": {"content": token}}]})
            if mark := MARK.search(token.encode()):
                sent[mark.group().decode()] = time.monotonic()
            self.wfile.write(body_part)
        part = FOLDER / "part"
        part.write_text(json.dumps(sent))
        part.rename(FOLDER / f"{kind} {size} {rate}")
        self.wfile.write(sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, "[DONE]"))


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
