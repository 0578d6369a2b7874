"""Addresses that cannot be one: what is said of them shows no part of a password."""

from __future__ import annotations

import pytest

from bus.errors import StoreRefused
from bus.redis.address import parse_address, safe_url
from bus.redis.connection import Connection


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret/x@host:6379",
        "redis://:s3cret?x@host:6379",
        "redis://:s3cret#x@host:6379",
        "redis://:12345/s3cret@host:6379",
        "redis://:12345?s3cret@host:6379",
        "redis://:12345?s3cret=x@host:6379",
        "redis://me:12345?db=s3cret@host",
        "redis://:p@host/123/s3cret@host",
        "redis://me:s3cret",
        "redis://:s3cret",
        "redis://host:s3cret",
        "redis://[s3cret",
        "redis://host?db=s3cret",
        "redis://host?socket_read_size=s3cret",
        "rediss://host?ssl_cert_reqs=s3cret",
        "redis://host?s3cret=x&password=p@ss",
        "redis+cluster://:s3cret,x@a:1,s3cret:b",
        "redis+sentinel://:s3cret/x@host:26379/service",
        "redis+sentinel://host:26379/service?sentinel_password=s3cret&db=s3cret",
        "unix://:s3cret/x@/run/redis.sock",
        "unix://s3cret/run/redis.sock",
        "s3cret",
        "me:s3cret@host",
    ],
)
def test_what_cannot_be_an_address_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(StoreRefused, match="is not the address of a Redis server") as caught:
        Connection(url, client_name="t")
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {safe_url(url)}"
    assert "redis://host:6379/0" in caught.value.hint
    assert all(quoted in caught.value.hint for quoted in ("/ is %2F", "? is %3F", "# is %23", "@ is %40"))


def test_marks_in_a_password_are_quoted() -> None:
    address = parse_address("redis://:a%2Fb%3Fc%23d%40e@host")
    assert address.options["password"] == "a/b?c#d@e"
    assert address.safe == "redis://:•••@host"
