"""`riffle run`: the answer on stdout, everything else on stderr, the outcome in the exit code."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from bus.codec import decode
from bus.timeline import Timeline
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until_now
from tui.cli.transcript import Transcript

ENDING = "- Ask me: *How do I set a key and talk to a real model?*\n"
"""How the demo's first answer ends."""


@pytest.fixture
def home(tmp_path: Path, server: RedisServer) -> Iterator[Home]:
    """A user whose Redis is `server`, emptied."""
    server.command("FLUSHALL")
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant"})
    yield home
    home.close()


def records(home: Home, *words: str) -> list[dict[str, Any]]:
    """The lines of a run with `--output json`."""
    done = home.call("run", *words, "--output", "json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def kinds(home: Home, name: str) -> list[str]:
    """The types of a session's events."""
    done = home.call("tail", name, "--no-follow", "--output", "json")
    return [json.loads(line)["event"]["type"] for line in done.stdout.splitlines()]


def test_the_answer_and_nothing_else_goes_to_stdout(home: Home) -> None:
    done = home.run("run", "Hello")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# Hello from the demo\n")
    assert done.stdout.endswith(ENDING)
    assert "list_files" not in done.stdout


def test_v10_without_a_terminal_a_chat_with_a_prompt_is_a_run(home: Home) -> None:
    done = home.call("Hello")
    assert done.returncode == 0
    assert done.stdout.endswith(ENDING)


def test_what_is_piped_in_is_added_to_the_prompt(home: Home) -> None:
    found = records(home, "Hello")
    assert found[0]["event"]["text"] == "Hello"
    done = home.call("run", "Look:", "--output", "json", stdin="line 1\nline 2\n")
    assert json.loads(done.stdout.splitlines()[0])["event"]["text"] == "Look:\n\nline 1\nline 2"
    done = home.call("run", "-", "--output", "json", stdin="only this\n")
    assert json.loads(done.stdout.splitlines()[0])["event"]["text"] == "only this"


def test_json_is_every_event_of_the_turn_unchanged(home: Home) -> None:
    printed = home.call("run", "Hello", "--output", "json").stdout
    tailed = home.call("tail", "Hello", "--output", "json", "--no-follow").stdout
    assert printed == tailed
    first, *_, last = (json.loads(line) for line in printed.splitlines())
    assert list(first) == ["id", "ts", "event"]
    assert first["event"]["type"] == "riffle-user-message"
    assert last["event"]["type"] == "run-finished"


def test_yaml_is_one_document_per_event(home: Home) -> None:
    done = home.call("run", "Hello", "--output", "yaml")
    documents = re.split(r"^---\n", done.stdout, flags=re.MULTILINE)[1:]  # a text may hold "---" too, indented
    assert len(documents) == len(kinds(home, "Hello"))
    assert all(document.startswith('id: "') for document in documents)
    assert "  type: run-finished\n" in documents[-1]


def test_a_session_is_continued_by_name_and_as_the_last_one(home: Home) -> None:
    home.call("run", "Hello")
    assert home.call("run", "-s", "Hello", "What is a stream?").returncode == 0
    again = records(home, "-c", "How does replay work?")
    assert again[0]["event"]["text"] == "How does replay work?"
    assert len(home.sessions()) == 1
    assert kinds(home, "Hello").count("run-finished") == 3


def test_there_is_nothing_to_continue_in_an_empty_redis(home: Home) -> None:
    done = home.call("run", "-c", "Hello")
    assert done.returncode == 1
    assert done.stderr.startswith("riffle: There is no session to go on with.")


def test_tools_and_the_number_of_calls_are_limited(home: Home) -> None:
    assert "tool-call" in {record["event"]["type"] for record in records(home, "Hello")}
    assert "tool-call" not in {record["event"]["type"] for record in records(home, "Hello", "--no-tools")}
    done = home.call("run", "Hello", "--max-calls", "1", "--output", "json")
    assert done.returncode == 1
    assert "max-calls" in done.stderr
    last = json.loads(done.stdout.splitlines()[-1])["event"]
    assert (last["type"], last["reason"]) == ("run-stopped", "max-calls")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_answer_and_keeps_what_there_was(home: Home, number: int, code: int) -> None:
    process = home.start("run", "Hello", "-m", "demo")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert first == "# Hello from the demo\n"
    assert not rest.endswith(ENDING)
    assert rest.endswith("\n")
    assert errors == "riffle: Interrupted.\n"
    assert kinds(home, "Hello")[-2:] == ["interrupt", "run-stopped"]


def test_p10_a_signal_while_redis_is_away_says_what_it_waits_for(home: Home, server: RedisServer) -> None:
    process = home.start("run", "Hello", "-m", "demo")
    assert process.stdout and process.stderr
    process.stdout.readline()
    server.stop()
    try:
        process.send_signal(signal.SIGINT)
        waits = "riffle: The answer stops as soon as Redis is back."
        assert any(line.startswith(waits) for line in process.stderr), "it ended, or said nothing"
    finally:
        server.cont()
    _, said = process.communicate(timeout=20)
    assert "Interrupted." in said
    assert process.returncode == 130


def test_a_reader_that_goes_away_ends_it_quietly(home: Home) -> None:
    command = f"{sys.executable} -m tui run Hello | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=home.env, cwd=home.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0] == "# Hello from the demo"
    assert done.stdout.splitlines()[-1] in ("141", "0")
    assert done.stderr == ""


def test_a_provider_that_cannot_be_reached_fails_in_words(home: Home) -> None:
    home.env |= {"OPENAI_API_KEY": "sk-of-the-test", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    done = home.call("run", "Hello", "-m", "openai-chat:gpt", "--retries", "0")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("riffle: ")
    assert "Traceback" not in done.stderr
    assert "sk-of-the-test" not in done.stderr
    assert kinds(home, "Hello")[-2:] == ["error", "run-failed"]


def test_an_engine_that_is_there_already_answers(home: Home) -> None:
    home.call("run", "Hello")
    [info] = home.sessions()
    engine = home.start("engine", "--session", info["id"])
    try:
        wait_until_now(lambda: home.sessions()[0]["live"], what="the engine's lease")
        done = home.call("run", "-c", "What is a stream?")
        assert done.returncode == 0
        assert "A stream is a list that only grows" in done.stdout
        assert engine.poll() is None
    finally:
        engine.terminate()
        engine.communicate()


def test_a_queue_that_is_held_back_is_named_and_nothing_is_left_in_it(home: Home, server: RedisServer) -> None:
    home.call("run", "Hello")
    [info] = home.sessions()
    with Redis(unix_socket_path=server.socket) as redis:
        redis.set(f"riffle:{{{info['id']}}}:paused", "1")
    home.call("send", "Hello", "It waits")
    done = home.call("run", "-c", "And so does this")
    assert done.returncode == 1
    assert "held back" in done.stderr
    assert json.loads(home.call("sessions", "show", "Hello", "--json").stdout)["waiting"] == 1


def test_in_a_terminal_the_rest_is_seen_on_stderr(home: Home) -> None:
    command = f"{sys.executable} -m tui run Hello > answer.md"
    terminal = Terminal(["/bin/sh", "-c", command], home.env, cwd=home.folder)
    try:
        assert terminal.wait_exit() == 0
        screen = terminal.text()
        assert "[thinking]" in screen
        assert "[tool] list_files" in screen
        assert "Hello from the demo" not in screen
        assert (home.folder / "answer.md").read_text().endswith(ENDING)
    finally:
        terminal.close()


def test_what_is_said_in_the_middle_of_an_answer_has_a_line_of_its_own(tmp_path: Path) -> None:
    with (
        (tmp_path / "both").open("w") as out,
        (tmp_path / "both").open("a") as err,
        (tmp_path / "only").open("w") as own,
    ):
        for answers in (out, own):
            timeline, transcript = Timeline(), Transcript(answers, None)
            for number, delta in enumerate(("half a ", "line")):
                payload = json.dumps({"type": "partial", "meta": {"message_id": "m"}, "delta": delta})
                transcript.show(timeline.apply(decode(payload), f"{number}-0", 1))
                transcript.end_line(err)
        err.write("riffle: It is said.\n")
    assert (tmp_path / "both").read_text() == "half a \nline\nriffle: It is said.\n"
    assert (tmp_path / "only").read_text() == "half a line"


def test_a_terminal_gets_no_control_character(home: Home) -> None:
    recording = "hostile \x1b]52;c;eA==\x07 and \x9b2J and \x7f"
    terminal = _Terminal()
    timeline, transcript = Timeline(), Transcript(terminal, terminal)
    payload = json.dumps({"type": "partial", "meta": {"message_id": "m"}, "delta": recording})
    transcript.show(timeline.apply(decode(payload), "1-0", 1))
    transcript.flush()
    assert "hostile" in terminal.getvalue()
    assert not any(character in terminal.getvalue() for character in "\x1b\x07\x9b\x7f")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
