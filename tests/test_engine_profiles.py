"""Profiles: how one travels with a prompt, what an engine makes of it, and what may stand in the config file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.events import Error, UserMessage
from engine.anthropic_request import anthropic_body
from engine.engine import EngineConfig
from engine.instructions import instructions
from engine.profiles import TOOL_NAMES, Profile, travelled
from engine.toolbox import read_only_tools
from tests.support.scripted import end, say, use
from tests.support.seat import work
from tests.support.turn import Run
from tui.profiles import read_profile

FULL = Profile(
    name="terse",
    system="Answer in one sentence.\nNo more.",
    tools=("read_file",),
    temperature=0.0,
    max_tokens=100,
    thinking_budget=2048,
    effort="low",
)


@pytest.mark.parametrize("profile", [FULL, Profile(), Profile(name="bare", tools=()), Profile(temperature=0.1)])
def test_a_profile_arrives_as_it_was_sent(profile: Profile) -> None:
    assert travelled(profile.options()) == profile


@pytest.mark.parametrize("number", ["warm", "nan", "inf"])
async def test_one_that_makes_no_sense_ends_the_turn_in_words(number: str) -> None:
    run = Run()
    assert await run.ask(work("?", options={"profile": "odd", "temperature": number})) == "failed"
    assert run.only(Error).error_string == f"The profile 'odd' says temperature = {number!r}, which is no number."
    assert run.provider.requests == []


async def test_what_it_says_goes_into_the_request(tmp_path: Path) -> None:
    config = EngineConfig(folder=tmp_path, providers={"scripted": {"max_tokens": 9, "temperature": 1}})
    run = Run([say("Yes."), end()], [say("Yes."), end()], tools=read_only_tools(tmp_path), config=config)
    await run.ask(work("1", options=FULL.options()))
    await run.ask(work("2", options=Profile(name="plain", tools=()).options()))
    first, second = run.provider.requests
    assert first.system == instructions(tmp_path, FULL.system) and first.system.startswith(FULL.system)
    assert [tool.name for tool in first.tools] == ["read_file"]
    assert (first.temperature, first.max_tokens, first.thinking_budget) == (0.0, 100, 2048)
    assert first.settings["reasoning_effort"] == "low"
    assert anthropic_body(first, "p")["output_config"] == {"effort": "low"}
    assert (second.system, second.tools) == (instructions(None), [])
    assert (second.temperature, second.max_tokens) == (1.0, 9)
    assert [event.profile for event in run.all(UserMessage)] == ["terse", "plain"]


async def test_a_tool_that_it_leaves_out_is_not_run_either(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret")
    run = Run([use("c", "read_file", '{"path":"a.txt"}'), end()], [say("."), end()], tools=read_only_tools(tmp_path))
    await run.ask(work("?", options=Profile(tools=()).options()))
    assert "There is no tool 'read_file'" in run.provider.requests[1].blocks[-1].text


def test_the_names_of_the_tools_are_those_of_the_tools(tmp_path: Path) -> None:
    assert {tool.name for tool in read_only_tools(tmp_path).specs()} == set(TOOL_NAMES)


# -- in the config file ----------------------------------------------------------------------------------------


def test_a_table_becomes_a_profile(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Be kind.\n")
    table = {"model": "demo", "system_file": "prompt.md", "tools": ["read_file"], "temperature": 1, "effort": "high"}
    assert read_profile("kind", table, tmp_path) == Profile(
        name="kind", model="demo", system="Be kind.", tools=("read_file",), temperature=1.0, effort="high"
    )
    off = read_profile("off", {"tools": "off"}, tmp_path)
    assert isinstance(off, Profile) and off.tools == ()


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"sytem": "x"}, "has no setting sytem (did you mean system?)"),
        ({"system": "x", "system_file": "y"}, "has both system and system_file"),
        ({"system_file": "absent.md"}, "has a system_file that cannot be read"),
        ({"system_file": "latin.md"}, "it is not UTF-8"),
        ({"system_file": "empty.md"}, "has an empty system_file"),
        ({"system": "x" * 70_000}, "more than 64 KiB"),
        ({"model": 3}, "has a model that is not a text"),
        ({"temperature": 3}, "not a number from 0 to 2"),
        ({"temperature": True}, "not a number from 0 to 2"),
        ({"max_tokens": 0}, "has a max_tokens that is not a whole number from 1"),
        ({"effort": "enormous"}, "has an effort of 'enormous'"),
        ({"tools": ["rm"]}, "names a tool 'rm'"),
        ({"tools": 3}, 'neither a list of names nor "off"'),
        ("x", "must be a table"),
    ],
)
def test_one_that_is_wrong_anywhere_is_none(table: object, wrong: str, tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"\xe4")
    (tmp_path / "empty.md").write_text(" \n")
    found = read_profile("p", table, tmp_path)
    assert isinstance(found, str)
    assert found.startswith("profiles.p ") and found.endswith("; this profile cannot be used.") and wrong in found
