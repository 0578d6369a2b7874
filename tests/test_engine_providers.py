"""Which provider a model name means, where its key goes, and what is said when it cannot be reached."""

from __future__ import annotations

import pytest

from bus.events import Error, Final
from engine.anthropic import AnthropicProvider
from engine.errors import EngineError, MissingKey, UnknownModel
from engine.failures import advice
from engine.models import DEFAULT_MODELS, Settings, default_model
from engine.openai_chat import OpenAIChatProvider
from engine.openai_responses import OpenAIResponsesProvider
from engine.providers import check, parse, resolve
from engine.servers import SERVERS
from tests.support.model_server import ANSWER, Reply, model_server
from tests.support.provider_http import HELLO

OPENAI = f"openai:{DEFAULT_MODELS['openai']}"
ANTHROPIC = f"anthropic:{DEFAULT_MODELS['anthropic']}"


@pytest.mark.parametrize(
    ("env", "model"),
    [
        ({}, "demo"),
        ({"OPENAI_API_KEY": ""}, "demo"),
        ({"OPENAI_API_KEY": "k"}, OPENAI),
        ({"ANTHROPIC_API_KEY": "k"}, ANTHROPIC),
        ({"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, OPENAI),
    ],
)
def test_the_key_that_is_set_chooses_the_model(env: dict[str, str], model: str) -> None:
    assert default_model(env) == model


def test_the_config_may_name_a_providers_model_and_key() -> None:
    settings: Settings = {"anthropic": {"api_key_env": "WORK_KEY", "model": "claude-x"}}
    assert default_model({"WORK_KEY": "k"}, settings) == "anthropic:claude-x"
    assert default_model({"ANTHROPIC_API_KEY": "k"}, settings) == "demo"


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai:gpt-5.5", "openai", "gpt-5.5"),
        ("openai-chat:qwen2.5-coder:32b", "openai-chat", "qwen2.5-coder:32b"),
        ("anthropic:claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("anthropic", "anthropic", DEFAULT_MODELS["anthropic"]),
        ("demo", "demo", ""),
        ("demo:fast", "demo", "fast"),
        ("gpt-5.5", "openai", "gpt-5.5"),
        ("o3", "openai", "o3"),
        ("claude-sonnet-5", "anthropic", "claude-sonnet-5"),
    ],
)
def test_a_model_name_tells_its_provider(model: str, provider: str, name: str) -> None:
    found = parse(model)
    assert (found.provider, found.name) == (provider, name)


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("llama3", "openai-chat:llama3"),
        ("qwen2.5-coder:32b", "openai-chat:qwen2.5-coder:32b"),
        ("opnai:gpt-5.5", "Did you mean openai:gpt-5.5?"),
        ("", "demo"),
    ],
)
def test_a_model_of_nobody_is_refused_with_what_there_is(model: str, hint: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        parse(model)
    assert hint in refused.value.hint and "one of: openai, openai-chat, anthropic, ollama, " in refused.value.hint


def test_a_compatible_server_needs_the_name_of_a_model() -> None:
    with pytest.raises(UnknownModel) as refused:
        parse("openai-chat")
    assert refused.value.hint == "Write -m openai-chat:MODEL. `riffle models openai-chat` lists them."


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai:gpt-5.5", "OPENAI_API_KEY"),
        ("openai-chat:gpt-5.5", "OPENAI_API_KEY"),
        ("claude-sonnet-5", "ANTHROPIC_API_KEY"),
    ],
)
def test_a_missing_key_is_named(model: str, variable: str) -> None:
    with pytest.raises(MissingKey) as missing:
        resolve(model, {"SOME_OTHER_KEY": "k"})
    assert variable in missing.value.hint and "demo" in missing.value.hint


def test_an_unknown_variant_of_the_demo_is_refused() -> None:
    with pytest.raises(EngineError) as refused:
        resolve("demo:slow", {})
    assert "demo:long" in refused.value.hint


