"""From the words of the command line to a command. Nothing is looked up here but what stands in the words."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence

from tui.cli.errors import UsageError
from tui.cli.help import PAGES, Page, page_for
from tui.openings import Attach, Chat, Command, Opening, Replay, StreamName

VALUE_OPTIONS = ("--redis", "-m", "--model", "-p", "--profile", "-s", "--session")
"""Options that may stand before a command's name and take the next word."""

OTHER_WORDS = {
    "list": "sessions list",
    "ls": "sessions list",
    "history": "sessions list",
    "resume": "chat -c",
    "continue": "chat -c",
    "watch": "attach",
    "join": "attach",
    "play": "replay",
    "exec": "run",
    "ask": "run",
    "print": "tail",
    "serve": "engine",
    "check": "doctor",
}
"""What other programs call our commands."""


def parse(argv: Sequence[str]) -> Command:
    """The command that `argv` (without the program's name) asks for. Raises UsageError."""
    name, words = _split(argv, PAGES)
    if name == "sessions":
        name, words = _sessions_action(words)
    if name is None:
        return _parse_without_command(words)
    if _wants_help(words):
        return _say(page_for(name).text())
    found = _read(page_for(name), words)
    if name in OPENINGS:
        return OPENINGS[name](found)
    from tui.cli.screenless_parser import COMMANDS  # no first frame waits for those

    return COMMANDS[name](found)


def _sessions_action(words: list[str]) -> tuple[str, list[str]]:
    """Which command of `riffle sessions` is meant, and the words for it. Without one it lists them."""
    action, rest = _split(words, PAGES, prefix="sessions ")
    if action is not None:
        return f"sessions {action}", rest
    if _wants_help(words):
        return "sessions", words
    if (word := _first_word(words)) is not None:
        known = [name.removeprefix("sessions ") for name in PAGES if name.startswith("sessions ")]
        close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
        hint = f"Did you mean: riffle sessions {close[0]}" if close else f"It knows: {', '.join(known)}."
        raise UsageError(f"riffle sessions does not know {word!r}.", hint)
    return "sessions list", words


def _parse_without_command(words: list[str]) -> Command:
    """`riffle`, `riffle PROMPT`, `riffle help`, `riffle --version`: whatever names no command."""
    options = words[: words.index("--")] if "--" in words else words
    first = _first_word(options)
    if first == "help":
        about = " ".join(word for word in options if not word.startswith("-")).removeprefix("help").strip()
        return _say(PAGES[about if about in PAGES else ""].text())
    if "--version" in options or first == "version":
        from tui.version import version

        return _say(f"riffle {version()}\n")
    if _wants_help(options):
        return _say(page_for("").text())
    if first is not None and (meant := _meant_command(first)):
        raise UsageError(
            f"There is no command {first!r}. Did you mean: riffle {meant}",
            f"To send it as a prompt: riffle -- {first}",
        )
    return _chat(_read(page_for(""), words))


def _say(text: str) -> Command:
    from tui.cli.commands import Say

    return Say(text=text)


def _split(words: Sequence[str], pages: dict[str, Page], prefix: str = "") -> tuple[str | None, list[str]]:
    """The command's name, if the first word that is no option is one, and the other words in their order."""
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word in VALUE_OPTIONS:
            skip = True
        elif word == "--":
            break
        elif not word.startswith("-") or word == "-":
            if word and prefix + word in pages:
                return word, [*words[:at], *words[at + 1 :]]
            break
    return None, list(words)


def _first_word(words: Sequence[str]) -> str | None:
    skip = False
    for word in words:
        if skip or word in VALUE_OPTIONS:
            skip = not skip
        elif not word.startswith("-"):
            return word
    return None


def _wants_help(words: Sequence[str]) -> bool:
    options = words[: words.index("--")] if "--" in words else words
    return "-h" in options or "--help" in options


def _meant_command(word: str) -> str | None:
    """The command that a single word was probably meant to be. Prompts have spaces, or are no such word."""
    if not re.fullmatch(r"[a-zA-Z-]{2,12}", word):
        return None
    names = [name for name in PAGES if name and " " not in name]
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    return close[0] if close else OTHER_WORDS.get(word.lower())


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaints turned into sentences."""

    def error(self, message: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raise a UsageError that says it in words."""
        text = message
        if match := re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL):
            option = match[1].rpartition("/")[2]
            text = f"{option} needs a value" if match[2].startswith("expected") else f"{option} {match[2]}"
        raise UsageError(f"{text}.", f"See: {self.prog} --help")


