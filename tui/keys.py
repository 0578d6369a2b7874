"""Which key does what: one table, from which bindings, the help screen and the `[keys]` of the config are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a user may change. `id` is its name in the config, `keys` its default, comma-separated."""

    id: str
    keys: str
    help: str
    group: str


KEYS: tuple[Key, ...] = (
    Key("send", "enter", "send the prompt; queue it while an answer runs", "Prompt"),
    Key("newline", "ctrl+j,shift+enter,alt+enter", "new line", "Prompt"),
    Key("previous", "up", "on the first line: the prompt before; on an empty prompt: edit the queued one", "Prompt"),
    Key("next", "down", "on the last line: the prompt after", "Prompt"),
    Key("editor", "ctrl+g", "write the prompt in your editor", "Prompt"),
    Key("interrupt", "escape", "stop the answer", "Session"),
    Key("stop", "ctrl+c", "copy the selection, stop the answer, clear the prompt; twice: quit", "Session"),
    Key("leave", "ctrl+d", "quit, on an empty prompt", "Session"),
    Key("retry", "f5", "ask the last prompt again", "Session"),
    Key("sessions", "ctrl+s", "open another session", "Session"),
    Key("new", "ctrl+n", "start a new session", "Session"),
    Key("palette", "ctrl+p", "all commands", "Session"),
    Key("help", "f1", "this page", "Session"),
    Key("page_up", "pageup", "scroll up", "Timeline"),
    Key("page_down", "pagedown", "scroll down", "Timeline"),
    Key("top", "ctrl+home", "go to the beginning", "Timeline"),
    Key("follow", "ctrl+end", "go to the end and follow", "Timeline"),
    Key("thinking", "ctrl+t", "open or close all thinking", "Timeline"),
    Key("tools", "ctrl+o", "open or close all tool calls", "Timeline"),
    Key("copy", "ctrl+y", "copy the last answer", "Timeline"),
    Key("focus", "tab", "from the prompt to the timeline and back", "Timeline"),
    Key("pause", "space", "pause, go on", "Replay"),
    Key("step", "full_stop", "one entry on", "Replay"),
    Key("faster", "plus,equals_sign", "faster", "Replay"),
    Key("slower", "minus", "slower", "Replay"),
    Key("show_end", "end,greater_than_sign", "show the end at once", "Replay"),
    Key("quit", "q", "quit, where there is no prompt", "Replay"),
)

BY_ID = {key.id: key for key in KEYS}


def bind(key_id: str, action: str, *, priority: bool = False) -> Binding:
    """The binding of the key `key_id` to a Textual action. The config's `[keys]` finds it by this id."""
    key = BY_ID[key_id]
    return Binding(key.keys, action, key.help, id=key.id, show=False, priority=priority)


def in_words(keys: str) -> str:
    """A key list as people write it: `ctrl+j,shift+enter` -> `Ctrl+J, Shift+Enter`."""
    return ", ".join("+".join(_part(part) for part in key.split("+")) for key in keys.split(","))


_NAMES = {
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "greater_than_sign": ">",
    "escape": "Esc",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "up": "↑",
    "down": "↓",
}


def _part(part: str) -> str:
    return _NAMES.get(part) or (part.upper() if len(part) == 1 else part.capitalize())


def grouped(changed: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """For the help screen: each group with its (keys, what they do). `changed` holds the user's own keys by id."""
    for group in dict.fromkeys(key.group for key in KEYS):
        rows = [(in_words(changed.get(key.id, key.keys)), key.help) for key in KEYS if key.group == group]
        yield group, rows
