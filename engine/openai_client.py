"""The OpenAI SDK's client, as both OpenAI APIs use it."""

from __future__ import annotations

import httpx2
import openai

from .models import Endpoint
from .openai_chat_request import OFFICIAL_HOST
from .remote import TIMEOUT, RemoteProvider, staying_at


class OpenAIProvider(RemoteProvider[openai.AsyncOpenAI]):
    """A provider that is asked through the OpenAI SDK."""

    official_host = OFFICIAL_HOST
    faults = (openai.OpenAIError,)

    @staticmethod
    def _connect(place: Endpoint, api_key: str, http_client: httpx2.AsyncClient | None) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=api_key,
            base_url=place.base_url,
            default_headers=place.headers,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=http_client or openai.DefaultAsyncHttpxClient(event_hooks=staying_at(place.base_url)),
        )
