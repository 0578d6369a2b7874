"""Runs one turn: the user's message, then provider call, tools, next call, until the model has answered.

Every event goes to the sink and into the `History` that the next call is made from, so that what the model is told
and what the stream says cannot differ.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from bus.events import (
    Error,
    Event,
    EventSink,
    Final,
    Info,
    Interrupt,
    Log,
    Retry,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Start,
    Status,
    ToolCallExecute,
    ToolCallExecutionResult,
    ToolCallPayload,
    ToolResultPayload,
    UserMessage,
)
from bus.meta import ZERO_ID, Correlation, Metadata

from .errors import cut_off, unexpected
from .failures import advice
from .history import History
from .models import Settings, Table
from .ports import Block, Provider, Request, Work
from .tools import Toolbox

Outcome = Literal["finished", "interrupted", "failed", "max-calls"]

CLOSING_SECONDS = 5.0
"""How long a cancelled turn may take to write its end when the journal is full."""
LONGEST_BACKOFF = 30.0
LONGEST_WAIT = 120.0
"""Seconds. A provider that asks for more than that is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How turns are run. `model` is for work that names none; `retries` counts per call, `max_calls` per turn.

    `backoff` is the first wait before a retry, in seconds; it doubles with every further one. `providers` holds the
    config's tables by provider: `max_tokens`, `temperature` and `thinking_budget` go into every request to it.
    """

    model: str = ""
    system: str = ""
    max_calls: int = 50
    retries: int = 3
    backoff: float = 1.0
    providers: Settings = field(default_factory=dict[str, Table])


class Engine:
    """Answers the turns of one session, one at a time. It is the only writer of the session's events.

    Cancelling `run` interrupts the turn: what there is of the answer stays, and the stream says that it was stopped.
    """

    def __init__(
        self, session_id: str, sink: EventSink, *, history: History, tools: Toolbox, config: EngineConfig
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._history = history
        self._tools = tools
        self._config = config
        self._turn = Metadata(session_id=session_id)
        self._running: asyncio.Task[Outcome] | None = None
        self._interrupted_by: str | None = None

    async def run(self, work: Work, provider: Provider, model: str) -> Outcome:
        """Answer `work` with `model`, by the name that `provider` knows it by."""
        self._turn = Metadata(session_id=self._session_id, inference_id=_new_id(), turn_id=_new_id())
        self._interrupted_by = None
        self._running = asyncio.create_task(self._answer(work, provider, model))
        try:
            return await self._running
        except asyncio.CancelledError:
            asked = self._interrupted_by is not None
            closing = self.close_open_turn("interrupt", author=self._interrupted_by or None)
            await _despite_cancellation(closing, None if asked else CLOSING_SECONDS)
            if asked:
                return "interrupted"
            raise
        finally:
            self._running = None

    def interrupt(self, author: str) -> None:
        """Stop the running turn in the name of `author`; `run` then returns. Does nothing when none is running."""
        if self._running is not None and self._interrupted_by is None:
            self._interrupted_by = author
            # Behind the first step of the task, which opens the turn: a task that has not begun would never run.
            asyncio.get_running_loop().call_soon(self._running.cancel)

    async def close_open_turn(self, reason: str, author: str | None = None) -> None:
        """Write the end of the turn that is open, this engine's or that of one that died (`engine-lost`)."""
        turn = self._history.open_turn()
        if turn is None:
            return
        meta = Metadata(session_id=self._session_id, inference_id=turn.inference_id, turn_id=turn.turn_id)
        of_call = meta.model_copy(update={"message_id": turn.message_id or ZERO_ID})
        await self._publish(Interrupt(meta=of_call, text=turn.text, author=author))
        await self._publish(RunStopped(meta=meta, reason=reason))

    async def _answer(self, work: Work, provider: Provider, model: str) -> Outcome:
        await self._publish(
            UserMessage(
                meta=self._turn,
                text=work.text,
                prompt_id=work.prompt_id,
                author=work.author,
                parent_turn_id=self._history.parent_of_next(work.supersedes),
                supersedes=work.supersedes,
            )
        )
        await self._publish(RunStarted(meta=self._turn))
        for calls_left in reversed(range(self._config.max_calls)):
            end = await self._call(work, provider, model)
            if isinstance(end, Error):
                await self._publish(RunFailed(meta=self._turn, error_string=end.error_string))
                return "failed"
            calls = self._history.waiting_tool_calls()
            # A provider pauses a long turn and wants to be asked again to go on.
            if not calls and end.meta.stop_reason != "pause_turn":
                await self._publish(RunFinished(meta=self._turn))
                return "finished"
            # A tool whose result no call would be told is not run.
            if calls_left:
                await self._run_tools(calls)
        await self._publish(RunStopped(meta=self._turn, reason="max-calls"))
        return "max-calls"

    # -- provider calls ----------------------------------------------------------------------------------------

    async def _call(self, work: Work, provider: Provider, model: str) -> Final | Error:
        """One call with its retries. An error is tried again only while nothing of the answer has been shown."""
        request = self._request(work, provider.name, model)
        attempt = 1
        while True:
            end, shown = await self._attempt(provider, request)
            if isinstance(end, Final):
                return end
            wait = None if shown or attempt > self._config.retries else self._wait_before(attempt, end)
            if wait is None:
                await self._publish(end)
                return end
            meta = self._turn.model_copy(update={"message_id": end.meta.message_id})
            await self._publish(Retry(meta=meta, attempt=attempt, reason=end.error_string, delay_ms=round(wait * 1000)))
            await asyncio.sleep(wait)
            attempt += 1

    async def _attempt(self, provider: Provider, request: Request) -> tuple[Final | Error, bool]:
        """How the call ended, and whether anything of an answer came. An `Error` is not published yet."""
        shown = False
        end: Final | Error | None = None
        async for event in _events(provider, request):
            match event:
                case Error():
                    end = event
                case Final():
                    await self._publish(event)
                    end = event
                case _:
                    await self._publish(event)
                    shown = shown or not isinstance(event, Start | Info | Log | Status)
        assert end is not None
        return end, shown

    def _request(self, work: Work, provider: str, model: str) -> Request:
        table = self._config.providers.get(provider, {})
        max_tokens, temperature, budget = (table.get(k) for k in ("max_tokens", "temperature", "thinking_budget"))
        return Request(
            model=model,
            blocks=self._history.blocks(),
            system=self._config.system,
            tools=self._tools.specs(),
            max_tokens=None if max_tokens is None else int(max_tokens),
            temperature=None if temperature is None else float(temperature),
            thinking_budget=None if budget is None else int(budget),
            settings=work.options,
            session_id=self._session_id,
            inference_id=self._turn.inference_id,
            turn_id=self._turn.turn_id,
        )

    def _wait_before(self, attempt: int, error: Error) -> float | None:
        """Seconds until the next try; None: trying again is of no use."""
        advised = advice(error)
        asked_for = advised.retry_after or 0.0
        if not advised.retryable or asked_for > LONGEST_WAIT:
            return None
        backoff = min(self._config.backoff * 2 ** (attempt - 1), LONGEST_BACKOFF)
        return max(asked_for, backoff * random.uniform(0.75, 1.25))

    # -- tools -------------------------------------------------------------------------------------------------

    async def _run_tools(self, calls: list[Block]) -> None:
        """Run them side by side. Results are published as they come; the history gives them back in call order."""
        for call in calls:
            payload = ToolCallPayload(id=call.call_id, name=call.name, input=call.text)
            await self._publish(ToolCallExecute(**self._of_tool(call), tool_call=payload))
        # Results are gathered even when one cannot be published, so that no tool is left running behind the turn.
        for problem in await asyncio.gather(*map(self._run_tool, calls), return_exceptions=True):
            if problem is not None:
                raise problem

    async def _run_tool(self, call: Block) -> None:
        output = await self._tools.call(call.name, call.text)
        payload = ToolResultPayload(
            id=call.call_id, name=call.name, result=output.text, error=True if output.failed else None
        )
        await self._publish(ToolCallExecutionResult(**self._of_tool(call), tool_result=payload))

    def _of_tool(self, call: Block) -> dict[str, Any]:
        return {
            "meta": self._turn.model_copy(update={"message_id": call.message_id}),
            "correlation": Correlation(segment_id=call.segment_id, tool_call_id=call.call_id),
        }

    async def _publish(self, event: Event) -> None:
        # The sink takes an event at once and waits afterwards: an interrupt in that wait finds the same turn in both.
        self._history.apply(event)
        await self._sink.publish(event)


async def _events(provider: Provider, request: Request) -> AsyncIterator[Event]:
    """The provider's events up to the one end that every call has, whatever its adapter does."""
    message_id = ZERO_ID
    end: Event | None = None
    fault: Exception | None = None
    try:
        async for event in provider.stream(request):
            message_id = event.meta.message_id
            if isinstance(event, Final | Error):
                end = end or event  # held back until the adapter has put its connection away
            elif end is None:
                yield event
    except Exception as error:  # an adapter's fault ends one answer, in sight, and not the engine
        fault = error
    if end is None:
        meta = Metadata(
            session_id=request.session_id,
            inference_id=request.inference_id,
            turn_id=request.turn_id,
            message_id=message_id,
        )
        end = unexpected(fault, meta) if fault else cut_off(provider.name, meta)
    yield end


async def _despite_cancellation(work: Coroutine[Any, Any, None], seconds: float | None) -> None:
    """Run `work` where a further cancellation does not reach it; after `seconds` it is given up."""
    task = asyncio.create_task(work)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        task.result()
    else:
        task.cancel()


def _new_id() -> str:
    return str(uuid.uuid4())
