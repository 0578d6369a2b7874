"""A stream that was replaced by another one while it is read: noticed whatever else happens, and told once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bus import reader
from bus.codec import encode
from bus.errors import StoreUnavailable
from bus.events import Info
from bus.memory import MemoryStream
from bus.reader import BareStream, Beside, follow
from bus.session import Queue
from bus.stream import START, Batch, Entry, Record, StreamInfo
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until


@dataclass
class Changing:
    """A watched stream whose random id and whose server a test decides."""

    stream: Falling
    epoch: str = "a"
    stirred: bool = False
    told: bool = False

    def doubt(self) -> None:
        pass

    async def wait(self, after: str, timeout: float, count: int) -> list[Entry]:  # noqa: ASYNC109
        return await self.stream.wait(after, timeout, count)

    async def beside(self) -> Beside:
        if self.epoch != "a" and not self.told:
            self.told = self.stream.fails = True
        return Beside(Queue(), None, self.epoch)


class Falling(MemoryStream):
    """May fail when it is asked for its ends, or say each time that it is shorter, or that it gave no numbers."""

    fails = falls = numberless = False
    asked = 0

    async def info(self) -> StreamInfo:
        if self.fails:
            self.fails = False
            raise StoreUnavailable("The server is away.")
        self.asked += 1
        info = StreamInfo(0, START, f"{1000 - self.asked}-0", 0) if self.falls else await super().info()
        return replace(info, n=0) if self.numberless else info


async def test_v09_a_new_stream_is_not_forgotten_when_redis_fails_in_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    monkeypatch.setattr(reader, "BESIDE_SECONDS", 0.05)
    monkeypatch.setattr(reader, "LOST_SECONDS", 0.05)
    stream = Falling()
    await stream.append(Batch("w", 1, 1, [Record(encode(Info(message="1")), 1)]))
    watched = Changing(stream)
    async with Viewer(follow(watched)) as viewer:
        await viewer.sees("1")
        watched.epoch, stream.numberless = "b", True
        await viewer.sees("1", "gap None")
        assert [state.status for state in viewer.states] == ["connecting", "live", "reconnecting", "live"]


async def test_a_reader_that_begins_anew_without_getting_on_takes_its_time_and_says_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []

    def backoff(attempt: int) -> float:
        tries.append(attempt)
        return 0.001

    monkeypatch.setattr(reader, "backoff", backoff)
    monkeypatch.setattr(reader, "LOST_SECONDS", 0.05)
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    stream = Falling()
    stream.falls = True
    async with Viewer(follow(BareStream(stream), after="2000-0")) as viewer:
        await wait_until(lambda: len(tries) >= 5)
        stream.falls = False
        await wait_until(lambda: viewer.texts)
        assert viewer.texts == ["gap None"]
    assert tries[:5] == [1, 2, 3, 4, 5]
