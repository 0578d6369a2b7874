"""Which models a provider offers, asked at its own endpoint for it. Needs no SDK: all of them are plain JSON lists."""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx2

from .failures import Failure, about, explain
from .loose import JSON, a_count, a_list, a_text, an_object, objects
from .models import Endpoint, origin

ANSWER_SECONDS = 4.0
"""How long a provider may take to list its models, all pages together."""
MOST_PAGES = 20

_CONTEXT_FIELDS = (
    "context_length",  # OpenRouter
    "context_window",  # Groq
    "max_context_length",  # Mistral
    "max_model_len",  # vLLM
    "max_input_tokens",  # Anthropic
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A model by the name that its provider knows it by; its context window in tokens, where the provider tells."""

    name: str
    context: int | None = None


class NotListed(Exception):
    """The provider did not say what it offers; `failure` is why, in words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _Refusal(Exception):
    """A status other than 200, with what `failures` reads from an SDK's error."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response
        self.status_code = response.status_code
        self.body = _json(response)


async def offers(place: Endpoint) -> list[Offer]:
    """The models of `place` for chatting, in its own order. Raises `NotListed`."""
    try:
        # Redirects are not followed: the key is for this address.
        trust = _trust(place.base_url.startswith("https:"))
        async with asyncio.timeout(ANSWER_SECONDS), httpx2.AsyncClient(timeout=None, verify=trust) as client:
            return [offer async for page in _pages(client, place) for offer in _offers(page)]
    except TimeoutError:
        message = f"{place.label} did not answer within {ANSWER_SECONDS:.0f} s."
        raise NotListed(Failure(message=message, code="timeout", retryable=True)) from None
    except (_Refusal, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise NotListed(_in_words(error, place)) from None


@functools.cache
def _trust(https: bool) -> ssl.SSLContext:
    """Whom to trust. To read the certificates takes 0.1 s: once for all providers, and not for plain http."""
    return httpx2.create_ssl_context() if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _pages(client: httpx2.AsyncClient, place: Endpoint) -> AsyncIterator[JSON]:
    url = f"{place.base_url.rstrip('/')}{'/v1/models?limit=1000' if place.api == 'anthropic' else '/models'}"
    for _ in range(MOST_PAGES):
        response = await client.get(url, headers=_headers(place))
        if response.status_code != 200:
            raise _Refusal(response)
        page = _json(response)
        yield page
        following = _next(page, url)
        if not following or origin(following) != origin(place.base_url):
            return
        url = following


def _next(page: JSON, url: str) -> str:
    """The address of the next page: Anthropic names the last id, OpenRouter the address itself."""
    if page.get("has_more") is True and (last := a_text(page.get("last_id"))):
        return str(httpx2.URL(url).copy_merge_params({"after_id": last}))
    link = a_text(an_object(page.get("links")).get("next"))
    return urljoin(url, link) if link else ""


def _headers(place: Endpoint) -> dict[str, str]:
    headers = {"accept": "application/json"}
    if place.api == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
        if place.key:
            headers["x-api-key"] = place.key
    elif place.key:
        headers["authorization"] = f"Bearer {place.key}"
    return {**headers, **place.headers}


def _json(response: httpx2.Response) -> JSON:
    """The body as an object. A bare list is taken for the list of models (Together sends one)."""
    try:
        value: object = json.loads(response.content)
    except ValueError:
        return {}
    return {"data": value} if isinstance(value, list) else an_object(value)


def _offers(page: JSON) -> Iterator[Offer]:
    if not isinstance(page.get("data"), list):
        raise ValueError("it is no list of models")
    for model in objects(page["data"]):
        name = a_text(model.get("id")) or a_text(model.get("name"))
        if name and _chats(model):
            yield Offer(name, _context(model))


def _chats(model: JSON) -> bool:
    """Whether it can be chatted with, as far as its provider says."""
    modalities = a_list(an_object(model.get("architecture")).get("output_modalities"))
    return (
        an_object(model.get("capabilities")).get("completion_chat") is not False  # Mistral
        and (not modalities or "text" in modalities)  # OpenRouter
        and model.get("active") is not False  # Groq
        and model.get("lifecycle") != "retired"  # Anthropic
    )


def _context(model: JSON) -> int | None:
    meta = an_object(model.get("meta"))  # llama.cpp
    found = [a_count(model.get(name)) for name in _CONTEXT_FIELDS] + [a_count(meta.get("n_ctx_train"))]
    return next((count for count in found if count), None)


def _in_words(error: Exception, place: Endpoint) -> Failure:
    status = error.status_code if isinstance(error, _Refusal) else None
    who = about(place, "")
    if status in (404, 405, 501):
        message = f"{place.label} has no list of models at {who.address} ({status})."
        return Failure(
            message=message, code="no-list", hint="Check the address; a model can be asked for all the same."
        )
    if isinstance(error, _Refusal) and 300 <= error.status_code < 400:
        target = error.response.headers.get("location", "another address")
        message = f"{place.label} sends riffle on from {who.address} to {target}."
        return Failure(message=message, code="redirected", hint="If that is where it is now, set base_url to it.")
    if isinstance(error, ValueError):
        message = f"{place.label} answered at {who.address}, but not with a list of models."
        return Failure(message=message, code="no-list", hint="Check the address: is there a path such as /v1 missing?")
    return explain(error, who)
