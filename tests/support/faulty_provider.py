"""A provider on loopback that fails as the prompt says: where the recordings are not, their server is not either.

It understands the same words as that one: `status=429` (with `retry-after=S`, and `times=N` for the first N requests
only), `cut=N`, `abort=N` and `stall=N` after N events. All else is answered, in Chat Completions.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.support.fixtures import fixtures_dir
from tests.support.provider import provider_server
from tests.support.provider_http import sse

SAID = ["Riffles ", "form ", "where ", "a stream ", "runs ", "shallow."]
SLUG = "chat-openai-sdk-plain"


@contextmanager
def faulty_provider(kind: str) -> Generator[tuple[dict[str, str], str]]:
    """The environment that points the SDK at a server, and what it answers when it does not fail.

    `kind` is `own` or `recordings`; the test is skipped where those are not.
    """
    if kind == "own":
        with _own() as env:
            yield env, "".join(SAID)
        return
    with provider_server() as env:
        folder = fixtures_dir()
        assert folder is not None
        yield env, json.loads((folder / "providers" / SLUG / "expected.json").read_text())["text"]


@contextmanager
def _own() -> Generator[dict[str, str]]:
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield {"OPENAI_API_KEY": "key-of-the-test", "OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1"}
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.over = threading.Event()
        self.served = Counter[str]()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        words = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
        told = {name: int(number) for name, number in re.findall(r"([a-z-]+)=(\d+)", words)}
        server = cast(_Server, self.server)
        server.served[words] += 1
        if "status" in told and server.served[words] <= told.get("times", 10**9):
            self._fail(told)
        else:
            self._stream(told)

    def _fail(self, told: dict[str, int]) -> None:
        data = json.dumps({"error": {"message": "asked for", "code": str(told["status"])}}).encode()
        self.send_response(told["status"])
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if "retry-after" in told:
            self.send_header("retry-after", str(told["retry-after"]))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, told: dict[str, int]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()  # HTTP/1.0: the body ends with the connection
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in SAID]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        stops = [told[name] for name in ("cut", "abort", "stall") if name in told]
        self.wfile.write(sse(*chunks[: min(stops, default=len(chunks))], *([] if stops else ["[DONE]"])))
        if "stall" in told:
            cast(_Server, self.server).over.wait()
        if "abort" in told:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # a plain close would send FIN first, which is no reset
