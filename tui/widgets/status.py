"""The status line: one quiet line, in which what matters most stays when the terminal gets narrow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.clean import clean_line
from tui.facts import Facts, Playing

_GAP = "  "

SHOWN_BEHIND = 300
"""A viewer that lacks fewer entries has them before anybody has read how many."""

NEARLY_FULL = 0.8
"""How much of the context window may be taken before it is said in colour."""

BELOW = "↓"
"""What says that there is more below ends with it."""

LEAST_SHOWN = 16
"""A text of which fewer columns would stay is left out."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the line; pieces of the highest `rank` go first where there is no room, or lose their end."""

    text: str
    style: str
    rank: int
    shrinks: bool = False


class StatusLine(Widget):
    """Shows `facts`: what happens now on the left, figures and the connection on the right."""

    ALLOW_SELECT = False
    facts: reactive[Facts] = reactive(Facts())

    def render(self) -> Content:
        """The line at the present width."""
        left, right = self._fitting()
        gap = self.content_size.width - _width(left) - _width(right)
        return Content.assemble(*_spread(left), " " * max(0, gap), *_spread(right))

    def _fitting(self) -> tuple[list[Segment], list[Segment]]:
        return fit(left_segments(self.facts), right_segments(self.facts), self.content_size.width)

    async def on_click(self, event: events.Click) -> None:
        """What says that there is more below leads there."""
        right = self._fitting()[1]
        at = next((at for at, segment in enumerate(right) if segment.text.endswith(BELOW)), None)
        offset = event.get_content_offset(self)
        if at is not None and offset is not None:
            end = self.content_size.width - (_width(right[at + 1 :]) + len(_GAP) if right[at + 1 :] else 0)
            if end - _width([right[at]]) <= offset.x < end:
                await self.run_action("screen.follow_end")


def left_segments(facts: Facts) -> list[Segment]:
    """What happens, and what the person can do about it."""
    if facts.quit_armed:
        return [Segment("Ctrl+C again to quit", "$text-warning", 0)]
    if facts.playing is not None:
        return _playing(facts.playing)
    if facts.connection.status == "denied":
        why = Segment(_why(facts) or "access denied", "$text-error", 2, shrinks=True)
        return [why, Segment("F5 tries again", "$text-muted", 1)] if facts.connection.retry_at else [why]
    if facts.stop_pending:
        since = [] if facts.answering_seconds is None else [Segment(_seconds(facts), "$text-muted", 3)]
        return [Segment("stop pending", "$text-warning", 0), *since]
    if facts.answering_seconds is not None:
        return _answering(facts)
    if facts.engine_lost:
        lost = Segment("engine lost", "$text-warning", 0)
        return [lost] if facts.read_only else [lost, Segment("F5 asks again", "$text-muted", 2)]
    if facts.queue_paused:
        return [Segment("queue paused", "$text-warning", 0), Segment("Enter goes on", "$text-muted", 2)]
    return [Segment(clean_line(facts.title), "$text-muted", 6, shrinks=True)] if facts.title else []


def _answering(facts: Facts) -> list[Segment]:
    if facts.engine_trouble:
        why = Segment(_without_address(facts.engine_trouble), "$text-muted", 2, shrinks=True)
        return [Segment("held up", "$text-warning", 0), why]
    if facts.next_try_seconds is not None:
        segments = [Segment(f"next try in {math.ceil(facts.next_try_seconds)} s", "$text-warning", 0)]
    else:
        segments = [Segment(f"answering {_seconds(facts)}", "$text-primary", 0)]
    if not facts.read_only:
        segments.append(Segment("esc to interrupt", "$text-muted", 2))
    if facts.tokens_per_second is not None:
        segments.append(Segment(f"~{facts.tokens_per_second:.0f} tok/s", "$text-muted", 4))
    return segments


def _seconds(facts: Facts) -> str:
    whole = int(facts.answering_seconds or 0)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02}"


