"""The recordings of real provider streams, served on loopback to the real SDKs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.support.fixtures import fixtures_dir


@contextmanager
def provider_server() -> Generator[dict[str, str]]:
    """The environment that points both SDKs at the server, while it runs. Skips the test where there is none."""
    folder = fixtures_dir()
    program = folder.parent / "tools" / "provider_server.py" if folder else None
    if folder is None or program is None or not program.exists():
        pytest.skip("the recordings are not here: set RIFFLE_FIXTURES to their folder")
    server = subprocess.Popen(
        [sys.executable, str(program), "--recordings", str(folder / "providers"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    with server:
        try:
            port = server.stdout.readline().split()[-1]
            yield {
                "OPENAI_API_KEY": "key-of-the-test-openai",
                "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
                "ANTHROPIC_API_KEY": "key-of-the-test-anthropic",
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
            }
        finally:
            server.kill()
