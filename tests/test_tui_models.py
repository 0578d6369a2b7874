"""`riffle models` and `/model`: what each provider offers, what is said of those that are silent, and the choice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList, Static

from tests.support.model_server import ANSWER, ModelServer, Reply, model_server
from tests.support.riffle import Home
from tests.support.riffle_app import screen
from tests.support.waiting import wait_until
from tests.test_imports import SDKS, modules_after
from tui.config import load_config
from tui.models import Cache, Listing, Models
from tui.paths import find_paths
from tui.screens.choices import model_choices, plain_choices
from tui.screens.picker import Picker, matching

LISTED = {"data": [{"id": f"meta/llama-{n}", "context_length": 8192 * n} for n in range(1, 41)]}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A user of the demo, without any key."""
    home = Home(tmp_path, {"RIFFLE_MODEL": "demo:fast"})
    yield home
    home.close()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that has forty models, and answers."""
    with model_server({"/v1/models": LISTED, "/v1/chat/completions": ANSWER}) as server:
        yield server


def configure(home: Home, **base_urls: str) -> None:
    (home.folder / "config").mkdir(exist_ok=True)
    tables = [f'[providers.{name}]\nbase_url = "{url}"\n' for name, url in base_urls.items()]
    (home.folder / "config" / "config.toml").write_text("".join(tables))


def models(home: Home, *words: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of `riffle models`."""
    done = home.call("models", *words)
    return done.returncode, done.stdout, done.stderr


def listed(home: Home, name: str, *words: str) -> dict[str, Any]:
    """What `riffle models --json` says of one provider."""
    return json.loads(models(home, name, "--json", *words)[1])


def test_all_providers_are_listed_with_what_they_need(home: Home, server: ModelServer) -> None:
    configure(home, box=f"{server.url}/v1", groq=f"{server.url}/nothing")
    code, out, err = models(home)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["MODEL", "CONTEXT"]
    assert ["box:meta/llama-3", "24,576"] in [line.split() for line in lines]
    assert "demo:fast" in lines
    assert "Groq has no list of models at" in err
    assert "No key is set for openai (OPENAI_API_KEY), anthropic (ANTHROPIC_API_KEY), openrouter (" in err
    assert "Not running on this machine: ollama, llamacpp, vllm, lmstudio." in err
    assert "sk-" not in out + err
    assert not (home.folder / "data").exists(), "no Redis is started for a list of models"


def test_a_list_is_kept_for_a_day_and_asked_again_on_request(home: Home, server: ModelServer) -> None:
    # An address that reaches this machine and does not say so: a server of one's own is asked each time.
    configure(home, far=f"http://0.0.0.0:{server.port}/v1")
    assert listed(home, "far")["state"] == "live"
    again = listed(home, "far")
    assert (again["state"], len(again["models"]), len(server.received)) == ("cached", 40, 1)
    assert listed(home, "far", "--refresh")["state"] == "live"
    [file] = (home.folder / "cache" / "models").iterdir()
    old = json.loads(file.read_text())
    file.write_text(json.dumps({**old, "asked_ms": old["asked_ms"] - 25 * 3600 * 1000}))
    assert listed(home, "far")["state"] == "live"
    assert len(server.received) == 3
    file.write_text("{")
    assert listed(home, "far")["state"] == "live"


def test_who_does_not_answer_is_named_and_what_it_said_before_is_shown(home: Home) -> None:
    with model_server({"/v1/models": LISTED}) as server:
        configure(home, box=f"{server.url}/v1")
        models(home, "box")
        server.replies["/v1/models"] = Reply({"error": {"message": "wrong"}}, 401)
        code, out, err = models(home, "box")
    assert code == 0
    assert "box:meta/llama-40" in out
    assert "box refused the API key (401): wrong What is shown of it is less than a minute old." in err
    _, out, err = models(home, "box")
    assert "box:meta/llama-40" in out
    assert "cannot be reached" in err and "Is it running?" in err
    configure(home, box=f"{server.url}/v2")
    assert models(home, "box")[:2] == (1, ""), "what another address said is not shown"


def test_a_provider_that_there_is_not_is_told(home: Home) -> None:
    code, _, err = models(home, "olama")
    assert code == 1
    assert "No provider is known" in err and "one of: openai," in err
    code, out, err = models(home, "groq")
    assert (code, out) == (1, "")
    assert "There is no API key for Groq.\n  Set GROQ_API_KEY" in err
    assert models(home, "demo")[1].split() == ["MODEL", "CONTEXT", "demo", "demo:fast", "demo:long"]


def test_listing_models_loads_no_provider_sdk() -> None:
    assert not modules_after("import tui.cli.models") & SDKS
    assert not modules_after("import tui.models, tui.screens.choices") & {*SDKS, "httpx2", "pydantic"}


def test_a_model_is_chosen_from_the_live_list_and_answers_the_next_prompt(home: Home, server: ModelServer) -> None:
    configure(home, box=f"{server.url}/v1")
    terminal = home.open(columns=80, rows=24)
    terminal.wait_for("● live")
    terminal.type("/model\r")
    terminal.wait_for("meta/llama-1 ")
    terminal.type("blm37")
    terminal.wait_for(lambda text: "meta/llama-37" in text and "llama-36" not in text)
    terminal.type("\r")
    terminal.wait_for("box:meta/llama-37  ")
    terminal.type("hi\r")
    terminal.wait_for("Hello from the box.")
    [asked] = [request.body for request in server.received if request.path == "/v1/chat/completions"]
    assert asked["model"] == "meta/llama-37"
    assert home.processes("models --json") == []


