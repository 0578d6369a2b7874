"""From a prompt, its profile and the config to what a provider is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bus.meta import Metadata

from .errors import BadProfile
from .instructions import instructions
from .models import Table
from .ports import Block, Request, Work
from .profiles import Profile, travelled
from .tools import Toolbox


def profile_of(work: Work) -> Profile:
    """The profile that came with `work`. Raises `BadProfile`."""
    try:
        return travelled(work.options)
    except ValueError as error:
        raise BadProfile(str(error), "Ask again with another profile.") from None


def tools_for(work: Work, tools: Toolbox) -> Toolbox:
    """Of an engine's tools, those that the profile lets the model use."""
    names = profile_of(work).tools
    return tools if names is None else tools.only(names)


def request_for(
    work: Work, model: str, blocks: Sequence[Block], *, tools: Toolbox, folder: Path | None, table: Table, ids: Metadata
) -> Request:
    """What is asked of `model`. Where the profile says nothing, the config's `table` of the provider does."""
    profile, specs = profile_of(work), tools.specs()
    max_tokens = profile.max_tokens or table.get("max_tokens")
    temperature = table.get("temperature") if profile.temperature is None else profile.temperature
    budget = profile.thinking_budget or table.get("thinking_budget")
    return Request(
        model=model,
        blocks=blocks,
        system=instructions(folder if specs else None, profile.system),
        tools=specs,
        max_tokens=None if max_tokens is None else int(max_tokens),
        temperature=None if temperature is None else float(temperature),
        thinking_budget=None if budget is None else int(budget),
        settings=work.options,
        session_id=ids.session_id,
        inference_id=ids.inference_id,
        turn_id=ids.turn_id,
    )
