"""The real program in real terminals: keys in, screens out, an engine and a Redis of its own behind it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.captured import DRAWING, STARTING, forbidden
from tests.support.provider import provider_server
from tests.support.riffle import RIFFLE, ROOT, Home
from tests.support.terminal import CTRL_C, CTRL_D, ENTER, ESCAPE, Terminal
from tests.support.waiting import wait_until_now
from tui.lasting_output import LastingOutput
from tui.window_title import GIVE_BACK, KEEP

READY = "Ask anything"
ANSWERED = "How do I set a key"
"""The last line of the demo's first answer."""
QUESTION, BEGUN = "What is a stream?", "A stream is a list that only grows"
"""Something else to ask the demo, and how its answer begins."""
LEFT_ON = {7, 25}
"""The private modes that a terminal has when nobody changed anything: line wrap and a cursor."""

pytestmark = [pytest.mark.timeout(60), pytest.mark.xdist_group("pty")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user without keys, whose demo is quick."""
    home = Home(tmp_path)
    yield home
    home.close()


@pytest.fixture
def slow_home(tmp_path: Path) -> Iterator[Home]:
    """A user whose demo speaks like a person, so that there is time to do something meanwhile."""
    home = Home(tmp_path, {"RIFFLE_MODEL": "demo"})
    yield home
    home.close()


def chat(home: Home, *words: str) -> Terminal:
    """A chat that is ready to be typed into."""
    terminal = home.open(*words)
    terminal.wait_for(READY)
    return terminal


def answering(screen: str) -> bool:
    """Whether some text of the answer is there and more is to come."""
    return BEGUN in screen and "esc to interrupt" in screen


def session_of(home: Home) -> str:
    """The id of the one session."""
    [info] = home.sessions()
    return str(info["id"])


def events(home: Home, session: str) -> list[str]:
    """The types of the session's events."""
    done = home.run("tail", session, "--no-follow", "--output", "json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["event"]["type"] for line in done.stdout.splitlines()]


def test_a_prompt_is_answered_and_quitting_leaves_the_terminal_as_it_was(home: Home) -> None:
    terminal = chat(home)
    assert 1049 in terminal.modes
    terminal.type("Hello there" + ENTER)
    screen = terminal.wait_for(ANSWERED)
    assert "Hello from the demo" not in screen  # scrolled out above, since the screen follows
    terminal.wait_for(lambda screen: "esc to interrupt" not in screen)
    terminal.type(CTRL_D)
    assert terminal.wait_exit() == 0
    assert terminal.modes == LEFT_ON
    # The window has the session's title meanwhile, and then the one that it had.
    said = (KEEP, "\x1b]2;Hello there · riffle\x07", GIVE_BACK)
    kept, named, given_back = (terminal.raw.rfind(each.encode()) for each in said)
    assert 0 <= kept < named < given_back
    kinds = events(home, session_of(home))
    assert {"riffle-user-message", "partial-thinking", "tool-call", "tool-call-execution-result"} <= set(kinds)
    assert kinds[-1] == "run-finished"


def test_ctrl_c_twice_quits(home: Home) -> None:
    terminal = chat(home)
    terminal.type(CTRL_C)
    terminal.wait_for("Ctrl+C again to quit")
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 0
    assert terminal.modes == LEFT_ON


def test_sigterm_restores_the_terminal(home: Home) -> None:
    terminal = chat(home)
    terminal.kill(signal.SIGTERM)
    assert terminal.wait_exit() == 143
    assert terminal.modes == LEFT_ON


def test_a_tool_call_is_shown_with_its_result(home: Home) -> None:
    terminal = home.open("Hello", rows=90)
    screen = terminal.wait_for(ANSWERED)
    assert "list_files" in screen
    assert "Hello from the demo" in screen
    terminal.type(CTRL_D)
    assert terminal.wait_exit() == 0
    assert not forbidden(bytes(terminal.raw).decode(), f"{DRAWING}|{STARTING}"), "only what is on the list"


def test_typing_goes_on_while_the_answer_streams_and_enter_queues(slow_home: Home) -> None:
    terminal = chat(slow_home)
    terminal.type(QUESTION + ENTER)
    terminal.wait_for(answering)
    terminal.type("How does replay work?")
    terminal.wait_for("How does replay work?")
    terminal.type(ENTER)
    screen = terminal.wait_for("queued  How does replay work?")
    assert answering(screen)
    terminal.type(ESCAPE)
    terminal.wait_for("paused  How does replay work?")
    terminal.type(ENTER)
    terminal.wait_for("not a recording of a screen")


def test_escape_stops_the_answer_and_keeps_what_there_was(slow_home: Home) -> None:
    terminal = chat(slow_home)
    terminal.type(QUESTION + ENTER)
    terminal.wait_for(answering)
    terminal.type(ESCAPE)
    screen = terminal.wait_for(lambda screen: "Stopped here" in screen and "esc to interrupt" not in screen)
    assert BEGUN in screen
    session = session_of(slow_home)
    assert events(slow_home, session)[-2:] == ["interrupt", "run-stopped"]


def test_two_terminals_show_the_same_and_both_can_ask(home: Home) -> None:
    first = chat(home)
    first.type("Hello" + ENTER)
    first.wait_for(ANSWERED)
    second = home.open("attach", session_of(home))
    second.wait_for(ANSWERED)
    watcher = home.open("attach", "Hello", "--read-only")
    screen = watcher.wait_for(ANSWERED)
    assert "read-only" in screen
    assert READY not in screen
    second.type("How does replay work?" + ENTER)
    for terminal in (first, second, watcher):
        terminal.wait_for("not a recording of a screen")
    wait_until_now(lambda: events(home, session_of(home)).count("run-finished") == 2, timeout=15)
    shown = [conversation(terminal.text()) for terminal in (first, second)]
    assert shown[0] == shown[1]


def test_without_a_name_attach_offers_the_sessions(home: Home) -> None:
    assert home.run("run", "Something to choose").returncode == 0
    terminal = home.open("attach")
    terminal.wait_for("Something to choose")
    terminal.type(ENTER)
    terminal.wait_for(ANSWERED)


def test_v03_a_replay_shows_the_end_at_once(home: Home) -> None:
    assert home.run("run", "Hello").returncode == 0
    terminal = home.open("replay", session_of(home)[:9], "--speed", "max")
    terminal.wait_for(lambda screen: ANSWERED in screen and "the end" in screen)
    terminal.type("q")
    assert terminal.wait_exit() == 0


def test_a_file_is_replayed(home: Home) -> None:
    assert home.run("run", "Kept as a file").returncode == 0
    recording = home.folder / "run.jsonl"
    recording.write_text(home.run("tail", "Kept", "--no-follow", "--output", "json").stdout)
    terminal = home.open("replay", str(recording), "--speed", "max")
    terminal.wait_for(ANSWERED)


def test_chat_goes_on_with_the_last_session(home: Home) -> None:
    assert home.run("run", "Hello").returncode == 0
    terminal = chat(home, "chat", "-c")
    terminal.wait_for(ANSWERED)
    terminal.type(QUESTION + ENTER)
    wait_until_now(lambda: events(home, session_of(home)).count("run-finished") == 2, timeout=15)


def test_a_prompt_that_was_sent_from_elsewhere_is_answered_by_a_chat_that_is_opened(home: Home) -> None:
    assert home.run("run", "Hello").returncode == 0
    assert home.run("send", "Hello", QUESTION).returncode == 0
    terminal = chat(home, "chat", "-c")
    terminal.wait_for(BEGUN)


def test_v02_the_death_of_the_terminal_loses_nothing(slow_home: Home) -> None:
    terminal = chat(slow_home)
    terminal.type(QUESTION + ENTER)
    terminal.wait_for(answering)
    terminal.kill(signal.SIGKILL)
    terminal.wait_exit()
    again = slow_home.open("attach", session_of(slow_home))
    again.wait_for(lambda screen: "esc to interrupt" in screen)
    again.wait_until_gone("esc to interrupt")
    kinds = events(slow_home, session_of(slow_home))
    assert "interrupt" not in kinds
    assert kinds[-1] == "run-finished"


def test_the_death_of_the_engine_is_seen_and_the_next_prompt_is_answered(slow_home: Home) -> None:
    terminal = chat(slow_home)
    terminal.type(QUESTION + ENTER)
    terminal.wait_for(answering)
    [engine] = slow_home.processes(" engine ")
    engine.kill()
    screen = terminal.wait_for("engine lost", timeout=12)
    assert "asks again" in screen
    assert BEGUN in screen
    terminal.type("How does replay work?" + ENTER)
    terminal.wait_for(lambda screen: "esc to interrupt" in screen and "engine lost" not in screen, timeout=15)
    kinds = events(slow_home, session_of(slow_home))
    assert kinds.count("run-stopped") == 1
    assert kinds.count("riffle-user-message") == 2


def test_a_redis_that_cannot_be_reached_is_one_sentence(home: Home) -> None:
    terminal = home.open("--redis", "redis://127.0.0.1:1")
    assert terminal.wait_exit() == 1
    assert "cannot be reached" in terminal.text()
    assert terminal.modes == LEFT_ON


def telling_at_length(home: Home, keyboard: int, screen: int) -> subprocess.Popen[bytes]:
    """A long answer between a keyboard and a screen that are not its controlling terminal: no SIGHUP comes of them."""
    return subprocess.Popen(
        [*RIFFLE, "-m", "demo:long", "Tell me"],
        stdin=keyboard,
        stdout=screen,
        stderr=screen,
        env=home.env,
        cwd=home.folder,
        start_new_session=True,
    )


def until_answering(screen: int) -> None:
    """Read what is drawn until the answer has begun: much is still to be written."""
    shown = b""
    while b"esc to interrupt" not in shown:
        shown += os.read(screen, 65536)


def test_v10_a_terminal_that_goes_away_without_a_signal_ends_the_program(home: Home) -> None:
    near, far = pty.openpty()
    process = telling_at_length(home, far, far)
    os.close(far)
    until_answering(near)
    os.close(near)
    assert process.wait(15) == 129


@pytest.mark.parametrize("goes_away", [False, True])
def test_v10_a_terminal_that_hangs_up_ends_the_program_though_it_is_told_to_go_on(home: Home, goes_away: bool) -> None:
    """As multiplexers and kernels do it, one signal behind the other, sooner or later."""
    terminal = chat(home)
    terminal.kill(signal.SIGHUP)
    if goes_away:
        terminal.hang_up()
    else:
        terminal.kill(signal.SIGCONT)
    assert terminal.wait_exit() == 129


def test_v10_a_screen_that_is_gone_does_not_make_it_deaf(slow_home: Home) -> None:
    """Keys come from elsewhere: whoever sits there can still quit, however much was to be drawn."""
    keys, keyboard = pty.openpty()
    near, far = pty.openpty()
    process = telling_at_length(slow_home, keyboard, far)
    os.close(keyboard)
    os.close(far)
    until_answering(near)
    os.close(near)
    session = session_of(slow_home)
    seen = len(events(slow_home, session))
    # More frames than the toolkit keeps for a terminal that does not take them.
    wait_until_now(lambda: len(events(slow_home, session)) > seen + 40, timeout=30)
    os.write(keys, CTRL_D.encode())
    assert process.wait(15) in (0, 120)  # 120: Python itself has something left for the screen
    os.close(keys)


def test_v10_what_is_written_to_a_terminal_that_is_gone_goes_nowhere() -> None:
    near, far = pty.openpty()
    file = os.fdopen(far, "w")
    output = LastingOutput(file)
    output.write("seen")
    output.flush()
    assert os.read(near, 100) == b"seen"
    os.close(near)
    for _ in range(3):
        assert output.write("nowhere") == 7
        output.flush()
    assert output.gone
    with contextlib.suppress(OSError):  # what is buffered
        file.close()


def test_v10_a_tiny_terminal_works(home: Home) -> None:
    terminal = home.open("Hello", columns=20, rows=5)
    wait_until_now(lambda: "run-finished" in events(home, session_of(home)) if home.sessions() else False, timeout=20)
    terminal.resize(100, 40)
    terminal.wait_for(ANSWERED)
    terminal.type(CTRL_D)
    assert terminal.wait_exit() == 0


def test_what_is_piped_in_is_added_and_keys_come_from_the_terminal(home: Home) -> None:
    command = f"printf 'from a pipe' | {sys.executable} -m tui 'Hello'"
    terminal = Terminal(["/bin/sh", "-c", command], home.env, cwd=home.folder, rows=90)
    try:
        screen = terminal.wait_for(ANSWERED)
        assert "from a pipe" in screen
        terminal.type(CTRL_D)
        assert terminal.wait_exit() == 0
    finally:
        terminal.close()


WATCH_IMPORTS = """
import sys, threading

drawn = threading.Event()

class Screen:
    def __init__(self, file): self._file = file
    def __getattr__(self, name): return getattr(self._file, name)
    def write(self, text):
        if "every conversation" in text:
            drawn.set()
        return self._file.write(text)

class Watch:
    def find_spec(self, name, path=None, target=None):
        # What the first frame needs would wait here for itself.
        if name in ("redis", "pydantic", "openai", "anthropic"):
            print(name, "after" if drawn.wait(3) else "before", file=open(REPORT, "a"))

if sys.orig_argv[1:] == ["-m", "tui"]:
    sys.__stderr__ = Screen(sys.__stderr__)
    sys.meta_path.insert(0, Watch())
"""


def test_nothing_heavy_is_loaded_before_the_first_frame(home: Home) -> None:
    report = home.folder / "imports"
    (home.folder / "sitecustomize.py").write_text(f"REPORT = {str(report)!r}\n{WATCH_IMPORTS}")
    home.env["PYTHONPATH"] = f"{home.folder}:{ROOT}"
    terminal = chat(home)
    terminal.wait_for("● live")
    assert set(report.read_text().splitlines()) == {"redis after", "pydantic after"}


RECORDINGS = [
    ("openai-chat:gpt-4o", "chat-openai-gpt4omini-tool"),
    ("openai:gpt-5", "resp-openai-gpt4o-tool"),
    ("anthropic:claude-haiku-4-5", "anth-haiku45-thinking-tool"),
]


@pytest.mark.parametrize(("model", "recording"), RECORDINGS, ids=[model for model, _ in RECORDINGS])
def test_recorded_streams_come_through_the_real_sdks(tmp_path: Path, model: str, recording: str) -> None:
    with provider_server() as env:
        home = Home(tmp_path, {**env, "RIFFLE_MODEL": model})
        try:
            terminal = chat(home)
            terminal.type(f"Please {recording}" + ENTER)
            # It may be over before anybody has looked: what it took is shown at its end.
            wait_until_now(lambda: re.search(r"\d in · .*\d out", terminal.text()), what="the answer")
            terminal.wait_until_gone("esc to interrupt")
            kinds = events(home, session_of(home))
            assert "tool-call" in kinds
            assert kinds[-1] == "run-finished"
            everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
            assert b"key-of-the-test" not in everything + bytes(terminal.raw)
        finally:
            home.close()


def conversation(screen: str) -> list[str]:
    """The lines above the prompt, without the scroll bar."""
    return [line.rstrip("▁▂▃▄▅▆▇█ ") for line in re.split(r"\n *▌", screen)[0].splitlines()]
