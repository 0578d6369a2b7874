"""Themes: one TOML file each, ours beside the program and the user's in the config folder.

A theme's file has `title`, `dark`, a `[colors]` table with the names in `COLORS`, and maybe `[variables]`,
colors for Textual variables. The file's name is the theme's name; a user's theme wins over ours of the same name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from textual.theme import Theme

from tui.config import DEFAULT_THEME

COLORS = (
    "background",
    "surface",
    "panel",
    "text",
    "muted",
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
)
"""Every theme says all of them. `text`, `muted` and the six hues are legible on `background` and on `surface`."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


class BrokenTheme(Exception):
    """A theme file that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Found:
    """A theme file. Nobody has read it yet."""

    name: str
    path: Path


def own_folder() -> Path:
    """Where our themes lie: in the installed package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "_themes"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "themes"


def default_theme() -> Found:
    """The theme that is worn where no other can be."""
    return Found(DEFAULT_THEME, own_folder() / f"{DEFAULT_THEME}.toml")


def find_themes(folders: Sequence[Path]) -> list[Found]:
    """All theme files by name; a folder wins over those before it."""
    found = {path.stem: Found(path.stem, path) for folder in folders for path in sorted(folder.glob("*.toml"))}
    return sorted(found.values(), key=lambda theme: theme.name)


def load_theme(found: Found) -> Theme:
    """Read one theme. Raises `BrokenTheme`."""
    try:
        tree = tomllib.loads(found.path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrokenTheme(f"The theme {found.path} cannot be read: {error}") from error
    table = tree.get("colors")
    colors = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    if missing := [name for name in COLORS if not _is_color(colors.get(name))]:
        raise BrokenTheme(f"The theme {found.path} lacks colors written as #rrggbb: {', '.join(missing)}")
    more = tree.get("variables", {})
    if not isinstance(more, dict) or not all(_is_color(value) for value in cast("dict[str, Any]", more).values()):
        raise BrokenTheme(f"The theme {found.path} has [variables] that are not colors written as #rrggbb.")
    return _theme(found.name, bool(tree.get("dark", True)), colors, cast("dict[str, str]", more))


def load_all(folders: Sequence[Path]) -> Iterator[Theme | BrokenTheme]:
    """Every theme; a broken one comes as its error, so that it can be named and skipped."""
    for found in find_themes(folders):
        try:
            yield load_theme(found)
        except BrokenTheme as error:
            yield error


_BLACK, _WHITE, _SILVER = "#000000", "#ffffff", "#aaaaaa"
_ON_BLACK = {
    "background": _BLACK, "surface": _BLACK, "panel": "#0000aa", "text": _WHITE, "muted": _SILVER,
    "primary": "#ffff55", "secondary": "#55ffff", "accent": "#55ffff",
    "success": "#55ff55", "warning": "#ffff55", "error": "#ff55ff",
}  # fmt: skip
_ON_WHITE = {
    "background": _WHITE, "surface": _WHITE, "panel": "#55ffff", "text": _BLACK, "muted": _BLACK,
    "primary": "#aa0000", "secondary": "#0000aa", "accent": "#aa00aa",
    "success": _BLACK, "warning": "#aa00aa", "error": "#aa0000",
}  # fmt: skip


def for_few_colors(theme: Theme) -> Theme:
    """`theme` in the 16 colors of a simple terminal: the nearest to its own would often be that of the ground."""
    return _theme(theme.name, theme.dark, _ON_BLACK if theme.dark else _ON_WHITE, {})


def _is_color(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _theme(name: str, dark: bool, c: dict[str, str], more: dict[str, str]) -> Theme:
    # Textual derives these from the hues, with alpha, and not always legibly: say them outright.
    variables = {
        "text": c["text"],
        "text-muted": c["muted"],
        "text-disabled": c["muted"],
        "foreground-muted": c["muted"],
        **{f"text-{hue}": c[hue] for hue in ("primary", "secondary", "accent", "success", "warning", "error")},
        "border": c["primary"],
        "border-blurred": c["panel"],
        "block-cursor-background": c["panel"],
        "block-cursor-foreground": c["text"],
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": c["panel"],
        "block-cursor-blurred-foreground": c["text"],
        "input-cursor-background": c["primary"],
        "input-cursor-foreground": c["background"],
        "input-selection-background": c["panel"],
        "input-selection-foreground": c["text"],
        "screen-selection-background": c["panel"],
        "screen-selection-foreground": c["text"],
        "scrollbar": c["panel"],
        "scrollbar-hover": c["muted"],
        "scrollbar-active": c["primary"],
        "scrollbar-background": c["background"],
        "scrollbar-background-hover": c["background"],
        "scrollbar-background-active": c["background"],
        "scrollbar-corner-color": c["background"],
        "link-color": c["secondary"],
        "footer-key-foreground": c["accent"],
        **more,
    }
    return Theme(
        name=name,
        primary=c["primary"],
        secondary=c["secondary"],
        accent=c["accent"],
        success=c["success"],
        warning=c["warning"],
        error=c["error"],
        foreground=c["text"],
        background=c["background"],
        surface=c["surface"],
        panel=c["panel"],
        boost=c["surface"],
        dark=dark,
        variables=variables,
    )
