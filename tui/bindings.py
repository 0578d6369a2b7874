"""The table of keys as Textual wants it."""

from __future__ import annotations

from textual.binding import Binding

from tui.keys import BY_ID


def bind(key_id: str, action: str, *, priority: bool = False) -> Binding:
    """The binding of the key `key_id` to a Textual action. The config's `[keys]` finds it by this id."""
    key = BY_ID[key_id]
    return Binding(key.keys, action, key.help, id=key.id, show=False, priority=priority)
