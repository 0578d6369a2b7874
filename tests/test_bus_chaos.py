"""The promise under faults: a seed chooses them, and two viewers must show exactly what was published."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bus.entities import AssistantText, GapMarker, Notice
from bus.events import Event, Gap, Info, Partial
from bus.redis.store import Store, open_store
from bus.session import SessionInfo
from bus.timeline import Timeline
from bus.writer import Writer
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.viewer import Viewer
from tests.support.waiting import wait_until

EVENTS = 300
FAULTS = ("kill", "empty", "older", "save", "halt", "cut", "lose")


class Chaos:
    """Does something bad now and then; never the same for two seeds."""

    def __init__(self, seed: int, server: RedisServer, proxy: Proxy) -> None:
        self.random = random.Random(seed)
        self._server = server
        self._proxy = proxy
        self._saved: Path | None = None
        self.done: list[str] = []

    def strike(self) -> None:
        """End the last fault, and maybe begin another."""
        self.calm()
        if self.random.random() > 0.04:
            return
        fault = self.random.choice(FAULTS)
        self.done.append(fault)
        match fault:
            case "kill":
                self._server.restart()
            case "empty":
                self._server.restart(empty=True)
            case "older" if self._saved:
                self._server.restart(data=self._saved)
            case "save":
                self._saved = self._server.save_data()
            case "halt":
                self._server.stop()
            case "cut":
                self._proxy.cut()
            case _:
                self._proxy.cut_after = self.random.randrange(40)
                self._proxy.lose_replies_to = b"{s1}:events"

    def calm(self) -> None:
        """Nothing is wrong any more."""
        self._server.cont()
        self._proxy.away = False
        self._proxy.lose_replies_to = None


def shown(viewer: Viewer) -> str:
    """What it was shown, gaps left out: whether a loss is noticed before it is mended is a matter of time."""
    return "".join(text for text in viewer.texts if not text.startswith("gap"))


def words(timeline: Timeline) -> list[str]:
    """What the timeline shows; infos stand beside the answer that they came into."""
    said: list[str] = []
    for entity in timeline.entities:
        match entity:
            case AssistantText():
                said += str(entity.text).split()
            case Notice():
                said.append(entity.message.strip())
            case _:
                pass
    return said


@pytest.mark.parametrize("seed", range(6))
async def test_every_viewer_shows_all_once_and_in_order(seed: int, redis_server: RedisServer, store: Store) -> None:
    async with Proxy(redis_server.socket) as proxy:
        far = await open_store(proxy.url, client_name="far")
        chaos = Chaos(seed, redis_server, proxy)
        await store.create_session(SessionInfo(id="s1"))
        engine = far if seed % 2 else store
        async with Viewer(store.watch("s1")) as near_viewer, Viewer(far.watch("s1")) as far_viewer:
            async with Writer(engine.stream("s1"), writer="w", epoch=1) as writer:
                for i in range(EVENTS):
                    event: Event = Partial(delta=f"{i} ") if i % 7 else Info(message=f"{i} ")
                    await writer.publish(event)
                    chaos.strike()
                    if chaos.random.random() < 0.3 and chaos.done[-1:] != ["halt"]:
                        chaos.calm()
                        await writer.flush()
                chaos.calm()
            wanted = "".join(f"{i} " for i in range(EVENTS))
            for viewer in (near_viewer, far_viewer):
                await wait_until(lambda viewer=viewer: shown(viewer) == wanted, timeout=20, what=f"after {chaos.done}")
                timeline = Timeline()
                timeline.apply_all(viewer.entries)
                told = sum(isinstance(entry.event, Gap) for entry in viewer.entries)
                assert sum(isinstance(entity, GapMarker) for entity in timeline.entities) == told
                assert told <= len(chaos.done)
                assert sorted(words(timeline)) == sorted(wanted.split())
        await far.close()
