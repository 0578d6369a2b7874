"""`riffle doctor`: what is there, what is wrong, the fix, and never a secret."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.durability import AS_GIVEN
from bus.events import Info
from bus.redis.address import parse_address
from bus.redis.health import ServerInfo, reach_without_password
from bus.redis.roles import ROLES, Role, set_user
from bus.redis.store import Store
from bus.redis_binary import choose_binary
from bus.session import Prompt, SessionInfo
from bus.writer import Writer
from tests.support.redis_sentinel import Sentinel
from tests.support.redis_server import RedisServer
from tests.support.replicas import free_port
from tests.support.riffle import Home
from tests.support.waiting import wait_until, wait_until_now
from tui.cli.acl import acl
from tui.cli.context import Context
from tui.cli.doctor import machine
from tui.cli.doctor.finding import Finding
from tui.cli.doctor.server import access, redis_cli, set_up
from tui.cli.doctor.server import server as examine
from tui.config import load_config
from tui.paths import find_paths


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user with an embedded server."""
    home = Home(tmp_path, {"RIFFLE_MODEL": ""})
    yield home
    home.close()


def context_of(server: str, **env: str) -> Context:
    paths = find_paths(os.environ)
    return Context(paths, load_config(paths, {"RIFFLE_REDIS_URL": server, **env}))


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
    assert line(done.stdout, "no key set for").endswith(" openrouter, deepseek, groq, mistral, xai")
    assert "ollama" not in done.stdout
    assert "demo" in line(done.stdout, "model")
    for path in ("config", "data", "state"):
        assert str(home.folder) in line(done.stdout, path)
    assert "(mode 700)" in line(done.stdout, "data")


def test_a_demo_that_there_is_not_is_told_with_those_that_there_are() -> None:
    (found,) = [f for f in machine.models(context_of("redis://h", RIFFLE_MODEL="demo:slow")) if f.what == "model"]
    assert (found.mark, found.found) == ("bad", "demo:slow")
    assert "no variant 'slow'" in found.fix and "demo:fast" in found.fix
    (found,) = [f for f in machine.models(context_of("redis://h", RIFFLE_MODEL="demo:fast")) if f.what == "model"]
    assert found.mark == "ok"


def test_keys_are_seen_and_not_shown(home: Home) -> None:
    home.env |= {"OPENAI_API_KEY": "sk-value-of-the-key", "RIFFLE_REDIS_URL": "redis://me:secret-word@127.0.0.1:1"}
    done = home.call("doctor")
    assert line(done.stdout, "OPENAI_API_KEY").endswith(" set")
    assert line(done.stdout, "model").startswith(f"ok  {'model':<20} openai:")
    assert "sk-value" not in done.stdout + done.stderr
    assert "secret-word" not in done.stdout + done.stderr


def test_what_is_wrong_is_named_with_its_fix(home: Home) -> None:
    home.env["RIFFLE_REDIS_URL"] = "redis://127.0.0.1:1"
    done = home.call("doctor", "-m", "opnai:gpt")
    assert done.returncode == 1
    assert line(done.stdout, "connection").startswith("✗")
    assert line(done.stdout, "model").startswith("✗")
    assert "→ Start the server" in done.stdout
    assert "Did you mean openai:gpt?" in done.stdout


def test_an_odd_config_is_explained(home: Home) -> None:
    folder = home.folder / "config"
    folder.mkdir()
    (folder / "config.toml").write_text('modle = "demo"\n[providers.groq]\nmodel = "m"\n[providers.box]\nmodel = "m"\n')
    done = home.call("doctor")
    assert done.returncode == 0
    assert "modle is not a setting of riffle. Did you mean model?" in done.stdout
    assert line(done.stdout, "providers.groq").endswith("has no key: GROQ_API_KEY is not set")
    assert line(done.stdout, "providers.box").endswith("has no address")
    assert not line(done.stdout, "no key set for").endswith("groq, mistral, xai")


def test_open_folders_are_noticed(home: Home) -> None:
    data = home.folder / "data"
    data.mkdir(mode=0o755)
    done = home.call("doctor")
    assert done.returncode == 1
    assert f"chmod go= {data}" in done.stdout


def test_without_a_server_program_it_says_how_to_get_one(home: Home) -> None:
    home.env["RIFFLE_REDIS_SERVER"] = "/nonexistent/redis-server"
    done = home.call("doctor")
    assert done.returncode == 1
    assert line(done.stdout, "program").startswith("✗")


