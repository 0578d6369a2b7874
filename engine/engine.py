"""Runs one turn: the user's message, then provider call, tools, next call, until the model has answered.

Every event goes to the sink and into the `History` that the next call is made from, so that what the model is told
and what the stream says cannot differ.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bus.events import (
    CompactionUndone,
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

from . import compaction, profiles
from .attachments import Files, Load, nowhere
from .errors import EngineError, FileGone, NotCompacted, cut_off, refused, unexpected
from .failures import advice
from .history import History
from .models import Settings, Table
from .ports import Block, Provider, Request, Work
from .requests import request_for, tools_for
from .silence import Silence
from .tools import Toolbox

Outcome = Literal["finished", "interrupted", "failed", "max-calls"]

CLOSING_SECONDS = 5.0
"""How long a cancelled turn may take to write its end when the journal is full."""
LONGEST_BACKOFF = 30.0
LONGEST_WAIT = 120.0
"""Seconds. A provider that asks for more than that is not waited for: the error says how long, and a person decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How turns are run. `model` is for work that names none; `retries` counts per call, `max_calls` per turn.

    `backoff` is the first wait before a retry, in seconds; it doubles with every further one. After `silence` seconds
    without a sign of the provider the person is told. `providers` holds the
    config's tables by provider: `max_tokens`, `temperature` and `thinking_budget` go into every request to it, where
    the prompt's profile says nothing else. `folder` is the one that the tools look into.
    """

    model: str = ""
    folder: Path | None = None
    max_calls: int = 50
    retries: int = 3
    backoff: float = 1.0
    silence: float = 20.0
    providers: Settings = field(default_factory=dict[str, Table])


class Engine:
    """Answers the turns of one session, one at a time. It is the only writer of the session's events.

    Cancelling `run` interrupts the turn: what there is of the answer stays, and the stream says that it was stopped.
    """

    def __init__(
        self,
        session_id: str,
        sink: EventSink,
        *,
        history: History,
        tools: Toolbox,
        config: EngineConfig,
        load: Load = nowhere,
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._history = history
        self._tools = tools
        self._files = Files(load)
        self._config = config
        self._turn = Metadata(session_id=session_id)
        self._running: asyncio.Task[Outcome] | None = None
        self._interrupted_by: str | None = None

    async def run(self, work: Work, provider: Provider, model: str) -> Outcome:
        """Answer `work` with `model`, by the name that `provider` knows it by."""
        self._turn = Metadata(session_id=self._session_id, inference_id=_new_id(), turn_id=_new_id())
        self._interrupted_by = None
        self._running = asyncio.create_task(self._do(work, provider, model))
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
        """Write the end of the turn that is open, this engine's or that of one that died (`engine-lost`).

        Where it only lacks its last word, and the answer is complete, it is no loss.
        """
        turn = self._history.open_turn()
        if turn is None:
            return
        meta = Metadata(session_id=self._session_id, inference_id=turn.inference_id, turn_id=turn.turn_id)
        if turn.answered:
            await self._publish(RunFinished(meta=meta))
            return
        of_call = meta.model_copy(update={"message_id": turn.message_id or ZERO_ID})
        await self._publish(Interrupt(meta=of_call, text=turn.text, author=author))
        await self._publish(RunStopped(meta=meta, reason=reason))

    async def tell(self, problem: EngineError) -> None:
        """Write that something is wrong that belongs to no turn that there is."""
        meta = Metadata(session_id=self._session_id, turn_id=_new_id())
        await self._publish(refused(problem, meta))
        await self._publish(RunFailed(meta=meta, error_string=str(problem)))

    async def _do(self, work: Work, provider: Provider, model: str) -> Outcome:
        """Answer `work`, or carry its command out; what keeps this engine from it ends the turn in words."""
        command = work.options.get("command", "")
        try:
            if not command:
                return await self._answer(work, provider, model)
            await self._publish(RunStarted(meta=self._turn, prompt_id=work.prompt_id))
            match command:
                case profiles.COMPACT:
                    return await self._compact(work, provider, model)
                case profiles.UNDO:
                    return await self._undo_compaction(work)
                case _:
                    raise EngineError(f"This engine does not know how to {command!r}.", "Is it an older riffle?")
        except EngineError as problem:
            return await self._fail(refused(problem, self._turn))

    async def _fail(self, end: Error) -> Outcome:
        await self._publish(end)
        await self._publish(RunFailed(meta=self._turn, error_string=end.error_string))
        return "failed"

    async def _answer(self, work: Work, provider: Provider, model: str) -> Outcome:
        await self._publish(
            UserMessage(
                meta=self._turn,
                text=work.text,
                prompt_id=work.prompt_id,
                author=work.author,
                parent_turn_id=self._history.parent_of_next(work.supersedes),
                supersedes=work.supersedes,
                profile=work.options.get("profile") or None,
                attachments=list(work.attachments) or None,
            )
        )
        await self._publish(RunStarted(meta=self._turn))
        if missing := await self._files.missing(work.attachments):
            raise FileGone(", ".join(missing))
        request = partial(self._request, work, provider.name, model)
        for calls_left in reversed(range(self._config.max_calls)):
            end = await self._call(provider, await request(self._history.blocks()))
            if isinstance(end, Error):
                return await self._fail(end)
            calls = self._history.waiting_tool_calls()
            # A provider pauses a long turn and wants to be asked again to go on.
            if not calls and end.meta.stop_reason != "pause_turn":
                await self._publish(RunFinished(meta=self._turn))
                return "finished"
            # A tool whose result no call would be told is not run.
            if calls_left:
                await self._run_tools(calls, tools_for(work, self._tools))
        await self._publish(RunStopped(meta=self._turn, reason="max-calls"))
        return "max-calls"

    # -- compaction --------------------------------------------------------------------------------------------

    async def _compact(self, work: Work, provider: Provider, model: str) -> Outcome:
        """Let the model sum up what there is; where that is too long even for this, with its long texts shortened."""
        told = self._history.compactable()
        if told is None:
            raise NotCompacted("There is nothing to compact yet.")
        end: Final | Error | None = None
        for cut in compaction.CUTS:
            if end is None or end.code == "context-too-long":
                request = await self._request(work, provider.name, model, compaction.question(told.blocks, cut))
                end = await self._call(provider, request, shown=False)
            if isinstance(end, Final):
                await self._publish(compaction.result(told, end, self._turn, work.author))
                await self._publish(RunFinished(meta=self._turn))
                return "finished"
        assert end is not None
        return await self._fail(end)

    async def _undo_compaction(self, work: Work) -> Outcome:
        known = self._history.compaction()
        if known is None:
            raise NotCompacted("There is no compaction to take back.")
        await self._publish(CompactionUndone(meta=self._turn, compaction_turn_id=known, author=work.author))
        await self._publish(RunFinished(meta=self._turn))
        return "finished"

    # -- provider calls ----------------------------------------------------------------------------------------

    async def _call(self, provider: Provider, request: Request, *, shown: bool = True) -> Final | Error:
        """One call with its retries; an `Error` is not published yet. Only what was `shown` to a person stays.

        An error is tried again only while nothing of the answer has been shown.
        """
        publish = self._publish if shown else _hide
        attempt = 1
        while True:
            end, begun = await self._attempt(provider, request, publish)
            if isinstance(end, Final):
                return end
            is_final = (begun and shown) or attempt > self._config.retries
            wait = None if is_final else self._wait_before(attempt, end)
            if wait is None:
                return end
            await self._publish(
                Retry(
                    meta=self._turn.model_copy(update={"message_id": end.meta.message_id}),
                    attempt=attempt,
                    attempts=self._config.retries,
                    reason=end.error_string,
                    delay_ms=round(wait * 1000),
                )
            )
            await asyncio.sleep(wait)
            attempt += 1

    async def _attempt(
        self, provider: Provider, request: Request, publish: Callable[[Event], Awaitable[None]]
    ) -> tuple[Final | Error, bool]:
        """How the call ended, and whether anything of an answer came. An `Error` is not published yet."""
        shown = False
        end: Final | Error | None = None
        async with Silence(self._config.silence, partial(self._tell_of_silence, request.model)) as silence:
            async for event in _events(provider, request):
                silence.broken()
                match event:
                    case Error():
                        end = event
                    case Final():
                        await publish(event)
                        end = event
                    case _:
                        await publish(event)
                        shown = shown or not isinstance(event, Start | Info | Log | Status)
                silence.again()
        assert end is not None
        return end, shown

    async def _tell_of_silence(self, model: str, seconds: float) -> None:
        words = f"{model} has said nothing for {seconds:g} s."
        await self._publish(Status(meta=self._turn, message=words, passing=True))

    async def _request(self, work: Work, provider: str, model: str, blocks: Sequence[Block]) -> Request:
        return request_for(
            work,
            model,
            await self._files.with_bytes(blocks),
            tools=tools_for(work, self._tools),
            folder=self._config.folder,
            table=self._config.providers.get(provider, {}),
            ids=self._turn,
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

    async def _run_tools(self, calls: list[Block], tools: Toolbox) -> None:
        """Run them side by side. Results are published as they come; the history gives them back in call order."""
        for call in calls:
            payload = ToolCallPayload(id=call.call_id, name=call.name, input=call.text)
            await self._publish(ToolCallExecute(**self._of_tool(call), tool_call=payload))
        # Results are gathered even when one cannot be published, so that no tool is left running behind the turn.
        running = [self._run_tool(call, tools) for call in calls]
        for problem in await asyncio.gather(*running, return_exceptions=True):
            if problem is not None:
                raise problem

    async def _run_tool(self, call: Block, tools: Toolbox) -> None:
        output = await tools.call(call.name, call.text)
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


async def _hide(event: Event) -> None:
    """Nobody is shown it."""


async def _despite_cancellation(work: Coroutine[Any, Any, None], seconds: float | None) -> None:
    """Run `work` where a further cancellation does not reach it; after `seconds` it is given up."""
    task = asyncio.create_task(work)
    task.add_done_callback(heard)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        task.result()
    else:
        task.cancel()


def heard(task: asyncio.Task[Any]) -> None:
    """Whatever ended the task has been told another way: asyncio shall not print it."""
    if not task.cancelled():
        task.exception()


def _new_id() -> str:
    return str(uuid.uuid4())
