"""`riffle tail`: any stream on stdout, from any position, whatever stands in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.fixtures import fixtures_dir
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home

STREAM = "some:stream"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, server: RedisServer) -> Iterator[Home]:
    """A user whose Redis is `server`."""
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant"})
    yield home
    home.close()


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    """A client like that of somebody else's producer."""
    with Redis(unix_socket_path=server.socket) as client:
        yield client


def tail(home: Home, *words: str) -> list[str]:
    """The lines of the stream as it is now."""
    done = home.call("tail", "--stream", STREAM, "--no-follow", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def add(redis: Redis, entry_id: str, **event: object) -> None:
    """Append an event as any producer may."""
    redis.xadd(
        STREAM, {"payload": json.dumps({"meta": {"message_id": "m1"}, **event}, ensure_ascii=False)}, id=entry_id
    )


def test_text_for_people(home: Home, redis: Redis) -> None:
    add(redis, "1-0", type="riffle-user-message", text="What is\nthis?")
    add(redis, "2-0", type="partial-thinking", delta="Let me ")
    add(redis, "3-0", type="partial-thinking", delta="see.")
    add(redis, "4-0", type="tool-call", tool_call={"id": "t", "name": "look", "input": '{"at":"it"}'})
    add(redis, "5-0", type="tool-call-execution-result", tool_result={"id": "t", "result": "x" * 500})
    add(redis, "6-0", type="partial", delta="It is ")
    add(redis, "7-0", type="partial", delta="a test.")
    add(redis, "8-0", type="error", error_string="It broke.", hint="Mend it.")
    lines = tail(home)
    assert lines[:8] == [
        "> What is",
        "> this?",
        "",
        "[thinking]",
        "Let me see.",
        "",
        '[tool] look {"at":"it"}',
        lines[7],
    ]
    assert lines[7].endswith("… (500 characters; --full shows all)")
    assert lines[8:] == ["", "It is a test.", "", "[error] It broke.", "        Mend it."]
    assert "[result] " + "x" * 500 in tail(home, "--full")


def test_metadata_are_shown_when_they_are_asked_for(home: Home) -> None:
    home.call("run", "Hello")
    plain = home.call("tail", "Hello", "--no-follow").stdout
    more = home.call("tail", "Hello", "--no-follow", "--with-metadata").stdout
    assert "demo:instant" not in plain
    assert "[demo:instant · " in more


def test_every_entry_is_a_line_of_json(home: Home, redis: Redis) -> None:
    pretty = '{\n  "type": "partial",\n  "delta": "a\\u2028b"\n}'
    redis.xadd(STREAM, {"payload": pretty}, id="1-0")
    redis.xadd(STREAM, {"payload": "{not json"}, id="2-0")
    redis.xadd(STREAM, {"colour": "blue", "size": "3"}, id="3-0")
    redis.xadd(STREAM, {"payload": '{"type":"my-own","value":1}', "ts": "77"}, id="4-0")
    first, broken, foreign, own = (json.loads(line) for line in tail(home, "--output", "json"))
    assert first == {"id": "1-0", "ts": 1, "event": {"type": "partial", "delta": "a\u2028b"}}
    assert (broken["id"], broken["raw"]) == ("2-0", "{not json")
    assert "not JSON" in broken["error"]
    assert foreign["event"]["fields"] == {"colour": "blue", "size": "3"}
    assert own == {"id": "4-0", "ts": 77, "event": {"type": "my-own", "value": 1}}


def test_d02_garbage_is_shown_and_the_rest_as_well(home: Home, redis: Redis) -> None:
    redis.xadd(STREAM, {"payload": b"\xff\xfe"}, id="1-0")
    redis.xadd(STREAM, {"payload": "[]"}, id="2-0")
    redis.xadd(STREAM, {"payload": '{"type":"partial","delta":5}'}, id="3-0")
    add(redis, "4-0", type="partial", delta="Still here.")
    lines = [line for line in tail(home) if line]
    assert [line.split("]")[0] for line in lines] == ["[cannot be read"] * 3 + ["Still here."]


def test_plain_text_streams_are_read_by_their_field(home: Home, redis: Redis) -> None:
    for number, (answer, token) in enumerate([("a", "One "), ("a", "two."), ("a", "<end>"), ("b", "Next.")], 1):
        redis.xadd(STREAM, {"token": token, "answer": answer}, id=f"{number}-0")
    words = ("--text-field", "token", "--id-field", "answer", "--end-value", "<end>")
    assert [line for line in tail(home, *words) if line] == ["One two.", "Next."]
    events = [json.loads(line)["event"] for line in tail(home, *words, "--output", "json")]
    assert [event["type"] for event in events] == ["partial", "partial", "final", "partial"]


def test_reading_starts_where_it_is_told_to(home: Home, redis: Redis) -> None:
    for number in range(1, 5):
        add(redis, f"{number}-0", type="log", level="info", message=f"number {number}")
    assert [line for line in tail(home, "--from", "3-0") if line] == ["[info] number 3", "[info] number 4"]
    assert [line for line in tail(home, "--from", "4") if line] == ["[info] number 4"]
    assert tail(home, "--from", "now") == []


def test_v03_a_stream_that_is_not_there_is_told(home: Home, redis: Redis) -> None:
    done = home.call("tail", "--stream", STREAM, "--no-follow")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"There is no stream {STREAM!r}." in done.stderr
    following = home.start("tail", "--stream", STREAM)
    assert following.stderr is not None
    assert following.stdout is not None
    assert following.stderr.readline().startswith(f"riffle: There is no stream {STREAM!r} yet")
    add(redis, "1-0", type="log", level="info", message="the first")
    assert following.stdout.readline() == "[info] the first\n"
    following.terminate()
    following.communicate(timeout=10)


def test_nothing_that_commands_a_terminal_is_printed_into_a_file(home: Home, redis: Redis) -> None:
    hostile = "\x1b]52;c;aGk=\x07 \x9b31m \x7f tab\there, \u200fשלום"
    add(redis, "1-0", type="log", level="info", message=hostile)
    (line,) = tail(home)
    assert line == "[info] ␛]52;c;aGk=␇ �31m ␡ tab\there, \u200fשלום"
    (record,) = tail(home, "--output", "json")
    assert not any("\x7f" <= letter <= "\x9f" for letter in record)
    assert json.loads(record)["event"]["message"] == hostile


def test_r01_it_follows_through_an_outage_until_it_is_interrupted(
    home: Home, redis: Redis, server: RedisServer
) -> None:
    add(redis, "1-0", type="log", level="info", message="before")
    process = home.start("tail", "--stream", STREAM)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "[info] before\n"
    server.kill9()
    away = process.stderr.readline()
    assert away.startswith("riffle: Redis at ") and "TLS" not in away
    assert process.stderr.readline() == "  riffle goes on as soon as it is back.\n"
    server.start()
    assert process.stderr.readline() == "riffle: Redis is back.\n"
    with Redis(unix_socket_path=server.socket) as again:
        add(again, "2-0", type="log", level="info", message="after")
    assert process.stdout.readline() == "\n"
    assert process.stdout.readline() == "[info] after\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert (process.returncode, rest) == (130, "")


def test_a_reader_that_goes_away_ends_it_quietly(home: Home, redis: Redis) -> None:
    for number in range(1, 3000):
        add(redis, f"{number}-0", type="log", level="info", message=f"number {number}")
    command = f"{sys.executable} -m tui tail --stream {STREAM} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=home.env, cwd=home.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["[info] number 1", "141"]
    assert done.stderr == ""


def test_streams_of_the_ancestor_are_printed(home: Home, redis: Redis) -> None:
    folder = fixtures_dir()
    if folder is None:
        pytest.skip("the recorded conversations are not here: set RIFFLE_FIXTURES to their folder")
    payloads = (folder / "geppetto" / "conversations" / "seed-thinking-tool-final.payloads.jsonl").read_bytes()
    for payload in payloads.splitlines():
        redis.xadd(STREAM, {"payload": payload, "metadata": b"", "_watermill_message_uuid": "u"})
    text = "\n".join(tail(home))
    assert "[thinking]\nThe user wants the weather in Zürich." in text
    assert "[tool] get_weather" in text
    assert "It is **4.5 °C** and foggy in Zürich 🌫️." in text
    printed = [json.loads(line)["event"] for line in tail(home, "--output", "json")]
    assert printed == [json.loads(payload) for payload in payloads.splitlines()]
