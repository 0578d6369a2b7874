"""A proxy before a Redis server that loses what it is told to lose."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Proxy:
    """Listens at `url` and hands everything on to the server at the socket `target`.

    `lose_replies_to`: a request with these bytes reaches the server, and its reply is lost with the connection.
    `away`: nobody gets through any more; see `cut`.
    `cut_after`: connections break after so many bytes of replies to such requests. `silent`: nothing comes back.
    `marked` counts such requests, `losses` such replies.
    """

    def __init__(self, target: str) -> None:
        self.url = f"unix://{target}.proxy"
        self.lose_replies_to: bytes | None = None
        self.cut_after = 0
        self.silent = False
        self.away = False
        self.marked = 0
        self.losses = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, f"{self._target}.proxy")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Break all connections, and let no new one through while `away`."""
        self.away = True
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if not self.away:
                await self._join(reader, writer)
        except* OSError:
            pass
        finally:
            writer.close()
            self._tasks.discard(task)
            self._writers.discard(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        marked = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, server_writer, marked))
                group.create_task(self._replies(server_reader, writer, marked))
        finally:
            server_writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, marked: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self.lose_replies_to and self.lose_replies_to in data:
                marked.set()
                self.marked += 1
            server.write(data)
            await server.drain()
        raise ConnectionResetError

    async def _replies(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: asyncio.Event) -> None:
        while data := await server.read(65536):
            if marked.is_set():
                self.losses += 1
                writer.write(data[: self.cut_after])
                await writer.drain()
                raise ConnectionResetError
            if not self.silent:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError
