"""Which provider a model name means, and how it is reached: `PROVIDER:MODEL` to a `Provider`.

Only the adapter that is asked for is imported: each provider's SDK costs half a second and more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from bus.events import Event
from bus.meta import Metadata

from .errors import EngineError, MissingKey, UnknownModel, refused
from .models import DEFAULT_MODELS, Endpoint, Settings, endpoint, origin, provider_names
from .ports import Provider, Request

_GUESSES = (
    ("openai", re.compile(r"(gpt|chatgpt|codex)-|o\d")),
    ("anthropic", re.compile(r"claude-")),
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model by the name of its provider and the name that the provider knows it by."""

    provider: str
    name: str


def parse(model: str, settings: Settings | None = None) -> Model:
    """`PROVIDER:MODEL`, a provider alone (its default model), or a model whose name tells its provider."""
    settings = settings or {}
    known = provider_names(settings)
    provider, colon, name = model.strip().partition(":")
    if provider == "demo":
        return Model("demo", name)
    if provider not in known:
        guess = next((guess for guess, pattern in _GUESSES if not colon and pattern.match(provider)), None)
        if guess is None:
            raise _unknown(model, known, settings)
        return Model(guess, provider)
    name = name or str(settings.get(provider, {}).get("model", DEFAULT_MODELS.get(provider, "")))
    if not name:
        hint = f"Write -m {provider}:MODEL. `riffle models {provider}` lists them."
        raise UnknownModel(f"{provider!r} is a provider, and it takes a model.", hint)
    return Model(provider, name)


def reach(provider: str, env: Mapping[str, str], settings: Settings | None = None) -> Endpoint:
    """Where `provider` is asked. Raises `UnknownModel` or `MissingKey`, in words."""
    settings = settings or {}
    place = endpoint(provider, env, settings)
    if place is None:
        raise _unknown(provider, provider_names(settings), settings)
    scheme, host, _ = origin(place.base_url)
    if scheme not in ("http", "https") or not host:
        raise UnknownModel(
            f"The address of {place.label} is none: {place.base_url!r}.",
            f"Set base_url under [providers.{provider}], such as http://localhost:8000/v1.",
        )
    if place.key_needed and not place.key:
        raise MissingKey(
            f"There is no API key for {place.label}.",
            f"Set {place.key_variable}, or choose another model with -m; -m demo needs no key.",
        )
    return place


def check(model: str, env: Mapping[str, str], settings: Settings | None = None) -> None:
    """Raise what keeps `model` from being asked, as far as can be known without asking. Loads no SDK."""
    wanted = parse(model, settings)
    if wanted.provider != "demo":
        reach(wanted.provider, env, settings)


def resolve(model: str, env: Mapping[str, str], settings: Settings | None = None) -> Provider:
    """The provider of `model`, ready to be asked. Raises `UnknownModel` or `MissingKey`, in words."""
    wanted = parse(model, settings)
    if wanted.provider == "demo":
        from .demo.provider import Demo

        return Demo(wanted.name)
    place = reach(wanted.provider, env, settings)
    match place.api:
        case "openai-responses":
            from .openai_responses import OpenAIResponsesProvider as Kind
        case "anthropic":
            from .anthropic import AnthropicProvider as Kind
        case "openai-chat":
            from .openai_chat import OpenAIChatProvider as Kind
    return Kind(place)


class Refused:
    """Stands for a provider that cannot be asked: every call fails with the reason."""

    name = "none"

    def __init__(self, error: EngineError) -> None:
        self._error = error

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """The reason."""
        ids = Metadata(session_id=request.session_id, inference_id=request.inference_id, turn_id=request.turn_id)
        yield refused(self._error, ids)

    async def close(self) -> None:
        """Nothing is open."""


def _unknown(model: str, known: list[str], settings: Settings) -> UnknownModel:
    provider, colon, name = model.partition(":")
    if provider in settings:
        return UnknownModel(
            f"{provider!r} has no address.", f"Set base_url under [providers.{provider}] in the configuration."
        )
    hint = f"Write PROVIDER:MODEL with one of: {', '.join(known)}; or demo."
    nearest = difflib.get_close_matches(provider, [*known, "demo"], n=1)
    if colon and nearest:
        hint = f"Did you mean {nearest[0]}:{name}? {hint}"
    else:
        hint += f" For a model of a server at OPENAI_BASE_URL: openai-chat:{model}."
    return UnknownModel(f"No provider is known for the model {model!r}.", hint)
