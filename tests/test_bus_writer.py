"""The writer: everything once and in order, whatever Redis does; merged and slim on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bus.errors import BusError, Fenced, StoreUnavailable
from bus.events import (
    Event,
    Final,
    Info,
    Partial,
    PartialThinking,
    ProviderBlock,
    Start,
    ToolCallArgumentsDelta,
    ToolCallExecutionResult,
    ToolResultPayload,
)
from bus.memory import MemoryStream
from bus.meta import Usage
from bus.oversize import MAX_ENTRY_BYTES
from bus.segments import Segments
from bus.stream import AppendResult, Batch, Entry
from bus.writer import JOURNAL_BYTES, Writer
from tests.support.partials import partial, text_of
from tests.support.waiting import wait_until


class GatedStream(MemoryStream):
    """A stream whose appends can be held up; it keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.batches: list[Batch] = []
        self.away = False

    async def append(self, batch: Batch) -> AppendResult:
        self.batches.append(batch)
        await self.open.wait()
        if self.away:
            raise StoreUnavailable("away for this test")
        return await super().append(batch)


@pytest.fixture
async def gated() -> AsyncIterator[GatedStream]:
    yield GatedStream()


def payloads(entries: list[Entry]) -> list[dict[str, Any]]:
    return [json.loads(entry.payload) for entry in entries]


