"""A proxy before a Redis server that does to the traffic what it is told to do."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Literal, Self

Direction = Literal["requests", "replies"]


class Proxy:
    """Listens at `url` and hands everything on to the server at the socket `target`, which may change.

    `lose_replies_to`: a request with these bytes reaches the server, and its reply is lost with the connection.
    `cut_after`: connections break after so many bytes of replies to such requests.
    `marked` counts such requests, `losses` such replies.
    `away`: nobody gets through any more; see `cut`. `silent`: nothing comes back.
    `delay` seconds each way, `rate` bytes per second each way, `split`: every byte comes alone.
    See `hold` for a black hole, and `cut_at` for a cut at a byte; `cuts` counts these.
    """

    def __init__(self, target: str, name: str = "proxy") -> None:
        self.target = target
        self.url = f"unix://{target}.{name}"
        self.lose_replies_to: bytes | None = None
        self.cut_after = 0
        self.silent = False
        self.away = False
        self.delay = 0.0
        self.rate: int | None = None
        self.split = False
        self.marked = 0
        self.losses = 0
        self.cuts = 0
        self._path = f"{target}.{name}"
        self._left: dict[Direction, int] = {}
        self._through = asyncio.Event()
        self._through.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        self.delay, self.rate = 0.0, None
        self._through.set()
        self.cut()
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Break all connections, and let no new one through while `away`."""
        self.away = True
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """A black hole: connections stay, nothing gets through. What is sent arrives after `release`, however late."""
        self._through.clear()

    def release(self) -> None:
        """The end of `hold`."""
        self._through.set()

    def cut_at(self, direction: Direction, count: int) -> None:
        """When `count` more bytes have come in this direction, break the connection that the last of them came over."""
        self._left[direction] = count

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
        await self._through.wait()
        server_reader, server_writer = await asyncio.open_unix_connection(self.target)
        self._writers.add(server_writer)
        marked = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, server_writer, marked))
                group.create_task(self._replies(server_reader, writer, marked))
        finally:
            self._writers.discard(server_writer)
            server_writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, marked: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self.lose_replies_to and self.lose_replies_to in data:
                marked.set()
                self.marked += 1
            await self._pass_on(data, server, "requests")
        raise ConnectionResetError

    async def _replies(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: asyncio.Event) -> None:
        while data := await server.read(65536):
            if marked.is_set():
                self.losses += 1
                writer.write(data[: self.cut_after])
                await writer.drain()
                raise ConnectionResetError
            if not self.silent:
                await self._pass_on(data, writer, "replies")
        raise ConnectionResetError

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter, direction: Direction) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while data:
            step = 1 if self.split else len(data) if self.rate is None else max(1, self.rate // 100)
            piece, data = data[:step], data[step:]
            await self._through.wait()
            left = self._left.pop(direction, None)
            if left is not None and len(piece) >= left:
                self.cuts += 1
                writer.write(piece[:left])
                await writer.drain()
                raise ConnectionResetError
            if left is not None:
                self._left[direction] = left - len(piece)
            writer.write(piece)
            await writer.drain()
            if self.rate is not None:
                await asyncio.sleep(len(piece) / self.rate)
