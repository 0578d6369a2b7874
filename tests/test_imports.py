"""What may be imported where and when: the part of the dependency rules that a static graph cannot see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SDKS = {"openai", "anthropic"}
HEAVY = {"redis", "pydantic", *SDKS}


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_bus_is_free() -> None:
    assert not modules_after("import bus") & (HEAVY | {"textual", "rich", "asyncio"})


@pytest.mark.parametrize(
    "name", ["events", "builtin_events", "codec", "timeline", "entry", "memory", "writer", "reader"]
)
def test_the_pure_part_of_the_bus_needs_no_redis(name: str) -> None:
    assert "redis" not in modules_after(f"import bus.{name}")


@pytest.mark.parametrize("name", ["bus.entities", "bus.session", "bus.errors"])
def test_what_the_first_frame_needs_is_plain(name: str) -> None:
    assert not modules_after(f"import {name}") & HEAVY


def test_the_engine_loads_a_provider_sdk_only_when_asked_for_it() -> None:
    assert not modules_after("import engine, engine.engine, engine.service, engine.providers") & SDKS
    only_openai = modules_after("import engine.openai_chat, engine.openai_responses")
    assert "anthropic" not in only_openai
    assert "openai" not in modules_after("import engine.anthropic")


def test_the_screen_loads_nothing_heavy_before_its_first_frame() -> None:
    loaded = modules_after("import tui.__main__, tui.cli.parser, tui.cli.chat, tui.cli.screen, tui.app, tui.library")
    # `email` is what reading the version of a distribution brings in: 10 ms.
    assert not loaded & (HEAVY | {"email"})
    # Records cost a millisecond each: those of the other commands and of what is on a timeline come later.
    assert not loaded & {"tui.cli.commands", "bus.entities", "bus.feed", "bus.redis.address"}
    assert not {name for name in loaded if name.startswith(("tui.timeline", "tui.markdown"))}
    assert not modules_after("import tui.timeline.view") & HEAVY


def test_watching_never_loads_a_provider_sdk() -> None:
    loaded = modules_after("import tui.app, tui.live_source, tui.replay_source, bus.redis.store, tui.cli.attach")
    assert not loaded & SDKS


def test_who_only_watches_loads_nothing_for_writing() -> None:
    loaded = modules_after("import tui.app, tui.live_source, tui.fold, tui.timeline.view")
    assert not loaded & {"bus.writer", "bus.redis.seat"}
    # Half of the vocabulary, for tools that few sessions use.
    assert not loaded & {"bus.builtin_events", "bus.fold.provider_tools"}


def test_no_plugin_of_pydantic_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a_plugin.py").touch()
    info = tmp_path / "a_plugin-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[pydantic]\nit = a_plugin\n")
    (info / "METADATA").write_text("Name: a_plugin\nVersion: 1\n")
    code = f"""
import sys
sys.path.append({str(tmp_path)!r})
from tui.__main__ import main
main(["--version"])
from bus.meta import Metadata
Metadata(message_id="m")
"""
    assert "a_plugin" not in modules_after(code)


def test_the_bus_works_under_the_name_of_its_own_wheel(tmp_path: Path) -> None:
    (tmp_path / "riffle_bus").symlink_to(ROOT / "bus")
    code = f"""
import sys
sys.path[:] = [{str(tmp_path)!r}] + [p for p in sys.path if p not in ("", {str(ROOT)!r})]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
for name in ("bus", "engine", "tui"):
    sys.modules[name] = None
import riffle_bus.codec, riffle_bus.timeline, riffle_bus.writer, riffle_bus.reader, riffle_bus.redis.store
"""
    assert "redis" in modules_after(code)
