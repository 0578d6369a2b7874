"""Which key does what: one table, from which bindings, the help screen and the `[keys]` of the config are made.

No Textual here: every command reads the config, and most have no screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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
    Key("prompt_up", "alt+up", "the prompt before, to the top of the screen", "Timeline"),
    Key("prompt_down", "alt+down", "the prompt after", "Timeline"),
    Key("find", "ctrl+f", "find a text", "Timeline"),
    Key("thinking", "ctrl+t", "all thinking: one line, first lines, everything", "Timeline"),
    Key("tools", "ctrl+o", "open or close all tool calls", "Timeline"),
    Key("copy", "ctrl+y", "copy the last answer", "Timeline"),
    Key("focus", "tab", "from the prompt to the timeline and back", "Timeline"),
    Key("into_timeline", "shift+up", "on an empty prompt: into the timeline", "Timeline"),
    Key("block_up", "up,k", "the block before", "In the timeline"),
    Key("block_down", "down,j", "the block after", "In the timeline"),
    Key("open", "enter", "open or close it; else what can be done with it", "In the timeline"),
    Key("menu", "m", "what can be done with it: copy, edit, details (or the right mouse button)", "In the timeline"),
    Key("copy_block", "c", "copy the block", "In the timeline"),
    Key("copy_message", "y", "copy the message as Markdown", "In the timeline"),
    Key("edit_message", "o", "open the message in your editor", "In the timeline"),
    Key("details", "i", "its ids, times and tokens", "In the timeline"),
    Key("message_up", "left_square_bracket", "the prompt before", "In the timeline"),
    Key("message_down", "right_square_bracket", "the prompt after", "In the timeline"),
    Key("tool_up", "T", "the tool call before", "In the timeline"),
    Key("tool_down", "t", "the tool call after", "In the timeline"),
    Key("error_up", "E", "the error before", "In the timeline"),
    Key("error_down", "e", "the error after", "In the timeline"),
    Key("timeline_top", "home,g", "go to the beginning", "In the timeline"),
    Key("timeline_end", "end,G", "go to the end and follow", "In the timeline"),
    Key("timeline_page_up", "pageup", "scroll up", "In the timeline"),
    Key("timeline_page_down", "pagedown", "scroll down", "In the timeline"),
    Key("everything", "z", "open everything, close everything", "In the timeline"),
    Key("wrap", "w", "long lines of code: wrap them, or scroll them sideways", "In the timeline"),
    Key("code_left", "left", "scroll code to the left", "In the timeline"),
    Key("code_right", "right", "scroll code to the right", "In the timeline"),
    Key("ask_again", "r", "ask again for an answer that was cut off", "In the timeline"),
    Key("search", "slash", "find a text; capitals count if you write any", "In the timeline"),
    Key("hit_down", "n", "the next hit", "In the timeline"),
    Key("hit_up", "N", "the hit before", "In the timeline"),
    Key("end_search", "escape", "end the search", "In the timeline"),
    Key("pause", "space", "pause, go on", "Replay"),
    Key("step", "full_stop", "one entry on", "Replay"),
    Key("faster", "plus,equals_sign", "faster", "Replay"),
    Key("slower", "minus", "slower", "Replay"),
    Key("show_end", "end,greater_than_sign", "show the end at once", "Replay"),
    Key("quit", "q", "quit, where there is no prompt", "Replay"),
)

BY_ID = {key.id: key for key in KEYS}


def in_words(keys: str) -> str:
    """A key list as people write it: `ctrl+j,shift+enter` -> `Ctrl+J, Shift+Enter`."""
    return ", ".join(_key(key) for key in keys.split(","))


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
    "left": "←",
    "right": "→",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def _key(key: str) -> str:
    # A letter alone is told from its capital.
    return key if len(key) == 1 else "+".join(_part(part) for part in key.split("+"))


def _part(part: str) -> str:
    return _NAMES.get(part) or (part.upper() if len(part) == 1 else part.capitalize())


def grouped(changed: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """For the help screen: each group with its (keys, what they do). `changed` holds the user's own keys by id."""
    for group in dict.fromkeys(key.group for key in KEYS):
        rows = [(in_words(changed.get(key.id, key.keys)), key.help) for key in KEYS if key.group == group]
        yield group, rows
