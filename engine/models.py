"""Where a provider is reached and with which key, and the model that is used when nobody has chosen one.

Plain data and nothing heavy: a screen says before its first frame who will answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .servers import SERVERS, Api

Table = Mapping[str, str | int | float | bool]
"""What a user set for one provider: `base_url`, `api`, `api_key` or `api_key_env`, `reasoning_field`, `model`,
`max_tokens`, `temperature`, `idle_seconds`, …; a header under `headers.NAME`."""

Settings = Mapping[str, Table]
"""The tables by the provider's name."""

DEFAULT_MODELS = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}
"""Their own general-purpose models of today: the pinned SDKs list them, the providers' pages recommend them."""

HEADER = "headers."

IDLE_SECONDS = 300.0
"""How long a provider may be silent, unless the configuration says otherwise."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A provider as this user reaches it: the address, the one key that goes there, and what else is sent.

    After `idle_seconds` of silence a call is given up. `named_here`: this is the SDK's own provider, at its own address
    or at that of its variable, so that what else the environment holds for it (organization, headers) is meant here.
    """

    name: str
    label: str
    api: Api
    base_url: str
    key: str | None = field(default=None, repr=False)
    key_variable: str = ""
    key_needed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    reasoning_field: str = ""
    named_here: bool = True
    idle_seconds: float = IDLE_SECONDS

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return origin(self.base_url)[1] in _LOOPBACK


def endpoint(provider: str, env: Mapping[str, str], settings: Settings) -> Endpoint | None:
    """Where `provider` is reached; None: it is neither one that riffle knows nor one with a `base_url`."""
    server, table = SERVERS.get(provider), settings.get(provider, {})
    configured = str(table.get("base_url") or "")
    from_env = env.get(server.url_variable, "") if server and server.url_variable else ""
    base_url = configured or from_env or (server.base_url if server else "")
    if not base_url:
        return None
    own_address = server is not None and origin(base_url) == origin(server.base_url)
    keyed_here = own_address or (bool(from_env) and not configured)
    # A ready entry's key is for that server. What the config moves elsewhere has to name the key that goes there.
    variable = str(table.get("api_key_env", server.key_variable if server and keyed_here else ""))
    key = str(table.get("api_key") or "") or (env.get(variable) if variable else "") or None
    return Endpoint(
        name=provider,
        label=server.label if server else provider,
        api=_api(table, server.api if server else "openai-chat"),
        base_url=base_url,
        key=key,
        key_variable=variable,
        key_needed=bool(table.get("api_key_env")) or (own_address and bool(variable) and not _is_local(provider)),
        headers={name.removeprefix(HEADER): str(v) for name, v in table.items() if name.startswith(HEADER)},
        reasoning_field=str(table.get("reasoning_field", server.reasoning_field if server else "")),
        named_here=keyed_here and server is not None and bool(server.url_variable),
        idle_seconds=float(table.get("idle_seconds", IDLE_SECONDS)),
    )


def provider_names(settings: Settings) -> list[str]:
    """The providers that riffle knows, then those that the config adds."""
    return [*SERVERS, *(name for name in settings if name not in SERVERS and settings[name].get("base_url"))]


def default_model(env: Mapping[str, str], settings: Settings | None = None) -> str:
    """`PROVIDER:MODEL` of the first provider whose key is set, else of one whose model is configured, else `demo`."""
    settings = settings or {}
    for provider, model in DEFAULT_MODELS.items():
        place = endpoint(provider, env, settings)
        if place and place.key:
            return f"{provider}:{settings.get(provider, {}).get('model') or model}"
    for provider, table in settings.items():
        place = endpoint(provider, env, settings)
        if table.get("model") and place and (place.key or not place.key_needed):
            return f"{provider}:{table['model']}"
    return "demo"


def origin(url: str) -> tuple[str, str, int | None]:
    """What makes two addresses the same server: scheme, host and port. The host is empty where it is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:  # brackets or a port that are none
        return "", "", None


def _is_local(provider: str) -> bool:
    server = SERVERS.get(provider)
    return server is not None and server.local


def _api(table: Table, default: Api) -> Api:
    match table.get("api"):
        case "openai-chat" | "openai-responses" | "anthropic" as api:
            return api
        case _:
            return default