@pytest.mark.parametrize(
    ("model", "env", "settings", "key"),
    [
        ("openai:m", {"OPENAI_API_KEY": "k"}, {}, "k"),
        ("openai:m", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, {}, "k"),
        ("openai-chat:m", {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, {}, "none"),
        ("openai-chat:m", {"OPENAI_API_KEY": "k"}, {"openai-chat": {"base_url": "http://127.0.0.1:1"}}, "none"),
        ("box:m", {"OPENAI_API_KEY": "k"}, {"box": {"base_url": "http://127.0.0.1:1"}}, "none"),
        ("box:m", {"BOX": "b"}, {"box": {"base_url": "http://127.0.0.1:1", "api_key_env": "BOX"}}, "b"),
        ("anthropic:m", {"ANTHROPIC_API_KEY": "k"}, {}, "k"),
        ("openrouter:meta/llama:free", {"OPENROUTER_API_KEY": "r", "OPENAI_API_KEY": "k"}, {}, "r"),
        ("ollama:qwen3:8b", {"OLLAMA_API_KEY": "of-the-cloud", "OPENAI_API_KEY": "k"}, {}, "none"),
        ("vllm:m", {"VLLM_API_KEY": "v"}, {}, "v"),
        ("vllm:m", {"VLLM_API_KEY": "v"}, {"vllm": {"base_url": "http://10.0.0.7:8000/v1"}}, "none"),
        ("vllm:m", {"V": "v"}, {"vllm": {"base_url": "http://10.0.0.7:8000/v1", "api_key_env": "V"}}, "v"),
        ("vllm:m", {"VLLM_API_KEY": "v"}, {"vllm": {"api_key_env": ""}}, "none"),
        ("groq:m", {"GROQ_API_KEY": "g"}, {"groq": {"base_url": "https://api.groq.com/other/v1"}}, "g"),
        ("groq:m", {"GROQ_API_KEY": "g"}, {"groq": {"base_url": "https://api.groq.com.evil.example/v1"}}, "none"),
        ("groq:m", {"GROQ_API_KEY": "g"}, {"groq": {"base_url": "http://api.groq.com/v1"}}, "none"),
    ],
)
async def test_a_key_goes_to_its_own_server_only(
    model: str, env: dict[str, str], settings: Settings, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the SDKs would read by themselves.
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-environment")
    provider = resolve(model, env, settings)
    client = getattr(provider, "_client")  # noqa: B009 - what is sent is the SDK's to say
    assert client.api_key == key
    assert provider.name == model.partition(":")[0]
    await provider.close()


KEYS = {server.key_variable: f"key-for-{name}" for name, server in SERVERS.items() if server.key_variable}
SECRETS_OF_THE_ENVIRONMENT = {
    **KEYS,
    "OPENAI_API_KEY": "secret-1",
    "OPENAI_ORG_ID": "secret-2",
    "OPENAI_PROJECT_ID": "secret-3",
    "OPENAI_ADMIN_KEY": "secret-4",
    "OPENAI_CUSTOM_HEADERS": "x-gateway: secret-5",
    "ANTHROPIC_API_KEY": "secret-6",
    "ANTHROPIC_AUTH_TOKEN": "secret-7",
    "ANTHROPIC_CUSTOM_HEADERS": "x-gateway: secret-8",
}
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
}


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in ("openai", "anthropic", "openai-chat")])
async def test_a_ready_entry_is_reached_at_its_own_address_with_its_own_key_only(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, secret in SECRETS_OF_THE_ENVIRONMENT.items():
        monkeypatch.setenv(variable, secret)
    server = SERVERS[name]
    provider = resolve(f"{name}:m", KEYS)
    client = getattr(provider, "_client")  # noqa: B009 - what is sent is the SDK's to say
    assert str(client.base_url).rstrip("/") == server.base_url
    assert client.api_key == KEYS.get(server.key_variable, "none")
    assert provider.name == name
    sent = str(dict(client.default_headers))
    assert "secret-" not in sent, "what else the environment holds is for OpenAI and Anthropic"
    await provider.close()


@pytest.mark.parametrize("name", [name for name, server in SERVERS.items() if not server.local])
def test_a_ready_entry_without_its_key_names_the_variable(name: str) -> None:
    with pytest.raises(MissingKey) as missing:
        check(f"{name}:m", {variable: k for variable, k in KEYS.items() if variable != SERVERS[name].key_variable})
    assert SERVERS[name].key_variable in missing.value.hint


@pytest.mark.parametrize("name", [name for name, server in SERVERS.items() if server.local])
def test_a_server_of_this_machine_needs_no_key(name: str) -> None:
    check(f"{name}:m", {})


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ("openai-chat", OpenAIChatProvider),
        ("openai-responses", OpenAIResponsesProvider),
        ("anthropic", AnthropicProvider),
    ],
)
async def test_the_config_says_what_a_server_speaks(api: str, kind: type) -> None:
    provider = resolve("box:m", {}, {"box": {"base_url": "http://127.0.0.1:1/v1", "api": api}})
    assert type(provider) is kind
    await provider.close()


