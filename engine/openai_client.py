"""The OpenAI SDK's client, as both OpenAI APIs use it."""

from __future__ import annotations

import httpx2
import openai

from .openai_chat_request import OFFICIAL_HOST
from .remote import TIMEOUT, RemoteProvider


class OpenAIProvider(RemoteProvider[openai.AsyncOpenAI]):
    """A provider that is asked through the OpenAI SDK."""

    official_host = OFFICIAL_HOST
    faults = (openai.OpenAIError,)

    @staticmethod
    def _connect(api_key: str, base_url: str | None, http_client: httpx2.AsyncClient | None) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, max_retries=0, timeout=TIMEOUT, http_client=http_client
        )
