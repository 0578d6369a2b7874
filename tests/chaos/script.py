"""What the engines of a run say: turns with everything that a stream can hold, every piece of it known by a number."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from bus.events import (
    Error,
    Event,
    Final,
    Info,
    Interrupt,
    Log,
    Partial,
    PartialThinking,
    ProviderBlock,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Start,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallExecute,
    ToolCallExecutionResult,
    ToolCallPayload,
    ToolCallStarted,
    ToolResultPayload,
    UserMessage,
)
from bus.meta import Correlation, Metadata, Usage

WORD = 8
"""Each word of a delta is its number and a space, as long as this: a text cut for an entry is never cut inside one."""

BIG = 1_200_000
"""Bytes that are more than an entry holds."""


class Script:
    """Endless turns. Numbers grow by one with each word of a delta and each other event: their order is the truth."""

    def __init__(self, seed: int, *, big: bool = True) -> None:
        self._random = random.Random(f"{seed} script")
        self._big = big
        self._turn = 0
        self.last = 0
        """The newest number."""
        self.turn_began = 1
        """The first number of the running turn."""

    def turns(self) -> Iterator[Event]:
        """The events, turn after turn."""
        while True:
            yield from self._next_turn()

    def closing(self) -> list[Event]:
        """What a new engine says first: the turn of the one before it is over."""
        meta = self._meta()
        return [Interrupt(meta=meta, author="chaos"), RunStopped(meta=self._meta(), reason="engine-lost")]

    def end(self) -> Event:
        """The last event of a run."""
        return Log(meta=self._meta(), level="info", message="the end")

    # ----------------------------------------------------------------------------------------------------------

    def _next_turn(self) -> Iterator[Event]:
        self._turn += 1
        self.turn_began = self.last + 1
        draw = self._random
        turn = f"t{self._turn}"
        yield UserMessage(meta=self._meta(turn), text=f"Question {turn}?", prompt_id=f"p{self._turn}", author="ann@box")
        yield RunStarted(meta=self._meta(turn))
        for call in range(draw.randint(1, 3)):
            yield from self._call(turn, f"m{self._turn}.{call}")
        match draw.randrange(6):
            case 0:
                yield Interrupt(meta=self._meta(turn), author="ann@box")
                yield RunStopped(meta=self._meta(turn), reason="interrupt")
            case 1:
                yield Error(meta=self._meta(turn), error_string="Too many requests.", code="rate")
                yield RunFailed(meta=self._meta(turn), error_string="Too many requests.")
            case _:
                yield RunFinished(meta=self._meta(turn))

    def _call(self, turn: str, message: str) -> Iterator[Event]:
        draw = self._random
        yield Start(meta=self._meta(turn, message, model="chaos-1"))
        said: list[str] = []
        for segment in range(draw.randint(1, 4)):
            where = Correlation(segment_id=f"{message}:{segment}", turn_id=turn)
            match draw.randrange(4):
                case 0:
                    yield from self._thinking(turn, message, where)
                case 1:
                    yield from self._tool(turn, message, f"{message}.{segment}")
                case _:
                    for delta in self._texts(draw.randint(5, 60)):
                        said.append(delta)
                        yield Partial(meta=self._slim(message), correlation=where, delta=delta)
        if self._big and draw.random() < 0.1:
            block = {"type": "reasoning", "encrypted_content": "x" * BIG}
            yield ProviderBlock(meta=self._meta(turn, message), provider="chaos", block=block)
        usage = Usage(input_tokens=10, output_tokens=len(said))
        yield Final(meta=self._meta(turn, message, usage=usage, stop_reason="stop"), text="".join(said))

    def _thinking(self, turn: str, message: str, where: Correlation) -> Iterator[Event]:
        yield Info(meta=self._meta(turn, message), correlation=where, message="thinking-started")
        for delta in self._texts(self._random.randint(3, 30)):
            yield PartialThinking(meta=self._slim(message), correlation=where, delta=delta)
        yield Info(meta=self._meta(turn, message), correlation=where, message="thinking-ended")

    def _tool(self, turn: str, message: str, call_id: str) -> Iterator[Event]:
        draw = self._random
        yield ToolCallStarted(meta=self._meta(turn, message), tool_call_id=call_id, tool_name="search")
        arguments = ""
        for delta in self._texts(draw.randint(2, 10)):
            arguments += delta
            yield ToolCallArgumentsDelta(meta=self._slim(message), tool_call_id=call_id, delta=delta)
        call = ToolCallPayload(id=call_id, name="search", input=arguments)
        yield ToolCall(meta=self._meta(turn, message), tool_call=call)
        yield ToolCallExecute(meta=self._meta(turn, message), tool_call=call)
        found = "x" * BIG if self._big and draw.random() < 0.05 else "found"
        result = ToolResultPayload(id=call_id, name="search", result=found)
        yield ToolCallExecutionResult(meta=self._meta(turn, message), tool_result=result)

    def _texts(self, count: int) -> Iterator[str]:
        """Deltas of a few words each; now and then a long one, which fills an entry and more."""
        for _ in range(count):
            words = 20_000 if self._big and self._random.random() < 0.002 else self._random.randint(1, 5)
            yield "".join(f"{self._number():0{WORD - 1}d} " for _ in range(words))

    def _number(self) -> int:
        self.last += 1
        return self.last

    def _meta(
        self,
        turn: str = "",
        message: str = "",
        *,
        model: str | None = None,
        usage: Usage | None = None,
        stop_reason: str | None = None,
    ) -> Metadata:
        named = Metadata(message_id=message) if message else Metadata()
        return named.model_copy(
            update={
                "turn_id": turn or f"t{self._turn}",
                "model": model,
                "usage": usage,
                "stop_reason": stop_reason,
                "extra": {"number": self._number()},
            }
        )

    def _slim(self, message: str) -> Metadata:
        return Metadata(message_id=message)


def numbers(event: Event) -> list[int]:
    """The numbers of what an event of a script says."""
    if isinstance(event, Partial | PartialThinking | ToolCallArgumentsDelta):
        return [int(word) for word in event.delta.split()]
    found = (event.meta.extra or {}).get("number")
    return [found] if isinstance(found, int) else []


def numbers_of(events: Iterable[Event]) -> set[int]:
    """The numbers of all that these events say."""
    return {number for event in events for number in numbers(event)}