async def test_an_idle_writer_writes_at_once(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        await writer.publish(partial("Hi"))
        entries = await gated.wait("0-0", 5)
    assert payloads(entries) == [
        {
            "type": "partial",
            "meta": {"message_id": "m1"},
            "delta": "Hi",
            "correlation": {"segment_id": "m1:1"},
            "offset": 0,
        }
    ]


async def test_behind_a_batch_in_flight_deltas_of_a_segment_merge(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        gated.open.clear()
        await writer.publish(partial("a"))
        await wait_until(lambda: gated.batches)
        for text in ("b", "c", "d"):
            await writer.publish(partial(text))
        gated.open.set()
    entries = payloads(await gated.read())
    assert [(entry["delta"], entry["offset"]) for entry in entries] == [("a", 0), ("bcd", 1)]


async def test_a_text_that_only_grows_is_written_in_frames_until_something_else_comes(
    gated: GatedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.writer.BATCHES_APART_SECONDS", 0)
    monkeypatch.setattr("bus.writer.GROWTH_APART_SECONDS", 3600)
    async with Writer(gated, writer="w", epoch=1) as writer:
        await writer.publish(partial("a"))
        await gated.wait("0-0", 5)
        for text in ("b", "c", "d"):
            await writer.publish(partial(text))
            for _ in range(20):
                await asyncio.sleep(0)
        assert len(gated.batches) == 1
        await writer.publish(Info(message="thinking-started"))
        await wait_until(lambda: len(gated.batches) == 2)
        await writer.publish(partial("e"))
        await writer.flush()
        await writer.publish(partial("f"))
    deltas = [entry.get("delta") for entry in payloads(await gated.read())]
    assert deltas == ["a", "bcd", None, "e", "f"]


async def test_control_events_end_a_merge_and_keep_their_place(gated: GatedStream) -> None:
    events: list[Event] = [
        Start(), partial("a"), partial("b"), Info(message="thinking-started"), PartialThinking(delta="c"),
        PartialThinking(delta="d"), partial("e", segment="m1:2"), partial("f", segment="m1:3"), Final(text="abef"),
    ]  # fmt: skip
    async with Writer(gated, writer="w", epoch=1) as writer:
        gated.open.clear()
        for event in events:
            await writer.publish(event)
        gated.open.set()
    shown = [(entry["type"], entry.get("delta")) for entry in payloads(await gated.read())]
    assert shown == [
        ("start", None), ("partial", "ab"), ("info", None), ("partial-thinking", "cd"), ("partial", "e"),
        ("partial", "f"), ("final", None),
    ]  # fmt: skip


async def test_a_merge_ends_at_its_limit_and_at_a_jump(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        gated.open.clear()
        await writer.publish(partial("x" * 3000, offset=0))
        await writer.publish(partial("y" * 3000, offset=3000))
        await writer.publish(partial("z", offset=9000))
        gated.open.set()
    sizes = [(len(entry["delta"]), entry["offset"]) for entry in payloads(await gated.read())]
    assert sizes == [(3000, 0), (3000, 3000), (1, 9000)]


async def test_usage_is_written_where_it_changed(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        for tokens in (1, 1, 2):
            await writer.publish(partial("x", usage=Usage(input_tokens=9, output_tokens=tokens)))
            await writer.flush()
    metas = [entry["meta"] for entry in payloads(await gated.read())]
    assert [meta.get("usage", {}).get("output_tokens") for meta in metas] == [1, None, 2]


async def test_the_whole_text_is_repeated_now_and_then(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        for _ in range(20):
            await writer.publish(partial("x" * 4000))
    entries = payloads(await gated.read())
    repeated = [(i, len(entry["completion"])) for i, entry in enumerate(entries) if "completion" in entry]
    assert repeated == [(4, 20_000), (9, 40_000), (14, 60_000), (19, 80_000)]


async def test_it_is_repeated_every_time_when_asked_to(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1, completions=True) as writer:
        await writer.publish(partial("a"))
        await writer.flush()
        await writer.publish(partial("b"))
        await writer.publish(ToolCallArgumentsDelta(tool_call_id="t1", delta="{"))
    entries = payloads(await gated.read())
    assert [entry.get("completion") for entry in entries] == ["a", "ab", None]
    assert entries[2]["arguments"] == "{"


async def test_what_came_cumulative_is_written_as_it_is(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1) as writer:
        gated.open.clear()
        await writer.publish(Partial(delta="a", completion="a"))
        await writer.publish(Partial(delta="b", completion="ab"))
        gated.open.set()
    assert [entry["completion"] for entry in payloads(await gated.read())] == ["a", "ab"]


async def test_what_goes_on_from_a_cumulative_delta_has_its_offset(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1, completions=True) as writer:
        await writer.publish(Partial(delta="a", completion="so a"))
        await writer.publish(Partial(delta="b"))
    last = payloads(await gated.read())[-1]
    assert (last["offset"], last["completion"]) == (4, "so ab")


async def test_a_text_with_a_hole_is_never_repeated_as_a_whole(gated: GatedStream) -> None:
    async with Writer(gated, writer="w", epoch=1, completions=True) as writer:
        await writer.publish(partial("end", offset=100))
        await writer.publish(partial(" of it", offset=103))
    assert not any("completion" in entry for entry in payloads(await gated.read()))


def test_the_whole_text_is_repeated_after_two_seconds() -> None:
    segments = Segments()

    def write(text: str, now: float) -> str | None:
        sealed = segments.seal(segments.merge(partial(text), ts=1, now=now), now=now)
        assert isinstance(sealed, Partial)
        return sealed.completion

    assert [write("a", 10.0), write("b", 11.9), write("c", 12.1), write("d", 13.0), write("e", 14.2)] == [
        None, None, "abc", None, "abcde"
    ]  # fmt: skip


async def test_p09_publishing_goes_on_while_redis_is_away_and_waits_when_the_journal_is_full(
    gated: GatedStream,
) -> None:
    gated.away = True
    async with Writer(gated, writer="w", epoch=1, journal_bytes=20_000) as writer:
        for _ in range(4):
            await writer.publish(Info(message="x" * 4000))
        await wait_until(lambda: writer.trouble)
        more = asyncio.create_task(writer.publish(Info(message="x" * 8000)))
        await wait_until(lambda: len(gated.batches) > 2)
        assert not more.done()
        gated.away = False
        await more
        await writer.flush()
        assert writer.trouble is None
    assert len(await gated.read()) == 5


async def test_a_retry_sends_the_same_records(gated: GatedStream) -> None:
    gated.away = True
    async with Writer(gated, writer="w", epoch=1) as writer:
        await writer.publish(partial("a"))
        await wait_until(lambda: len(gated.batches) > 2)
        await writer.publish(partial("b"))
        gated.away = False
    assert all(batch.records == gated.batches[0].records for batch in gated.batches[:3])
    assert text_of(await gated.read()) == "ab"


async def test_a_writer_that_is_overtaken_says_so(gated: GatedStream) -> None:
    async with Writer(gated, writer="old", epoch=1) as old:
        await old.publish(Start())
        await old.flush()
        async with Writer(gated, writer="new", epoch=2) as new:
            await new.publish(Start())
        await old.publish(partial("late"))
        with pytest.raises(Fenced, match="another engine or producer has taken this session over"):
            await old.flush()
        with pytest.raises(Fenced):
            await old.publish(partial("later"))
    assert len(await gated.read()) == 2


async def test_d08_nothing_bigger_than_1_mib_is_written(gated: GatedStream) -> None:
    block = {"type": "reasoning", "encrypted_content": "x" * 1_500_000}
    tool = ToolResultPayload(id="t1", result="\x01" * 600_000)
    async with Writer(gated, writer="w", epoch=1) as writer:
        await writer.publish(partial("é" * 700_000))
        await writer.publish(ProviderBlock(provider="openai", block=block))
        await writer.publish(ToolCallExecutionResult(tool_result=tool))
        await writer.publish(Final(text="y" * 1_200_000))
    entries = await gated.read()
    assert all(len(entry.payload) <= MAX_ENTRY_BYTES for entry in entries)
    assert text_of(entries) == "é" * 700_000
    laid_aside, cut, final = (entry.event for entry in entries[-3:])
    assert isinstance(laid_aside, ProviderBlock)
    assert laid_aside.block is None
    assert json.loads(await gated.get_block(laid_aside.block_key or "") or b"") == block
    assert isinstance(cut, ToolCallExecutionResult)
    assert "more characters are cut here" in cut.tool_result.result
    assert final == Final()


@pytest.mark.parametrize("completions", [False, True])
async def test_d08_a_giant_delta_is_never_cut_inside(gated: GatedStream, completions: bool) -> None:
    giant = "<" * 120_000
    for event in (
        partial(giant),
        partial("\x01" * 300_000),
        partial("a").model_copy(update={"completion": "a" + giant}),
        partial(giant).model_copy(update={"completion": giant}),
        Partial.model_validate({"delta": giant, "acme": "&" * 400_000}),
    ):
        stream = GatedStream()
        async with Writer(stream, writer="w", epoch=1, completions=completions) as writer:
            await writer.publish(event)
            await writer.publish(partial("b" * 5_000, segment="m1:2"))
        entries = await stream.read()
        assert all(len(entry.payload) <= MAX_ENTRY_BYTES for entry in entries)
        assert text_of(entries) == event.delta + "b" * 5_000


async def test_a_writer_that_is_closed_takes_nothing_more(gated: GatedStream) -> None:
    writer = Writer(gated, writer="w", epoch=1, journal_bytes=1000)
    await writer.publish(Info(message="1"))
    await writer.aclose()
    with pytest.raises(BusError, match="this writer is closed"):
        await writer.publish(Info(message="2"))
    with pytest.raises(BusError, match="this writer is closed"):
        await writer.flush()
    assert len(await gated.read()) == 1


async def test_who_waits_for_a_writer_that_is_closed_is_told(gated: GatedStream) -> None:
    gated.away = True
    writer = Writer(gated, writer="w", epoch=1, journal_bytes=1000)
    waiting = asyncio.create_task(writer.publish(Info(message="x" * 2000)))
    await wait_until(lambda: writer.trouble)
    assert await writer.aclose(patience=0.05) == 1
    with pytest.raises(BusError, match="this writer is closed"):
        await waiting


class BrokenStream(MemoryStream):
    """A stream with a fault of its own."""

    async def append(self, batch: Batch) -> AppendResult:
        raise RuntimeError("no such thing")


async def test_a_fault_reaches_who_waits_for_the_writer() -> None:
    async with Writer(BrokenStream(), writer="w", epoch=1) as writer:
        await writer.publish(Start())
        with pytest.raises(BusError, match="RuntimeError: no such thing"):
            await writer.flush()
        with pytest.raises(BusError, match="cannot be written"):
            await writer.publish(Start())


def test_the_journal_is_8_mib_by_default() -> None:
    assert JOURNAL_BYTES == 8 * 1024 * 1024