def right_segments(facts: Facts) -> list[Segment]:
    """Figures, what is out of sight, the connection."""
    segments = [Segment(clean_line(facts.model), "$text-muted", 3)] if facts.model else []
    if facts.profile:
        segments.insert(0, Segment(clean_line(facts.profile), "$text-secondary", 4))
    if facts.context is not None:
        full = facts.context > NEARLY_FULL
        style = "$text-warning" if full else "$text-muted"
        segments.append(Segment(f"ctx {facts.context * 100:.0f} %", style, 2 if full else 4))
    if facts.output_tokens is not None:
        counts = f"{short(facts.input_tokens or 0)} in · {short(facts.output_tokens)} out"
        segments.append(Segment(counts, "$text-muted", 5))
        if facts.cost:
            segments.append(Segment(facts.cost, "$text-muted", 5))
    if not facts.following:
        text = f"{facts.new_below} new {BELOW}" if facts.new_below else f"scrolled {BELOW}"
        segments.append(Segment(text, "$text-accent", 1))
    if facts.earlier:
        segments.append(Segment(f"{facts.earlier:,} earlier ↑", "$text-muted", 3))
    if facts.playing is None:
        if facts.connection.status == "live" and facts.connection.detail:
            segments.append(Segment(f"durable: {clean_line(facts.connection.detail)}", "$text-muted", 6))
        segments += _connection(facts)
    return segments


def _connection(facts: Facts) -> list[Segment]:
    state = facts.connection
    match state.status:
        case "live" if facts.behind >= SHOWN_BEHIND:
            return [Segment(f"○ behind by {round(facts.behind, -2):,}", "$text-muted", 1)]
        case "live":
            return [Segment("● live", "$text-success", 4)]
        case "connecting":
            return [Segment("○ connecting", "$text-muted", 2)]
        case "denied":
            return [Segment("● denied", "$text-error", 1)]
        case "reconnecting":
            # That it is away stays in sight at any width; why, and for how long, where there is room.
            why = [Segment(_why(facts), "$text-muted", 2, shrinks=True)] if state.detail else []
            seconds = round(facts.retry_seconds)
            soon = [Segment(f"next try in {seconds} s", "$text-muted", 1)] if seconds else []
            return [*why, *soon, Segment(f"○ reconnecting {state.attempt}", "$text-warning", 0)]


def _why(facts: Facts) -> str:
    """What is wrong with the connection."""
    return _without_address(facts.connection.detail)


def _without_address(detail: str) -> str:
    """What is wrong with Redis, without its address, which is long and known."""
    text = clean_line(detail)
    return text.removeprefix("Redis at ").partition(" ")[2] if text.startswith("Redis at ") else text


def _playing(playing: Playing) -> list[Segment]:
    if playing.ended:
        end = "the end, unfinished" if playing.unfinished else "the end"
        return [Segment(f"■ {clock(playing.total)}", "$text-primary", 0), Segment(end, "$text-muted", 3)]
    sign = "❚❚" if playing.paused else "▶"
    done = playing.elapsed / playing.total if playing.total else 1.0
    return [
        Segment(f"{sign} {clock(playing.elapsed)} / {clock(playing.total)}", "$text-primary", 0),
        Segment(bar(done, 16), "$text-muted", 3),
        Segment(f"{playing.speed:g}×", "$text-muted", 1),
    ]


def bar(done: float, width: int) -> str:
    """A slim bar, `done` between 0 and 1."""
    filled = round(max(0.0, min(1.0, done)) * width)
    return "━" * filled + "─" * (width - filled)


def clock(seconds: float) -> str:
    """`1:05`, or `1:02:03` from an hour on."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def short(count: int) -> str:
    """A token count in few letters: 950, 1.2k, 34k, 1.2M."""
    if count < 1_000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1_000:.1f}k" if count < 9_950 else f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.1f}M"


def fit(left: list[Segment], right: list[Segment], width: int) -> tuple[list[Segment], list[Segment]]:
    """Both sides without the pieces of the highest rank that do not fit into `width`; the last piece is cut."""
    left, right = list(left), list(right)
    while (over := _width(left) + _width(right) + len(_GAP) - width) > 0 and len(left) + len(right) > 1:
        rank = max(segment.rank for segment in left + right)
        side = right if any(segment.rank == rank for segment in right) else left
        at = max(index for index, segment in enumerate(side) if segment.rank == rank)
        kept = len(side[at].text) - over - 1
        if side[at].shrinks and kept >= LEAST_SHOWN:
            side[at] = replace(side[at], text=f"{side[at].text[:kept].rstrip()}…")
        else:
            del side[at]
    if _width(left) > width:
        left = [Segment(left[0].text[: max(0, width)], left[0].style, 0)]
    return left, right


def _width(segments: list[Segment]) -> int:
    if not segments:
        return 0
    return sum(Content(segment.text).cell_length for segment in segments) + len(_GAP) * (len(segments) - 1)


def _spread(segments: list[Segment]) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = []
    for segment in segments:
        if parts:
            parts.append(_GAP)
        parts.append((segment.text, segment.style))
    return parts
