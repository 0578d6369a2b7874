"""A timeline in a terminal of its own that does what people do, and what the stream does, and says what it cost.

`python -m tests.bench.timeline_app REPORT COUNT`: figures as JSON, for a conversation of COUNT entities.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from textual.app import App, ComposeResult
from textual.driver import Driver

from bus.entities import Appended, AssistantText, Created, Entity, ToolUse, UserText
from tui import collector
from tui.background import AskingDriver
from tui.terse_output import terse_driver
from tui.timeline.view import TimelineView

from .answers import tokens

COLUMNS, ROWS, NARROW = 120, 40, 80
TIMES = 20
LONG = 100_000


def conversation(number: int) -> list[Entity]:
    """`number` entities, a quarter of them answers of two paragraphs."""
    entities: list[Entity] = []
    for i in range(number // 4):
        text = AssistantText(id=f"a{i}", done=True)
        text.text.append(
            f"Answer {i} " + "with **some** words " * 20 + "\n\n- one\n- two\n\n" + "and more of them " * 10
        )
        call = ToolUse(id=f"t{i}", tool_call_id=f"t{i}", name="run", result="ok\n" * 6, state="done", done=True)
        call.input.append('{"command": "make test"}')
        asked = (UserText(id=f"{kind}{i}", text=f"Question {i}", author="ada@desk", done=True) for kind in "uv")
        entities += [next(asked), call, text, next(asked)]
    return entities


class Stalls:
    """The longest time on the CPU without a turn of the event loop, in seconds, while it is watched."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - before)
            before = now

    def stop(self) -> float:
        """The longest one."""
        self._task.cancel()
        return self.longest


class TimelineBench(App[None]):
    """Nothing but a timeline, drawn as riffle draws it."""

    def __init__(self, report: Path, number: int) -> None:
        super().__init__()
        self._report, self._number = report, number
        self.view = TimelineView()
        self.figures: dict[str, float] = {}

    def get_driver_class(self) -> type[Driver]:
        """As riffle's."""
        return terse_driver(AskingDriver)

    def compose(self) -> ComposeResult:
        """The timeline."""
        yield self.view

    def on_ready(self) -> None:
        """Begin."""
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        view = self.view
        await self._at_width(COLUMNS)
        entities = conversation(self._number)
        for entity in entities:
            view.document.insert(entity, None)
        collector.resume()  # as riffle does once it is up
        await self._cost("first screen", view.flush)
        last = entities[-2]
        assert isinstance(last, AssistantText)
        await self._costs("a delta", lambda: self._append(last, " word"))
        await self._costs("a page up", view.action_page_up)
        await self._costs("a row down", lambda: view.scroll_rows(1))
        await self._cost("to the top", view.action_scroll_home)
        await self._cost("to the middle", lambda: view.scroll_to(y=view.max_scroll_y // 2))
        began = time.process_time()
        stall = await self._stall(lambda: self._at_width(NARROW))
        self.figures["another width, all of it"] = time.process_time() - began
        self.figures["another width, longest stall"] = stall
        await self._long()
        whole = self._report.with_suffix(".part")
        whole.write_text(json.dumps({name: seconds * 1000 for name, seconds in self.figures.items()}))
        whole.rename(self._report)
        self.exit()

    async def _long(self) -> None:
        """What 100 KB in one entity cost."""
        view = self.view
        for kind in ("mixed", "lists", "tables", "code", "quotes"):
            answer = AssistantText(id=kind, done=True)
            answer.text.append("".join(tokens(kind, LONG, count())))

            def opened(answer: AssistantText = answer) -> None:
                view.show([Created(answer)])
                view.follow()

            self.figures[f"100 KB of {kind}, first view: longest stall"] = await self._stall(opened)
        self.figures["100 KB answers, another width: longest stall"] = await self._stall(
            lambda: self._at_width(COLUMNS)
        )
        call = ToolUse(id="big", tool_call_id="big", name="run", state="done", done=True)
        call.result = "".join(tokens("code", LONG, count()))
        view.show([Created(call)])
        view.follow()
        self.figures["100 KB of a tool's output opened: longest stall"] = await self._stall(view.action_toggle_tools)

    def _append(self, entity: AssistantText, delta: str) -> None:
        entity.text.append(delta)
        entity.revision += 1
        self.view.show([Appended(entity, delta)])
        self.view.flush()

    async def _costs(self, name: str, act: Callable[[], object]) -> None:
        began = time.process_time()
        for _ in range(TIMES):
            act()
            await self._drawn()
        self.figures[name] = (time.process_time() - began) / TIMES

    async def _cost(self, name: str, act: Callable[[], object]) -> None:
        began = time.process_time()
        act()
        await self._drawn()
        self.figures[name] = time.process_time() - began

    async def _stall(self, act: Callable[[], Awaitable[None] | None]) -> float:
        stalls = Stalls()
        done = act()
        if done is not None:
            await done
        await self._drawn()
        while self.view.is_catching_up:
            await self._drawn()
        return stalls.stop()

    async def _at_width(self, columns: int) -> None:
        """Another width of the terminal, as its window manager would say it."""
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        os.kill(os.getpid(), signal.SIGWINCH)
        while self.size.width != columns or self.view.size.width != columns:
            await self._drawn()

    async def _drawn(self) -> None:
        """Until what changed is on the screen."""
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)
        await drawn.wait()


if __name__ == "__main__":
    TimelineBench(Path(sys.argv[1]), int(sys.argv[2])).run()
