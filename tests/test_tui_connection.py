"""What the session screen says of its connection: away, denied, behind."""

from __future__ import annotations

import re
import time
from pathlib import Path

from bus.feed import ConnectionChanged, EntriesRead
from bus.session import ConnectionState
from tests.support.riffle_app import answered, answering, screen
from tests.support.waiting import wait_until
from tui.openings import Attach


async def test_a_reader_that_reconnects_says_so(own_home: Path) -> None:
    app = screen(own_home, ConnectionChanged(ConnectionState("reconnecting", 3, "no answer")))
    async with app.run_test(size=(100, 20)):
        await wait_until(lambda: "reconnecting 3" in app.status and "no answer" in app.status)


async def test_an_outage_is_told_in_the_middle_of_an_answer_too(own_home: Path) -> None:
    why = "Redis at unix:///home/ada/.local/share/riffle/redis/redis.sock cannot be reached."
    app = screen(own_home, answering().take(), ConnectionChanged(ConnectionState("reconnecting", 7, why)))
    async with app.run_test(size=(60, 20)):
        await wait_until(lambda: "answering" in app.status and "reconnecting 7" in app.status)


AWAY = "Redis at redis://far.example:6379 cannot be reached: Connection refused. Start the server, or check --redis."
REFUSED = "Redis at redis://me@far.example:6379 does not accept this user or password. Check the address for both."


async def test_an_outage_says_why_and_when_the_next_try_is_at_80_columns(own_home: Path) -> None:
    state = ConnectionState("reconnecting", 3, AWAY, retry_at=time.monotonic() + 30)
    app = screen(own_home, answered().take(), ConnectionChanged(state))
    async with app.run_test(size=(80, 20)):
        await wait_until(lambda: "○ reconnecting 3" in app.status)
        assert re.search(r"cannot be reached: Connection ref\S*…  next try in (29|30) s  ○ reconnecting 3$", app.status)


async def test_denied_access_says_why_at_80_columns(own_home: Path) -> None:
    state = ConnectionState("denied", 0, REFUSED, retry_at=time.monotonic() + 5)
    app = screen(own_home, answered().take(), ConnectionChanged(state), opening=Attach(session="x", read_only=True))
    async with app.run_test(size=(80, 20)) as pilot:
        await wait_until(lambda: app.status.endswith("● denied"))
        assert re.match(r" *does not accept this user or password.*…  F5 tries again", app.status)
        await pilot.press("f5")
        await wait_until(lambda: "reconnect" in app.source.calls)


async def test_a_viewer_that_catches_up_says_how_far_it_is_behind(own_home: Path) -> None:
    entries = answered().take().entries
    app = screen(own_home, EntriesRead(entries[:2], caught_up=False, behind=12_432))
    async with app.run_test(size=(80, 20)):
        await wait_until(lambda: "○ behind by 12,400" in app.status)
        app.source.push(EntriesRead(entries[2:3], caught_up=False, behind=120))
        await wait_until(lambda: "● live" in app.status)
        app.source.push(EntriesRead(entries[3:4], caught_up=False, behind=1_000))
        await wait_until(lambda: "behind by 1,000" in app.status)
        app.source.push(ConnectionChanged(ConnectionState("reconnecting", 1, AWAY)))
        await wait_until(lambda: "reconnecting 1" in app.status and "behind" not in app.status)
        app.source.push(ConnectionChanged(ConnectionState("live")))
        app.source.push(EntriesRead(entries[4:], caught_up=True))
        await wait_until(lambda: "● live" in app.status)
