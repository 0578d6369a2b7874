"""The servers of models that riffle knows by name: one line of facts each, with where each fact is from.

Every field can be overridden under `[providers.NAME]` in the config. Plain data and nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Api = Literal["openai-responses", "openai-chat", "anthropic"]

APIS: tuple[Api, ...] = ("openai-chat", "openai-responses", "anthropic")

REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "none")
"""What a Chat Completions server may want its reasoning back as, once tools are involved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a server is called, spoken to and paid.

    `url_variable` may hold another address. Without a `reasoning_field`, reasoning goes back under the name that it
    came under, while the tools that it asked for are answered. A `local` server can do without the key.
    """

    label: str
    base_url: str
    api: Api = "openai-chat"
    key_variable: str = ""
    url_variable: str = ""
    reasoning_field: str = ""
    local: bool = False


SERVERS: dict[str, Server] = {
    # The pinned SDKs' own defaults.
    "openai": Server(
        label="OpenAI",
        api="openai-responses",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        url_variable="OPENAI_BASE_URL",
    ),
    "openai-chat": Server(
        label="OpenAI",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        url_variable="OPENAI_BASE_URL",
    ),
    "anthropic": Server(
        label="Anthropic",
        api="anthropic",
        base_url="https://api.anthropic.com",
        key_variable="ANTHROPIC_API_KEY",
        url_variable="ANTHROPIC_BASE_URL",
    ),
    # docs.ollama.com/api/openai-compatibility: the local server ignores keys (OLLAMA_API_KEY is for ollama.com).
    # ollama/ollama, openai/openai.go: a message's `reasoning` is read as it is written.
    "ollama": Server(label="Ollama", base_url="http://localhost:11434/v1", local=True),
    # ggml-org/llama.cpp, tools/server/README.md: port 8080, --api-key or LLAMA_API_KEY.
    # ggml-org/llama.cpp pull 16934: `reasoning_content` may be passed back.
    "llamacpp": Server(
        label="llama.cpp", base_url="http://localhost:8080/v1", key_variable="LLAMA_API_KEY", local=True
    ),
    # docs.vllm.ai, serving/openai_compatible_server: port 8000, --api-key or VLLM_API_KEY.
    # docs.vllm.ai, features/reasoning_outputs: `reasoning`; up to 0.11 `reasoning_content`.
    "vllm": Server(label="vLLM", base_url="http://localhost:8000/v1", key_variable="VLLM_API_KEY", local=True),
    # lmstudio.ai/docs/api/openai-api: port 1234. lmstudio.ai/docs/developer/core/authentication: LM_API_TOKEN.
    "lmstudio": Server(label="LM Studio", base_url="http://localhost:1234/v1", key_variable="LM_API_TOKEN", local=True),
    # openrouter.ai/docs/quickstart; guides/best-practices/reasoning-tokens: pass `reasoning_details` back unchanged.
    "openrouter": Server(
        label="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        reasoning_field="reasoning_details",
    ),
    # api-docs.deepseek.com/guides/thinking_mode: after tool calls `reasoning_content` must go back in every later
    # request, or the answer is 400; without tool calls it is ignored.
    "deepseek": Server(
        label="DeepSeek",
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        reasoning_field="reasoning_content",
    ),
    # console.groq.com/docs/openai. groq/groq-python, chat_completion_assistant_message_param.py: `reasoning`, on
    # models that reason (others refuse it).
    "groq": Server(label="Groq", base_url="https://api.groq.com/openai/v1", key_variable="GROQ_API_KEY"),
    # docs.mistral.ai/api; studio-api/conversations/reasoning: thinking is a part of the content, there and back.
    "mistral": Server(label="Mistral", base_url="https://api.mistral.ai/v1", key_variable="MISTRAL_API_KEY"),
    # docs.x.ai/developers/model-capabilities/text/comparison: Chat Completions is deprecated there and returns no
    # reasoning; Responses has it, encrypted.
    "xai": Server(label="xAI", api="openai-responses", base_url="https://api.x.ai/v1", key_variable="XAI_API_KEY"),
}
