"""`riffle doctor`: what is there, what is wrong, the fix, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from tests.support.riffle import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user with an embedded server."""
    home = Home(tmp_path, {"RIFFLE_MODEL": ""})
    yield home
    home.close()


def line(report: str, what: str) -> str:
    """The line on `what`, its mark in front."""
    return next(line.strip() for line in report.splitlines() if line[6:].startswith(what))


def test_a_fresh_machine_is_fine(home: Home) -> None:
    done = home.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert line(done.stdout, "program").startswith("ok")
    assert "redis-server" in line(done.stdout, "program")
    assert "riffle's own" in line(done.stdout, "address")
    assert "process " in line(done.stdout, "server")
    assert line(done.stdout, "keeper").startswith("ok")
    assert "noeviction" in line(done.stdout, "when it is full")
    assert line(done.stdout, "OPENAI_API_KEY") == f"-   {'OPENAI_API_KEY':<20} not set"
    assert "demo" in line(done.stdout, "model")
    for path in ("config", "data", "state"):
        assert str(home.folder) in line(done.stdout, path)
    assert "(mode 700)" in line(done.stdout, "data")


def test_keys_are_seen_and_not_shown(home: Home) -> None:
    home.env |= {"OPENAI_API_KEY": "sk-value-of-the-key", "RIFFLE_REDIS_URL": "redis://me:secret-word@127.0.0.1:1"}
    done = home.run("doctor")
    assert line(done.stdout, "OPENAI_API_KEY").endswith(" set")
    assert line(done.stdout, "model").startswith(f"ok  {'model':<20} openai:")
    assert "sk-value" not in done.stdout + done.stderr
    assert "secret-word" not in done.stdout + done.stderr


def test_what_is_wrong_is_named_with_its_fix(home: Home) -> None:
    home.env["RIFFLE_REDIS_URL"] = "redis://127.0.0.1:1"
    done = home.run("doctor", "-m", "opnai:gpt")
    assert done.returncode == 1
    assert line(done.stdout, "connection").startswith("✗")
    assert line(done.stdout, "model").startswith("✗")
    assert "→ Start the server" in done.stdout
    assert "Did you mean openai:gpt?" in done.stdout


def test_a_redis_that_forgets_and_evicts_is_noticed(home: Home) -> None:
    server = RedisServer("--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    try:
        done = home.run("doctor", "--redis", server.url)
    finally:
        server.close()
    assert done.returncode == 1
    assert line(done.stdout, "durability").startswith("!")
    assert line(done.stdout, "when it is full").startswith("✗")


def test_an_odd_config_is_explained(home: Home) -> None:
    folder = home.folder / "config"
    folder.mkdir()
    (folder / "config.toml").write_text('modle = "demo"\n')
    done = home.run("doctor")
    assert done.returncode == 0
    assert "modle is not a setting of riffle. Did you mean model?" in done.stdout


def test_open_folders_are_noticed(home: Home) -> None:
    data = home.folder / "data"
    data.mkdir(mode=0o755)
    done = home.run("doctor")
    assert done.returncode == 1
    assert f"chmod go= {data}" in done.stdout


def test_without_a_server_program_it_says_how_to_get_one(home: Home) -> None:
    home.env["RIFFLE_REDIS_SERVER"] = "/nonexistent/redis-server"
    done = home.run("doctor")
    assert done.returncode == 1
    assert line(done.stdout, "program").startswith("✗")
