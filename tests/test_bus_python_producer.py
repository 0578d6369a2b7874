"""A producer in Python: the example in docs/delivery.md runs as it stands there, as often as one likes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bus import Fenced, Metadata, SessionInfo, Store
from bus.events import Info, Partial
from bus.reader import read_all
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parent.parent


def example() -> str:
    """The program on the page."""
    (found,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "delivery.md").read_text(), re.DOTALL)
    return found


async def test_the_example_on_the_page_writes_each_time_it_runs(
    redis_server: RedisServer, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "riffle_bus").symlink_to(ROOT / "bus")
    program = example()
    assert "redis://localhost:6379" in program
    (tmp_path / "producer.py").write_text(program.replace("redis://localhost:6379", redis_server.url))
    for _ in range(2):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "producer.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    (info,) = await store.sessions()
    entries = await read_all(store.stream(info.id))
    assert "".join(entry.event.delta for entry in entries if isinstance(entry.event, Partial)) == "Hello world." * 2
    assert [entry.event.type for entry in entries].count("final") == 2
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))


async def test_the_writer_that_comes_last_is_the_one(store: Store) -> None:
    await store.create_session(SessionInfo(id="s1"))
    said = Info(meta=Metadata(message_id="m1"), message="x")
    async with await store.writer("s1") as first:
        await first.publish(said)
        await first.flush()
        async with await store.writer("s1", writer="second") as second:
            await second.publish(said)
        await first.publish(said)
        with pytest.raises(Fenced):
            await first.flush()
    entries = await store.stream("s1").read()
    assert [(entry.n, entry.writer == "second") for entry in entries] == [(1, False), (2, True)]


async def test_an_epoch_is_greater_than_any_before(redis_server: RedisServer, store: Store) -> None:
    await store.create_session(SessionInfo(id="s1"))
    redis_server.command("HSET riffle:{s1}:state e 4000000000000 w other q 1")
    async with await store.writer("s1") as writer:
        await writer.publish(Info(meta=Metadata(message_id="m1"), message="x"))
    assert redis_server.command("HGET riffle:{s1}:state e") == "4000000000001"
