"""Copies: what goes to a program, what to the terminal, and that nothing else is called copied."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from tui.clipboard import MOST_BYTES, clipboard_program, copy, osc52


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name in `folder`."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A desktop of X, with the programs in `tmp_path`."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return {"DISPLAY": ":7"}


async def test_what_a_program_takes_is_copied(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "xclip", f'cat > "{tmp_path}/taken"; [ "$*" = "-selection clipboard" ]')
    copied = await copy("sein 世界\n", env)
    assert (tmp_path / "taken").read_text() == "sein 世界\n"
    assert (copied.sequence, copied.said("sein 世界\n")) == ("", "Copied 8 characters (xclip).")


async def test_a_program_that_stays_behind_holds_nobody_up(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "xclip", f'cat > "{tmp_path}/taken"; (while [ -e "{tmp_path}/taken" ]; do sleep 0.05; done) &')
    assert (await copy("text", env)).program == "xclip"
    (tmp_path / "taken").unlink()


async def test_what_no_program_takes_is_sent_and_not_called_copied(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "xclip", "cat > /dev/null; exit 1")
    copied = await copy("a", env)
    assert copied.sequence == "\x1b]52;c;YQ==\x07"
    assert copied.said("a").startswith("1 character sent to the terminal's clipboard (OSC 52).")


async def test_what_is_too_long_for_a_terminal_is_said_to_be(tmp_path: Path) -> None:
    text = "世" * (MOST_BYTES // 3 + 1)
    said = (await copy(text, {})).said(text)
    assert said.startswith("Not copied: 75 kB are more than a terminal's clipboard takes (74 kB)")
    assert osc52(text[:-1], {}) != ""


def test_the_sequence_passes_tmux_and_screen() -> None:
    text = "x" * 2000
    plain = osc52(text, {})
    assert base64.b64decode(plain.removeprefix("\x1b]52;c;").removesuffix("\x07")).decode() == text
    tmux = osc52(text, {"TMUX": "/tmp/tmux", "STY": "1"})
    assert tmux.startswith(plain)
    assert tmux.removeprefix(f"{plain}\x1bPtmux;").removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b") == plain
    screen = osc52(text, {"STY": "1.tty"})
    chunks = [chunk.removeprefix("\x1bP") for chunk in screen.split("\x1b\\")]
    assert ("".join(chunks), max(map(len, chunks)) <= 768) == (plain, True)


@pytest.mark.parametrize(
    ("platform", "env", "there", "wanted"),
    [
        ("darwin", {}, {"pbcopy"}, "pbcopy"),
        ("darwin", {"SSH_TTY": "/dev/pts/1"}, {"pbcopy"}, None),
        ("linux", {"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, {"wl-copy", "xclip"}, "wl-copy"),
        ("linux", {"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, {"xsel"}, "xsel"),
        ("linux", {"WSL_DISTRO_NAME": "Debian"}, {"clip.exe"}, "clip.exe"),
        ("linux", {"TMUX": "/tmp/t", "DISPLAY": ":0"}, {"xclip", "tmux"}, "xclip"),
        ("linux", {"TMUX": "/tmp/t", "SSH_TTY": "/dev/pts/1", "DISPLAY": ":0"}, {"xclip", "tmux"}, "tmux"),
        ("linux", {}, {"xclip", "wl-copy", "pbcopy", "clip.exe"}, None),
    ],
)
def test_the_program_is_that_of_the_desktop(
    platform: str, env: Mapping[str, str], there: set[str], wanted: str | None
) -> None:
    found = clipboard_program(env, platform=platform, which=lambda name: name in there)
    assert (found and found[0]) == wanted
