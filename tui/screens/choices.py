"""What the pickers offer: sessions, themes, models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from bus.session import SessionInfo
from engine.profiles import Profile
from tui.clean import clean_line
from tui.commands import Command
from tui.keys import BY_ID, in_words
from tui.models import Listing
from tui.screens.picker import Choice, columns

NARROW, WIDE = 50, 76

NO_PROFILE = "none"


def session_choices(sessions: Iterable[SessionInfo], now: float) -> list[Choice]:
    """One line per session: title, model, messages, age at `now` (Unix s), and whether an engine works on it."""
    return [_session(info, int(now * 1000)) for info in sessions]


def _session(info: SessionInfo, now_ms: int) -> Choice:
    title = clean_line(info.title) or "untitled"
    model = clean_line(info.model).partition(":")[2] or clean_line(info.model)
    age = ago(now_ms - info.updated_ms) if info.updated_ms else ""
    live = "● live" if info.live else ""

    def draw(width: int) -> Content:
        if width < NARROW:
            return columns(width, title, (f"{age:>3}", 3, "$text-muted"), (live[:1], 1, "$text-success"))
        return columns(
            width,
            title,
            *([(model, 18, "$text-muted")] if width >= WIDE else []),
            (f"{info.messages:>4} msg", 8, "$text-muted"),
            (f"{age:>3}", 3, "$text-muted"),
            (live, 6, "$text-success"),
        )

    return Choice(info.id, f"{title} {info.model} {info.id} {live}", draw)


def command_choices(commands: Iterable[Command], changed_keys: dict[str, str]) -> list[Choice]:
    """One line per command: what it is called, what it does, its key."""
    return [_command(c, in_words(changed_keys.get(c.key) or BY_ID[c.key].keys) if c.key else "") for c in commands]


def _command(command: Command, key: str) -> Choice:
    def draw(width: int) -> Content:
        if width < NARROW:
            return columns(width, command.title, (key, 8, "$text-muted"))
        return columns(width, command.title, (command.help, width - 34, "$text-muted"), (key, 8, "$text-secondary"))

    return Choice(command.name, f"{command.title} {command.name} {command.help}", draw)


def model_choices(names: Iterable[str], listings: Iterable[Listing]) -> list[Choice]:
    """One line per model: `names`, then what is listed and is not among them; then why others list nothing."""
    listings = list(listings)
    windows = dict(model for listing in listings for model in listing.models)
    choices = [_model(name, windows.get(name, 0)) for name in dict.fromkeys([*names, *windows])]
    for listing in listings:
        if listing.state == "no-key":
            choices.append(_remark(listing.provider, f"no key: set {listing.key_variable}"))
        elif listing.state == "failed":
            choices.append(_remark(listing.provider, f"{listing.reason} {listing.hint}".strip()))
    if absent := [listing.provider for listing in listings if listing.state == "not-running"]:
        choices.append(_remark("not running", ", ".join(absent)))
    return choices


def _model(name: str, window: int) -> Choice:
    shown = clean_line(name)
    provider, _, model = shown.partition(":")

    def draw(width: int) -> Content:
        if width < NARROW:
            return columns(width, shown)
        main = shown if provider == "demo" else model or shown
        return columns(width, main, (provider, 12, "$text-muted"), (f"{_tokens(window):>8}", 8, "$text-muted"))

    return Choice(name, shown, draw)


def _remark(what: str, words: str) -> Choice:
    what, words = clean_line(what), clean_line(words)

    def draw(width: int) -> Content:
        return columns(width, f"{what}: {words}").stylize("$text-muted")

    return Choice(f"({what})", f"{what} {words}", draw, remark=True)


def _tokens(count: int) -> str:
    """A context window: `8k ctx`, `1.0M ctx`; empty where it is not known."""
    if not count:
        return ""
    return f"{count / 1e6:.1f}M ctx" if count >= 1e6 else f"{max(1, round(count / 1000))}k ctx"


def profile_choices(profiles: Iterable[Profile]) -> list[Choice]:
    """One line per profile: its name, what it says; and one for none."""
    return [*plain_choices([(NO_PROFILE, "")]), *(_profile(profile) for profile in profiles)]


def _profile(profile: Profile) -> Choice:
    says = [
        profile.model,
        clean_line(profile.system.partition("\n")[0])[:60],
        "" if profile.tools is None else f"tools: {', '.join(profile.tools) or 'off'}",
        "" if profile.temperature is None else f"temperature {profile.temperature:g}",
        f"effort {profile.effort}" if profile.effort else "",
    ]
    words = clean_line(" · ".join(word for word in says if word))
    name = clean_line(profile.name)

    def draw(width: int) -> Content:
        return columns(width, name) if width < NARROW else columns(width, name, (words, width - 24, "$text-muted"))

    return Choice(profile.name, f"{name} {words}", draw)


def plain_choices(names: Sequence[tuple[str, str]]) -> list[Choice]:
    """One line per (name, remark)."""
    return [_plain(name, remark) for name, remark in names]


def _plain(name: str, remark: str) -> Choice:
    def draw(width: int) -> Content:
        return columns(width, name, (remark, max(len(remark), 1), "$text-muted"))

    return Choice(name, name, draw)


def ago(ms: int) -> str:
    """An age in one number and one letter: `now`, `5m`, `3h`, `2d`, `7w`."""
    minutes = ms // 60_000
    if minutes < 1:
        return "now"
    for limit, unit, size in ((60, "m", 1), (48 * 60, "h", 60), (21 * 1440, "d", 1440)):
        if minutes < limit:
            return f"{minutes // size}{unit}"
    return f"{minutes // 10_080}w"
