"""Text into the clipboard: through a program of this machine, and through the terminal (OSC 52).

Nobody hears whether a terminal takes what it is sent: only what a program took is called copied.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MOST_BYTES = 74_994
"""What terminals take at most: 100,000 bytes of sequence (xterm, tmux, and who follows them)."""

PROGRAM_SECONDS = 3.0

_SCREEN_CHUNK = 760
"""GNU screen passes on no more than 768 bytes at a time."""


_TMUX = ("tmux", "load-buffer", "-w", "-")
"""By itself it takes no sequence from a program (`set-clipboard external`), nor passes one on (since 3.3)."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a text: `program` took it, or `sequence` is to be written to the terminal, or neither."""

    program: str = ""
    sequence: str = ""

    def said(self, text: str) -> str:
        """In a sentence."""
        size = f"{len(text):,} character{'' if len(text) == 1 else 's'}"
        if self.program:
            return f"Copied {size} ({self.program})."
        if self.sequence:
            return f"{size} sent to the terminal's clipboard (OSC 52)."
        kilobytes = f"{len(text.encode('utf-8', 'replace')) / 1000:,.0f} kB"
        return (
            f"Not copied: {kilobytes} are more than a terminal's clipboard takes ({MOST_BYTES // 1000} kB), and there "
            "is no clipboard program here. Open it in your editor instead."
        )


async def copy(text: str, env: Mapping[str, str]) -> Copied:
    """Put a text into the clipboard as far as this process can; the caller writes the sequence."""
    program = clipboard_program(env)
    if program is not None and await _run(program, text):
        return Copied(program=program[0])
    return Copied(sequence=osc52(text, env))


def clipboard_program(
    env: Mapping[str, str], *, platform: str = sys.platform, which: Callable[[str], object] = shutil.which
) -> Sequence[str] | None:
    """The program that writes the clipboard of the person at this terminal; over SSH that is not this machine's.

    tmux is where this process is: it keeps the text, and hands it on to the terminal that it is shown in.
    """
    candidates: list[Sequence[str]] = []
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY"):
        return _TMUX if env.get("TMUX") and which("tmux") else None
    if platform == "darwin":
        candidates.append(("pbcopy",))
    if env.get("WSL_DISTRO_NAME"):
        candidates.append(("clip.exe",))
    if env.get("WAYLAND_DISPLAY"):
        candidates.append(("wl-copy",))
    if env.get("DISPLAY"):
        candidates += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    if env.get("TMUX"):
        candidates.append(_TMUX)
    return next((each for each in candidates if which(each[0])), None)


def osc52(text: str, env: Mapping[str, str]) -> str:
    """The sequence that hands a text to the terminal, wrapped for tmux or GNU screen; empty, if it is too long."""
    data = text.encode("utf-8", "replace")
    if len(data) > MOST_BYTES:
        return ""
    encoded = base64.b64encode(data).decode("ascii")
    plain = f"\x1b]52;c;{encoded}\x07"
    if env.get("TMUX"):
        # One that is too old for `load-buffer -w` takes the plain one itself, or passes on what is wrapped.
        doubled = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{doubled}\x1b\\"
    if env.get("STY"):
        chunks = (plain[start : start + _SCREEN_CHUNK] for start in range(0, len(plain), _SCREEN_CHUNK))
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


async def _run(program: Sequence[str], text: str) -> bool:
    """Give a program the text; false if it does not end well or soon."""
    data = text.encode("utf-16" if program[0] == "clip.exe" else "utf-8", "replace")
    try:
        # Its output goes nowhere: xclip stays behind with what it inherits, and a pipe would never end.
        process = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(PROGRAM_SECONDS):
            await process.communicate(data)
    except (TimeoutError, OSError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return process.returncode == 0