# -- what Redis is set up for -------------------------------------------------------------------------------------


@pytest.fixture
def forgetful() -> Iterator[RedisServer]:
    """A server that evicts, keeps nothing on its disk, and lets every user of the machine in."""
    options = ("--maxmemory-policy", "allkeys-lru", "--appendonly", "no", "--maxmemory", "2mb")
    server = RedisServer(*options, "--bind", "127.0.0.1", "--port", str(free_port()))
    yield server
    server.close()


async def look(server: str, **env: str) -> dict[str, Finding]:
    """What the doctor finds about the server at that address."""
    return {finding.what: finding for finding in await examine(context_of(server, **env))}


def do(fix: str) -> None:
    """Do as the report says, with a client that everybody has."""
    path = f"{Path(choose_binary().path).parent}:/usr/bin:/bin"
    done = subprocess.run(fix, shell=True, env={"PATH": path}, capture_output=True, text=True, timeout=10, check=True)
    assert set(done.stdout.split()) == {"OK"}, done


async def test_r13_an_evicting_server_is_named_with_a_fix_that_helps(forgetful: RedisServer) -> None:
    found = (await look(forgetful.url))["when it is full"]
    assert (found.mark, found.found) == ("bad", "maxmemory-policy allkeys-lru: it would delete conversations")
    do(found.fix)
    found = (await look(forgetful.url))["when it is full"]
    assert (found.mark, found.found) == ("ok", "noeviction")


def test_r13_an_engine_says_at_its_start_that_the_server_evicts(home: Home, forgetful: RedisServer) -> None:
    engine = home.start("engine", "--redis", forgetful.url)
    assert engine.stderr
    try:
        assert "maxmemory-policy allkeys-lru" in engine.stderr.readline()
        assert "CONFIG SET maxmemory-policy noeviction" in engine.stderr.readline()
        assert "Answering sessions" in engine.stderr.readline()
    finally:
        engine.terminate()
        engine.communicate(timeout=10)


async def test_memory_that_was_chosen_is_no_fault(forgetful: RedisServer) -> None:
    found = (await look(forgetful.url, RIFFLE_DURABILITY="memory"))["durability"]
    assert (found.mark, found.fix) == ("ok", "") and found.found.startswith("memory, as chosen: nothing is kept")


async def test_what_is_weaker_than_chosen_is_named_with_a_fix_that_helps(forgetful: RedisServer) -> None:
    found = (await look(forgetful.url))["durability"]
    assert (found.mark, found.found) == ("odd", "memory: nothing is kept when the server ends")
    found = (await look(forgetful.url, RIFFLE_DURABILITY="disk"))["durability"]
    assert found.mark == "bad" and found.found.startswith("memory, not disk")
    do(found.fix)
    assert (await look(forgetful.url, RIFFLE_DURABILITY="disk"))["durability"].found.startswith("disk: kept")
    found = (await look(forgetful.url, RIFFLE_DURABILITY="replica"))["durability"]
    assert found.mark == "bad" and "0 of 1 replicas" in found.found and "REPLICAOF" in found.fix


async def test_who_gets_in_without_a_password_is_told(forgetful: RedisServer) -> None:
    found = (await look(forgetful.url))["access"]
    assert (found.mark, found.found) == ("odd", "every user of its machine gets in without a password")
    do(found.fix.partition(", then")[0])
    findings = await look(f"unix://default:CHANGE-ME@{forgetful.socket}")
    assert findings["access"].mark == "ok"
    assert findings["when it is full"].fix.startswith(f"redis-cli -s {forgetful.socket} --user default --askpass ")
    called = redis_cli(parse_address("rediss://:secret@far:6390?ssl_ca_certs=/ca.pem"))
    assert called == "redis-cli -h far -p 6390 --tls --cacert /ca.pem --askpass"


@pytest.mark.parametrize(
    ("config", "version", "reach"),
    [
        ({"port": "0", "bind": ""}, (6, 2), "guarded"),
        ({"port": "0", "tls-port": "6380", "bind": "0.0.0.0", "protected-mode": "no"}, (6, 2), "world"),
        ({"port": "6379", "bind": "127.0.0.1 -::1", "protected-mode": "no"}, (7, 0), "machine"),
        ({"port": "6379", "bind": "", "protected-mode": "yes"}, (6, 2), "machine"),
        ({"port": "6379", "bind": "", "protected-mode": "no"}, (6, 2), "world"),
        ({"port": "6379", "bind": "0.0.0.0", "protected-mode": "yes"}, (6, 2), "world"),
        ({"port": "6379", "bind": "* -::*", "protected-mode": "yes"}, (7, 0), "machine"),
        ({"port": "6379", "bind": "* -::*", "protected-mode": "no"}, (7, 0), "world"),
        ({}, (7, 0), "unknown"),
    ],
)
def test_who_reaches_a_server_without_a_password(config: dict[str, str], version: tuple[int, ...], reach: str) -> None:
    assert reach_without_password(config, version) == reach


