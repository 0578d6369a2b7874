"""What a user may set: the config file, overridden by the environment, overridden by flags.

A bad file never stops riffle: each fault becomes one sentence in `Config.warnings`, and the default is used.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bus.durability import LEVELS, Durability, level_named
from bus.session import Answering
from engine.models import HEADER
from engine.profiles import Profile
from engine.servers import APIS, REASONING_FIELDS
from tui import paths
from tui.keys import BY_ID
from tui.profiles import read_profile

if TYPE_CHECKING:
    from engine.prices import Price

Value = str | int | float | bool

AUTO = "auto"
"""As a theme: light or dark, as the terminal is."""
DEFAULT_THEME, LIGHT_THEME = "dusk", "paper"
SECRET_KEYS = {"api_key"}
SHORTEST_LEASE_SECONDS = 0.3


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
    smallest: int | None = None
    """Of a number."""


SETTINGS: tuple[Setting, ...] = (
    Setting("model", str, "", "PROVIDER:MODEL; empty: by the API key that is set, else demo", ("RIFFLE_MODEL",)),
    Setting("theme", str, AUTO, "auto (by the terminal's background) or a name of the theme picker", ("RIFFLE_THEME",)),
    Setting("plain", bool, False, "appended lines instead of a screen, for screen readers"),
    Setting(
        "pictures",
        str,
        "auto",
        "auto (true pixels where the terminal can, else half blocks), blocks or off",
        (),
        ("auto", "blocks", "off"),
    ),
    Setting("redis.url", str, "", "empty: riffle starts a Redis of its own", ("RIFFLE_REDIS_URL", "REDIS_URL")),
    Setting(
        "redis.durability",
        str,
        "",
        "what a written event survives: memory, process, disk or replica; empty: what the server gives",
        ("RIFFLE_DURABILITY",),
        LEVELS,
    ),
    Setting("redis.replicas", int, 1, "durability replica: how many must have an event", smallest=1),
    Setting(
        "retention.after_days",
        int,
        14,
        "after how many days an ended session moves from riffle's own Redis to a file; 0: never",
        smallest=0,
    ),
    Setting("engine.max_calls", int, 20, "provider calls that one prompt may lead to"),
    Setting("engine.retries", int, 3, "how often a failed provider call is tried again"),
    Setting("engine.tools", bool, True, "whether the model may use tools"),
    Setting(
        "engine.lease_seconds",
        float,
        6.0,
        "after how long without a sign of life another engine takes over",
        ("RIFFLE_LEASE_SECONDS",),
        smallest=1,
    ),
    Setting(
        "engine.answering",
        str,
        "private",
        "who answers new chats: private (an engine of their own) or pool (any)",
        (),
        ("private", "pool"),
    ),
)

PROVIDER_SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("base_url", str, "", "where the server is, such as http://localhost:8000/v1"),
        Setting("api", str, "", "what it speaks", choices=APIS),
        Setting("api_key", str, "", "the key itself; better is api_key_env"),
        Setting("api_key_env", str, "", "the environment variable that holds the key; empty: no key is sent"),
        Setting("reasoning_field", str, "", "what the model's reasoning goes back as", choices=REASONING_FIELDS),
        Setting("model", str, "", "the model that is asked where only the provider is named"),
        Setting("max_tokens", int, 0, "the most tokens of an answer"),
        Setting("temperature", float, 0.0, "how freely it writes"),
        Setting("thinking_budget", int, 0, "the most tokens of thinking"),
        Setting("context_window", int, 0, "tokens that its models take, where the provider does not say", smallest=1),
        Setting("idle_seconds", float, 300.0, "after how long without data a call is given up", smallest=1),
    )
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
    profiles: dict[str, Profile] = field(default_factory=dict[str, Profile])
    """By name, from `[profiles.NAME]`."""
    bad_profiles: dict[str, str] = field(default_factory=dict[str, str])
    """Those that cannot be used, and why not."""
    prices: dict[str, Price] = field(default_factory=lambda: dict[str, "Price"]())
    """By the model's name, from `[prices."MODEL"]`."""
    warnings: list[str] = field(default_factory=list[str])

    @property
    def model(self) -> str:
        """`PROVIDER:MODEL`, or empty where nobody chose one."""
        return str(self.values["model"])

    @property
    def theme(self) -> str:
        """A theme's name, or `auto`; nobody has looked yet whether there is such a theme."""
        return str(self.values["theme"])

    @property
    def plain(self) -> bool:
        """Whether lines are appended instead of a screen drawn."""
        return bool(self.values["plain"])

    @property
    def pictures(self) -> str:
        """How pictures are shown: auto, blocks or off."""
        return str(self.values["pictures"])

    @property
    def redis_url(self) -> str | None:
        """The Redis to use; None: the embedded server."""
        return str(self.values["redis.url"]) or None

    @property
    def durability(self) -> Durability:
        """What events are to survive."""
        return Durability(level_named(str(self.values["redis.durability"])), int(self.values["redis.replicas"]))

    @property
    def retention_days(self) -> int:
        """After how many days an ended session moves to a file; 0: never."""
        return int(self.values["retention.after_days"])

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
    def lease_seconds(self) -> float:
        """After how long without a sign of life an engine counts as lost, and another one takes over."""
        return max(SHORTEST_LEASE_SECONDS, float(self.values["engine.lease_seconds"]))

    @property
    def answering(self) -> Answering:
        """Who answers a new chat: an engine that it starts itself, or any `riffle engine`."""
        return "pool" if self.values["engine.answering"] == "pool" else "private"

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """(name, value, where from) of every setting, without secrets: what `riffle doctor` prints."""
        from bus.redis.address import safe_url  # no first frame waits for what the doctor alone shows

        for name, value in self.values.items():
            shown = safe_url(str(value)) if name == "redis.url" and value else _without_password(str(value))
            yield name, shown, self.sources[name]
        for provider, table in self.providers.items():
            for key, value in table.items():
                name = f"providers.{provider}.{key}"
                hidden = key in SECRET_KEYS or key.startswith(HEADER)
                shown = "set, not shown" if hidden else _without_password(str(value))
                yield name, shown, self.sources[name]
        for action, keys in self.keys.items():
            yield f"keys.{action}", keys, self.sources[f"keys.{action}"]


