"""The providers that riffle knows by name, and the model that is used when nobody has chosen one.

Plain data and nothing heavy: a screen says before its first frame who will answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Table = Mapping[str, str | int | float | bool]
"""What a user set for one provider: `base_url`, `api_key` or `api_key_env`, `model`, `max_tokens`, `temperature`, …"""

Settings = Mapping[str, Table]
"""The tables by the provider's name."""

DEFAULT_MODELS = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}
"""Their own general-purpose models of today: the pinned SDKs list them, the providers' pages recommend them."""


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of provider: what it is called, and where its key and its address stand in the environment."""

    label: str
    key_variable: str
    url_variable: str


SERVICES = {
    "openai": Service("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "openai-chat": Service("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": Service("Anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
}


def default_model(env: Mapping[str, str], settings: Settings | None = None) -> str:
    """`PROVIDER:MODEL` of the first provider whose key is set, else `demo`."""
    for provider, model in DEFAULT_MODELS.items():
        if key_of(provider, env, settings or {}):
            return f"{provider}:{(settings or {}).get(provider, {}).get('model') or model}"
    return "demo"


def key_of(provider: str, env: Mapping[str, str], settings: Settings) -> str | None:
    """The key to send. OPENAI_API_KEY never goes to an address from the config that names no key."""
    table = settings.get(provider, {})
    if key := str(table.get("api_key") or ""):
        return key
    if variable := str(table.get("api_key_env") or ""):
        return env.get(variable) or None
    service = SERVICES.get(provider)
    if service is None or table.get("base_url"):
        return None
    return env.get(service.key_variable) or None