def findings(url: str = "redis://10.0.0.7:6379", **fields: Any) -> dict[str, Finding]:
    """What is said about a server that says so of itself."""
    known: dict[str, Any] = {"version": "7.0.15", "durability": "process", "role": "master", **fields}
    return {finding.what: finding for finding in set_up(ServerInfo(**known), AS_GIVEN, parse_address(url))}


def test_a_full_server_a_failed_write_a_replica_and_a_broken_cluster_are_told() -> None:
    nearly = findings(used_memory=95, maxmemory=100)["memory"]
    assert nearly.mark == "odd" and nearly.fix.endswith("redis-cli -h 10.0.0.7 -p 6379 CONFIG SET maxmemory 200")
    assert findings(used_memory=100, maxmemory=100)["memory"].mark == "bad"
    assert findings(used_memory=50, maxmemory=100)["memory"].mark == "ok"
    assert findings(write_errors=("aof",))["disk"].mark == "bad"
    assert findings(write_errors=("rdb",))["disk"].mark == "odd"
    assert (findings(role="slave")["role"].mark, findings(role="slave")["role"].found) == ("bad", "replica")
    assert findings(cluster="fail")["cluster"].mark == "bad"
    part = findings("rediss://ada:word@10.0.0.7:6379", cluster="ok")["cluster"]
    assert part.mark == "bad" and part.fix.endswith(" rediss+cluster://ada:•••@10.0.0.7:6379")
    assert findings("redis+cluster://10.0.0.7:6379", cluster="ok")["cluster"].mark == "ok"
    assert findings(version="6.0.16")["version"].mark == "bad"
    volatile = findings(maxmemory_policy="volatile-ttl")["when it is full"]
    assert volatile.mark == "odd" and "conversations stay" in volatile.found


def test_r14_the_address_of_a_sentinel_is_no_server_s_and_the_right_one_is_named(home: Home) -> None:
    port = free_port()
    master = RedisServer("--bind", "127.0.0.1", "--port", str(port))
    sentinel = Sentinel(master.folder, 0, port)
    try:
        wait_until_now(lambda: sentinel.sees_master_at(port), what="the sentinel")
        plain, right = f"redis://127.0.0.1:{sentinel.port}", f"redis+sentinel://127.0.0.1:{sentinel.port}"
        done = home.call("doctor", "--redis", plain)
        refused = home.call("run", "hello", "--redis", plain)
    finally:
        sentinel.close()
        master.close()
    assert done.returncode == 1
    assert line(done.stdout, "address").endswith(f" {plain} (from the command line)")
    assert line(done.stdout, "server").startswith("✗") and "this is a sentinel" in line(done.stdout, "server")
    assert f"→ Use the address of the service: {right}/chats" in done.stdout
    assert refused.returncode == 1 and "does not know the command" in refused.stderr and right in refused.stderr


def test_a_way_that_everybody_can_read_along_is_told(home: Home) -> None:
    (far,) = [f for f in access("guarded", parse_address("redis://me:word@10.0.0.7")) if f.what == "TLS"]
    assert far.mark == "odd" and "rediss://" in far.fix and "word" not in far.found.replace("password", "")
    assert [f.mark for f in access("guarded", parse_address("rediss://10.0.0.7")) if f.what == "TLS"] == ["ok"]
    assert not [f for f in access("guarded", parse_address("redis://127.0.0.1")) if f.what == "TLS"]


# -- users of Redis -----------------------------------------------------------------------------------------------


