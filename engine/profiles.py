"""Profiles: a name for a model, a system prompt, tools and settings. How one travels with a prompt, and comes back.

The whole profile travels, not its name: an engine elsewhere knows other ones or none, and would answer as somebody
else. There is no secret in a profile: keys belong to providers. Plain data, which a screen imports at its start.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

COMPACT, UNDO = "compact", "undo-compaction"
"""What the option `command` may say instead of an answer."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How much a model is to think; each provider knows some of them."""

TOOL_NAMES = ("read_file", "list_files", "search_files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who answers, and how. What is None, or an empty text, is as it is without a profile.

    `system` stands in place of riffle's own words. `tools` are the names of those that may be used, of those that the
    engine has.
    """

    name: str = ""
    model: str = ""
    system: str = ""
    tools: tuple[str, ...] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking_budget: int | None = None
    effort: str = ""

    def options(self) -> dict[str, str]:
        """As it travels. The model has a place of its own in the prompt."""
        found = {
            "profile": self.name,
            "system": self.system,
            "temperature": "" if self.temperature is None else repr(self.temperature),
            "max_tokens": "" if self.max_tokens is None else str(self.max_tokens),
            "thinking_budget": "" if self.thinking_budget is None else str(self.thinking_budget),
            "reasoning_effort": self.effort,
        }
        tools = {} if self.tools is None else {"tools": ",".join(self.tools)}
        return {name: text for name, text in found.items() if text} | tools


def travelled(options: Mapping[str, str]) -> Profile:
    """What `Profile.options` gave. Raises ValueError, in words for a person."""
    tools = options.get("tools")
    return Profile(
        name=options.get("profile", ""),
        system=options.get("system", ""),
        tools=None if tools is None else tuple(name for name in tools.split(",") if name),
        temperature=_number(options, "temperature"),
        max_tokens=_whole(options, "max_tokens"),
        thinking_budget=_whole(options, "thinking_budget"),
        effort=options.get("reasoning_effort", ""),
    )


def _whole(options: Mapping[str, str], name: str) -> int | None:
    number = _number(options, name)
    return None if number is None else int(number)


def _number(options: Mapping[str, str], name: str) -> float | None:
    text = options.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        profile = f"The profile {options['profile']!r}" if options.get("profile") else "The prompt"
        raise ValueError(f"{profile} says {name} = {text!r}, which is no number.")
    return number
