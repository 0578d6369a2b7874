"""The names of the timeline's styles, and what they look like unless a theme says otherwise."""

from __future__ import annotations

PREFIX = "timeline--"

_STYLES = {
    # -- reading
    "text": "color: $foreground;",
    "muted": "color: $text-muted;",
    "h1": "color: $primary; text-style: bold underline;",
    "h2": "color: $primary; text-style: bold;",
    "h3": "text-style: bold;",
    "h4": "text-style: bold italic;",
    "strong": "text-style: bold;",
    "em": "text-style: italic;",
    "strike": "text-style: strike;",
    "code": "color: $text-accent; background: $boost;",
    "math": "color: $text-secondary;",
    "link": "color: $text-primary; text-style: underline;",
    "note": "color: $text-accent;",
    "quote": "color: $text-muted;",
    "rail": "color: $primary-muted;",
    "rule": "color: $text-disabled;",
    "marker": "color: $text-accent;",
    "task-done": "color: $text-success;",
    "task-open": "color: $text-muted;",
    "table-head": "text-style: bold;",
    "table-rule": "color: $text-disabled;",
    # -- code
    "code-block": "background: $surface;",
    "code-label": "color: $text-muted; text-style: italic;",
    "syn-keyword": "color: $text-accent;",
    "syn-type": "color: $text-warning;",
    "syn-name": "color: $text-primary;",
    "syn-builtin": "color: $text-secondary;",
    "syn-string": "color: $text-success;",
    "syn-number": "color: $text-warning;",
    "syn-comment": "color: $text-muted; text-style: italic;",
    "syn-inserted": "color: $text-success;",
    "syn-deleted": "color: $text-error;",
    # -- cards
    "user": "background: $surface; text-style: bold;",
    "user-bar": "color: $primary; background: $surface;",
    "author": "color: $text-muted; background: $surface;",
    "thinking": "color: $text-muted; text-style: italic;",
    "head": "color: $text-muted;",
    "tool": "text-style: bold;",
    "argument": "color: $text-muted;",
    "key": "color: $text-secondary;",
    "output": "color: $text-muted;",
    "added": "color: $text-success;",
    "removed": "color: $text-error;",
    "running": "color: $warning;",
    "done": "color: $success;",
    "failed": "color: $error;",
    "error": "color: $text-error;",
    "hint": "color: $text-muted; text-style: italic;",
    "warning": "color: $text-warning;",
    "footer": "color: $text-muted;",
    "gap": "color: $text-warning; text-style: bold;",
    "more": "color: $text-primary;",
    # -- state
    "found": "color: $text-warning; background: $panel; text-style: underline;",
    "found-here": "color: $background; background: $warning; text-style: bold;",
    "cursor": "color: $accent;",
}

_WITHOUT_COLOR = {
    "code": "text-style: bold;",
    "key": "text-style: bold;",
    "syn-keyword": "text-style: bold;",
    "error": "text-style: bold;",
    "failed": "text-style: bold;",
    "warning": "text-style: bold;",
    "more": "text-style: underline;",
}
"""What takes the place of a color where there is none, and no sign or word says as much."""

STYLE_NAMES = frozenset(_STYLES)

COMPONENT_CLASSES = {PREFIX + name for name in _STYLES}

DEFAULT_CSS = (
    "TimelineView {\n"
    "    background: $background; color: $foreground;\n"
    "    overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;\n"
    "    scrollbar-background: $background; scrollbar-background-hover: $background;\n"
    "    scrollbar-background-active: $background;\n"
    + "".join(f"    & .{PREFIX}{name} {{ {rules} }}\n" for name, rules in _STYLES.items())
    + "".join(f"    &:nocolor .{PREFIX}{name} {{ {rules} }}\n" for name, rules in _WITHOUT_COLOR.items())
    + "}\n"
)
