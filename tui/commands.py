"""Everything that can be asked for by name: after a slash in the prompt, and in the list of all commands."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Actions(Protocol):
    """What the commands ask of a session screen."""

    def action_new(self) -> None:
        """Start a new session."""
        ...

    def action_pick_session(self) -> None:
        """Open another session."""
        ...

    def choose_model(self, name: str) -> None:
        """Let `name` answer from now on; empty: ask for one."""
        ...

    def choose_profile(self, name: str) -> None:
        """Let the profile `name` answer from now on; empty: ask for one."""
        ...

    def compact(self, argument: str) -> None:
        """Sum up what the model is told, or, with `undo`, take that back."""
        ...

    def choose_theme(self, name: str) -> None:
        """Wear the theme `name`; empty: ask for one."""
        ...

    def action_retry(self) -> None:
        """Ask the last prompt again."""
        ...

    def action_toggle_thinking(self) -> None:
        """All thinking to its next state."""
        ...

    def action_find(self, text: str) -> None:
        """Look for `text` in the conversation; empty: ask."""
        ...

    def action_toggle_tools(self) -> None:
        """Open or close all tool calls."""
        ...

    def action_copy_answer(self) -> None:
        """Copy the last answer."""
        ...

    def action_open_editor(self) -> None:
        """Write the prompt in an editor."""
        ...

    def action_help(self) -> None:
        """Show the keys and commands."""
        ...

    def action_quit_view(self) -> None:
        """Quit."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the screen and what stood behind the name. `argument` names that in the help."""

    name: str
    title: str
    help: str
    run: Callable[[Actions, str], None]
    argument: str = ""
    aliases: tuple[str, ...] = ()
    needs_prompt: bool = False
    """Only where prompts can be sent: not in a replay, not read-only."""
    key: str = ""
    """The key of `keys` that does the same."""


COMMANDS: tuple[Command, ...] = (
    Command(
        "new", "New session", "start over; this one is kept", lambda s, _: s.action_new(), aliases=("clear",), key="new"
    ),
    Command(
        "sessions",
        "Open another session",
        "choose from all there are",
        lambda s, _: s.action_pick_session(),
        aliases=("resume",),
        key="sessions",
    ),
    Command("model", "Model", "choose who answers", lambda s, name: s.choose_model(name), "MODEL", (), True),
    Command(
        "profile",
        "Profile",
        "choose how it is answered",
        lambda s, name: s.choose_profile(name),
        "NAME",
        needs_prompt=True,
    ),
    Command(
        "compact",
        "Compact",
        "let a summary stand for what was said; undo takes it back",
        lambda s, argument: s.compact(argument),
        "[undo]",
        needs_prompt=True,
    ),
    Command("theme", "Theme", "choose the colors", lambda s, name: s.choose_theme(name), "NAME"),
    Command(
        "retry",
        "Ask again",
        "send the last prompt once more",
        lambda s, _: s.action_retry(),
        needs_prompt=True,
        key="retry",
    ),
    Command(
        "find",
        "Find",
        "look for a text in this conversation",
        lambda s, text: s.action_find(text),
        "TEXT",
        aliases=("search",),
        key="find",
    ),
    Command(
        "thinking",
        "Thinking",
        "one line, first lines, everything",
        lambda s, _: s.action_toggle_thinking(),
        key="thinking",
    ),
    Command("tools", "Tool calls", "open or close all tool calls", lambda s, _: s.action_toggle_tools(), key="tools"),
    Command(
        "copy", "Copy the last answer", "as the Markdown that it is", lambda s, _: s.action_copy_answer(), key="copy"
    ),
    Command(
        "editor",
        "Editor",
        "write the prompt in your editor",
        lambda s, _: s.action_open_editor(),
        needs_prompt=True,
        key="editor",
    ),
    Command("help", "Help", "all keys and commands", lambda s, _: s.action_help(), key="help"),
    Command("exit", "Quit", "leave; answers go on", lambda s, _: s.action_quit_view(), "", ("quit", "q"), key="leave"),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


class UnknownCommand(Exception):
    """A slash command that there is not; the message says which may be meant."""


def parse(text: str) -> tuple[Command, str] | None:
    """The command and its argument, or None where `text` is a prompt. Raises `UnknownCommand`.

    `//x` is the prompt `/x`, and a path such as `/etc/hosts is …` is a prompt too.
    """
    if not text.startswith("/") or text.startswith("//") or "\n" in text:
        return None
    name, _, argument = text[1:].partition(" ")
    if "/" in name:
        return None
    if command := _BY_NAME.get(name.lower()):
        return command, argument.strip()
    near = difflib.get_close_matches(name.lower(), _BY_NAME, n=1)
    meant = f" Did you mean /{near[0]}?" if near else " /help lists them all."
    raise UnknownCommand(f"/{name} is not a command.{meant} (To send a text that begins with /, write //.)")


def completions(text: str, *, prompts: bool) -> list[Command]:
    """The commands that `text` may become; none once the name is followed by a space."""
    if not text.startswith("/") or " " in text or "\n" in text:
        return []
    begin = text[1:].lower()
    return [c for c in available(prompts=prompts) if any(name.startswith(begin) for name in (c.name, *c.aliases))]


def is_name(text: str) -> bool:
    """Whether `text` is a slash command, complete but for its argument."""
    return text.startswith("/") and text[1:].lower() in _BY_NAME


def available(*, prompts: bool) -> list[Command]:
    """The commands of a screen with a prompt, or of one without."""
    return [command for command in COMMANDS if prompts or not command.needs_prompt]


def by_name(name: str) -> Command:
    """The command of that name."""
    return _BY_NAME[name]