def load_config(where: paths.Paths, env: Mapping[str, str], flags: Mapping[str, Value | None] | None = None) -> Config:
    """Read the config. `flags` maps dotted names to what the command line said, None where it said nothing."""
    config = Config({s.name: s.default for s in SETTINGS}, {s.name: "default" for s in SETTINGS})
    _File(where.config_file, config).read()
    for setting in SETTINGS:
        for variable in reversed(setting.env):
            text = env.get(variable)
            if text and setting.choices and text not in setting.choices:
                config.warnings.append(_must_be_one_of(variable, text, setting.choices))
            elif text and setting.kind is float and not _is_number(text):
                config.warnings.append(f"{variable} must be a number, not {text}; it is ignored.")
            elif text:
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
        known = {s.name.partition(".")[0] for s in SETTINGS} | {"providers", "profiles", "keys", "prices"}
        for key, value in tree.items():
            if key not in known:
                self._unknown(key, known)
            elif key == "providers":
                self._providers(value)
            elif key == "profiles":
                self._profiles(value)
            elif key == "keys":
                self._keys(value)
            elif key == "prices":
                self._prices(value)
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
        if self._fits(name, value, setting.kind) and self._is_allowed(setting, value):
            self.config.values[name] = cast("Value", value)
            self.config.sources[name] = str(self.path)

    def _providers(self, value: object) -> None:
        for provider, table in self._table("providers", value).items():
            for key, inner in self._table(f"providers.{provider}", table).items():
                name = f"providers.{provider}.{key}"
                if key == "headers":
                    for header, text in self._table(name, inner).items():
                        if self._fits(f"{name}.{header}", text, str):
                            self._set_provider(provider, f"{HEADER}{header}", text)
                elif key not in PROVIDER_SETTINGS:
                    known = {f"providers.{provider}.{known}" for known in (*PROVIDER_SETTINGS, "headers")}
                    self._unknown(name, known)
                else:
                    setting = replace(PROVIDER_SETTINGS[key], name=name)
                    if self._fits(name, inner, setting.kind) and self._is_allowed(setting, inner):
                        self._set_provider(provider, key, inner)

    def _set_provider(self, provider: str, key: str, value: object) -> None:
        self.config.providers.setdefault(provider, {})[key] = cast("Value", value)
        self.config.sources[f"providers.{provider}.{key}"] = str(self.path)

    def _profiles(self, value: object) -> None:
        for name, table in self._table("profiles", value).items():
            found = read_profile(name, table, self.path.parent)
            if isinstance(found, Profile):
                self.config.profiles[name] = found
            else:
                self.config.bad_profiles[name] = found
                self._warn(found)

    def _keys(self, value: object) -> None:
        for action, keys in self._table("keys", value).items():
            name = f"keys.{action}"
            if action not in BY_ID:
                self._unknown(name, {f"keys.{known}" for known in BY_ID})
            elif self._fits(name, keys, str):
                self.config.keys[action] = cast("str", keys)
                self.config.sources[name] = str(self.path)

    def _prices(self, value: object) -> None:
        from tui.prices import read_price  # few set a price, and no first frame waits for what they are made of

        for model, table in self._table("prices", value).items():
            found = read_price(model, table)
            if isinstance(found, str):
                self._warn(found)
            else:
                self.config.prices[model] = found

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

    def _is_allowed(self, setting: Setting, value: object) -> bool:
        if setting.choices and value not in setting.choices:
            self._warn(_must_be_one_of(setting.name, value, setting.choices))
            return False
        if setting.smallest is not None and cast("int", value) < setting.smallest:
            self._warn(f"{setting.name} must be {setting.smallest} at least, not {value}; it is ignored.")
            return False
        return True

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


def _must_be_one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    return f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value}; it is ignored."


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _without_password(text: str) -> str:
    return re.sub(r"(\w+://)([^/@\s]*)@", lambda found: f"{found[1]}{found[2].partition(':')[0]}:•••@", text)
