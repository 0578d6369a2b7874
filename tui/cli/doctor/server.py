"""What `riffle doctor` finds about Redis: the server, what it keeps, who gets in. Each fault has its exact fix."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bus.durability import Durability
from bus.errors import BusError
from bus.redis.address import Address, parse_address
from bus.redis.health import Reach, ServerInfo, confirms, durability_shown, is_weaker
from bus.redis.words import as_kind
from bus.redis_binary import choose_binary
from bus.server import has_keeper, server_folder
from tui.cli.context import Context, open_store
from tui.cli.doctor.finding import Finding
from tui.cli.errors import complain
from tui.cli.printing import size_text

if TYPE_CHECKING:
    from bus.redis.store import Store

SURVIVES = {
    "memory": "nothing is kept when the server ends",
    "process": "kept when the server ends; a power cut may cost the last second",
    "disk": "kept, also through a power cut",
    "replica": "kept, also when the server is lost",
    "unknown": "this user may not see it",
}

NEARLY_FULL = 0.9

_FLAGS = {"username": "--user", "ssl_ca_certs": "--cacert", "ssl_certfile": "--cert", "ssl_keyfile": "--key"}
"""What redis-cli calls the options of an address."""


async def server(ctx: Context) -> list[Finding]:
    """All about the Redis that is used."""
    findings: list[Finding] = []
    if ctx.embedded:
        try:
            binary = choose_binary()
        except BusError as error:
            return [Finding("bad", "program", str(error), error.hint)]
        findings.append(Finding("ok", "program", f"{binary.path} ({binary.version_text})"))
    try:
        async with open_store(ctx) as store:
            findings += _keeper(ctx)
            whose = "riffle's own" if ctx.embedded else _from(ctx.config.sources["redis.url"])
            findings.append(Finding("ok", "address", f"{store.safe_url} ({whose})"))
            address, info = parse_address(store.url), await store.server_info()
            findings += set_up(info, ctx.config.durability, address)
            if not _is_only_a_part(info, address):
                findings += [await _rights(store), *access(await store.reach(), address)]
    except BusError as error:
        return [*findings, Finding("bad", "connection", str(error), error.hint)]
    return findings


def _is_only_a_part(info: ServerInfo, address: Address) -> bool:
    """Whether this is a sentinel or one node of a cluster, which riffle cannot use alone."""
    return info.watches is not None or bool(info.cluster and address.kind != "cluster")


def _from(source: str) -> str:
    return "from the command line" if source == "command line" else f"from {source}"


async def _rights(store: Store) -> Finding:
    """What the user may do whom riffle is logged in as."""
    match await store.role():
        case "engine":
            return Finding("ok", "user", f"{store.user} may watch, ask and answer")
        case "viewer":
            fix = "To ask and answer, be a user that is made by: riffle doctor --acl engine"
            return Finding("note", "user", f"{store.user} may only watch", fix)
        case "producer":
            return Finding("note", "user", f"{store.user} may only write events of its own, and reads none")
        case None:
            fix = "Name a session that it has the right to, or ask for more rights."
            return Finding("note", "user", f"{store.user} may neither read nor write sessions in general", fix)


async def warn(store: Store, ctx: Context) -> None:
    """Say what keeps this server from holding sessions as it should, before anything is written to it."""
    with contextlib.suppress(BusError):  # whoever works with the store hears of that
        for finding in set_up(await store.server_info(), ctx.config.durability, parse_address(store.url)):
            if finding.mark == "bad":
                complain(f"Redis, {finding.what}: {finding.found}.", finding.fix)


def _keeper(ctx: Context) -> Iterator[Finding]:
    """The process of our own server, as its keeper wrote it down, and whether there is a keeper."""
    if ctx.embedded:
        folder = server_folder(ctx.paths.data)
        with contextlib.suppress(OSError, ValueError, LookupError):
            state = json.loads((folder / "server.json").read_text(encoding="utf-8"))
            yield Finding("ok", "server", f"process {state['pid']}")
        if has_keeper(folder):
            yield Finding("ok", "keeper", "ends the server some minutes after the last riffle")
        else:
            yield Finding("odd", "keeper", "none: nobody ends the server", "The next riffle command starts one.")


def set_up(info: ServerInfo, chosen: Durability, address: Address) -> Iterator[Finding]:
    """What the server says about itself, and whether that is what riffle needs."""
    if not info.version:
        yield Finding("note", "server", "this user may not see how it is set up")
        return
    if info.watches is not None:
        yield _sentinel(info.watches, address)
        return
    if info.numbers < (6, 2):
        yield Finding("bad", "version", info.version, "riffle needs Redis 6.2 or newer.")
    else:
        yield Finding("ok", "version", info.version)
    yield from _durability(info, chosen, address)
    yield from _memory(info, address)
    if info.role not in ("master", ""):
        role = "replica" if info.role == "slave" else info.role
        yield Finding("bad", "role", role, "Use the address of the master: a replica cannot be written to.")
    if info.cluster:
        yield _cluster(info, address)
    yield Finding("ok", "clients", str(info.clients))


def _durability(info: ServerInfo, chosen: Durability, address: Address) -> Iterator[Finding]:
    shown = durability_shown(info, chosen)
    confirmed = confirms(info, chosen) is not None
    cli = redis_cli(address)
    if chosen.level == "replica" and info.replicas < chosen.replicas:
        fix = "Give it replicas (REPLICAOF {} {}), or choose another level.".format(*_place(address))
        yield Finding("bad", "durability", f"{shown}: nothing counts as written before they are there", fix)
    elif chosen.level and is_weaker(info, chosen) and not confirmed:
        fix = f"{cli} CONFIG SET appendonly yes"
        if chosen.level == "disk":
            fix += f" && {cli} CONFIG SET appendfsync always"
        yield Finding("bad", "durability", f"{shown}: {SURVIVES[info.durability]}", fix)
    elif info.durability == "memory" == chosen.level:
        yield Finding("ok", "durability", f"memory, as chosen: {SURVIVES['memory']}")
    elif info.durability == "memory":
        yield Finding("odd", "durability", f"memory: {SURVIVES['memory']}", f"{cli} CONFIG SET appendonly yes")
    else:
        level = chosen.level if confirmed and chosen.level else info.durability
        yield Finding("ok", "durability", f"{str(chosen) if level == 'replica' else level}: {SURVIVES[level]}")
    for what, name in (("aof", "append-only file"), ("rewrite", "new append-only file"), ("rdb", "snapshot")):
        if what in info.write_errors:
            fix = f"Its disk may be full: df -h $({cli} CONFIG GET dir | tail -1), and see its log."
            yield Finding("bad" if what == "aof" else "odd", "disk", f"the last write of its {name} failed", fix)


def _memory(info: ServerInfo, address: Address) -> Iterator[Finding]:
    cli = redis_cli(address)
    used = f"{size_text(info.used_memory)} used, "
    if not info.maxmemory:
        yield Finding("ok", "memory", used + "no limit")
    elif info.used_memory < NEARLY_FULL * info.maxmemory:
        yield Finding("ok", "memory", f"{used}of {size_text(info.maxmemory)}")
    else:
        fix = f"Delete old sessions (riffle sessions delete), or: {cli} CONFIG SET maxmemory {2 * info.maxmemory}"
        full = info.used_memory >= info.maxmemory
        words = "full: nothing can be written" if full else "nearly full"
        yield Finding("bad" if full else "odd", "memory", f"{used}of {size_text(info.maxmemory)}: {words}", fix)
    policy, fix = info.maxmemory_policy, f"{cli} CONFIG SET maxmemory-policy noeviction"
    if info.evicts:
        yield Finding("bad", "when it is full", f"maxmemory-policy {policy}: it would delete conversations", fix)
    elif policy.startswith("volatile-"):
        # What of riffle's has an expiry: leases (an engine seems lost until it renews its own) and tombstones.
        found = f"maxmemory-policy {policy}: conversations stay; it would forget who answers, and what was deleted"
        yield Finding("odd", "when it is full", found, fix)
    else:
        yield Finding("ok", "when it is full", policy or "not to be seen")


def _cluster(info: ServerInfo, address: Address) -> Finding:
    if info.cluster != "ok":
        return Finding("bad", "cluster", "it is down", f"{redis_cli(address)} CLUSTER NODES shows which nodes failed.")
    if _is_only_a_part(info, address):
        found = "this is one node of a cluster, which has only a part of the sessions"
        return Finding("bad", "cluster", found, f"Use the address of the cluster: {as_kind('cluster', address.safe)}")
    return Finding("ok", "cluster", "all slots are served")


def _sentinel(services: tuple[str, ...], address: Address) -> Finding:
    urls = [f"{as_kind('sentinel', address.safe)}/{service}" for service in services or ("SERVICE",)]
    found = "this is a sentinel: it knows where conversations are, and holds none"
    return Finding("bad", "server", found, f"Use the address of the service: {' or '.join(urls)}")


def access(reach: Reach, address: Address) -> Iterator[Finding]:
    """Who gets in, and who can read along on the way."""
    fix = (
        f"{redis_cli(address)} CONFIG SET requirepass CHANGE-ME, then put it into the address: redis://:CHANGE-ME@host"
    )
    match reach:
        case "world":
            found = "everybody who reaches its network gets in without a password"
            yield Finding("bad", "access", found, fix)
        case "machine":
            yield Finding("odd", "access", "every user of its machine gets in without a password", fix)
        case "guarded":
            yield Finding("ok", "access", "nobody gets in over the network without a password")
        case "unknown":
            yield Finding("note", "access", "this user may not see who else gets in")
    far = [place for place in address.places if place.port and not _is_here(place.host)]
    if far and not address.tls:
        found = f"conversations and the password travel to {far[0].host} readable for everybody on the way"
        yield Finding("odd", "TLS", found, "Let it listen with tls-port, and use rediss:// instead of redis://.")
    elif address.tls:
        yield Finding("ok", "TLS", "on")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _place(address: Address) -> tuple[str, int | str]:
    """Where the server is; of a master only its sentinels know."""
    return ("MASTER", "PORT") if address.kind == "sentinel" else (address.places[0].host, address.places[0].port)


def redis_cli(address: Address) -> str:
    """How to call `redis-cli` for that server; a password is asked for."""
    host, port = _place(address)
    where = ["-s", host] if not port else ["-h", host, "-p", str(port)]
    tls = ["--tls"] if address.tls else []
    named = [word for name, flag in _FLAGS.items() if (value := address.options.get(name)) for word in (flag, value)]
    secret = ["--askpass"] if address.options.get("password") else []
    return shlex.join(["redis-cli", *where, *tls, *named, *secret])
