"""A provider that fails, in pipes and in a terminal: what a person sees of retries, waits, cuts and refusals."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.support import recordings
from tests.support.faulty_provider import SLUG, faulty_provider
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home
from tests.support.terminal import ENTER, ESCAPE

IDLE_SECONDS = 2

pytestmark = [pytest.mark.timeout(90), pytest.mark.xdist_group("patience")]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One server for all tests of this file."""
    server = RedisServer()
    yield server
    server.close()


class User(Home):
    """Somebody whose provider is faulty. `answer` is what it says when it is not."""

    answer = ""

    def ask(self, words: str, *options: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr of a run."""
        done = self.call("run", f"{words} {SLUG}", *options)
        return done.returncode, done.stdout.rstrip("\n"), done.stderr


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[User]:
    """Whoever asks the recordings' server, or ours where that is not. Each test asks in words of its own."""
    home = tmp_path_factory.mktemp("home")
    with faulty_provider("recordings" if recordings.SLUGS else "own") as (env, answer):
        user = User(home, {**env, "RIFFLE_REDIS_URL": server.url, "RIFFLE_MODEL": "openai-chat:gpt-4o"})
        user.answer = answer.rstrip("\n")
        (home / "config").mkdir()
        (home / "config" / "config.toml").write_text(f"[providers.openai-chat]\nidle_seconds = {IDLE_SECONDS}\n")
        yield user
        user.close()


@pytest.mark.parametrize(
    ("status", "words"), [("429 retry-after=2", "limits the rate of this key (429)"), ("529", "is overloaded (529)")]
)
def test_a_refusal_that_passes_is_waited_out_in_sight(user: User, status: str, words: str) -> None:
    code, out, err = user.ask(f"status={status} times=1")
    assert (code, out) == (0, user.answer)
    seconds = re.fullmatch(
        rf"\[retry\] OpenAI {re.escape(words)}: asked for; next try in (\d\.\d) s \(retry 1 of 3\)\n", err
    )
    assert seconds, err
    assert float(seconds[1]) >= (2.0 if "retry-after" in status else 0.7)


def test_a_wait_that_is_too_long_is_said_and_not_waited(user: User) -> None:
    began = time.monotonic()
    code, out, err = user.ask("status=429 retry-after=720")
    assert (code, out) == (1, "")
    assert "asks to be left alone for 12 min. Ask again after that." in err
    assert time.monotonic() - began < 60


def test_a_failure_that_passes_is_followed_by_the_answer(user: User) -> None:
    code, out, err = user.ask("status=500 times=1", "--quiet")
    assert (code, out, err) == (0, user.answer, "")


def test_a_key_that_is_refused_is_not_tried_again(user: User) -> None:
    code, out, err = user.ask("status=401")
    assert (code, out) == (1, "")
    assert err.startswith("riffle: OpenAI refused the API key (401): asked for\n  Check OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cut=4", "was cut off: the stream ended before it was complete"),
        ("abort=4", "The connection to OpenAI broke"),
        ("stall=4", f"OpenAI sent nothing for {IDLE_SECONDS} s; the connection was closed"),
    ],
)
def test_an_answer_that_breaks_off_is_kept_and_said(user: User, fault: str, words: str) -> None:
    code, out, err = user.ask(fault)
    assert code == 1
    assert out and user.answer.startswith(out) and out != user.answer
    assert words in err and "Ask again; what came so far is kept." in err and "[retry]" not in err


def test_in_a_terminal(user: User) -> None:
    terminal = user.open(columns=110, rows=40)
    terminal.wait_for("Ask anything")

    def ask(words: str, *wanted: str) -> None:
        terminal.type(f"{words} here {SLUG}{ENTER}")  # the server counts how often it was asked in these words
        terminal.wait_for(lambda screen: all(text in screen.rpartition(words)[2] for text in wanted))
        terminal.wait_until_gone("esc to interrupt")

    answer = user.answer.splitlines()[0][:40]
    terminal.type(f"status=429 retry-after=60 {SLUG}{ENTER}")
    terminal.wait_for(lambda screen: "(retry 1 of 3)" in screen and bool(re.search(r"next try in \d\d s +esc", screen)))
    terminal.type(ESCAPE)
    terminal.wait_for(lambda screen: "Stopped here" in screen and "esc to interrupt" not in screen)
    ask("status=429 retry-after=1 times=1", "limits the rate of this key (429)", "(retry 1 of 3)", answer)
    ask("status=529 times=1", "OpenAI is overloaded (529)", answer)
    ask("status=500 times=1", "OpenAI failed on its side (500)", answer)
    # A prompt whose call failed is still told with the next one, so that takes back what it said.
    ask("status=401", "OpenAI refused the API key (401)", "Check OPENAI_API_KEY", "retry: r")
    ask("times=0 cut=4", "was cut off: the stream ended before it was complete", "Ask again")
    ask("times=0 abort=4", "The connection to OpenAI broke", "Ask again")
    ask("times=0 stall=4", f"OpenAI sent nothing for {IDLE_SECONDS} s", "idle_seconds")