def _read(page: Page, words: Sequence[str]) -> argparse.Namespace:
    """`words` by the arguments and options of `page`, in any order."""
    parser = _Parser(prog=f"riffle {page.name}".strip(), add_help=False, allow_abbrev=False)
    options = [*page.options, *page.hidden]
    for option in options:
        if option.value:
            parser.add_argument(*option.flags, dest=option.field, type=_READERS.get(option.field, str))
        else:
            parser.add_argument(*option.flags, dest=option.field, action="store_true")
    end = words.index("--") if "--" in words else len(words)
    # argparse would take an argument that may be left out for left out at the first option behind its neighbour.
    found, others = parser.parse_known_args(list(words[:end]))
    if (unknown := next(filter(_OPTION.match, others), None)) is not None:
        flag = unknown.partition("=")[0]
        flags = [name for option in options for name in option.flags if name.startswith("--")]
        close = difflib.get_close_matches(flag, flags, n=1, cutoff=0.6)
        hint = f"Did you mean: {close[0]}" if close else f"See: {parser.prog} --help"
        raise UsageError(f"{parser.prog} has no option {flag}.", hint)
    if extra := _take_arguments(page, found, [*others, *words[end + 1 :]]):
        takes_prompt = any(argument.name == "PROMPT" for argument in page.arguments)
        hint = f'Put a prompt of several words in quotes: {parser.prog} "…"' if takes_prompt else ""
        raise UsageError(f"{extra[0]!r} is one word too many for {parser.prog}.", hint or f"See: {parser.prog} --help")
    return found


_OPTION = re.compile(r"-(?![\d.])\S+$")
"""What can only be an option; a lone dash, a number and a text with spaces are arguments."""


def _take_arguments(page: Page, found: argparse.Namespace, words: list[str]) -> list[str]:
    """Give the arguments of `page` their words; those that are left over."""
    for argument in page.arguments:
        if argument.required and not words:
            raise UsageError(f"{argument.name} is missing.", f"See: riffle {page.name} --help")
        count = len(words) if argument.several else 1
        taken, words = words[:count], words[count:]
        setattr(found, argument.name.lower(), taken if argument.several else next(iter(taken), None))
    return words


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"is {', '.join(choices[:-1])} or {choices[-1]}, not {text!r}")
        return text

    return read


def _position(text: str) -> str:
    if text not in ("start", "now") and not re.fullmatch(r"[0-9]{1,20}(-[0-9]{1,20})?", text):
        raise argparse.ArgumentTypeError(f"is start, now or the id of an entry (1700000000000-0), not {text!r}")
    return text


def _number(smallest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"is a number from {smallest}, not {text!r}")
        return int(text)

    return read


def _speed(text: str) -> float:
    if text == "max":
        return float("inf")
    return _seconds(text.removesuffix("x"), "is a factor above 0 (0.5, 2, 10x) or max")


def _seconds(text: str, wanted: str = "is a number of seconds above 0") -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}")
    return value


_READERS: dict[str, Callable[[str], object]] = {
    "position": _position,
    "output": _one_of("text", "json", "yaml"),
    "exported": _one_of("archive", "json"),
    "acl": _one_of("viewer", "producer", "engine"),
    "max_calls": _number(1),
    "retries": _number(0),
    "speed": _speed,
    "idle_limit": _seconds,
}


def stream_named(found: argparse.Namespace, session: str | None) -> StreamName | None:
    """The `--stream` of a command that takes a session or a stream."""
    if found.stream is None:
        for field in ("text_field", "id_field", "end_value"):
            if getattr(found, field) is not None:
                raise UsageError(f"--{field.replace('_', '-')} says how to read a stream: it needs --stream KEY.")
        return None
    if session is not None:
        raise UsageError("Name a session or a --stream, not both.")
    if (found.id_field or found.end_value) and not found.text_field:
        raise UsageError("--id-field and --end-value go with --text-field NAME.")
    return StreamName(key=found.stream, text_field=found.text_field, id_field=found.id_field, end_value=found.end_value)


def check_session_choice(found: argparse.Namespace) -> None:
    """Refuse two ways to name a session at once."""
    if found.session and found.continue_last:
        raise UsageError("Use --session to name a session or -c for the last one, not both.")


def _chat(found: argparse.Namespace) -> Opening:
    check_session_choice(found)
    return Chat(
        redis=found.redis,
        model=found.model,
        prompt=found.prompt or "",
        session=found.session,
        continue_last=found.continue_last,
        profile=found.profile,
        plain=found.plain,
    )


def _attach(found: argparse.Namespace) -> Opening:
    stream = stream_named(found, found.session)
    return Attach(
        redis=found.redis,
        model=found.model,
        session=found.session,
        stream=stream,
        # Nobody answers a prompt that is sent to a bare stream.
        read_only=found.read_only or stream is not None,
        position=found.position,
        plain=found.plain,
    )


def _replay(found: argparse.Namespace) -> Opening:
    if found.position == "now":
        raise UsageError("--from now is for attach and tail: a replay starts at start or at an entry id.")
    return Replay(
        redis=found.redis,
        model=found.model,
        session=found.session,
        stream=stream_named(found, found.session),
        speed=1.0 if found.speed is None else found.speed,
        idle_limit=found.idle_limit,
        position=found.position or "start",
        plain=found.plain,
    )


OPENINGS: dict[str, Callable[[argparse.Namespace], Opening]] = {"chat": _chat, "attach": _attach, "replay": _replay}
