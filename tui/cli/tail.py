"""`riffle tail`: a stream on stdout, from any position, for people or for programs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Protocol

from bus.entry import position, position_before
from bus.errors import BusError
from bus.feed import ConnectionChanged, EntriesRead, FeedItem
from bus.stream import START
from tui.cli.commands import Tail
from tui.cli.connection_notes import ConnectionNotes
from tui.cli.context import Context, open_store, stream_at
from tui.cli.errors import FAILED, OK, CliError, complain
from tui.cli.printing import RECORDS, tidy
from tui.cli.transcript import Transcript
from tui.fold import Fold
from tui.positions import start_of


async def tail(command: Tail, ctx: Context) -> int:
    """Print what there is, then what comes."""
    if command.session and (file := Path(command.session)).is_file():
        return await _print(_recorded(file, command.position), _printer(command), follow=False)
    async with open_store(ctx) as store:
        if command.stream is not None:
            stream = stream_at(store, command.stream)
            if (await stream.info()).last_id == START:
                if not command.follow:
                    raise CliError(f"There is no stream {stream.key!r}.", "A stream is there from its first entry on.")
                complain(f"There is no stream {stream.key!r} yet: waiting for its first entry. Ctrl+C ends.")
            feed = store.watch(stream, after=await start_of(stream, command.position))
        else:
            info = await store.find(command.session or "")
            stream = store.stream(info.id)
            feed = store.watch(info.id, after=await start_of(stream, command.position))
        async with aclosing(feed):
            return await _print(feed, _printer(command), follow=command.follow)


async def _recorded(file: Path, start: str) -> AsyncIterator[FeedItem]:
    """What the file holds, from `start` on."""
    from tui.replay_source import read_file

    entries = await read_file(file)
    if start != "start":
        after = position(position_before(start)) if start != "now" else position(entries[-1].id)
        entries = [entry for entry in entries if entry.id and position(entry.id) > after]
    yield EntriesRead(entries, caught_up=True)


class Printer(Protocol):
    """Takes feed items in, and prints what they mean."""

    def take(self, item: FeedItem) -> None:
        """Collect what there is to print."""
        ...

    def finish(self) -> None:
        """Nothing more will come."""
        ...

    def flush(self) -> None:
        """Write what was collected. Blocks while its readers are slow."""
        ...

    def end_line(self) -> None:
        """Something is said on stderr now: end the line that is open there."""
        ...


class RecordPrinter:
    """Every entry for programs, as JSON or YAML. `as_read`: the entries hold no event of their own."""

    def __init__(self, output: str, *, as_read: bool = False) -> None:
        self._record = RECORDS[output]
        self._as_read = as_read
        self._text: list[str] = []

    def take(self, item: FeedItem) -> None:
        """Collect the entries; what stands beside them is not data."""
        if isinstance(item, EntriesRead):
            self._text += [self._record(entry, as_read=self._as_read) for entry in item.entries]

    def finish(self) -> None:
        """Records are whole by themselves."""

    def end_line(self) -> None:
        """Records are whole lines."""

    def flush(self) -> None:
        """Write them."""
        text, self._text = "".join(self._text), []
        sys.stdout.write(tidy(text, sys.stdout))
        sys.stdout.flush()


class TextPrinter:
    """The timeline for people."""

    def __init__(self, transcript: Transcript) -> None:
        self._fold = Fold()
        self._transcript = transcript
        self.finish = transcript.finish
        self.flush = transcript.flush

    def end_line(self) -> None:
        """End the line that is open where stderr goes to."""
        self._transcript.end_line(sys.stderr)

    def take(self, item: FeedItem) -> None:
        """Fold it, and collect what changed."""
        self._transcript.show(self._fold.take(item))


def _printer(command: Tail) -> Printer:
    if command.output == "text":
        transcript = Transcript(sys.stdout, sys.stdout, full=command.full, metadata=command.with_metadata)
        return TextPrinter(transcript)
    return RecordPrinter(command.output, as_read=bool(command.stream and command.stream.text_field))


async def _print(feed: AsyncIterator[FeedItem], printer: Printer, *, follow: bool) -> int:
    connection = ConnectionNotes(printer.end_line)
    with line_ended(printer):
        async for item in feed:
            if isinstance(item, ConnectionChanged):
                connection.tell(item.state)
            printer.take(item)
            ended = not follow and isinstance(item, EntriesRead) and item.caught_up
            if ended:
                printer.finish()
            # In a thread, so that a reader who does not read holds up only what is printed.
            await asyncio.to_thread(printer.flush)
            if ended:
                return OK
    return FAILED


@contextmanager
def line_ended(printer: Printer) -> Generator[None]:
    """What goes wrong in here is said on a line of its own."""
    try:
        yield
    except (BusError, CliError):
        printer.end_line()
        raise
