"""Asking several servers the same: some are dead, some know less than others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from .node import Command, Node

LATECOMERS_SECONDS = 0.3
"""How long after the first answer others are waited for, which may know something newer."""


async def ask(nodes: Iterable[Node], *commands: Command) -> list[tuple[Node, list[Any]]]:
    """The replies of all nodes that answer in time. If none does: raises why the most telling one did not."""
    tasks = {asyncio.create_task(node.execute(*commands)): node for node in nodes}
    answers: list[tuple[Node, list[Any]]] = []
    errors: list[Exception] = []
    pending = set(tasks)
    try:
        while pending:
            limit = LATECOMERS_SECONDS if answers else None
            done, pending = await asyncio.wait(pending, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in done:
                try:
                    answers.append((tasks[task], task.result()))
                except (RedisError, OSError) as error:
                    errors.append(error)
    finally:
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
    if not answers:
        # That a server lets nobody in says more than that another one is dead.
        raise max(errors, key=lambda error: isinstance(error, ResponseError | AuthenticationError))
    return answers
