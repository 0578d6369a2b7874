"""What went wrong with a provider, in words for a person, with what to do about it and whether to try again.

Errors are told apart by what they carry (`status_code`, `body`, headers), not by their class, so that this module
needs no SDK: both SDKs' errors, those of the HTTP library, and `StreamError` for what a stream itself says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from bus.events import Error

from .loose import a_count, a_text, an_object, as_text
from .models import Endpoint

_SECRET_HEADERS = re.compile(r"auth|key|token|secret|cookie", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Whom an error is about: `name` for a person, the model asked for, where, and what must never be shown."""

    name: str
    model: str
    base_url: str
    key_variable: str
    secrets: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The base URL without a user or password in it."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def about(place: Endpoint, model: str) -> Service:
    """Whom an error of `place` is about."""
    held = [value for name, value in place.headers.items() if _SECRET_HEADERS.search(name)]
    return Service(
        name=place.label,
        model=model,
        base_url=place.base_url,
        key_variable=place.key_variable,
        secrets=tuple(secret for secret in (place.key, *held) if secret),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error in words. `retryable`: the same request may succeed later, not before `retry_after` seconds."""

    message: str
    code: str
    hint: str | None = None
    retryable: bool = False
    retry_after: float | None = None

    def extra(self) -> dict[str, Any]:
        """What `advice` reads back from the event's `meta.extra`."""
        facts: dict[str, Any] = {"retryable": self.retryable}
        return facts if self.retry_after is None else {**facts, "retry_after_s": self.retry_after}


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to send the request again, and the least number of seconds to wait, where the provider says one."""

    retryable: bool
    retry_after: float | None


def advice(event: Error) -> Advice:
    """What a provider's `error` event means for another try."""
    extra = event.meta.extra or {}
    after = extra.get("retry_after_s")
    return Advice(extra.get("retryable") is True, float(after) if isinstance(after, int | float) else None)


class StreamError(Exception):
    """An error that came in the stream, after a 200: `body` is the error object as sent."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(as_text(body.get("message")))
        self.body = dict(body)


class CutOff(Exception):
    """The stream ended without the sign that the answer is complete."""


class Stalled(Exception):
    """Nothing came for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class NotAStream(Exception):
    """A 200 that is a page for people, of the `content_type` given."""

    def __init__(self, content_type: str) -> None:
        super().__init__(content_type)
        self.content_type = content_type


class NoKey(Exception):
    """There is no API key to send."""


class Elsewhere(Exception):
    """The server redirects to another one, at `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of error that a provider reports: how it is recognised, and the words for it."""

    code: str
    words: str
    hint: str
    statuses: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    retryable: bool = False

    def matches(self, status: int | None, names: set[str], message: str) -> bool:
        if names & self.names or (self.pattern is not None and self.pattern.search(message)):
            return True
        return status in self.statuses


# The first that fits counts: names and texts say more than a status that several kinds share.
_KINDS = (
    _Kind(
        "context-too-long",
        "The conversation is too long for {model}",
        "/compact sums it up to make room; or choose a model with a larger context window, or start a new session.",
        names=frozenset({"context_length_exceeded", "request_too_large", "model_context_window_exceeded"}),
        statuses=frozenset({413}),
        pattern=re.compile(r"prompt is too long|context (length|window|size)|too many (input )?tokens", re.I),
    ),
    _Kind(
        "no-credit",
        "{name} has no credit left for this key",
        "Check the plan and the billing of the account that the key in {key_variable} belongs to.",
        names=frozenset({"insufficient_quota", "billing_error", "billing_hard_limit_reached"}),
        statuses=frozenset({402}),
        pattern=re.compile(r"credit balance is too low", re.I),
    ),
    _Kind(
        "wrong-key",
        "{name} refused the API key",
        "Check {key_variable}: it is wrong, has been revoked, or is for another service than {address}.",
        names=frozenset({"authentication_error", "invalid_api_key"}),
        statuses=frozenset({401}),
    ),
    _Kind(
        "not-allowed",
        "{name} does not allow this key to do that",
        "Check what the key in {key_variable} may use, and from where.",
        names=frozenset({"permission_error"}),
        statuses=frozenset({403}),
    ),
    _Kind(
        "unknown-model",
        "{name} has no model {model!r}, or nothing at this address",
        "`riffle models` lists what there is: choose with -m PROVIDER:MODEL, and check the address {address}.",
        names=frozenset({"not_found_error", "model_not_found"}),
        statuses=frozenset({404}),
    ),
    _Kind(
        "overloaded",
        "{name} is overloaded",
        "Try again in a moment.",
        names=frozenset({"overloaded_error", "server_overloaded"}),
        statuses=frozenset({503, 529}),
        retryable=True,
    ),
    _Kind(
        "rate-limit",
        "{name} limits the rate of this key",
        "Wait, then try again.",
        names=frozenset({"rate_limit_error", "rate_limit_exceeded"}),
        statuses=frozenset({429}),
        retryable=True,
    ),
    _Kind(
        "server-error",
        "{name} failed on its side",
        "Try again in a moment.",
        names=frozenset({"api_error", "server_error", "internal_error", "timeout_error"}),
        statuses=frozenset({408, 409, *range(500, 600)}),
        retryable=True,
    ),
    _Kind(
        "bad-request",
        "{name} refused the request",
        "Ask in other words, or ask another model with -m.",
        names=frozenset({"invalid_request_error", "invalid_prompt"}),
        statuses=frozenset(range(400, 500)),
    ),
)
_ANY = _Kind("provider-error", "{name} reported an error", "Ask again, or ask another model with -m.")

_CONNECT_ERRORS = frozenset({"ConnectError", "ConnectTimeout", "APIConnectionError", "UnsupportedProtocol"})
_TIMEOUTS = frozenset({"ReadTimeout", "WriteTimeout", "PoolTimeout", "APITimeoutError"})


def explain(error: Exception, service: Service) -> Failure:
    """`error` in words. Never shows one of `service.secrets`."""
    failure = _reported(error, service) if _reports(error) else _local(error, service)
    return Failure(
        message=_without_secrets(failure.message, service),
        code=failure.code,
        hint=_without_secrets(failure.hint, service) if failure.hint else None,
        retryable=failure.retryable,
        retry_after=failure.retry_after,
    )


def provider_message(error: Exception) -> str:
    """What the provider itself said, without the SDK's words around it."""
    body = _error_body(error)
    metadata = an_object(body.get("metadata"))  # OpenRouter puts the upstream's own words there
    said = [as_text(body.get("message")), as_text(metadata.get("raw"))]
    return ": ".join(part for part in said if part) or str(error).partition("\n")[0]


def _reports(error: Exception) -> bool:
    return isinstance(error, StreamError) or _status(error) is not None or bool(_error_body(error))


def _reported(error: Exception, service: Service) -> Failure:
    """An error that the provider told us."""
    body, status, message = _error_body(error), _status(error), provider_message(error)
    names = {text for key in ("type", "code") if (text := as_text(body.get(key)))}
    if status in (None, 200):  # in a stream the code may be the status
        status = next((int(name) for name in names if re.fullmatch(r"[45]\d\d", name)), None)
    kind = next((kind for kind in _KINDS if kind.matches(status, names, message)), _ANY)
    words = kind.words.format(name=service.name, model=service.model)
    hint = kind.hint.format(key_variable=service.key_variable or "the API key", address=service.address)
    headers = _headers(error)
    wait = _retry_after(headers)
    if kind.retryable and wait:
        hint = f"It asks to be left alone for {_span(wait)}. Ask again after that."
    return Failure(
        message=f"{words}{f' ({status})' if status else ''}{f': {message}' if message else '.'}",
        code=kind.code,
        hint=hint or None,
        retryable=kind.retryable and headers.get("x-should-retry") != "false",
        retry_after=wait,
    )


def _local(error: Exception, service: Service) -> Failure:
    """An error that the connection or the data shows."""
    who, names = service.name, {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, NoKey):
        return Failure(
            message=f"There is no API key for {who}.",
            code="no-key",
            hint=f"Set {service.key_variable}, or choose another model with -m; -m demo needs no key.",
        )
    if isinstance(away := _innermost(error), Elsewhere):
        return Failure(
            message=f"{who} sends riffle on from {service.address} to {away.address}, where the key is not for.",
            code="redirected",
            hint="If that is where it is now, set base_url to it in the configuration.",
        )
    if isinstance(error, NotAStream):
        return Failure(
            message=f"{who} answered with a page ({error.content_type}), not with a stream.",
            code="not-a-stream",
            hint=f"Check the address {service.address}: is there a path such as /v1 missing?",
        )
    if isinstance(error, Stalled):
        return Failure(
            message=f"{who} sent nothing for {error.seconds:g} s; the connection was closed.",
            code="timeout",
            hint="Ask again; what came so far is kept. In the configuration idle_seconds gives it more time.",
            retryable=True,
        )
    if isinstance(error, CutOff):
        return _cut_short(f"The answer of {who} was cut off: the stream ended before it was complete.", "cut-off")
    if names & _TIMEOUTS:
        return _cut_short(f"{who} did not answer in time.", "timeout")
    if names & _CONNECT_ERRORS:
        return Failure(
            message=f"{who} cannot be reached at {service.address}{_because(error)}.",
            code="unreachable",
            hint="Check the address and the network connection.",
            retryable=True,
        )
    if isinstance(error, ValueError):
        return _cut_short(f"{who} sent data that cannot be read{_because(error)}.", "bad-data")
    return _cut_short(f"The connection to {who} broke{_because(error)}.", "cut-off")


def _cut_short(message: str, code: str) -> Failure:
    return Failure(message=message, code=code, hint="Ask again; what came so far is kept.", retryable=True)


def _because(error: BaseException) -> str:
    """The innermost reason, if it has words: SDKs wrap the system's own in "Connection error."."""
    words = str(_innermost(error)).rstrip(".")
    return f": {words}" if words else ""


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    return error


def _status(error: Exception) -> int | None:
    return a_count(getattr(error, "status_code", None))


def _error_body(error: Exception) -> dict[str, Any]:
    """The error object: OpenAI's SDK gives it alone, Anthropic's in its envelope; FastAPI servers send `detail`."""
    body = an_object(getattr(error, "body", None))
    if inner := an_object(body.get("error")):
        return inner
    if text := a_text(body.get("error")) or as_text(body.get("detail")):
        return {**body, "message": text}
    return body


def _headers(error: Exception) -> Mapping[str, str]:
    headers: object = getattr(getattr(error, "response", None), "headers", None)
    return {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after` (a number or a date, RFC 9110)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    when, now = _date(headers, "retry-after"), _date(headers, "date") or datetime.now(UTC)
    # By the server's own clock, where it tells it.
    return max(0.0, (when - now).total_seconds()) if when else None


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(headers[name])
    except (KeyError, ValueError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _span(seconds: float) -> str:
    """A time span for people, never shorter than it is: `45 s`, `12 min`, `3 h`."""
    for unit, size in (("s", 1), ("min", 60)):
        if math.ceil(seconds / size) <= 90:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds / 3600)} h"


def _without_secrets(text: str, service: Service) -> str:
    for secret in service.secrets:
        text = text.replace(secret, "…") if secret else text
    return text
