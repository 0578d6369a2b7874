"""Compaction: what the model is told before, during and after, that it can be taken back, and that a restart agrees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bus.codec import decode, encode
from bus.events import Compaction, CompactionUndone, Error, Event, Partial, RunFailed, RunFinished, RunStopped
from bus.meta import Usage
from bus.timeline import Timeline
from engine.call import Call
from engine.compaction import INSTRUCTION
from engine.demo.provider import Demo
from engine.engine import EngineConfig
from engine.failures import Failure
from engine.history import SUMMARY, History
from engine.ports import Request, Work
from engine.profiles import COMPACT, UNDO
from engine.service import Service
from engine.tools import Toolbox
from tests.support.scripted import HANG, Line, Scripted, end, fail, say
from tests.support.seat import MemorySeat, work
from tests.support.turn import Run
from tests.support.waiting import wait_until

Scripts = Sequence[Sequence[Line]]


def command(name: str) -> Work:
    return work(f"/{name}", options={"command": name})


def told(request: Request) -> list[str]:
    return [block.text for block in request.blocks]


def too_long(call: Call) -> None:
    call.error(Failure(message="Too long.", code="context-too-long"))


def counted(call: Call) -> None:
    call.usage(Usage(input_tokens=900, output_tokens=40, cache_read_input_tokens=100))
    call.final("stop")


TALK: list[Sequence[Line]] = [[say("One."), end()], [say("Two."), end()]]


async def talked(*scripts: Sequence[Line]) -> Run:
    """Two turns; `scripts` are for what follows."""
    run = Run(*TALK, *scripts)
    await run.ask("1")
    await run.ask("2")
    return run


async def test_a_summary_stands_for_what_it_covers() -> None:
    run = await talked([say("It was "), say("about numbers."), counted], [say("Three."), end()])
    assert await run.ask(command(COMPACT)) == "finished"
    assert told(run.provider.requests[2]) == ["1", "One.", "2", "Two.", INSTRUCTION]
    event = run.only(Compaction)
    assert (event.text, event.turns, event.tokens_before, event.tokens_after) == ("It was about numbers.", 2, 1000, 5)
    assert event.author == "ada@here" and event.meta.usage is not None
    # The summary is no answer: nothing of it is shown as one.
    assert len(run.all(Partial)) == 2
    await run.ask("3")
    assert told(run.provider.requests[3]) == [SUMMARY + "It was about numbers.", "3"]


async def test_it_can_be_taken_back() -> None:
    run = await talked([say("Numbers."), end()], [say("Three."), end()])
    await run.ask(command(COMPACT))
    await run.ask(command(UNDO))
    assert run.only(CompactionUndone).compaction_turn_id == run.only(Compaction).meta.turn_id
    await run.ask("3")
    assert told(run.provider.requests[-1]) == ["1", "One.", "2", "Two.", "3"]


async def test_of_several_the_newest_counts_and_taking_it_back_leaves_the_one_before() -> None:
    run = await talked([say("S1"), end()], [say("Three."), end()], [say("S2"), end()])
    for prompt in (command(COMPACT), "3", command(COMPACT)):
        await run.ask(prompt)
    assert told(run.provider.requests[-1]) == [f"{SUMMARY}S1", "3", "Three.", INSTRUCTION]
    assert [event.turns for event in run.all(Compaction)] == [2, 1]
    assert [block.text for block in run.history.blocks()] == [f"{SUMMARY}S2"]
    await run.ask(command(UNDO))
    assert [block.text for block in run.history.blocks()] == [f"{SUMMARY}S1", "3", "Three."]


async def test_a_question_that_failed_stays_as_it_is_so_that_it_can_be_asked_again() -> None:
    run = await talked([fail("Too long.")], [say("Numbers."), end()], [say("Three."), end()])
    await run.ask("3")
    await run.ask(command(COMPACT))
    assert told(run.provider.requests[3]) == ["1", "One.", "2", "Two.", INSTRUCTION]
    (failed,) = run.all(RunFailed)
    await run.ask(work("3 again", supersedes=failed.meta.turn_id))
    assert told(run.provider.requests[-1]) == [f"{SUMMARY}Numbers.", "3 again"]


async def test_asking_a_compacted_turn_again_goes_back_to_what_was_said() -> None:
    run = await talked([say("Numbers."), end()], [say("Better."), end()])
    await run.ask(command(COMPACT))
    second = run.all(RunFinished)[1].meta.turn_id
    await run.ask(work("2!", supersedes=second))
    assert told(run.provider.requests[-1]) == ["1", "One.", "2!"]


async def test_what_is_too_long_even_for_that_is_shortened() -> None:
    run = Run([say("x" * 9_000), end()], [too_long], [say("Much."), end()])
    await run.ask("1")
    assert await run.ask(command(COMPACT)) == "finished"
    whole, short = (request.blocks[1].text for request in run.provider.requests[1:])
    assert len(whole) == 9_000 and len(short) < 4_100 and "[…]" in short
    assert not run.all(Error)


async def test_what_keeps_it_from_happening_is_said() -> None:
    nothing = Run()
    assert await nothing.ask(command(COMPACT)) == "failed"
    assert nothing.only(Error).error_string == "There is nothing to compact yet."
    assert await nothing.ask(command(UNDO)) == "failed"
    silent = await talked([end()])
    assert await silent.ask(command(COMPACT)) == "failed"
    assert silent.only(Error).code == "not-compacted" and not silent.all(Compaction)
    assert await silent.ask(command("dance")) == "failed"
    assert "does not know how to 'dance'" in silent.all(Error)[-1].error_string


async def test_an_interrupt_leaves_everything_as_it_was() -> None:
    run = await talked([say("Half a summ"), HANG])
    compacting = asyncio.create_task(run.ask(command(COMPACT)))
    await run.sink.has("run-started", 3)
    await wait_until(lambda: run.provider.open_calls == 1)
    run.engine.interrupt("ada@here")
    assert await compacting == "interrupted"
    assert run.only(RunStopped).reason == "interrupt" and not run.all(Compaction)
    assert [block.text for block in run.history.blocks()] == ["1", "One.", "2", "Two."]


async def _serve(past: Sequence[Event], scripts: Scripts, *prompts: Work) -> tuple[MemorySeat, Scripted]:
    seat, provider = MemorySeat(past=past), Scripted(scripts)
    service = Service(seat, make_provider=lambda model: provider, tools=Toolbox(), config=EngineConfig(model="gpt-x"))
    seat.submit(*prompts, None)
    await service.run()
    return seat, provider


async def test_another_engine_goes_on_with_the_summary() -> None:
    scripts = [*TALK, [say("Numbers."), end()], [say("Three."), end()]]
    seat, stayed = await _serve([], scripts, work("1"), work("2"), command(COMPACT), work("3"))
    compacted = seat.sink.types().index("riffle-compaction")
    # It died before it could say that the command was carried out.
    stored = [decode(encode(event)) for event in seat.sink.events[: compacted + 1]]
    other, restarted = await _serve(stored, [[say("Three."), end()]], work("3"))
    assert told(restarted.requests[0]) == told(stayed.requests[-1]) == [f"{SUMMARY}Numbers.", "3"]
    assert other.sink.types()[compacted + 1] == "run-finished"


async def test_one_that_was_cut_off_by_the_loss_of_its_engine_is_closed() -> None:
    seat, _ = await _serve([], [*TALK, [say("Numbers."), end()]], work("1"), work("2"), command(COMPACT))
    begun = seat.sink.types().index("riffle-compaction")
    other, provider = await _serve(seat.sink.events[:begun], [[say("Three."), end()]], work("3"))
    assert other.sink.types()[begun : begun + 2] == ["interrupt", "run-stopped"]
    assert told(provider.requests[0]) == ["1", "One.", "2", "Two.", "3"]


async def test_the_demo_gives_a_summary_too() -> None:
    run = Run()
    demo = Demo("instant")
    await run.engine.run(work("How does replay work?"), demo, "")
    assert await run.engine.run(command(COMPACT), demo, "") == "finished"
    assert "How does replay work?" in run.only(Compaction).text


async def test_the_timeline_shows_it_and_counts_the_context() -> None:
    run = await talked([say("Numbers. " * 100), counted], [say("Three."), end()])
    timeline, sizes = Timeline(), list[int]()

    async def after(prompt: str | Work) -> str:
        seen = len(run.sink.events)
        await run.ask(prompt)
        for number, event in enumerate(run.sink.events[seen:], seen):
            timeline.apply(event, f"1-{number}", number)
        sizes.append(timeline.state.context_tokens)
        return type(timeline.entities[-1]).__name__

    for number, event in enumerate(run.sink.events):
        timeline.apply(event, f"0-{number}", number)
    assert timeline.state.context_tokens == 15  # as the last call counted: 10 in, 5 out
    assert await after(command(COMPACT)) == "CompactedTurns"
    assert await after(command(UNDO)) == "Notice"
    assert sizes == [224, 224 + 1000 - 224]
    assert timeline.state.status == "idle"


def test_the_history_of_a_stream_that_knows_no_compaction_is_what_it_was() -> None:
    history = History()
    history.apply(Compaction(text="Summary", through_turn_id="t1"))
    assert history.blocks() == [] and history.compaction() is None
