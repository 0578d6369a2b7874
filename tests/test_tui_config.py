"""The config file: what may stand there, what overrides what, and what is said of what may not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bus.durability import Durability
from tui.config import SETTINGS, Config, load_config, remember, with_setting
from tui.paths import Paths, append_private, find_paths, make_private, write_private


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return find_paths({"RIFFLE_HOME": str(tmp_path / "home")})


def written(where: Paths, text: str, env: dict[str, str] | None = None) -> Config:
    write_private(where.config_file, text)
    return load_config(where, env or {})


def test_without_a_file_everything_is_default(where: Paths) -> None:
    config = load_config(where, {})
    assert (config.model, config.redis_url, config.max_calls, config.tools) == ("", None, 20, True)
    assert set(config.sources.values()) == {"default"}
    assert config.warnings == []


def test_a_flag_wins_over_the_environment_over_the_file(where: Paths) -> None:
    write_private(where.config_file, 'model = "file:m"\ntheme = "paper"\n[redis]\nurl = "redis://file"\n')
    env = {"RIFFLE_MODEL": "env:m", "REDIS_URL": "redis://plain", "RIFFLE_REDIS_URL": "redis://ours"}
    config = load_config(where, env, {"model": "flag:m", "theme": None})
    assert (config.model, config.sources["model"]) == ("flag:m", "command line")
    assert (config.redis_url, config.sources["redis.url"]) == ("redis://ours", "RIFFLE_REDIS_URL")
    assert (config.theme, config.sources["theme"]) == ("paper", str(where.config_file))


def test_durability_is_chosen_in_the_file_or_for_one_command(where: Paths) -> None:
    assert load_config(where, {}).durability == Durability()
    write_private(where.config_file, '[redis]\ndurability = "replica"\nreplicas = 2\n')
    assert load_config(where, {}).durability == Durability("replica", 2)
    assert load_config(where, {"RIFFLE_DURABILITY": "disk"}).durability.level == "disk"
    config = load_config(where, {"RIFFLE_DURABILITY": "safe"})
    assert config.durability.level == "replica"
    assert config.warnings == ["RIFFLE_DURABILITY must be memory, process, disk or replica, not safe; it is ignored."]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('modle = "x"', "modle is not a setting of riffle. Did you mean model?"),
        ('[redis]\nurll = "x"', "redis.urll is not a setting of riffle. Did you mean redis.url?"),
        ("[engine]\nretries = true", "engine.retries must be a whole number, not bool; it is ignored."),
        ("[engine]\ntools = 1", "engine.tools must be true or false, not int; it is ignored."),
        ("model = 3", 'model must be a text in "quotes", not int; it is ignored.'),
        ("redis = 3", "redis must be a table, written as [redis]; it is ignored."),
        ('[keys]\ninterupt = "f2"', "keys.interupt is not a setting of riffle. Did you mean keys.interrupt?"),
        ('[engine]\nanswering = "all"', "engine.answering must be private or pool, not all; it is ignored."),
        (
            '[redis]\ndurability = "safe"',
            "redis.durability must be memory, process, disk or replica, not safe; it is ignored.",
        ),
        ("[redis]\nreplicas = 0", "redis.replicas must be 1 at least, not 0; it is ignored."),
        ('[prices."gpt-5"]\ninput = 1', 'prices."gpt-5" must say both input and output; it is ignored.'),
        (
            '[prices."gpt-5"]\ninput = 1\noutput = 2\ncached = 3',
            'prices."gpt-5" has no setting cached (did you mean cache_read?); it is ignored.',
        ),
        (
            '[prices."gpt-5"]\ninput = "1"\noutput = 2',
            "prices.\"gpt-5\".input must be a number of US dollars per million tokens, not '1'; it is ignored.",
        ),
        ('prices."gpt-5" = 3', 'prices."gpt-5" must be a table, written as [prices."gpt-5"]; it is ignored.'),
        ('pictures = "sixel"', "pictures must be auto, blocks or off, not sixel; it is ignored."),
        ("[providers.openai]\nbase = 1", "providers.openai.base is not a setting of riffle."),
        (
            '[providers.box]\napi = "openai"',
            "providers.box.api must be openai-chat, openai-responses or anthropic, not openai; it is ignored.",
        ),
        ('[providers.box]\nreasoning_field = "thoughts"', "providers.box.reasoning_field must be reasoning_content, "),
        ("[providers.box]\nheaders = 1", "providers.box.headers must be a table, written as [providers.box.headers]"),
        ("[providers.box.headers]\nx-a = 1", 'providers.box.headers.x-a must be a text in "quotes"'),
    ],
)
def test_a_fault_is_named_and_the_default_is_used(where: Paths, text: str, sentence: str) -> None:
    config = written(where, text)
    assert len(config.warnings) == 1
    assert sentence in config.warnings[0]
    assert str(where.config_file) in config.warnings[0]
    assert config.max_calls == 20
    assert config.prices == {}


def test_every_setting_is_documented() -> None:
    page = Path(__file__).parent.parent.joinpath("docs", "config.md").read_text(encoding="utf-8")
    assert [setting.name for setting in SETTINGS if f"| `{setting.name}` |" not in page] == []


def test_a_file_that_is_not_toml_names_the_line(where: Paths) -> None:
    config = written(where, 'theme = "dusk"\nmodel = \n')
    assert "line 2" in config.warnings[0]
    assert config.theme == "auto"


def test_a_file_that_is_not_text_is_told(where: Paths) -> None:
    make_private(where.config_file.parent)
    where.config_file.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in load_config(where, {}).warnings[0]


def test_secrets_are_not_shown(where: Paths) -> None:
    config = written(
        where, '[redis]\nurl = "redis://ada:hunter2@host:1"\n[providers.openai]\napi_key = "sk-1234567890"\n'
    )
    shown = {name: value for name, value, _ in config.shown()}
    assert shown["redis.url"] == "redis://ada:•••@host:1"
    assert "hunter2" not in str(shown)
    assert "sk-1234567890" not in str(shown)
    assert config.providers["openai"]["api_key"] == "sk-1234567890"


def test_headers_are_kept_and_not_shown(where: Paths) -> None:
    config = written(where, '[providers.box]\nbase_url = "http://b"\n[providers.box.headers]\nX-Key = "sk-1"\n')
    assert config.warnings == []
    assert config.providers["box"]["headers.X-Key"] == "sk-1"
    shown = {name: value for name, value, _ in config.shown()}
    assert shown["providers.box.headers.X-Key"] == "set, not shown"


def test_one_setting_is_written_and_the_rest_stays() -> None:
    text = '# mine\ntheme = "dusk" # nice\n\n[redis]\ntheme = "not this one"\n'
    assert with_setting(text, "theme", "paper") == '# mine\ntheme = "paper"\n\n[redis]\ntheme = "not this one"\n'
    assert with_setting('[redis]\nurl = "x"\n', "theme", "paper") == 'theme = "paper"\n[redis]\nurl = "x"\n'


def test_a_remembered_setting_is_read_again(where: Paths) -> None:
    remember(where, "theme", "shoal")
    remember(where, "theme", "peat")
    assert load_config(where, {}).theme == "peat"


def test_the_home_holds_everything(tmp_path: Path) -> None:
    where = find_paths({"RIFFLE_HOME": str(tmp_path)})
    assert {path.is_relative_to(tmp_path) for path in (where.config_file, where.data, where.state)} == {True}
    elsewhere = find_paths({"RIFFLE_HOME": str(tmp_path), "RIFFLE_CONFIG": "/etc/riffle.toml"})
    assert elsewhere.config_file == Path("/etc/riffle.toml")


def test_nobody_else_can_read_what_is_written(tmp_path: Path) -> None:
    write_private(tmp_path / "a" / "b" / "file", "x")
    append_private(tmp_path / "a" / "log", "x")
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "a").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


@pytest.mark.parametrize("value", ['a"b', "back\\slash", "line\nend", "\x7f", "dünn"])
def test_what_is_remembered_is_valid_toml(where: Paths, value: str) -> None:
    remember(where, "theme", value)
    config = load_config(where, {})
    assert (config.theme, config.warnings) == (value, [])


def test_a_config_file_that_is_a_link_stays_one(where: Paths, tmp_path: Path) -> None:
    dotfile = tmp_path / "dotfiles.toml"
    dotfile.write_text('model = "demo"\n')
    where.config_file.parent.mkdir(parents=True)
    where.config_file.symlink_to(dotfile)
    remember(where, "theme", "peat")
    assert where.config_file.is_symlink()
    assert dotfile.read_text() == 'theme = "peat"\nmodel = "demo"\n'


@pytest.mark.parametrize(("text", "seconds", "warned"), [("0.5", 0.5, False), ("0", 0.3, False), ("soon", 6.0, True)])
def test_how_long_an_engine_may_be_silent_can_be_said(where: Paths, text: str, seconds: float, warned: bool) -> None:
    config = load_config(where, {"RIFFLE_LEASE_SECONDS": text})
    assert config.lease_seconds == seconds
    assert config.warnings == (["RIFFLE_LEASE_SECONDS must be a number, not soon; it is ignored."] if warned else [])
