"""Which provider a model name means, where its key goes, and what is said when it cannot be reached."""

from __future__ import annotations

import pytest

from engine.errors import EngineError, MissingKey, UnknownModel
from engine.models import DEFAULT_MODELS, Settings, default_model
from engine.providers import parse, resolve

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
    assert hint in refused.value.hint and "openai:MODEL, openai-chat:MODEL, anthropic:MODEL, demo" in refused.value.hint


def test_a_compatible_server_needs_the_name_of_a_model() -> None:
    with pytest.raises(UnknownModel) as refused:
        parse("openai-chat")
    assert refused.value.hint == "Write -m openai-chat:MODEL."


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
