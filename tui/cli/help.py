"""The help pages. They are also what the parser knows: an option that is not on a page does not exist."""

from __future__ import annotations

from dataclasses import dataclass

COLUMN = 27
"""Where the explanations begin."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A word without a dash; `name` is in capitals."""

    name: str
    text: str
    required: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """`flags` as typed, `field` of the result, the name of its value (none: a switch), what it does."""

    flags: tuple[str, ...]
    field: str
    value: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one command is, takes and looks like in use. `hidden` options are accepted and not shown."""

    name: str = ""
    summary: str
    about: str = ""
    usage: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    hidden: tuple[Option, ...] = ()
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    ending: str = ""

    def text(self) -> str:
        """The page, for 80 columns. Headings stand at the margin without a full stop."""
        parts = [self.summary, *([self.about] if self.about else [])]
        parts.append("Usage\n" + "\n".join(f"  {line}" for line in self.usage))
        parts += [_block(title, rows) for title, rows in self.sections]
        if self.arguments:
            parts.append(_block("Arguments", tuple((a.name, a.text) for a in self.arguments)))
        parts.append(_block("Options", tuple((_invocation(o), o.text) for o in (*self.options, HELP))))
        if self.examples:
            width = max(len(command) for command, _ in self.examples) + 3
            parts.append("Examples\n" + "\n".join(f"  {c:<{width}}{t}".rstrip() for c, t in self.examples))
        return "\n\n".join([*parts, *([self.ending] if self.ending else [])]) + "\n"


def _invocation(option: Option) -> str:
    short = [flag for flag in option.flags if not flag.startswith("--")]
    long = [flag for flag in option.flags if flag.startswith("--")]
    names = ", ".join([*short, *long]) if short else f"    {', '.join(long)}"
    return f"{names} {option.value}".rstrip()


def _block(title: str, rows: tuple[tuple[str, str], ...]) -> str:
    lines = [title]
    for name, text in rows:
        first, *rest = text.split("\n")
        if len(name) + 4 > COLUMN:
            lines.append(f"  {name}")
            lines.append(" " * COLUMN + first)
        else:
            lines.append(f"  {name:<{COLUMN - 2}}{first}")
        lines += [" " * COLUMN + line for line in rest]
    return "\n".join(lines)


HELP = Option(("-h", "--help"), "help", "", "show this page")
VERSION = Option(("--version",), "version", "", "show riffle's version")
REDIS = Option(
    ("--redis",),
    "redis",
    "URL",
    "redis://, rediss://, unix://, redis+cluster:// or\nredis+sentinel:// (else RIFFLE_REDIS_URL, REDIS_URL,\n"
    "the configuration, a server of riffle's own)",
)
MODEL = Option(("-m", "--model"), "model", "MODEL", "PROVIDER:MODEL (riffle models lists them), or demo")
PROFILE = Option(("-p", "--profile"), "profile", "NAME", "a [profiles.NAME] of the configuration")
SESSION = Option(("-s", "--session"), "session", "SESSION", "go on with this session")
LAST = Option(("-c", "--continue"), "continue_last", "", "go on with the last session")
PLAIN = Option(("--plain",), "plain", "", "appended lines instead of a screen, for screen readers")
JSON = Option(("--json",), "json", "", "one JSON object per line")
FROM = Option(("--from",), "position", "WHERE", "start, now, or the id of the first entry to show")
STREAM = (
    Option(("--stream",), "stream", "KEY", "any Redis stream instead of a session"),
    Option(("--text-field",), "text_field", "NAME", "its entries hold a piece of text in this field"),
    Option(("--id-field",), "id_field", "NAME", "… and in this one, which answer it belongs to"),
    Option(("--end-value",), "end_value", "TEXT", "… and this text ends an answer"),
)
SESSION_NAME = "id, any unique beginning of it, or title"
PLAYABLE = Argument("SESSION", f"{SESSION_NAME};\nor a FILE: an exported session, or JSON lines of tail")

PAGES: dict[str, Page] = {
    page.name: page
    for page in (
        Page(
            summary="riffle: chat with a model in the terminal. Every conversation is a Redis stream.",
            usage=("riffle [PROMPT]", "riffle COMMAND …"),
            sections=(
                (
                    "On the screen",
                    (
                        ("chat", "talk to a model: in a new session, a named one, the last"),
                        ("attach", "watch a live session, here or elsewhere, and join in"),
                        ("replay", "play a past session with its own timing"),
                    ),
                ),
                (
                    "Without a screen",
                    (
                        ("run", "answer one prompt and print the answer as it comes"),
                        ("tail", "print a session or any stream as it grows"),
                        ("send", "send a prompt to a session whose engine runs elsewhere"),
                        ("engine", "answer prompts of sessions that are open to any engine"),
                    ),
                ),
                (
                    "Housekeeping",
                    (
                        ("sessions", "list, show, rename, fork, export, import, delete"),
                        ("models", "what each provider offers"),
                        ("doctor", "what is there, what is wrong, how to fix it"),
                    ),
                ),
            ),
            arguments=(Argument("PROMPT", "sent at once, in a new session; what is piped in is added"),),
            options=(MODEL, PROFILE, LAST, SESSION, PLAIN, REDIS, VERSION),
            examples=(
                ("riffle", "open a chat"),
                ('riffle "Why is the sky blue?"', "open a chat and ask"),
                ("riffle attach", "choose a session and watch it live"),
                ('git diff | riffle run "Review this"', "print the answer"),
            ),
            ending="A SESSION is named by its id, any unique beginning of it, or its title.\n"
            "riffle COMMAND --help says more.",
        ),
        Page(
            name="chat",
            summary="Talk to a model. The session is kept, and its engine finishes the answer if the terminal dies.",
            usage=("riffle chat [PROMPT] [-s SESSION | -c] [-m MODEL] [-p PROFILE]",),
            arguments=(Argument("PROMPT", "sent at once; what is piped in is added"),),
            options=(SESSION, LAST, MODEL, PROFILE, PLAIN, REDIS),
            examples=(
                ("riffle chat -c", "go on where you stopped"),
                ("riffle chat -s 01k9", "go on with the session whose id begins so"),
                ("riffle chat -m demo", "no key, no network"),
            ),
        ),
        Page(
            name="attach",
            summary="Watch a live session: what came before, then what comes now. Prompts go to its engine.",
            about="Without a SESSION you choose one from a list.",
            usage=("riffle attach [SESSION] [--read-only]", "riffle attach --stream KEY"),
            arguments=(Argument("SESSION", SESSION_NAME),),
            options=(
                Option(("--read-only",), "read_only", "", "no prompt, no interrupt: only watch"),
                FROM,
                *STREAM,
                PLAIN,
                MODEL,
                REDIS,
            ),
            examples=(
                ("riffle attach", "choose from the sessions"),
                ("riffle attach 01k9 --read-only", "for the screen in the hall"),
                ("riffle attach --stream chat:42", "a stream of another program"),
                ("riffle attach --stream llm --text-field token", "one piece of text per entry"),
            ),
        ),
        Page(
            name="replay",
            summary="Play a past session with its own timing. Space pauses, . steps, + and - change the speed.",
            about="Without a SESSION you choose one from a list.",
            usage=("riffle replay [SESSION | FILE] [--speed X]", "riffle replay --stream KEY"),
            arguments=(PLAYABLE,),
            options=(
                Option(("--speed",), "speed", "X", "0.5, 2, 10, … times as fast; max shows the end at once"),
                Option(("--idle-limit",), "idle_limit", "S", "no pause is longer than S seconds"),
                Option(("--from",), "position", "ID", "begin at this entry"),
                *STREAM,
                PLAIN,
                REDIS,
            ),
            hidden=(MODEL,),
            examples=(
                ("riffle replay 01k9 --speed 4 --idle-limit 2", ""),
                ("riffle replay run.jsonl --speed max", ""),
            ),
        ),
        Page(
            name="run",
            summary="Answer one prompt without a screen: the answer goes to stdout as it comes.",
            about="What is piped in is added to the prompt. The session is kept and listed like any other.",
            usage=("riffle run PROMPT [-m MODEL] [-s SESSION | -c] [--output text|json|yaml]",),
            arguments=(Argument("PROMPT", "what to ask, @FILE attaches; - or nothing: only what is piped in"),),
            options=(
                MODEL,
                PROFILE,
                SESSION,
                LAST,
                Option(("--output",), "output", "FORMAT", "text (the answer), json or yaml (every event)"),
                Option(("--max-calls",), "max_calls", "N", "end the tool loop after N calls of the provider"),
                Option(("--retries",), "retries", "N", "try a failed call again N times at most"),
                Option(("--no-tools",), "no_tools", "", "the model gets no tools"),
                Option(("-q", "--quiet"), "quiet", "", "no thinking, tool calls and notes on stderr"),
                REDIS,
            ),
            examples=(
                ('riffle run "Summarise this" < notes.txt', ""),
                ('riffle run --output json "…" | jq -r .event.type', ""),
            ),
            ending="Exit codes: 0 answered, 1 failed, 2 wrong usage, 130 interrupted.",
        ),
        Page(
            name="tail",
            summary="Print a session or a stream, and go on as it grows (Ctrl+C ends).",
            usage=("riffle tail [SESSION | FILE] [--no-follow] [--output text|json|yaml]", "riffle tail --stream KEY"),
            arguments=(PLAYABLE,),
            options=(
                Option(("--no-follow",), "no_follow", "", "end where the stream ends now"),
                FROM,
                Option(("--output",), "output", "FORMAT", "text for people, json or yaml: every event, unchanged"),
                Option(("--with-metadata",), "with_metadata", "", "text: models, tokens and times as well"),
                Option(("--full",), "full", "", "text: long arguments and results whole"),
                *STREAM,
                REDIS,
            ),
            hidden=(MODEL,),
            examples=(
                ("riffle tail 01k9", "from the start, then live"),
                ("riffle tail 01k9 --from now", "only what comes"),
                ("riffle tail 01k9 --no-follow --output json > run.jsonl", "keep it as a file"),
            ),
        ),
        Page(
            name="send",
            summary="Send a prompt to a session and end. Its engine answers, everybody attached sees it.",
            usage=("riffle send SESSION PROMPT",),
            arguments=(
                Argument("SESSION", SESSION_NAME, required=True),
                Argument("PROMPT", "what to ask, @FILE attaches; what is piped in is added"),
            ),
            options=(MODEL, PROFILE, REDIS),
            examples=(('riffle send 01k9 "And now in French"', ""),),
        ),
        Page(
            name="engine",
            summary="Answer prompts, without a screen, until Ctrl+C.",
            about="It answers every session that is open to any engine: those of chats whose configuration says\n"
            'answering = "pool" under [engine]. Several engines share the work. Their models get no tools.\n'
            "With --session it answers that one only, and ends when nobody has needed it for long.",
            usage=("riffle engine [--session SESSION] [-m MODEL]",),
            options=(Option(("-s", "--session"), "session", "SESSION", "answer this session only"), MODEL, REDIS),
            examples=(("riffle engine --redis redis://build-server:6379/0", ""),),
        ),
        Page(
            name="sessions",
            summary="The sessions that there are.",
            about=(
                "A session of riffle's own Redis that ended long ago lies in a file, and is used like any other:\n"
                "retention.after_days in the config says after how many days (14; 0: never)."
            ),
            usage=("riffle sessions [list | show | rename | fork | export | import | delete] …",),
            sections=(
                (
                    "Commands",
                    (
                        ("list", "all sessions, the newest first (also without a command)"),
                        ("show SESSION", "what is known of one"),
                        ("rename SESSION TITLE", "give it another title"),
                        ("fork SESSION", "begin a new one with what was said in it so far"),
                        ("export SESSION [FILE]", "write it into a file"),
                        ("import FILE", "make a session of such a file"),
                        ("delete SESSION…", "delete it, after asking"),
                    ),
                ),
            ),
            options=(JSON, REDIS),
            examples=(("riffle sessions list --json | jq -r .id", ""),),
        ),
        Page(
            name="sessions list",
            summary="List all sessions, the newest first.",
            usage=("riffle sessions list [--json]",),
            options=(JSON, REDIS),
            hidden=(MODEL,),
        ),
        Page(
            name="sessions show",
            summary="Show what is known of a session.",
            usage=("riffle sessions show SESSION [--json]",),
            arguments=(Argument("SESSION", SESSION_NAME, required=True),),
            options=(JSON, REDIS),
            hidden=(MODEL,),
        ),
        Page(
            name="sessions rename",
            summary="Give a session another title.",
            usage=("riffle sessions rename SESSION TITLE",),
            arguments=(
                Argument("SESSION", SESSION_NAME, required=True),
                Argument("TITLE", "the new title", required=True),
            ),
            options=(REDIS,),
            hidden=(MODEL,),
        ),
        Page(
            name="sessions fork",
            summary="Begin a new session with what was said in another one. Prints its id.",
            about="No turn is cut in two: the one that holds the entry comes along whole.",
            usage=("riffle sessions fork SESSION [--from ENTRY]",),
            arguments=(Argument("SESSION", SESSION_NAME, required=True),),
            options=(Option(("--from",), "position", "ENTRY", "the last entry that comes along; else all do"), REDIS),
            hidden=(MODEL,),
            examples=(('riffle chat -s $(riffle sessions fork 01k9) "And without Redis?"', ""),),
        ),
        Page(
            name="sessions export",
            summary="Write a session into a file that riffle can replay, print and import.",
            about="Its events and attachments as they are, compressed; prompts that wait are left out.",
            usage=("riffle sessions export SESSION [FILE] [--output archive|json]",),
            arguments=(
                Argument("SESSION", SESSION_NAME, required=True),
                Argument("FILE", "which is not there yet; else SESSION's id with .jsonl.gz"),
            ),
            options=(
                Option(("--output",), "exported", "FORM", "archive, or json: a line per event (to stdout)"),
                REDIS,
            ),
            hidden=(MODEL,),
        ),
        Page(
            name="sessions import",
            summary="Make a session of an exported file. Prints its id: a new one, where that is taken.",
            usage=("riffle sessions import FILE",),
            arguments=(Argument("FILE", "what riffle sessions export wrote", required=True),),
            options=(REDIS,),
            hidden=(MODEL,),
        ),
        Page(
            name="sessions delete",
            summary="Delete sessions and all their events. This cannot be undone.",
            usage=("riffle sessions delete SESSION… [--yes]",),
            arguments=(Argument("SESSION", SESSION_NAME, required=True, several=True),),
            options=(Option(("-y", "--yes"), "yes", "", "do not ask"), REDIS),
            hidden=(MODEL,),
        ),
        Page(
            name="models",
            summary="List the models that each provider offers, and how much context they take.",
            about="Asked of every provider that has a key and of the servers on this machine; kept for a day.\n"
            "Providers of your own are [providers.NAME] tables in the configuration.",
            usage=("riffle models [PROVIDER] [--json] [--refresh]",),
            arguments=(Argument("PROVIDER", "only this one: openai, anthropic, ollama, openrouter, …"),),
            options=(JSON, Option(("--refresh",), "refresh", "", "ask again, whatever was said within the last day")),
            hidden=(MODEL, REDIS),
            examples=(
                ("riffle models ollama", ""),
                ("riffle models --json | jq -r .models[].id", "all of them"),
            ),
        ),
        Page(
            name="doctor",
            summary="Say what is there (Redis, keys, terminal, files), what is wrong, and how to fix it.",
            about="Keys are only looked for, never shown. Ends with 1 when something is wrong.",
            usage=("riffle doctor", "riffle doctor --acl viewer|producer|engine"),
            options=(
                Option(
                    ("--acl",),
                    "acl",
                    "ROLE",
                    "print how to make a Redis user that may only watch (viewer),\n"
                    "only write events (producer), or ask and answer (engine)",
                ),
                REDIS,
            ),
            hidden=(MODEL,),
        ),
    )
}


def page_for(name: str) -> Page:
    """The page of a command; of riffle itself for the empty name."""
    return PAGES[name]
