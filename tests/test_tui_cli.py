"""The command line: what is asked for, what is wrong with it, and how programs are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.redis_server import RedisServer
from tests.support.riffle import ROOT, Home
from tests.support.terminal import CTRL_C
from tests.support.waiting import wait_until_now
from tui.cli import sessions, yaml_text
from tui.cli.commands import (
    Doctor,
    Engine,
    Run,
    Say,
    Send,
    SessionsDelete,
    SessionsList,
    SessionsRename,
    SessionsShow,
    Tail,
)
from tui.cli.errors import UsageError
from tui.cli.help import PAGES
from tui.cli.parser import parse
from tui.openings import Attach, Chat, Command, Replay, StreamName

# -- what is asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], Chat()),
        (["why is the sky blue?"], Chat(prompt="why is the sky blue?")),
        (["hello"], Chat(prompt="hello")),
        (["--", "chat"], Chat(prompt="chat")),
        (["--", "-x"], Chat(prompt="-x")),
        (["-m", "demo", "-c"], Chat(model="demo", continue_last=True)),
        (["-s", "tail"], Chat(session="tail")),
        (["chat", "-s", "01k9", "go on"], Chat(session="01k9", prompt="go on")),
        (["--redis", "redis://h", "chat"], Chat(redis="redis://h")),
        (["--redis=redis://h", "-m", "demo", "tail", "a"], Tail(redis="redis://h", model="demo", session="a")),
        (["attach"], Attach()),
        (["attach", "a", "--from", "start"], Attach(session="a", position="start")),
        (["attach", "a", "--read-only", "--from", "now"], Attach(session="a", read_only=True, position="now")),
        (
            ["attach", "--stream", "k", "--text-field", "t"],
            Attach(stream=StreamName(key="k", text_field="t"), read_only=True),
        ),
        (["replay", "a", "--speed", "2x", "--idle-limit", "1.5"], Replay(session="a", speed=2.0, idle_limit=1.5)),
        (["replay", "--speed", "max"], Replay(speed=float("inf"))),
        (["replay", "a", "--from", "17-1"], Replay(session="a", position="17-1")),
        (["run", "hi", "--output", "json", "-q"], Run(prompt="hi", output="json", quiet=True)),
        (
            ["run", "hi", "--max-calls", "3", "--retries", "0", "--no-tools"],
            Run(prompt="hi", max_calls=3, retries=0, no_tools=True),
        ),
        (["run", "- a list item"], Run(prompt="- a list item")),
        (["run", "-"], Run(prompt="-")),
        (["tail", "a", "--no-follow", "--full"], Tail(session="a", follow=False, full=True)),
        (["send", "a", "hi"], Send(session="a", prompt="hi")),
        (["send", "a", "-m", "demo", "two words"], Send(session="a", model="demo", prompt="two words")),
        (
            ["send", "-m", "demo", "a", "--redis", "r", "--", "-x"],
            Send(redis="r", session="a", model="demo", prompt="-x"),
        ),
        (["sessions", "delete", "a", "-y", "b"], SessionsDelete(sessions=("a", "b"), yes=True)),
        (["run", "-5"], Run(prompt="-5")),
        (["engine"], Engine()),
        (["engine", "--session", "a"], Engine(session="a")),
        (["sessions"], SessionsList()),
        (["sessions", "--json"], SessionsList(json=True)),
        (["sessions", "list", "--json"], SessionsList(json=True)),
        (["sessions", "show", "a"], SessionsShow(session="a")),
        (["sessions", "rename", "a", "A title"], SessionsRename(session="a", title="A title")),
        (["sessions", "delete", "a", "-y"], SessionsDelete(sessions=("a",), yes=True)),
        (["sessions", "delete", "a", "b"], SessionsDelete(sessions=("a", "b"))),
        (["doctor"], Doctor()),
        (["doctor", "--acl", "viewer"], Doctor(acl="viewer")),
    ],
)
def test_words_become_a_command(words: list[str], command: Command) -> None:
    assert parse(words) == command


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chatt"], "There is no command 'chatt'. Did you mean: riffle chat"),
        (["sesions", "list"], "There is no command 'sesions'. Did you mean: riffle sessions"),
        (["ls"], "There is no command 'ls'. Did you mean: riffle sessions list"),
        (["resume"], "There is no command 'resume'. Did you mean: riffle chat -c"),
        (["explain", "this"], "'this' is one word too many for riffle."),
        (["tail", "a", "--folow"], "riffle tail has no option --folow."),
        (["tail", "a", "-x"], "riffle tail has no option -x."),
        (["tail"], "Say what to print: a SESSION, or --stream KEY."),
        (["tail", "a", "--stream", "k"], "Name a session or a --stream, not both."),
        (["tail", "a", "--text-field", "t"], "--text-field says how to read a stream: it needs --stream KEY."),
        (["tail", "--stream", "k", "--end-value", "x"], "--id-field and --end-value go with --text-field NAME."),
        (["tail", "a", "--from", "yesterday"], "--from is start, now or the id of an entry"),
        (["tail", "a", "--output", "xml"], "--output is text, json or yaml, not 'xml'."),
        (["replay", "a", "--speed", "0"], "--speed is a factor above 0 (0.5, 2, 10x) or max, not '0'."),
        (["replay", "a", "--from", "now"], "--from now is for attach and tail"),
        (["run", "hi", "--max-calls", "0"], "--max-calls is a number from 1, not '0'."),
        (["chat", "-c", "-s", "a"], "Use --session to name a session or -c for the last one, not both."),
        (["-m"], "--model needs a value."),
        (["send"], "SESSION is missing."),
        (["send", "a", "hi", "-m"], "--model needs a value."),
        (["send", "a", "-m", "demo", "two", "words"], "'words' is one word too many for riffle send."),
        (["sessions", "lst"], "riffle sessions does not know 'lst'."),
    ],
)
def test_a_wrong_command_line_is_explained_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value).startswith(sentence)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", list(PAGES))
def test_every_command_has_a_page_that_fits(name: str) -> None:
    said = parse([*name.split(), "--help"])
    assert said == Say(text=PAGES[name].text())
    assert all(len(line) <= 100 for line in PAGES[name].text().splitlines())


def test_help_is_found_in_other_ways() -> None:
    assert parse(["help"]) == parse(["-h"]) == Say(text=PAGES[""].text())
    assert parse(["help", "tail"]) == parse(["tail", "-h"])
    assert parse(["help", "sessions", "list"]) == Say(text=PAGES["sessions list"].text())


# -- what programs read ----------------------------------------------------------------------------------------


def test_yaml_keeps_every_value() -> None:
    value: dict[str, object] = {
        "plain": "two words",
        "words": ["yes", "null", "1", "a: b", "# no", "", " lead", "tail "],
        "block": "one\n  two\n\nthree",
        "kept": "one\ntwo\n\n",
        "odd": ["\t", "a\x85b", "\u2028", "\n", "\n x"],
        "nested": [{"a": [1, 2.5, 1e-07], "b": {}}, [], True, None],
    }
    assert yaml_text.dumps(value) == (
        "plain: two words\n"
        'words:\n  - "yes"\n  - "null"\n  - "1"\n  - "a: b"\n  - "# no"\n  - ""\n  - " lead"\n  - "tail "\n'
        "block: |-\n  one\n    two\n\n  three\n"
        "kept: |+\n  one\n  two\n\n"
        'odd:\n  - "\\t"\n  - "a\\u0085b"\n  - "\\u2028"\n  - "\\n"\n  - "\\n x"\n'
        "nested:\n  -\n    a:\n      - 1\n      - 2.5\n      - 1.0e-07\n    b: {}\n  - []\n  - true\n  - null\n"
    )


def test_ids_are_shortened_until_they_are_not_unique() -> None:
    ids = ["aaaaaaaaaa1111", "aaaaaaaaaa1222", "bbbbbbbbbbbbbb"]
    assert sessions.short_ids(ids) == {ids[0]: "aaaaaaaaaa11", ids[1]: "aaaaaaaaaa12", ids[2]: "bbbbbbbb"}
    assert sessions.short_ids([]) == {}


# -- the program -----------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, server: RedisServer) -> Iterator[Home]:
    """A user whose Redis is `server`."""
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant"})
    yield home
    home.close()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--frobnicate"], 2, "riffle: riffle has no option --frobnicate."),
        (["chatt"], 2, "riffle: There is no command 'chatt'."),
        ([], 2, "riffle: stdout is not a terminal, so there is no screen."),
        (["attach", "a"], 2, "riffle: stdout is not a terminal, so there is no screen."),
        (["replay", "a"], 2, "riffle: stdout is not a terminal, so there is no screen."),
        (["run"], 2, "riffle: There is no prompt."),
        (["tail", "nobody"], 1, "riffle: There is no session 'nobody'."),
        (["send", "nobody", "hi"], 1, "riffle: There is no session 'nobody'."),
        (["run", "hi", "-m", "opnai:gpt"], 1, "riffle: No provider is known for the model 'opnai:gpt'."),
        (["run", "hi", "-m", "openai:gpt"], 1, "riffle: There is no API key for OpenAI."),
        (["sessions", "--redis", "redis://127.0.0.1:1"], 1, "riffle: Redis at redis://127.0.0.1:1 cannot be reached"),
        (
            ["sessions", "--redis", "nonsense"],
            2,
            "riffle: This is not the address of a Redis server: it has no redis://",
        ),
        (["chat", "--redis", "redis+sentinel://h"], 2, "riffle: 'redis+sentinel://h' is not the address of a Redis"),
        (["sessions", "--redis", "redis+cluster://127.0.0.1:1"], 1, "riffle: Redis at redis+cluster://127.0.0.1:1 can"),
    ],
)
def test_errors_are_one_sentence_and_a_hint(home: Home, words: list[str], code: int, sentence: str) -> None:
    done = home.call(*words)
    assert done.returncode == code
    assert done.stdout == ""
    first, *hints = done.stderr.splitlines()
    assert first.startswith(sentence)
    assert all(line.startswith("  ") for line in hints)
    assert "Traceback" not in done.stderr


def test_a_wrong_password_is_named_and_not_shown(home: Home) -> None:
    server = RedisServer("--requirepass", "right-one")
    try:
        wrong = home.call("sessions", "--redis", server.url.replace("unix://", "unix://:hunter2@"))
        none = home.call("sessions", "--redis", server.url)
    finally:
        server.close()
    assert (wrong.returncode, none.returncode) == (1, 1)
    assert "password" in wrong.stderr
    assert "password" in none.stderr
    assert "hunter2" not in wrong.stderr


def test_r16_a_key_that_is_no_stream_is_named(home: Home, server: RedisServer) -> None:
    server.command("SET", "not:a:stream", "1")
    done = home.call("tail", "--stream", "not:a:stream", "--no-follow")
    assert done.returncode == 1
    assert "'not:a:stream'" in done.stderr
    assert "not a stream" in done.stderr


def test_help_goes_to_stdout(home: Home) -> None:
    done = home.run("tail", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PAGES["tail"].text()


def test_the_version_is_one_line(home: Home) -> None:
    done = home.call("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("riffle 0.")
    assert done.stdout.count("\n") == 1


def test_sessions_are_listed_shown_renamed_and_deleted(home: Home, server: RedisServer) -> None:
    assert home.call("run", "A very first question", "-m", "demo:fast").returncode == 0
    table = home.call("sessions").stdout.splitlines()
    row = next(line for line in table if "A very first question" in line)
    listed = next(info for info in home.sessions() if info["title"] == "A very first question")
    assert listed["id"].startswith(row.split()[0])
    assert listed["messages"] == 2
    assert row.endswith("ended")

    assert home.call("sessions", "rename", listed["id"][:10], "Another title").returncode == 0
    shown = json.loads(home.call("sessions", "show", "Another title", "--json").stdout)
    assert (shown["id"], shown["title"], shown["model"]) == (listed["id"], "Another title", "demo:fast")
    assert shown["entries"] > 5

    unasked = home.call("sessions", "delete", "Another title")
    assert (unasked.returncode, unasked.stdout) == (2, "")
    home.call("run", "Another one")
    ids = [info["id"] for info in home.sessions() if info["title"].startswith("Another")]
    server.command("CONFIG RESETSTAT")
    server.command("CONFIG SET maxmemory 100kb")
    try:
        assert home.call("sessions", "delete", *ids, "--yes").returncode == 0, "a full Redis cannot be emptied"
    finally:
        server.command("CONFIG SET maxmemory 0")
    assert "cmdstat_scan:calls=1," in server.command("INFO commandstats"), "it looked through all of Redis for each"
    assert "Another" not in home.call("sessions").stdout


def test_a_prompt_waits_for_an_engine_that_is_not_there(home: Home) -> None:
    home.call("run", "To be sent to")
    done = home.call("send", "To be sent to", "And another one")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "no engine is running" in done.stderr
    assert json.loads(home.call("sessions", "show", "To be sent to", "--json").stdout)["waiting"] == 1


def test_an_engine_answers_knows_its_session_by_the_id_first_and_leaves_when_it_is_deleted(home: Home) -> None:
    home.call("run", "The one that is meant")
    meant = next(info["id"] for info in home.sessions() if info["title"] == "The one that is meant")
    home.call("run", meant)
    home.call("send", meant[:12], "What is a stream?")
    engine = home.start("engine", "--session", meant)
    tail = home.start("tail", meant[:12], "--output", "json")
    assert tail.stdout is not None
    finished = 0
    for line in tail.stdout:
        finished += json.loads(line)["event"]["type"] == "run-finished"
        if finished == 2:
            break
    tail.terminate()
    tail.communicate(timeout=20)
    assert tail.returncode == 143
    assert home.call("sessions", "delete", meant[:12], "--yes").returncode == 0
    _, errors = engine.communicate(timeout=20)
    assert (engine.returncode, errors) == (0, f"riffle: The session {meant} was deleted: its engine ends.\n")
    late = home.call("engine", "--session", meant)
    assert (late.returncode, late.stderr) == (0, errors)


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = "import sys; from tui.__main__ import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"textual", "rich", "redis", "pydantic", "openai", "anthropic", "asyncio"}


def test_an_engine_without_a_session_answers_the_pool(home: Home, server: RedisServer) -> None:
    home.call("run", "Open to any engine")
    session = next(info["id"] for info in home.sessions() if info["title"] == "Open to any engine")
    with Redis(unix_socket_path=server.socket) as redis:
        redis.hset(f"riffle:{{{session}}}:meta", "answering", "pool")
    row = next(line for line in home.call("sessions").stdout.splitlines() if "Open to any engine" in line)
    assert row.endswith("open to any engine")
    sent = home.call("send", session, "What is a stream?")
    assert "The next free engine answers it" in sent.stderr
    engine = home.start("engine")
    wait_until_now(
        lambda: home.call("tail", session, "--no-follow", "--output", "json").stdout.count('"run-finished"') == 2,
        timeout=20,
    )
    assert engine.stderr is not None
    assert engine.stderr.readline().startswith("riffle: Answering sessions")
    server.kill9()
    try:
        assert engine.stderr.readline().startswith("riffle: Redis at ")
        assert engine.stderr.readline() == "  riffle goes on as soon as it is back.\n"
    finally:
        server.start()
    assert engine.stderr.readline() == "riffle: Redis is back.\n"
    engine.terminate()
    _, errors = engine.communicate(timeout=20)
    assert (engine.returncode, errors) == (143, "")


def test_deleting_asks_in_a_terminal(home: Home) -> None:
    home.call("run", "To be deleted")
    for answer, left in (("n", 1), ("y", 0)):
        keyboard, terminal = os.openpty()
        os.write(keyboard, answer.encode() + b"\n")
        with os.fdopen(terminal) as stdin:
            done = home.call("sessions", "delete", "To be deleted", stdin=stdin)
        os.close(keyboard)
        assert (done.returncode, "for ever? [y/N]" in done.stderr) == (left, True)
        assert len([info for info in home.sessions() if info["title"] == "To be deleted"]) == left
    home.call("run", "Not to be deleted")
    screen = home.open("sessions", "delete", "Not to be deleted")
    screen.wait_for("for ever? [y/N]")
    screen.type(CTRL_C)
    assert screen.wait_exit() == 130
