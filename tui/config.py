"""What a user may set: the config file, overridden by the environment, overridden by flags.

A bad file never stops riffle: each fault becomes one sentence in `Config.warnings`, and the default is used.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bus.session import Answering
from tui import paths
from tui.keys import BY_ID

Value = str | int | float | bool

DEFAULT_THEME = "dusk"
SECRET_KEYS = {"api_key"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that may be set. `env` names the variables that override it, the strongest first."""

    name: str
    kind: type
    default: Value
    help: str
    env: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Of a text: the only ones that there are."""


SETTINGS: tuple[Setting, ...] = (
    Setting("model", str, "", "PROVIDER:MODEL; empty: by the API key that is set, else demo", ("RIFFLE_MODEL",)),
    Setting("theme", str, DEFAULT_THEME, "a name from the theme picker", ("RIFFLE_THEME",)),
    Setting("redis.url", str, "", "empty: riffle starts a Redis of its own", ("RIFFLE_REDIS_URL", "REDIS_URL")),
    Setting("engine.max_calls", int, 20, "provider calls that one prompt may lead to"),
    Setting("engine.retries", int, 3, "how often a failed provider call is tried again"),
    Setting("engine.tools", bool, True, "whether the model may use tools"),
    Setting(
        "engine.answering",
        str,
        "private",
        "who answers new chats: private (an engine of their own) or pool (any)",
        (),
        ("private", "pool"),
    ),
)

PROVIDER_SETTINGS: Mapping[str, type] = {
    "base_url": str,
    "api_key": str,
    "api_key_env": str,
    "model": str,
    "max_tokens": int,
    "temperature": float,
    "thinking_budget": int,
}


@dataclass(slots=True)
class Config:
    """Every setting by its dotted name, with where it came from. `providers` holds `[providers.NAME]` tables."""

    values: dict[str, Value]
    sources: dict[str, str]
    """Dotted name -> `default`, the config file's path, an environment variable's name or a flag."""
    providers: dict[str, dict[str, Value]] = field(default_factory=dict[str, dict[str, Value]])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """Action -> keys, from `[keys]`."""
    warnings: list[str] = field(default_factory=list[str])

    @property
    def model(self) -> str:
        """`PROVIDER:MODEL`, or empty where nobody chose one."""
        return str(self.values["model"])

    @property
    def theme(self) -> str:
        """A theme's name; nobody has looked yet whether there is one."""
        return str(self.values["theme"])

    @property
    def redis_url(self) -> str | None:
        """The Redis to use; None: the embedded server."""
        return str(self.values["redis.url"]) or None

    @property
    def max_calls(self) -> int:
        """Provider calls that one prompt may lead to."""
        return int(self.values["engine.max_calls"])

    @property
    def retries(self) -> int:
        """How often a failed provider call is tried again."""
        return int(self.values["engine.retries"])

    @property
    def tools(self) -> bool:
        """Whether the model may use tools."""
        return bool(self.values["engine.tools"])

    @property
    def answering(self) -> Answering:
        """Who answers a new chat: an engine that it starts itself, or any `riffle engine`."""
        return "pool" if self.values["engine.answering"] == "pool" else "private"

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """(name, value, where from) of every setting, without secrets: what `riffle doctor` prints."""
        for name, value in self.values.items():
            yield name, _without_password(str(value)), self.sources[name]
        for provider, table in self.providers.items():
            for key, value in table.items():
                name = f"providers.{provider}.{key}"
                shown = "set, not shown" if key in SECRET_KEYS else _without_password(str(value))
                yield name, shown, self.sources[name]
        for action, keys in self.keys.items():
            yield f"keys.{action}", keys, self.sources[f"keys.{action}"]


def load_config(where: paths.Paths, env: Mapping[str, str], flags: Mapping[str, Value | None] | None = None) -> Config:
    """Read the config. `flags` maps dotted names to what the command line said, None where it said nothing."""
    config = Config({s.name: s.default for s in SETTINGS}, {s.name: "default" for s in SETTINGS})
    _File(where.config_file, config).read()
    for setting in SETTINGS:
        for variable in reversed(setting.env):
            if text := env.get(variable):
                config.values[setting.name] = text
                config.sources[setting.name] = variable
    for name, value in (flags or {}).items():
        if value is not None:
            config.values[name] = value
            config.sources[name] = "command line"
    return config


