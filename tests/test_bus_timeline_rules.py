"""The finer rules of the reducer, one test each."""

from __future__ import annotations

import pytest

from bus.entities import (
    Appended,
    AssistantText,
    Entity,
    GapMarker,
    Interruption,
    Notice,
    Thinking,
    TimelineState,
    ToolUse,
    TurnSummary,
)
from bus.events import (
    Event,
    Final,
    Gap,
    Info,
    Interrupt,
    Partial,
    PartialThinking,
    ProviderBlock,
    Retry,
    RunFinished,
    RunStarted,
    RunStopped,
    Start,
    Status,
    ToolCall,
    ToolCallExecute,
    ToolCallExecutionResult,
    ToolCallPayload,
    ToolResultPayload,
    UserMessage,
)
from bus.meta import Correlation, Metadata, Usage
from bus.timeline import Timeline


class Play:
    """A timeline with short words to feed it; each event is an entry of its own, one second after the last."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self._count = 0

    def __call__(self, *events: Event) -> None:
        for event in events:
            self._count += 1
            self.timeline.apply(event, f"{self._count}-0", self._count * 1000)

    def shown(self) -> list[str]:
        return [_word(entity) for entity in self.timeline.entities]


def _word(entity: Entity) -> str:
    match entity:
        case AssistantText() | Thinking():
            return str(entity.text)
        case _:
            return type(entity).__name__


@pytest.fixture
def play() -> Play:
    return Play()


META = Metadata(message_id="m1", turn_id="t1")


def text(delta: str, offset: int | None = None, segment: str | None = "s", completion: str | None = None) -> Partial:
    correlation = Correlation(segment_id=segment) if segment else None
    meta = Metadata(message_id="m1")
    return Partial(meta=meta, delta=delta, offset=offset, completion=completion, correlation=correlation)


def thought(delta: str, segment: str | None = None, completion: str | None = None) -> PartialThinking:
    correlation = Correlation(segment_id=segment) if segment else None
    return PartialThinking(meta=Metadata(message_id="m1"), delta=delta, completion=completion, correlation=correlation)


def test_delta_is_reported_as_appended(play: Play):
    play(text("a", 0))
    changes = play.timeline.apply(text("b", 1), "9-0", 9)
    entity = play.timeline.entities[0]
    assert changes == [Appended(entity, "b")]
    assert (entity.revision, entity.first_entry_id, entity.last_entry_id) == (2, "1-0", "9-0")


def test_overlap_is_taken_once(play: Play):
    play(text("abc", 0), text("bcd", 1), text("cd", 2))
    assert play.shown() == ["abcd"]


def test_hole_is_filled_by_a_late_delta(play: Play):
    play(text("ab", 0), text("ef", 4), text("gh", 6))
    assert play.shown() == ["abefgh"]
    play(text("cd", 2), text("ij", 8), Final(meta=META))
    assert play.shown()[0] == "abcdefghij"
    assert not any(isinstance(entity, GapMarker) for entity in play.timeline.entities)


def test_hole_is_filled_by_a_checkpoint(play: Play):
    play(text("ab", 0), text("ef", 4), text("g", 6, completion="abcdefg"), text("h", 7))
    assert play.shown() == ["abcdefgh"]


def test_checkpoint_that_repeats_the_whole_call(play: Play):
    play(text("ab", 0, "s1"), text("c", 0, "s2", completion="abc"), text("d", 1, "s2", completion="abcd"))
    assert play.shown() == ["ab", "cd"]


def test_hole_that_stays_is_shown(play: Play):
    play(text("ab", 0), text("ef", 4), Final(meta=META))
    gap = play.timeline.entities[1]
    assert isinstance(gap, GapMarker)
    assert gap.reason == "2 characters of this text are missing"


def test_late_delta_does_not_reopen(play: Play):
    play(Start(meta=META), text("a", 0), Final(meta=META, text="a"), text("b", 1), text("c", 0, "other"), thought("d"))
    assert play.shown() == ["a", "TurnSummary"]
    assert play.timeline.entities[0].done


def test_cumulative_text_wins(play: Play):
    play(text("x", None, None, completion="Hello"), text("y", None, None, completion="Hello there"))
    play(text("z", None, None, completion="Hello"))
    assert play.shown() == ["Hello there"]
    play(text("", None, None, completion="Hallo there"))
    assert play.shown() == ["Hallo there"]
    play(text("", None, None, completion="Hallo"))
    assert play.shown() == ["Hallo"]


def test_final_repairs_the_segment_that_differs(play: Play):
    play(text("one", 0, "s1"), text("tw", 0, "s2"), Final(meta=META, text="onetwo"))
    assert play.shown()[:2] == ["one", "two"]
    again = Play()
    again(text("on", 0, "s1"), text("two", 0, "s2"), Final(meta=META, text="onetwo"))
    assert again.shown()[:2] == ["one", "two"]


def test_final_alone_is_the_answer(play: Play):
    play(Final(meta=META, text="All at once."))
    assert play.shown() == ["All at once.", "TurnSummary"]


def test_interleaved_legacy_text_and_reasoning(play: Play):
    play(thought("A", None, "A"), text("1", None, None, "1"), thought("B", None, "AB"), text("2", None, None, "12"))
    play(thought("", None, "A"), Final(meta=META, text="12"))
    assert play.shown() == ["A", "1", "B", "2", "TurnSummary"]


def test_thinking_ends_when_the_text_begins(play: Play):
    play(Info(meta=META, message="thinking-started"), thought("hm", "r"), text("a", 0))
    thinking = play.timeline.entities[0]
    assert isinstance(thinking, Thinking)
    assert thinking.done
    assert (thinking.started_ms, thinking.ended_ms) == (1000, 3000)
    play(Info(meta=META, message="thinking-ended"))
    assert thinking.ended_ms == 3000


def test_thinking_without_text_is_shown_while_it_lasts(play: Play):
    play(Info(meta=META, message="thinking-started"))
    thinking = play.timeline.entities[0]
    assert isinstance(thinking, Thinking)
    assert (thinking.done, thinking.redacted) == (False, False)
    play(text("a", 0))
    assert (thinking.done, thinking.redacted) == (True, True)


def test_overlapping_reasoning_segments(play: Play):
    def marker(word: str, segment: str) -> Info:
        return Info(meta=META, message=f"thinking-{word}", correlation=Correlation(segment_id=segment))

    play(marker("started", "r1"), thought("a", "r1"), marker("started", "r2"), thought("b", "r2"), thought("c", "r1"))
    play(marker("ended", "r1"))
    assert play.shown() == ["ac", "b"]
    assert [entity.done for entity in play.timeline.entities] == [True, False]


def test_retried_call_leaves_nothing_open(play: Play):
    play(Start(meta=META), Info(meta=META, message="thinking-started"), Retry(meta=META, reason="overloaded"))
    assert all(entity.done for entity in play.timeline.entities)


def test_a_word_about_silence_goes_away_when_something_comes(play: Play):
    play(Start(meta=META), Status(meta=META, message="nothing for 20 s", passing=True))
    assert [type(entity) for entity in play.timeline.entities] == [Notice]
    play(Status(meta=META, message="nothing for 40 s", passing=True))
    assert play.shown() == ["Notice"]
    play(text("a", 0), Status(meta=META, message="indexing"))
    assert play.shown() == ["a", "Notice"]
    play(text("b", 1))
    assert play.shown() == ["ab", "Notice"]


def test_a_retry_says_when_until_something_comes(play: Play):
    play.timeline.apply(Start(meta=META), "first", 1_000)
    play.timeline.apply(Retry(meta=META, reason="Overloaded.", attempt=2, attempts=3, delay_ms=12_400), "second", 2_000)
    [notice] = play.timeline.entities
    assert isinstance(notice, Notice)
    assert notice.message == "Overloaded; next try in 12 s (retry 2 of 3)"
    assert play.timeline.state.next_try_ms == 14_400
    play(Partial(meta=Metadata(message_id="m2"), delta="a"))
    assert play.timeline.state.next_try_ms is None
    assert play.shown() == ["Notice", "a"]


def test_interrupt_between_two_calls_makes_no_call(play: Play):
    play(UserMessage(meta=Metadata(turn_id="t1"), text="?"), tool_call("c"), Final(meta=META, text=""))
    play(Interrupt(meta=Metadata(turn_id="t1"), text=""), RunStopped(meta=Metadata(turn_id="t1"), reason="interrupt"))
    assert play.shown() == ["UserText", "ToolUse", "Interruption", "TurnSummary"]
    assert summary_of(play).calls == 1
    assert tools(play)[0].state == "interrupted"


def test_repeated_beginning_does_not_begin_again(play: Play):
    prompt = UserMessage(meta=Metadata(turn_id="t1"), text="?")
    play(prompt, RunStarted(meta=Metadata(turn_id="t1")), RunFinished(meta=Metadata(turn_id="t1")), prompt)
    assert play.timeline.state.status == "idle"
    assert play.shown() == ["UserText"]


def test_summary_goes_where_the_reasoning_was(play: Play):
    play(text("a", 0), Info(meta=META, message="reasoning-summary", data={"text": "why"}), Final(meta=META, text="a"))
    assert play.shown() == ["why", "a", "TurnSummary"]


def test_redacted_reasoning_only_where_there_was_some(play: Play):
    play(text("a", 0), ProviderBlock(meta=META, provider="x", block={"type": "message"}), Final(meta=META, text="a"))
    assert play.shown() == ["a", "TurnSummary"]
    again = Play()
    again(text("a", 0), ProviderBlock(meta=META, provider="x", block={"type": "reasoning"}), Final(meta=META))
    assert again.shown() == ["", "a", "TurnSummary"]


def tool_call(call_id: str, message: str = "m1") -> ToolCall:
    payload = ToolCallPayload(id=call_id, name="look", input="{}")
    return ToolCall(meta=Metadata(message_id=message, turn_id="t1"), tool_call=payload)


def tool_result(call_id: str, result: str) -> ToolCallExecutionResult:
    return ToolCallExecutionResult(tool_result=ToolResultPayload(id=call_id, result=result))


def tools(play: Play) -> list[ToolUse]:
    return [entity for entity in play.timeline.entities if isinstance(entity, ToolUse)]


def test_tool_steps(play: Play):
    states: list[str] = []
    steps = [
        tool_call("c"),
        ToolCallExecute(tool_call=ToolCallPayload(id="c", name="look", input="***")),
        tool_call("c"),
        tool_result("c", "seen"),
        tool_result("c", "other"),
        ToolCallExecute(tool_call=ToolCallPayload(id="c", name="look")),
    ]
    for step in steps:
        play(step)
        states.append(tools(play)[0].state)
    assert states == ["waiting", "running", "running", "done", "done", "done"]
    [tool] = tools(play)
    assert (str(tool.input), tool.result, tool.turn_id) == ("{}", "seen", "t1")


def test_tool_id_used_again_in_another_message(play: Play):
    play(tool_call("c"), tool_result("c", "first"), tool_call("c", "m2"), tool_result("c", "second"))
    assert [tool.result for tool in tools(play)] == ["first", "second"]


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("Error: no", "failed"),
        ('{"a":1} | Error: half', "failed"),
        ("see | Error: in the log", "done"),
        ('"Error"', "done"),
    ],
)
def test_geppettos_failed_tools(play: Play, result: str, state: str):
    play(tool_call("c"), tool_result("c", result))
    assert tools(play)[0].state == state


def test_own_tool_results_say_themselves_whether_they_failed(play: Play):
    result = ToolResultPayload(id="c", result="Error: is what the file says")
    play(tool_call("c"), ToolCallExecutionResult(meta=META, tool_result=result))
    assert tools(play)[0].state == "done"


def summary_of(play: Play) -> TurnSummary:
    [summary] = [entity for entity in play.timeline.entities if isinstance(entity, TurnSummary)]
    return summary


def test_usage_is_cumulative_in_a_call_and_adds_up_over_calls(play: Play):
    def final(message: str, stop: str, tokens: int) -> Final:
        usage = Usage(input_tokens=10, output_tokens=tokens)
        return Final(meta=Metadata(message_id=message, turn_id="t1", stop_reason=stop, usage=usage))

    partial_usage = Metadata(message_id="m1", usage=Usage(input_tokens=10, output_tokens=2))
    play(RunStarted(meta=Metadata(turn_id="t1")), Start(meta=META), Partial(meta=partial_usage))
    assert (play.timeline.state.input_tokens, play.timeline.state.output_tokens) == (10, 2)
    play(final("m1", "tool_use", 5), final("m2", "end_turn", 7), RunFinished(meta=Metadata(turn_id="t1")))
    summary = summary_of(play)
    assert (summary.calls, summary.input_tokens, summary.output_tokens) == (2, 20, 12)
    assert summary.stop_reason == "end_turn"


def test_footer_moves_down_when_the_turn_goes_on(play: Play):
    play(Start(meta=META), Final(meta=META, text="a"))
    meta = Metadata(message_id="m2", turn_id="t1")
    play(Start(meta=meta), Final(meta=meta, text="b"))
    assert play.shown() == ["a", "b", "TurnSummary"]
    assert summary_of(play).calls == 2


def test_state(play: Play):
    assert play.timeline.state == TimelineState(status="idle")
    play(UserMessage(meta=Metadata(turn_id="t1"), text="?"))
    assert play.timeline.state == TimelineState(status="answering", turn_id="t1", since_ms=1000)
    play(Start(meta=Metadata(message_id="m1", turn_id="t1", model="m")), text("a", 0), Final(meta=META, text="a"))
    assert play.timeline.state.status == "answering"
    assert play.timeline.state.model == "m"
    play(RunFinished(meta=Metadata(turn_id="t1")))
    assert play.timeline.state.status == "idle"


def test_turns(play: Play):
    play(UserMessage(meta=Metadata(turn_id="t1"), text="?"), text("a", 0), RunFinished(meta=Metadata(turn_id="t1")))
    play(UserMessage(meta=Metadata(turn_id="t2"), text="?", parent_turn_id="t1", supersedes="t1"))
    first, second = play.timeline.turns.values()
    assert first.first is play.timeline.entities[0]
    assert isinstance(first.last, TurnSummary)
    assert (first.outcome, second.outcome, second.supersedes) == ("finished", None, "t1")


def test_gap(play: Play):
    play(text("a", 0), Gap(count=2, reason="trimmed"))
    gap = play.timeline.entities[1]
    assert isinstance(gap, GapMarker)
    assert gap.count == 2


# -- a lost engine -------------------------------------------------------------------------------------------------


def lost(play: Play) -> None:
    play(UserMessage(meta=Metadata(turn_id="t1"), text="?"), Start(meta=META), text("a", 0), tool_call("c"))
    play(text("b", 1))
    play.timeline.mark_engine_lost(9000)


def interruptions(play: Play) -> list[Interruption]:
    return [entity for entity in play.timeline.entities if isinstance(entity, Interruption)]


def test_lost_engine_is_shown(play: Play):
    lost(play)
    assert all(entity.done for entity in play.timeline.entities)
    assert tools(play)[0].state == "interrupted"
    assert [interruption.reason for interruption in interruptions(play)] == ["engine-lost"]
    assert play.timeline.state.status == "idle"
    assert play.timeline.mark_engine_lost() == []


def test_written_loss_takes_the_place_of_the_local_one(play: Play):
    lost(play)
    play(Interrupt(meta=META, text="ab"), RunStopped(meta=Metadata(turn_id="t1"), reason="engine-lost"))
    [interruption] = interruptions(play)
    assert interruption.reason == "engine-lost"
    assert interruption.first_entry_id
    assert play.timeline.turns["t1"].outcome == "stopped"


def test_engine_that_was_not_lost_goes_on(play: Play):
    lost(play)
    play(text("c", 2))
    assert interruptions(play) == []
    assert play.shown() == ["UserText", "abc", "ToolUse"]
    assert tools(play)[0].state == "waiting"
    assert play.timeline.state.status == "answering"


def test_no_engine_to_lose(play: Play):
    assert play.timeline.mark_engine_lost() == []
    play(UserMessage(meta=Metadata(turn_id="t1"), text="?"), RunFinished(meta=Metadata(turn_id="t1")))
    assert play.timeline.mark_engine_lost() == []


# -- entries that are missing in the middle of a text --------------------------------------------------------------


def test_the_mark_stands_at_the_hole_and_what_is_known_later_stands_before_it(play: Play):
    gap = Gap(count=2, reason="They are no longer in the stream.")
    play(text("one ", 0), gap, text("four ", 14), text("five", 19))
    assert play.shown() == ["one ", "GapMarker", "four five"]
    play(text("two ", 4), text("five six", 19))
    assert play.shown() == ["one two ", "GapMarker", "four five six"]
    play(text("!", 27, completion="one two three four five six!"))
    assert play.shown() == ["one two three ", "GapMarker", "four five six!"]
    play(Final(meta=META, text="one two three four five six!"))
    assert play.shown()[:3] == ["one two three ", "GapMarker", "four five six!"]


def test_a_text_with_several_holes_is_made_whole_part_by_part(play: Play):
    gap = Gap(count=1)
    play(gap, text("two ", 4), gap, text("four ", 14), gap, text("six", 24))
    assert play.shown() == ["GapMarker", "two ", "GapMarker", "four ", "GapMarker", "six"]
    play(Final(meta=META, text="one two three four five six"))
    assert play.shown()[:6] == ["GapMarker", "one two three ", "GapMarker", "four five ", "GapMarker", "six"]


def test_a_text_that_lacks_nothing_where_entries_are_missing_is_not_cut(play: Play):
    play(text("one ", 0), Gap(count=1), text("two", 4))
    assert play.shown() == ["one two", "GapMarker"]


def test_of_a_text_without_offsets_what_follows_the_mark_stands_behind_it(play: Play):
    play(text("one ", segment=None), Gap(count=None), text("two ", segment=None), text("three", segment=None))
    assert play.shown() == ["one ", "GapMarker", "two three"]
    play(Final(meta=META, text="one and two three"))
    assert play.shown()[:3] == ["one ", "GapMarker", "and two three"]