def test_an_address_that_is_none_is_told() -> None:
    for base_url in ("localhost:8000", "http://", "http://[::1", "http://box:port/v1", "ftp://box"):
        with pytest.raises(UnknownModel, match="The address of box is none"):
            check("box:m", {}, {"box": {"base_url": base_url}})
    with pytest.raises(UnknownModel) as refused:
        check("box:m", {}, {"box": {"model": "m"}})
    assert refused.value.hint == "Set base_url under [providers.box] in the configuration."


def test_a_configured_model_is_better_than_the_demo() -> None:
    settings: Settings = {"groq": {"model": "g"}, "ollama": {"model": "qwen3"}}
    assert default_model({}, settings) == "ollama:qwen3"
    assert default_model({"GROQ_API_KEY": "k"}, settings) == "groq:g"


@pytest.mark.parametrize("api", list(PATHS))
async def test_a_server_of_the_config_gets_its_own_key_and_headers_and_nothing_else_of_this_machine(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS_OF_THE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    env = {**SECRETS_OF_THE_ENVIRONMENT, "BOX_KEY": "key-of-the-box"}
    with model_server({}) as server:
        base_url = server.url if api == "anthropic" else f"{server.url}/v1"
        settings: Settings = {
            "box": {"base_url": base_url, "api": api, "api_key_env": "BOX_KEY", "headers.x-title": "a title"}
        }
        provider = resolve("box:m", env, settings)
        events = [event async for event in provider.stream(HELLO)]
        await provider.close()
    assert [request.path for request in server.received] == [PATHS[api]]
    assert isinstance(events[-1], Error) and events[-1].code == "unknown-model"
    assert "key-of-the-box" in server.secrets and "a title" in server.secrets
    for value in SECRETS_OF_THE_ENVIRONMENT.values():
        assert value.removeprefix("x-gateway: ") not in server.secrets


async def test_a_server_at_openai_base_url_gets_what_the_environment_says_of_openai(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "my-organization")
    with model_server({"/v1/chat/completions": ANSWER}) as server:
        provider = resolve("openai-chat:m", {"OPENAI_API_KEY": "k-1", "OPENAI_BASE_URL": f"{server.url}/v1"})
        events = [event async for event in provider.stream(HELLO)]
        await provider.close()
    assert isinstance(events[-1], Final) and events[-1].text == "Hello from the box."
    assert server.received[0].headers["authorization"] == "Bearer k-1"
    assert server.received[0].headers["openai-organization"] == "my-organization"


@pytest.mark.parametrize(
    ("api", "status"), [("openai-chat", 307), ("openai-chat", 302), ("openai-responses", 308), ("anthropic", 307)]
)
async def test_no_key_and_no_prompt_follows_a_redirect_to_another_server(api: str, status: int) -> None:
    with model_server({}) as other, model_server({}) as server:
        server.replies[PATHS[api]] = Reply({}, status, {"location": f"{other.url}/stolen"})
        base_url = server.url if api == "anthropic" else f"{server.url}/v1"
        settings: Settings = {"box": {"base_url": base_url, "api": api, "api_key": "the-key", "headers.api-key": "two"}}
        provider = resolve("box:m", {}, settings)
        events = [event async for event in provider.stream(HELLO)]
        await provider.close()
    assert other.received == []
    assert len(server.received) == 1
    [error] = events
    assert isinstance(error, Error) and error.code == "redirected"
    assert other.url in error.error_string and not advice(error).retryable


async def test_a_redirect_within_the_server_is_followed() -> None:
    with model_server({"/v2/chat/completions": ANSWER}) as server:
        server.replies["/v1/chat/completions"] = Reply({}, 308, {"location": "/v2/chat/completions"})
        provider = resolve("box:m", {}, {"box": {"base_url": f"{server.url}/v1", "api_key": "the-key"}})
        events = [event async for event in provider.stream(HELLO)]
        await provider.close()
    assert isinstance(events[-1], Final)
    assert [request.headers["authorization"] for request in server.received] == ["Bearer the-key"] * 2


async def test_what_a_header_holds_is_in_no_message() -> None:
    with model_server({}) as server:
        server.replies["/v1/chat/completions"] = Reply({"error": {"message": "bad token sk-box-1"}}, 401)
        settings: Settings = {"box": {"base_url": f"{server.url}/v1", "headers.X-Auth": "sk-box-1"}}
        provider = resolve("box:m", {}, settings)
        [error] = [event async for event in provider.stream(HELLO)]
        await provider.close()
    assert isinstance(error, Error) and error.code == "wrong-key"
    assert "sk-box-1" not in f"{error.error_string}{error.hint}"
