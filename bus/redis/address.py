"""Addresses of Redis: one server, the nodes of a cluster, or the sentinels that know the master of a service.

    redis://[user:password@]host[:port][/db]                           rediss:// with TLS
    unix://[user:password@]/path/to/socket
    redis+cluster://[user:password@]host[:port][,host[:port]…]         rediss+cluster:// with TLS
    redis+sentinel://[user:password@]host[:port][,…]/service[/db]      rediss+sentinel:// with TLS

Options follow after `?`, with redis-py's names (`ssl_ca_certs`, `password`, `db`, …). User and password are the data
nodes'; sentinels that want some get `sentinel_username` and `sentinel_password`.

A mark that was not quoted in a password puts the rest of it anywhere: no error repeats a part of an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote

from ..errors import StoreRefused

FORMS = (
    "Addresses look like redis://host:6379/0, rediss://user:password@host:6379, unix:///path/to/socket, "
    "redis+cluster://host:6379,host:6379 or redis+sentinel://host:26379,host:26379/service. "
    "In a password, / is %2F, ? is %3F, # is %23, @ is %40."
)

UNCLEAR = "this address"
"""What is shown of an address that hides where its password ends."""

_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.%]+)\]|([^\s:\[\]]*))(?::([0-9]{1,5}))?")


class Place(NamedTuple):
    """Where one server listens; with port 0 the host is the path of a Unix socket."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart. `options` and `sentinel_options` are words that redis-py's connections understand."""

    url: str
    kind: Literal["server", "cluster", "sentinel"]
    tls: bool
    places: tuple[Place, ...]
    service: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    sentinel_options: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def safe(self) -> str:
        """The form to be shown."""
        return safe_url(self.url)


def parse_address(url: str) -> Address:
    """Take an address apart. Raises `StoreRefused` when it is none."""
    try:
        return _parse(url)
    except ValueError as error:
        raise not_an_address(url, str(error)) from None


def not_an_address(url: str, why: str) -> StoreRefused:
    """The error for what cannot be an address."""
    shown = safe_url(url)
    which = "This" if shown == UNCLEAR else f"{shown!r}"
    return StoreRefused(f"{which} is not the address of a Redis server: {why.rstrip('.')}.", FORMS)


def safe_url(url: str) -> str:
    """`url` without password and query: the only form in which an address is shown."""
    scheme, separator, rest = url.partition("://")
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    login, _, where = authority.rpartition("@")
    clear = not where if scheme == "unix" else "@" not in tail and all(map(_PLACE.fullmatch, where.split(",")))
    if not separator or not clear:
        return UNCLEAR  # with an unquoted mark in the password nobody can tell where it ends
    user, colon, _ = login.partition(":")
    who = f"{user}:•••@" if colon else f"{user}@" if user else ""
    return f"{scheme}://{who}{where}{re.split('[?#]', tail)[0]}"


def _parse(url: str) -> Address:
    found = re.fullmatch(r"(\w*)(?:\+(\w+))?://([^/?#]*)([^?#]*)(?:\?(.*))?", url, re.DOTALL)
    if not found:
        raise ValueError("it has a # in it" if "#" in url else "it has no redis:// at its beginning")
    scheme, kind, authority, path, query = found.groups(default="")
    login, _, hosts = authority.rpartition("@")
    options = _login(login) | _options(query)
    if (scheme, kind) == ("unix", ""):
        if hosts or not path:
            raise ValueError("it names no socket")
        return Address(url, "server", False, (Place(unquote(path), 0),), options=options)
    if scheme not in ("redis", "rediss") or kind not in ("", "cluster", "sentinel"):
        raise ValueError(f"nobody knows {url.partition(':')[0]}://")
    places = tuple([_place(host, 26379 if kind == "sentinel" else 6379) for host in hosts.split(",")])
    service, _, db = path.strip("/").partition("/") if kind == "sentinel" else ("", "", path.strip("/"))
    if kind == "sentinel" and not service:
        raise ValueError("it names no service, as in redis+sentinel://host:26379/service")
    if not kind and len(places) > 1:
        raise ValueError("it names several servers; is it redis+cluster:// or redis+sentinel://?")
    if db:
        options.setdefault("db", db)
    _check_db(kind, options.get("db", "0"))
    of_sentinels = {name: value for name, value in options.items() if name.startswith("sentinel_")}
    return Address(
        url,
        kind or "server",
        scheme == "rediss",
        places,
        unquote(service),
        {name: value for name, value in options.items() if name not in of_sentinels},
        {name.removeprefix("sentinel_"): value for name, value in of_sentinels.items()}
        | {name: value for name, value in options.items() if name.startswith("ssl_")},
    )


def _login(text: str) -> dict[str, str]:
    user, _, password = text.partition(":")
    return {name: unquote(word) for name, word in (("username", user), ("password", password)) if word}


def _options(query: str) -> dict[str, str]:
    try:
        return dict(reversed(parse_qsl(query, strict_parsing=True))) if query else {}
    except ValueError:
        raise ValueError("an option of it has no value") from None


def _check_db(kind: str, db: str) -> None:
    if not db.isdecimal():
        raise ValueError("its database is not a number")
    if kind == "cluster" and int(db):
        raise ValueError("a cluster has no numbered databases")


def _place(text: str, default_port: int) -> Place:
    found = _PLACE.fullmatch(text)
    if not found or int(found[3] or 1) not in range(1, 65536):
        raise ValueError("what it names is not host:port")
    return Place(unquote(found[1] or found[2]) or "localhost", int(found[3] or default_port))
