"""How a Redis server is set up: what it keeps, how full it is, who can reach it. Nothing here changes anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..durability import LEVELS, Durability
from ..entry import pair_up
from ..errors import StoreRefused
from .confirmation import Confirmation, confirmation
from .connection import Connection
from .words import NotPermitted

Given = Literal["memory", "process", "disk", "unknown"]
"""What a server by itself gives, of `bus.durability`; `unknown` where the user may not see it."""

Reach = Literal["guarded", "machine", "world", "unknown"]
"""Who gets in without a password: nobody else, every user of the server's machine, whoever reaches its network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A Redis server as it is set up. What the user may not see is empty, 0 or unknown. Sizes are in bytes.

    Of a cluster it is the worst that any of its primaries has: the oldest version, the memory of the one that is
    fullest, the fewest replicas. `clients` are those of all of them.
    `replicas` counts those that are connected and in step. `write_errors` names what it could not write to its disk:
    `aof`, `rewrite` or `rdb`. `cluster` is `ok` or `fail`, empty where it is none.
    """

    version: str = ""
    durability: Given = "unknown"
    maxmemory: int = 0
    maxmemory_policy: str = ""
    used_memory: int = 0
    clients: int = 0
    role: str = ""
    replicas: int = 0
    write_errors: tuple[str, ...] = ()
    cluster: str = ""
    watches: tuple[str, ...] | None = None
    """The services that it watches over as a sentinel; None: it is none."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version, to be compared; empty where it is not known."""
        return _numbers(self.version)

    @property
    def evicts(self) -> bool:
        """Whether it deletes conversations when it is full."""
        return self.maxmemory_policy.startswith("allkeys-")


async def server_info(connection: Connection) -> ServerInfo:
    """How the server is set up, as far as this user may see it."""
    try:
        nodes = [_fields(text) for text in await connection.call_each("INFO")]
    except NotPermitted:
        return ServerInfo()
    fullest = max(nodes, key=_fullness)
    failed = {"aof_last_write_status": "aof", "aof_last_bgrewrite_status": "rewrite", "rdb_last_bgsave_status": "rdb"}
    return ServerInfo(
        version=min((node.get("redis_version", "") for node in nodes), key=_numbers),
        durability=await _given(connection, min(node.get("aof_enabled", "") for node in nodes)),
        maxmemory=_number(fullest, "maxmemory"),
        maxmemory_policy=min(node.get("maxmemory_policy", "") for node in nodes),  # allkeys-* come first
        used_memory=_number(fullest, "used_memory"),
        clients=sum(_number(node, "connected_clients") for node in nodes),
        role=min((node.get("role", "") for node in nodes), key=lambda role: role in ("master", "")),
        replicas=min(_replicas(node) for node in nodes),
        write_errors=tuple(
            what for name, what in failed.items() if any(node.get(name, "ok") != "ok" for node in nodes)
        ),
        cluster=await _cluster_state(connection) if nodes[0].get("cluster_enabled") == "1" else "",
        watches=_services(nodes[0]) if "sentinel_masters" in nodes[0] else None,
    )


def _fields(text: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)


def _number(node: dict[str, str], name: str) -> int:
    return int(node.get(name) or 0)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _fullness(node: dict[str, str]) -> tuple[float, int]:
    """Compares by the share of its limit that is used; where there is none, by what is used."""
    used, limit = _number(node, "used_memory"), _number(node, "maxmemory")
    return used / limit if limit else 0.0, used


def _services(sentinel: dict[str, str]) -> tuple[str, ...]:
    """`master0:name=chats,status=ok,…` for each."""
    lines = [value for name, value in sentinel.items() if re.fullmatch(r"master\d+", name)]
    return tuple(found[1] for line in lines if (found := re.search(r"name=([^,]+)", line)))


def _replicas(node: dict[str, str]) -> int:
    return sum("state=online" in value for name, value in node.items() if name.startswith("slave"))


async def _given(connection: Connection, aof_enabled: str) -> Given:
    match aof_enabled:
        case "1":
            # Where the file is synced how often cannot be seen, it survives at least the end of the server.
            try:
                replies = await connection.call_each("CONFIG", "GET", "appendfsync")
            except StoreRefused:
                return "process"
            return "disk" if all(reply[1:] == [b"always"] for reply in replies) else "process"
        case "0":
            return "memory"
        case _:
            return "unknown"


async def _cluster_state(connection: Connection) -> str:
    try:
        reply: bytes = await connection.call("CLUSTER", "INFO")
    except StoreRefused:
        return ""
    return "ok" if b"cluster_state:ok" in reply else "fail"


async def _config(connection: Connection, *names: str) -> dict[str, str]:
    """Settings of the server; empty where this user may not see them, or the server hides them from everybody."""
    found: dict[str, str] = {}
    for name in names:
        try:
            reply = await connection.call("CONFIG", "GET", name)
        except StoreRefused:
            continue
        found |= {key.decode(): value.decode(errors="replace") for key, value in pair_up(reply).items()}
    return found


async def reach(connection: Connection) -> Reach:
    """Who gets into the server without a password."""
    try:
        default: Any = pair_up(await connection.call("ACL", "GETUSER", "default"))
    except StoreRefused:
        return "unknown"
    flags: Sequence[bytes] = default.get(b"flags") or ()
    if b"nopass" not in flags or b"off" in flags:
        return "guarded"
    config = await _config(connection, "port", "tls-port", "bind", "protected-mode")
    return reach_without_password(config, (await server_info(connection)).numbers)


def reach_without_password(config: Mapping[str, str], version: tuple[int, ...]) -> Reach:
    """Who reaches a server of that version with these settings, where the default user needs no password."""
    if "port" not in config:
        return "unknown"
    if config["port"] == "0" and config.get("tls-port", "0") == "0":
        return "guarded"  # a Unix socket, which the rights of its file guard
    addresses = config.get("bind", "").split()
    if addresses and all(_is_loopback(address.removeprefix("-")) for address in addresses):
        return "machine"
    # Before 7.0 whoever names addresses to listen at is taken to know what they do.
    protects = config.get("protected-mode") == "yes" and (version >= (7, 0) or not addresses)
    return "machine" if protects else "world"


def _is_loopback(address: str) -> bool:
    return address in ("::1", "localhost") or address.startswith("127.")


def durability_shown(info: ServerInfo, chosen: Durability) -> str:
    """What an event of a writer that has chosen so survives on this server, in few words; says so where it is less."""
    evicts = f", {info.maxmemory_policy} evicts" if info.evicts else ""
    return _level_shown(info, chosen) + evicts


def _level_shown(info: ServerInfo, chosen: Durability) -> str:
    match chosen.level:
        case "replica" if info.replicas >= chosen.replicas or not info.version:
            return str(chosen)
        case "replica":
            return f"{info.durability}, {info.replicas} of {chosen.replicas} replicas"
        case "disk" if confirms(info, chosen):
            return "disk"
        case _ if is_weaker(info, chosen):
            return f"{info.durability}, not {chosen.level}"
        case _:
            return info.durability


def confirms(info: ServerInfo, chosen: Durability) -> Confirmation | None:
    """What a writer asks this server for behind each append, so that the chosen level is kept."""
    return confirmation(chosen, info.numbers, keeps_file=info.durability in ("process", "disk"))


def is_weaker(info: ServerInfo, chosen: Durability) -> bool:
    """Whether the server, by itself, does not give what was chosen, or nobody can see that it does."""
    if chosen.level is None or chosen.level == "replica":
        return False
    return info.durability == "unknown" or LEVELS.index(info.durability) < LEVELS.index(chosen.level)
