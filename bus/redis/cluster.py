"""A Redis Cluster: every key lies in a slot, every slot on one primary, and both may move at any time.

MOVED and ASK mean that a command was not executed, so it is sent on at once. Everything else is left to the caller's
loop: after any trouble the map of slots is asked for again, which is how a replica that took over is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError, NoPermissionError, ResponseError, TryAgainError

from ..errors import StoreRefused
from .address import Address, Place
from .asking import ask
from .node import Command, Dialer, Node
from .routing import key_of

REDIRECTIONS = 5
ASKED_AT_MOST = 8
"""How many nodes are asked for the map."""


class Cluster:
    """The primaries of the cluster that the nodes in `address` belong to."""

    def __init__(self, address: Address, *, client_name: str) -> None:
        self._address = address
        self._dialer = Dialer(address, address.options, client_name=client_name)
        self._nodes = {place: Node(self._dialer, place) for place in address.places}
        self._owners: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._stale = True
        self._map_refused: NoPermissionError | None = None
        self._refreshing = asyncio.Lock()

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Replies in order, refusals as values. A command without a key goes with the one before it."""
        await self._refresh()
        units = _units(commands)
        if len(units) == 1:
            return await self._run_unit(commands)
        groups: dict[Node, list[int]] = {}
        for i, unit in enumerate(units):
            groups.setdefault(self._node_for(unit[0]), []).append(i)
        replies: list[list[Any]] = [[] for _ in units]

        async def run_group(node: Node, numbers: list[int]) -> None:
            flat = await node.execute(*(command for i in numbers for command in units[i]))
            for i in numbers:
                mine, flat = flat[: len(units[i])], flat[len(units[i]) :]
                replies[i] = await self._follow(node, units[i], mine)

        outcomes = await asyncio.gather(*(run_group(*group) for group in groups.items()), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        return [reply for unit_replies in replies for reply in unit_replies]

    async def primaries(self) -> list[Node]:
        """The nodes that together hold all keys."""
        await self._refresh()
        if self._map_refused:
            raise self._map_refused
        return [self._at(place) for place in dict.fromkeys(self._owners) if place]

    async def doubt(self) -> None:
        """Something went wrong: sockets may be dead, slots elsewhere."""
        self._stale = True
        if self._map_refused:
            self._owners = [None] * REDIS_CLUSTER_HASH_SLOTS
        for node in self._nodes.values():
            await node.forget()

    async def close(self) -> None:
        """Close all sockets."""
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    async def _run_unit(self, unit: Sequence[Command]) -> list[Any]:
        node = self._node_for(unit[0])
        return await self._follow(node, unit, await node.execute(*unit))

    async def _follow(self, node: Node, unit: Sequence[Command], replies: list[Any]) -> list[Any]:
        """Send on what was not executed because its key lies elsewhere."""
        for _ in range(REDIRECTIONS):
            match replies[0]:
                case MovedError() as moved:
                    node = self._at(_place(moved, node))
                    self._owners[moved.slot_id] = node.place
                    self._stale = True
                    replies = await node.execute(*unit)
                case AskError() as asked:
                    there = self._at(_place(asked, node))
                    replies = (await there.execute(("ASKING",), *unit))[1:]
                case _:
                    return replies
        raise TryAgainError("TRYAGAIN the nodes send from one to another")

    def _node_for(self, command: Command) -> Node:
        key = key_of(command)
        owner = self._owners[key_slot(key)] if key is not None else None
        return self._at(owner) if owner else next(iter(self._nodes.values()))

    def _at(self, place: Place) -> Node:
        if place not in self._nodes:
            self._nodes[place] = Node(self._dialer, place)
        return self._nodes[place]

    async def _refresh(self) -> None:
        if not self._stale:
            return
        async with self._refreshing:
            if self._stale:
                await self._read_map()
                self._stale = False

    async def _read_map(self) -> None:
        asked = dict.fromkeys((*self._nodes, *self._owners, *self._address.places))
        nodes = [self._at(place) for place in asked if place]
        answers = await ask(nodes[:ASKED_AT_MOST], ("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))
        node, (_, slots) = max(answers, key=lambda answer: _freshness(*answer[1]))
        self._nodes = {node.place: node} | self._nodes  # where nothing is known, the first one is asked
        if isinstance(slots, NoPermissionError):
            self._map_refused = slots  # a user who may only read streams: MOVED tells where what lies
            return
        if isinstance(slots, ResponseError) and "cluster support disabled" in str(slots):
            raise StoreRefused(
                f"Redis at {self._address.safe} is not a cluster.", "Use redis:// (or rediss://) for a single server."
            )
        if isinstance(slots, ResponseError):
            raise slots
        self._map_refused = None
        self._owners = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, primary, *_ in slots:
            # A node that does not know its own address says nothing, or `?`.
            host = (primary[0] or b"").decode().replace("?", "") or node.place.host
            self._owners[first : last + 1] = [Place(host, primary[1])] * (last - first + 1)
        known = {*self._owners, *self._address.places, node.place}
        for place in [place for place in self._nodes if place not in known]:
            await self._nodes.pop(place).forget()


def _units(commands: Sequence[Command]) -> list[list[Command]]:
    units: list[list[Command]] = []
    for command in commands:
        if units and key_of(command) is None:
            units[-1].append(command)
        else:
            units.append([command])
    return units


def _place(redirection: AskError, sender: Node) -> Place:
    host, port = cast("tuple[str, int]", cast(Any, redirection).node_addr)
    return Place(host or sender.place.host, port)


def _freshness(info: Any, slots: Any) -> tuple[bool, bool, int]:
    """How far a node's map is to be believed: not where it is cut off from the others, and the newest one first."""
    if isinstance(info, ResponseError):
        return not isinstance(slots, ResponseError), False, 0
    lines = dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
    epoch = int(lines.get("cluster_current_epoch", 0))
    return not isinstance(slots, ResponseError), lines.get("cluster_state") == "ok", epoch
