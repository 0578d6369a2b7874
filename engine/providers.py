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
from .models import DEFAULT_MODELS, SERVICES, Settings, key_of
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
    known = _known(settings or {})
    provider, colon, name = model.strip().partition(":")
    if provider == "demo":
        return Model("demo", name)
    if provider not in known:
        guess = next((guess for guess, pattern in _GUESSES if not colon and pattern.match(provider)), None)
        if guess is None:
            raise _unknown(model, known)
        return Model(guess, provider)
    name = name or str((settings or {}).get(provider, {}).get("model", DEFAULT_MODELS.get(provider, "")))
    if not name:
        raise UnknownModel(f"{provider!r} is a provider, and it takes a model.", f"Write -m {provider}:MODEL.")
    return Model(provider, name)


def resolve(model: str, env: Mapping[str, str], settings: Settings | None = None) -> Provider:
    """The provider of `model`, ready to be asked. Raises `UnknownModel` or `MissingKey`, in words."""
    wanted = parse(model, settings)
    if wanted.provider == "demo":
        from .demo.provider import Demo

        return Demo(wanted.name)
    table = (settings or {}).get(wanted.provider, {})
    service = SERVICES.get(wanted.provider)
    base_url = str(table.get("base_url") or "") or (env.get(service.url_variable) if service else None) or None
    variable = str(table.get("api_key_env") or (service.key_variable if service else ""))
    key = key_of(wanted.provider, env, settings or {})
    if not key and (base_url is None or table.get("api_key_env")):
        label = service.label if service else wanted.provider
        raise MissingKey(
            f"There is no API key for {label}.",
            f"Set {variable}, or choose another model with -m; -m demo needs no key.",
        )
    match wanted.provider:
        case "openai":
            from .openai_responses import OpenAIResponsesProvider

            return OpenAIResponsesProvider(api_key=key, base_url=base_url, key_variable=variable)
        case "anthropic":
            from .anthropic import AnthropicProvider

            return AnthropicProvider(api_key=key, base_url=base_url, key_variable=variable)
        case name:
            from .openai_chat import OpenAIChatProvider

            return OpenAIChatProvider(api_key=key, base_url=base_url, name=name, key_variable=variable)


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


def _known(settings: Settings) -> list[str]:
    return [*SERVICES, *(name for name in settings if name not in SERVICES and settings[name].get("base_url"))]


def _unknown(model: str, known: list[str]) -> UnknownModel:
    provider, colon, name = model.partition(":")
    nearest = difflib.get_close_matches(provider, [*known, "demo"], n=1)
    forms = ", ".join([*(f"{provider}:MODEL" for provider in known), "demo"])
    hint = f"Write one of: {forms}. For a model of a server at OPENAI_BASE_URL: openai-chat:{model}."
    if colon and nearest:
        hint = f"Did you mean {nearest[0]}:{name}? {hint}"
    return UnknownModel(f"No provider is known for the model {model!r}.", hint)
