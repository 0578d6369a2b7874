"""What 100,000 entities cost: as many rows, blocks and strips as 1,000 do. Counts, not seconds."""

from __future__ import annotations

from collections.abc import Sequence

from bus.entities import Entity
from tests.support.timeline import answer, created, lines, numbered, show, timeline, tool, user
from tests.support.waiting import wait_until
from tui.timeline.view import TimelineView

MANY, FEW = 100_000, 1_000
MOST = 1.5


def conversation(count: int) -> list[Entity]:
    """`count` entities, a quarter of them answers."""
    text = numbered(4)
    entities: list[Entity] = []
    for number in range(count // 4):
        entities += [
            user(f"u{number}", "A question"),
            tool(f"x{number}", "run", '{"a": 1}', "ok\nok\nok\nok\nok\nok"),
            answer(f"a{number}", text),
            user(f"v{number}", "Another one"),
        ]
    return entities


class Cost:
    """What was done since the last look: (blocks laid out, strips drawn)."""

    def __init__(self, view: TimelineView) -> None:
        self._view = view
        self._before = (0, 0)

    def since(self) -> tuple[int, ...]:
        """What was done since it was asked last."""
        now = (self._view.document.laid_out, self._view.window.drawn)
        cost = tuple(after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return cost


async def costs(entities: Sequence[Entity]) -> dict[str, tuple[int, ...]]:
    """By what a person or the stream does, what it costs."""
    found: dict[str, tuple[int, ...]] = {}
    async with timeline(*entities, size=(100, 30)) as (view, pilot, _):
        cost = Cost(view)
        found["first screen"] = cost.since()
        show(view, *created(answer("new", numbered(2))))
        found["append"] = cost.since()
        for key in ("pageup", "pageup", "home", "pagedown", "end"):
            await pilot.press(key)
            found[f"{key} {len(found)}"] = cost.since()
        view.scroll_to(y=view.max_scroll_y // 2)
        found["to the middle"] = cost.since()
        for width in (60, 100):
            await pilot.resize_terminal(width, 30)
            await wait_until(lambda width=width: view.size.width == width)
            found[f"{width} columns"] = cost.since()
        view.action_toggle_tools()
        found["all tools"] = cost.since()
        view.action_jump("message", -1)
        found["jump"] = cost.since()
        assert lines(view)[0].startswith("▍")
        assert sum(section.built for section in view.document.sections) <= 256
    return found


async def test_a_hundred_times_as_much_costs_no_more() -> None:
    few, many = await costs(conversation(FEW)), await costs(conversation(MANY))
    assert {
        what: (few[what], cost)
        for what, cost in many.items()
        if any(one > MOST * max(other, 8) for one, other in zip(cost, few[what], strict=True))
    } == {}
    assert max(laid_out for laid_out, _ in many.values()) <= 60
    assert max(drawn for _, drawn in many.values()) <= 30


async def test_a_resize_estimates_a_slice_at_a_time() -> None:
    async with timeline(*conversation(20_000), size=(100, 30)) as (view, pilot, _):
        total = view.document.total
        await pilot.resize_terminal(40, 30)
        view.document.resize(50, view.top)
        view.document.size_on(0)
        assert view.document.is_unsized
        view.flush()
        await wait_until(lambda: not view.document.is_unsized)
        assert view.document.total > 1.2 * total
