"""The tools that every engine has: what they tell a model, and what they refuse to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path

import psutil
import pytest

from engine.toolbox import read_only_tools
from engine.tools import Arguments, Tool, Toolbox, ToolOutput
from tests.support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "src" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "node_modules" / "left-pad").mkdir(parents=True)
    (root / "README.md").write_text("# Title\n\nWords, Ωmega words.\n")
    (root / "src" / "main.py").write_text("import os\n\n\ndef main() -> None:\n    print('words')\n")
    (root / "src" / "deep" / "other.py").write_text("x = 1\n")
    (root / ".git" / "config").write_text("words")
    (root / "node_modules" / "left-pad" / "index.js").write_text("words")
    (root / ".env").write_text("KEY=words")
    (tmp_path / "secret.txt").write_text("words outside")
    return root


async def use(root: Path, name: str, **arguments: object) -> ToolOutput:
    return await read_only_tools(root).call(name, json.dumps(arguments))


# -- the box ---------------------------------------------------------------------------------------------------


def test_a_model_is_told_plain_schemas(tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in read_only_tools(tmp_path).specs()}
    assert set(specs) == {"read_file", "list_files", "search_files"}
    parameters = specs["read_file"].parameters
    assert parameters["type"] == "object" and parameters["required"] == ["path"]
    assert set(parameters["properties"]) == {"path", "offset", "limit"}
    assert "title" not in json.dumps(parameters)
    assert all(spec.description for spec in specs.values())


async def test_a_tool_has_a_time_limit() -> None:
    class Nothing(Arguments):
        pass

    async def forever(arguments: Nothing) -> str:
        await asyncio.Event().wait()
        return ""

    box = Toolbox([Tool(name="slow", description="", arguments=Nothing, run=forever, seconds=0.01)])
    output = await box.call("slow", "")
    assert output == ToolOutput("slow took longer than 0.01 s and was stopped.", failed=True)


async def test_a_fault_of_a_tool_is_told_in_words() -> None:
    class Nothing(Arguments):
        pass

    async def broken(arguments: Nothing) -> str:
        raise KeyError("where")

    output = await Toolbox([Tool(name="odd", description="", arguments=Nothing, run=broken)]).call("odd", "{}")
    assert output == ToolOutput("odd failed: KeyError: 'where'", failed=True)


# -- read_file -------------------------------------------------------------------------------------------------


async def test_a_file_is_read_with_line_numbers(folder: Path) -> None:
    assert (await use(folder, "read_file", path="README.md")).text.splitlines() == [
        "     1  # Title",
        "     2  ",
        "     3  Words, Ωmega words.",
    ]


async def test_a_part_of_a_file_says_what_was_left_out(folder: Path) -> None:
    (folder / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    lines = (await use(folder, "read_file", path="long.txt", offset=10, limit=2)).text.splitlines()
    assert lines == ["    10  line 10", "    11  line 11", "[lines 10 to 11 of 100; go on with offset 12]"]
    last = (await use(folder, "read_file", path="long.txt", offset=99)).text.splitlines()
    assert last[-1] == "[lines 99 to 100 of 100]"
    beyond = await use(folder, "read_file", path="long.txt", offset=101)
    assert beyond == ToolOutput("'long.txt' has only 100 lines.", failed=True)


async def test_a_huge_file_is_clipped(folder: Path) -> None:
    (folder / "huge.txt").write_text("words and words\n" * 100_000)
    (folder / "one-line.js").write_text("x" * 1_000_000)
    huge = (await use(folder, "read_file", path="huge.txt", limit=5000)).text
    assert len(huge) < 80_000 and huge.endswith("of 100000; go on with offset 3002]")
    one = (await use(folder, "read_file", path="one-line.js")).text
    assert len(one) < 3_000 and one.endswith("[998000 more bytes of this line]")


async def test_what_is_no_text_is_not_read(folder: Path) -> None:
    (folder / "picture.png").write_bytes(b"\x89PNG\0\0")
    os.mkfifo(folder / "pipe")
    (folder / "empty").touch()
    assert "not a text file" in (await use(folder, "read_file", path="picture.png")).text
    assert "not a regular file" in (await use(folder, "read_file", path="pipe")).text
    assert "is a folder" in (await use(folder, "read_file", path="src")).text
    assert (await use(folder, "read_file", path="empty")).text == "The file is empty."


# -- confinement -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "src/../../secret.txt", "~/.profile", "link", "up/x"])
@pytest.mark.parametrize("tool", ["read_file", "list_files", "search_files"])
async def test_nothing_outside_of_the_folder_is_seen(folder: Path, tool: str, path: str) -> None:
    (folder / "link").symlink_to(folder.parent / "secret.txt")
    (folder / "up").symlink_to(folder.parent)
    arguments = {"pattern": "words"} if tool == "search_files" else {}
    output = await use(folder, tool, path=path, **arguments)
    assert output.failed and "outside of the working folder" in output.text


async def test_links_inside_of_the_folder_are_followed(folder: Path) -> None:
    (folder / "link.py").symlink_to(folder / "src" / "deep" / "other.py")
    assert (await use(folder, "read_file", path="link.py")).text == "     1  x = 1"


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "prod.env", "server.pem", "id_ed25519", ".ssh/config", ".aws/credentials", ".npmrc"]
)
async def test_files_that_hold_secrets_are_not_read(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("words")
    (folder / "innocent.txt").symlink_to(folder / name)
    for path in (name, "innocent.txt"):
        output = await use(folder, "read_file", path=path)
        assert output.failed and "secrets" in output.text
    assert name not in (await use(folder, "search_files", pattern="words")).text
    assert "innocent" not in (await use(folder, "search_files", pattern="words")).text


async def test_an_example_of_a_secret_is_none(folder: Path) -> None:
    (folder / ".env.example").write_text("KEY=\n")
    assert not (await use(folder, "read_file", path=".env.example")).failed


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "nowhere.txt"])
async def test_a_path_that_cannot_be_is_refused_in_words(folder: Path, path: str) -> None:
    output = await use(folder, "read_file", path=path)
    assert output.failed and "Error" not in output.text


# -- list_files ------------------------------------------------------------------------------------------------


async def test_a_folder_is_listed_without_what_nobody_asks_for(folder: Path) -> None:
    lines = (await use(folder, "list_files")).text.splitlines()
    assert lines == ["src/", ".env  9 B", "README.md  30 B"]
    assert (await use(folder, "list_files", path="src")).text.splitlines() == ["deep/", "main.py  51 B"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.py", ["src/deep/other.py", "src/main.py"]),
        ("**/*.py", ["src/deep/other.py", "src/main.py"]),
        ("src/*.py", ["src/main.py"]),
        ("src/**", ["src/deep/other.py", "src/main.py"]),
        ("**/deep/**/*.py", ["src/deep/other.py"]),
        ("*.js", []),
    ],
)
async def test_a_glob_finds_files_below(folder: Path, glob: str, found: list[str]) -> None:
    output = await use(folder, "list_files", glob=glob)
    assert sorted(line.partition("  ")[0] for line in output.text.splitlines() if "  " in line) == found
    assert not output.failed


async def test_a_pattern_of_many_stars_ends(folder: Path) -> None:
    (folder / ("a" * 200)).touch()
    output = await use(folder, "list_files", glob="/".join(["**"] * 20) + "/" + "*a" * 30 + "b")
    assert output.text.startswith("Nothing")


async def test_a_long_listing_says_how_much_is_left_out(folder: Path) -> None:
    many = folder / "many"
    many.mkdir()
    for number in range(450):
        (many / f"{number:03}").touch()
    lines = (await use(folder, "list_files", path="many")).text.splitlines()
    assert len(lines) == 401 and lines[-1].startswith("[50 more are not shown")


# -- search_files ----------------------------------------------------------------------------------------------


async def test_a_search_tells_file_and_line(folder: Path) -> None:
    assert (await use(folder, "search_files", pattern="Ωmega")).text == "README.md:3: Words, Ωmega words."
    assert (await use(folder, "search_files", pattern="words")).text.splitlines() == [
        "README.md:3: Words, Ωmega words.",
        "src/main.py:5:     print('words')",
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"pattern": r"^def \w+", "regex": True}, ["src/main.py:4: def main() -> None:"]),
        ({"pattern": "DEF MAIN", "ignore_case": True}, ["src/main.py:4: def main() -> None:"]),
        ({"pattern": "main()", "path": "src/main.py"}, ["src/main.py:4: def main() -> None:"]),
        ({"pattern": "words", "glob": "*.md"}, ["README.md:3: Words, Ωmega words."]),
        ({"pattern": "nothing like it"}, ["No match in 3 files."]),
    ],
)
async def test_a_search_can_be_narrowed(folder: Path, arguments: dict[str, object], found: list[str]) -> None:
    assert (await use(folder, "search_files", **arguments)).text.splitlines() == found


async def test_a_search_with_many_matches_stops(folder: Path) -> None:
    (folder / "many.txt").write_text("words\n" * 1000)
    lines = (await use(folder, "search_files", pattern="words", path="many.txt")).text.splitlines()
    assert len(lines) == 201 and lines[-1].startswith("[stopped after 200 matches")


async def test_a_wrong_expression_is_told_in_words(folder: Path) -> None:
    output = await use(folder, "search_files", pattern="(", regex=True)
    assert output.failed and output.text.startswith("The regular expression is wrong")


async def test_an_expression_that_never_ends_is_stopped(folder: Path) -> None:
    (folder / "trap.txt").write_text("a" * 60 + "!\n")
    call = use(folder, "search_files", pattern="(a+)+$", regex=True, path="trap.txt")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await call
    await wait_until(lambda: not _search_workers(), what="the end of the worker")


def _search_workers() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in psutil.Process().children(recursive=True):
        # Others that end just now are zombies, or gone: they have no command line to look at.
        with contextlib.suppress(psutil.NoSuchProcess):
            if "search_worker" in " ".join(child.cmdline()):
                found.append(child)
    return found