class _File:
    """Reads one config file into `config`."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config

    def read(self) -> None:
        try:
            tree = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            self._warn(f"cannot be read ({error}); the defaults are used.")
            return
        except tomllib.TOMLDecodeError as error:
            self._warn(f"is not valid TOML: {error}. Until that is mended, the defaults are used.")
            return
        sections = {s.name.partition(".")[0] for s in SETTINGS if "." in s.name}
        known = {s.name.partition(".")[0] for s in SETTINGS} | {"providers", "keys"}
        for key, value in tree.items():
            if key not in known:
                self._unknown(key, known)
            elif key == "providers":
                self._providers(value)
            elif key == "keys":
                self._keys(value)
            elif key in sections:
                self._section(key, value)
            else:
                self._set(key, value)

    def _section(self, section: str, value: object) -> None:
        names = {s.name for s in SETTINGS if s.name.startswith(f"{section}.")}
        for key, inner in self._table(section, value).items():
            name = f"{section}.{key}"
            if name in names:
                self._set(name, inner)
            else:
                self._unknown(name, names)

    def _set(self, name: str, value: object) -> None:
        setting = next(s for s in SETTINGS if s.name == name)
        if self._fits(name, value, setting.kind) and self._is_one_of(name, value, setting.choices):
            self.config.values[name] = cast("Value", value)
            self.config.sources[name] = str(self.path)

    def _providers(self, value: object) -> None:
        for provider, table in self._table("providers", value).items():
            for key, inner in self._table(f"providers.{provider}", table).items():
                name = f"providers.{provider}.{key}"
                if key not in PROVIDER_SETTINGS:
                    self._unknown(name, {f"providers.{provider}.{known}" for known in PROVIDER_SETTINGS})
                elif self._fits(name, inner, PROVIDER_SETTINGS[key]):
                    self.config.providers.setdefault(provider, {})[key] = cast("Value", inner)
                    self.config.sources[name] = str(self.path)

    def _keys(self, value: object) -> None:
        for action, keys in self._table("keys", value).items():
            name = f"keys.{action}"
            if action not in BY_ID:
                self._unknown(name, {f"keys.{known}" for known in BY_ID})
            elif self._fits(name, keys, str):
                self.config.keys[action] = cast("str", keys)
                self.config.sources[name] = str(self.path)

    def _table(self, name: str, value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        self._warn(f"{name} must be a table, written as [{name}]; it is ignored.")
        return {}

    def _fits(self, name: str, value: object, kind: type) -> bool:
        # A bool is an int to Python; nobody who writes `retries = true` means 1.
        accepted = {int: (int,), float: (int, float)}.get(kind, (kind,))
        if isinstance(value, accepted) and isinstance(value, bool) == (kind is bool):
            return True
        words = {str: 'a text in "quotes"', int: "a whole number", float: "a number", bool: "true or false"}
        self._warn(f"{name} must be {words[kind]}, not {type(value).__name__}; it is ignored.")
        return False

    def _is_one_of(self, name: str, value: object, choices: tuple[str, ...]) -> bool:
        if not choices or value in choices:
            return True
        self._warn(f"{name} must be {' or '.join(choices)}, not {value}; it is ignored.")
        return False

    def _unknown(self, name: str, known: set[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        self._warn(f"{name} is not a setting of riffle." + (f" Did you mean {near[0]}?" if near else ""))

    def _warn(self, sentence: str) -> None:
        self.config.warnings.append(f"{self.path}: {sentence}")


def remember(where: paths.Paths, name: str, value: str) -> None:
    """Write the top-level setting `name` into the config file and leave every other line as it is.

    Raises OSError, and UnicodeError where the file is not UTF-8.
    """
    path = where.config_file.resolve()  # a link to a file among somebody's dotfiles stays one
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    paths.write_private(path, with_setting(text, name, value))


def with_setting(text: str, name: str, value: str) -> str:
    """The TOML `text` with the top-level setting `name` set to a text."""
    # JSON's texts are TOML's, but for one character that TOML wants escaped.
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    table = re.search(r"^\s*\[", text, re.MULTILINE)
    top, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    changed, count = re.subn(rf"^{re.escape(name)}\s*=.*$", lambda _: line, top, flags=re.MULTILINE)
    return (changed if count else f"{line}\n{top}") + rest


def _without_password(text: str) -> str:
    return re.sub(r"(\w+://)([^/@\s]*)@", lambda found: f"{found[1]}{found[2].partition(':')[0]}:•••@", text)
