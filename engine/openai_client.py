"""The OpenAI SDK's client, as both OpenAI APIs use it."""

from __future__ import annotations

import httpx2
import openai

from .remote import TIMEOUT


def openai_client(
    api_key: str | None, base_url: str | None, http_client: httpx2.AsyncClient | None
) -> openai.AsyncOpenAI:
    """A client that leaves retries and waiting to the engine."""
    return openai.AsyncOpenAI(
        # Never None: the SDK would then send OPENAI_API_KEY, which may belong to another server.
        api_key=api_key or "none",
        base_url=base_url,
        max_retries=0,
        timeout=TIMEOUT,
        http_client=http_client,
    )