def test_acl_lines_need_no_server(home: Home) -> None:
    done = home.call("doctor", "--acl", "viewer")
    assert (done.returncode, done.stdout) == (0, set_user("viewer", (6, 2)) + "\n")
    assert all(text.startswith("# ") for text in done.stderr.splitlines())
    assert "redis://riffle-viewer:PASSWORD@" in done.stderr
    assert "every node" in home.call("doctor", "--acl", "engine", "--redis", "redis+cluster://127.0.0.1:1").stderr
    sentinels = home.call("doctor", "--acl", "engine", "--redis", "redis+sentinel://127.0.0.1:1/chats").stderr
    assert "Every replica" in sentinels and "A user that does everything but" in sentinels
    assert not (home.folder / "data").exists(), "a server was started for that"
    assert home.call("doctor", "--acl", "admin").returncode == 2


async def test_acl_lines_are_for_the_server_that_is_named(
    redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    version = redis_server.command("INFO server").split("redis_version:")[1].split()[0]
    for role in ROLES:
        assert await acl(role, context_of(redis_server.url)) == 0
        printed = capsys.readouterr()
        assert printed.out == set_user(role, tuple(map(int, version.split(".")))) + "\n"
        assert f"For Redis {version}." in printed.err
        do(f"echo '{printed.out.strip()}' | redis-cli -s {redis_server.socket}")
        told = (await look(f"unix://riffle-{role}:CHANGE-ME@{redis_server.socket}"))["user"]
        words = {"viewer": "may only watch", "producer": "may only write", "engine": "may watch, ask and answer"}
        assert words[role] in told.found and told.mark == ("ok" if role == "engine" else "note")


def as_user(home: Home, server: RedisServer, role: Role) -> None:
    """Be a user of that role."""
    version = server.command("INFO server").split("redis_version:")[1].split()[0]
    assert server.command(set_user(role, tuple(map(int, version.split("."))))) == "OK"
    home.env["RIFFLE_REDIS_URL"] = f"unix://riffle-{role}:CHANGE-ME@{server.socket}"


async def test_s13_a_viewer_watches_and_is_told_why_there_is_no_prompt(
    home: Home, redis_server: RedisServer, store: Store
) -> None:
    await store.create_session(SessionInfo(id="s1", title="rivers"))
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="what was there"))
        await writer.flush()
        as_user(home, redis_server, "viewer")
        screen = home.open("attach", "rivers", columns=110)
        screen.wait_for("what was there")
        screen.wait_for("the Redis user riffle-viewer may only watch: it has no right to write")
        screen.wait_for("live")
        await writer.publish(Info(message="what came"))
        await writer.flush()
        screen.wait_for("what came")
    screen.type("q")
    assert screen.wait_exit() == 0


def test_who_may_not_ask_is_told_so_and_leaves_nothing_behind(home: Home, redis_server: RedisServer) -> None:
    home.env["RIFFLE_REDIS_URL"] = redis_server.url
    home.call("run", "rivers", "-m", "demo:instant")
    as_user(home, redis_server, "viewer")
    for words in (("run", "more"), ("run", "-c", "more"), ("send", "rivers", "more")):
        refused = home.call(*words)
        assert refused.returncode == 1 and "may only watch" in refused.stderr and "evalsha" not in refused.stderr
    assert "may only watch" in home.call("sessions", "rename", "rivers", "lakes").stderr
    as_user(home, redis_server, "producer")
    refused = home.call("run", "more")
    assert refused.returncode == 1 and "may only write events of its own" in refused.stderr
    assert redis_server.command("ZCARD riffle:sessions") == "1"


def test_an_engine_user_runs_a_whole_chat(home: Home, redis_server: RedisServer) -> None:
    as_user(home, redis_server, "engine")
    home.env["RIFFLE_MODEL"] = "demo:instant"
    # The terminal asks, and an engine process of its own answers, both as this user.
    screen = home.open("chat", "Who answers?")
    screen.wait_for("demo")
    wait_until_now(lambda: [session["messages"] for session in home.sessions()] == [2], timeout=20, what="the answer")
    screen.type("\x04")
    assert screen.wait_exit() == 0


async def test_an_engine_user_answers_for_the_pool(home: Home, redis_server: RedisServer, store: Store) -> None:
    as_user(home, redis_server, "engine")
    home.env["RIFFLE_MODEL"] = "demo:instant"
    engine = home.start("engine")
    try:
        await store.create_session(SessionInfo(id="s1", answering="pool"))
        await store.submit("s1", Prompt(id="p1", text="Who answers?", author="ada"))

        async def messages() -> bool:
            return [info.messages for info in await store.sessions()] == [2]

        await wait_until(messages, timeout=20, what="the answer")
    finally:
        engine.terminate()
        out, complained = engine.communicate(timeout=10)
    assert "does not permit" not in out + complained