def test_a_chat_without_the_key_says_so_before_the_first_prompt(home: Home) -> None:
    terminal = home.open("chat", "-m", "openrouter:meta/llama")
    assert terminal.wait_exit() == 1
    assert "There is no API key for OpenRouter." in terminal.text()
    assert "Set OPENROUTER_API_KEY" in terminal.text()


# -- the screen ----------------------------------------------------------------------------------------------------


@dataclass
class Offered(Models):
    """Providers that answer one after the other, when the test says so."""

    answers: asyncio.Queue[Listing | None] = field(default_factory=asyncio.Queue[Listing | None])
    ended: bool = False
    asked: list[bool] = field(default_factory=list[bool])

    async def ask(self, *, again: bool = False) -> AsyncGenerator[Listing]:
        self.asked.append(again)
        try:
            while (answer := await self.answers.get()) is not None:
                yield answer
        finally:
            self.ended = True


BOX = Listing(
    provider="box", label="box", base_url="http://box", state="live", models=(("box:big", 200_000), ("box:small", 0))
)
NO_KEY = Listing(provider="groq", label="Groq", base_url="", state="no-key", key_variable="GROQ_API_KEY")


def lines(app: Any) -> list[str]:
    options = app.screen.query_one(OptionList)
    return [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]


async def test_the_list_fills_while_it_is_open_and_what_was_typed_stays(own_home: Path) -> None:
    app = screen(own_home, models=["openai:gpt-x"])
    app.offered = offered = Offered(app.config, app.paths, {})
    async with app.run_test(size=(80, 24)) as pilot:
        await app.opened()
        await pilot.press(*"/model", "enter")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await wait_until(lambda: len(lines(app)) == 2)
        await pilot.press(*"box")
        await wait_until(lambda: lines(app) == ["Enter takes “box”."])
        offered.answers.put_nowait(NO_KEY)
        offered.answers.put_nowait(BOX)
        await wait_until(lambda: len(lines(app)) == 2)
        assert lines(app)[0].split() == ["big", "box", "200k", "ctx"]
        await pilot.press(*["backspace"] * 3)
        await wait_until(lambda: any("no key: set GROQ_API_KEY" in line for line in lines(app)))
        offered.answers.put_nowait(None)
        await wait_until(lambda: "Ctrl+R ask again" in str(app.screen.query_one("#picker-help", Static).content))
        await pilot.press("ctrl+r")
        offered.answers.put_nowait(replace(BOX, models=(("box:new", 0),)))
        await wait_until(lambda: any("new" in line for line in lines(app)), what="what there is now")
        assert offered.asked == [False, True]
        await pilot.press("escape")
        await wait_until(lambda: offered.ended, what="nobody is asked any longer")
        assert app.session_screen.model == ""


async def test_a_model_that_cannot_be_asked_is_not_taken(own_home: Path) -> None:
    app = screen(own_home)
    app.offered = Offered(app.config, app.paths, {})
    async with app.run_test() as pilot:
        await app.opened()
        app.pick_model("groq:llama")
        await app.note("There is no API key for Groq. Set GROQ_API_KEY")
        app.pick_model("olama:x")
        await app.note("Did you mean ollama:x?")
        assert app.session_screen.model == ""
        await pilot.press(*"/model ollama:x", "enter")
        await app.note("ollama:x answers from the next prompt on.")


@pytest.mark.parametrize(
    ("model", "doubted"),
    [
        ("ollama:qwen3", ""),
        ("ollama:qwen3:latest", ""),
        ("ollama:llama3.2", ""),
        ("ollama:llama3.3", "Ollama does not list a model 'llama3.3'. Did you mean ollama:llama3.2?"),
        ("ollama:zzz", "Ollama does not list a model 'zzz'. /model lists what there is."),
        ("vllm:anything", ""),
        ("demo", ""),
    ],
)
def test_a_model_that_was_not_listed_is_doubted(own_home: Path, model: str, doubted: str) -> None:
    paths = find_paths({"RIFFLE_HOME": str(own_home)})
    models = (("ollama:qwen3:latest", 0), ("ollama:llama3.2", 0))
    now = time.time_ns() // 1_000_000
    Cache(paths).write(
        Listing(
            provider="ollama",
            label="Ollama",
            base_url="http://localhost:11434/v1",
            state="live",
            models=models,
            asked_ms=now,
        )
    )
    assert Models(load_config(paths, {}), paths, {}).doubt(model) == doubted


def test_letters_in_order_find_what_no_word_finds() -> None:
    choices = plain_choices([("claude-3-haiku-edition", ""), ("claude-sonnet-5", ""), ("gpt-5", "")])
    assert [choice.id for choice in matching(choices, "sonnet")] == ["claude-sonnet-5"]
    assert [choice.id for choice in matching(choices, "clson")] == ["claude-sonnet-5"]
    assert [choice.id for choice in matching(choices, "cld e5")] == ["claude-sonnet-5"]
    assert [choice.id for choice in matching(choices, "ct")] == ["claude-sonnet-5", "claude-3-haiku-edition"]
    assert matching(choices, "xyz") == []


@pytest.mark.parametrize("width", [30, 60, 100])
def test_the_lines_of_models_fit_and_show_nothing_that_commands_a_terminal(width: int) -> None:
    hostile = Listing(provider="b", label="b", base_url="", state="live", models=(("b:\x1b[2Jevil[bold]", 1_048_576),))
    drawn = [choice.draw(width) for choice in model_choices(["demo:fast"], [hostile, NO_KEY])]
    assert all(line.cell_length <= width for line in drawn)
    assert "\x1b" not in "".join(line.plain for line in drawn)
    assert "demo:fast" in drawn[0].plain
