"""`riffle sessions export`, `import` and `fork`: a session goes through a file, and goes on as before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.redis.store import open_store
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@pytest.fixture
def home(tmp_path: Path, server: RedisServer) -> Iterator[Home]:
    """A user whose Redis is `server`, emptied, and has one session of two turns, the first with an attachment."""
    server.command("FLUSHALL")
    home = Home(tmp_path, {"RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "demo:instant"})
    (tmp_path / "map.png").write_bytes(PICTURE)
    assert home.call("run", "Rivers @map.png").returncode == 0
    assert home.call("run", "-c", "And lakes?").returncode == 0
    yield home
    home.close()


def events(home: Home, name: str) -> str:
    """The session's events, as they are."""
    done = home.call("tail", name, "--no-follow", "--output", "json")
    assert done.returncode == 0, done.stderr
    return done.stdout


async def block(server: RedisServer, session_id: str, key: str) -> bytes | None:
    """What an engine of that session gets for an attachment of it."""
    store = await open_store(server.url, client_name="t")
    try:
        return await store.stream(session_id).get_block(key)
    finally:
        await store.close()


def ask(home: Home, *words: str) -> str:
    done = home.call("sessions", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_exported_session_is_imported_replayed_and_goes_on(home: Home, server: RedisServer) -> None:
    [info] = home.sessions()
    before = events(home, info["id"])
    file = home.folder / "rivers.jsonl.gz"
    ask(home, "export", info["id"], str(file))
    assert events(home, str(file)) == before
    assert ask(home, "export", info["id"], "--output", "json") == before.strip()
    ask(home, "export", info["id"])
    assert (home.folder / f"{info['id']}.jsonl.gz").exists()

    copied = ask(home, "import", str(file))
    assert copied != info["id"]
    assert events(home, copied) == before
    ask(home, "delete", info["id"], "-y")
    [file_of_it] = json.loads(before.splitlines()[0])["event"]["attachments"]
    assert asyncio.run(block(server, copied, file_of_it["block_key"])) == PICTURE
    assert ask(home, "import", str(file)) not in (info["id"], copied), "a deleted session came back"

    server.command("FLUSHALL")
    assert ask(home, "import", str(file)) == info["id"]
    [known] = home.sessions()
    assert {**known, "stream_epoch": ""} == {**info, "stream_epoch": ""}
    assert home.call("run", "-s", info["id"], "And seas?").returncode == 0
    after = [json.loads(line)["event"] for line in events(home, info["id"]).splitlines()]
    assert len(after) > before.count("\n")
    assert not any("gap" in event["type"] for event in after)


def test_what_cannot_be_exported_or_imported_is_said(home: Home) -> None:
    [info] = home.sessions()
    file = home.folder / "rivers.jsonl.gz"
    ask(home, "export", info["id"], str(file))
    whole = file.read_bytes()
    for words, sentence in (
        (("export", info["id"], str(file)), f"{file} is there already."),
        (("export", info["id"], "/nowhere/at/all"), "/nowhere/at/all: No such file or directory."),
        (("import", str(home.folder / "map.png")), "map.png is not a session that was exported."),
        (("import", "absent"), "absent: No such file or directory."),
        (("fork", info["id"], "--from", "1-0"), "The session has no entry 1-0."),
    ):
        done = home.call("sessions", *words)
        assert (done.returncode, done.stdout, sentence in done.stderr) == (1, "", True), done.stderr
    file.write_bytes(whole[:-30])
    assert f"The file {file} is cut off." in home.call("sessions", "import", str(file)).stderr
    assert len(home.sessions()) == 1


def test_a_fork_has_the_turns_up_to_the_entry_and_goes_its_own_way(home: Home) -> None:
    [info] = home.sessions()
    before = events(home, info["id"]).splitlines(keepends=True)
    kinds: list[Any] = [json.loads(line)["event"]["type"] for line in before]
    end = kinds.index("run-finished")
    inside = json.loads(before[end // 2])["id"]
    made = ask(home, "fork", info["id"], "--from", inside)
    assert events(home, made) == "".join(before[: end + 1]), "the turn was cut in two"
    whole = ask(home, "fork", info["id"])
    assert events(home, whole) == "".join(before)
    assert home.call("run", "-s", made, "And glaciers?").returncode == 0
    listed = {session["id"]: (session["title"], session["messages"]) for session in home.sessions()}
    assert listed[made] == ("Rivers @map.png (fork)", 4) == listed[whole]
    assert events(home, info["id"]) == "".join(before)
