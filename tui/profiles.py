"""`[profiles.NAME]` of the config file: read, and found wanting in one sentence each.

A profile that is wrong anywhere is none: answers that were meant to come by it must not come without a part of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from engine.profiles import EFFORTS, TOOL_NAMES, Profile

LONGEST_SYSTEM = 64 * 1024
"""Bytes of a system prompt: it travels with every prompt."""

_TEXTS = ("model", "system", "system_file", "effort")
_NUMBERS = ("max_tokens", "thinking_budget")
_KNOWN = (*_TEXTS, *_NUMBERS, "temperature", "tools")


class _Wrong(Exception):
    """What is wrong with a profile."""


def read_profile(name: str, table: object, folder: Path) -> Profile | str:
    """The profile in `table`, or what is wrong with it. A relative `system_file` lies in `folder`."""
    try:
        if not isinstance(table, dict):
            raise _Wrong(f"must be a table, written as [profiles.{name}]")
        return _read(name, cast("dict[str, object]", table), folder)
    except _Wrong as wrong:
        return f"profiles.{name} {wrong}; this profile cannot be used."


def _read(name: str, table: Mapping[str, object], folder: Path) -> Profile:
    for key in table:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.5)
            raise _Wrong(f"has no setting {key}" + (f" (did you mean {near[0]}?)" if near else ""))
    texts = {key: _text(table, key) for key in _TEXTS}
    if texts["system"] and texts["system_file"]:
        raise _Wrong("has both system and system_file")
    if texts["effort"] and texts["effort"] not in EFFORTS:
        raise _Wrong(f"has an effort of {texts['effort']!r}: it is one of {', '.join(EFFORTS)}")
    system = texts["system"] or (
        _file(folder / Path(texts["system_file"]).expanduser()) if texts["system_file"] else ""
    )
    if len(system.encode()) > LONGEST_SYSTEM:
        raise _Wrong(f"has a system prompt of more than {LONGEST_SYSTEM // 1024} KiB")
    return Profile(
        name=name,
        model=texts["model"],
        system=system,
        tools=_tools(table.get("tools")),
        temperature=_temperature(table.get("temperature")),
        max_tokens=_number(table, "max_tokens"),
        thinking_budget=_number(table, "thinking_budget"),
        effort=texts["effort"],
    )


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (key in table and not value.strip()):
        raise _Wrong(f'has a {key} that is not a text in "quotes", or an empty one')
    return value.strip()


def _number(table: Mapping[str, object], key: str) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _Wrong(f"has a {key} that is not a whole number from 1")
    return value


def _temperature(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 2:
        raise _Wrong("has a temperature that is not a number from 0 to 2")
    return float(value)


def _tools(value: object) -> tuple[str, ...] | None:
    match value:
        case None | True:
            return None
        case False | "off":
            return ()
        case list():
            names = cast("list[object]", value)
            if unknown := [name for name in names if name not in TOOL_NAMES]:
                raise _Wrong(f"names a tool {unknown[0]!r}: there are {', '.join(TOOL_NAMES)}")
            return tuple(str(name) for name in names)
        case _:
            raise _Wrong('has tools that are neither a list of names nor "off"')


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # One byte more than is allowed is enough to refuse it.
            text = file.read(LONGEST_SYSTEM + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _Wrong(f"has a system_file that cannot be read ({path}: {why})") from None
    if not text.strip():
        raise _Wrong(f"has an empty system_file ({path})")
    return text.strip("\n")
