"""Tool calls: asked for, written, run and answered become one `ToolUse`, joined by the call's id."""

from __future__ import annotations

import json

from ..entities import CodeInterpreter, McpCall, ToolState, ToolUse
from ..events import (
    Event,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallExecute,
    ToolCallExecutionResult,
    ToolCallFinished,
    ToolCallStarted,
    ToolResult,
    ToolResultPayload,
)
from ..meta import ZERO_ID
from .board import Board
from .context import grow
from .segments import pause

_ORDER: dict[ToolState, int] = {"writing": 0, "waiting": 1, "running": 2, "done": 3, "failed": 3, "interrupted": 3}


def fold_tool(board: Board, event: Event) -> None:
    """One step of a tool call; steps may come late, twice, or in another order."""
    match event:
        case ToolCallStarted():
            _advance(board, _tool(board, event, event.tool_call_id, event.tool_name), "writing")
        case ToolCallArgumentsDelta():
            _write(board, event)
        case ToolCall(tool_call=call):
            tool = _tool(board, event, call.id, call.name, asked=True)
            board.rewrite(tool, tool.input, call.input or str(tool.input))
            _advance(board, tool, "waiting")
        case ToolCallExecute(tool_call=call):
            tool = _tool(board, event, call.id, call.name)
            # What runs may be compacted or masked: what was asked for stays on show.
            board.rewrite(tool, tool.input, str(tool.input) or call.input)
            _advance(board, tool, "running")
        case ToolResult(tool_result=result) | ToolCallExecutionResult(tool_result=result):
            _answer(board, event, result)
        case ToolCallFinished():
            tool = _tool(board, event, event.tool_call_id, event.tool_name)
            _finish(board, tool, failed=event.status == "error")
        case _:
            pass


def _tool(board: Board, event: Event, call_id: str, name: str | None, *, asked: bool = False) -> ToolUse:
    """The tool call that `event` is about. `asked`: a call of its own when the id was used up in an earlier message."""
    tool = board.tools.get(call_id) if call_id else _without_id(board, name, asked)
    known = event.meta.message_id != ZERO_ID
    if tool is not None and asked and known and tool.done and tool.message_id not in (None, event.meta.message_id):
        tool = None
    if tool is None:
        return _new_tool(board, event, call_id, name or "")
    if known and tool.message_id is None:
        message = board.message_of(event)
        tool.message_id = message.id
        message.tools.append(tool)
    source = event.correlation.source if event.correlation else None
    if (name and not tool.name) or (source and not tool.source):
        tool.name, tool.source = tool.name or name or "", tool.source or source
        board.update(tool)
    return tool


def _without_id(board: Board, name: str | None, asked: bool) -> ToolUse | None:
    """Some servers give their calls no id: a call is a new one, the rest belongs to the oldest open one."""
    if asked or board.turn is None:
        return None
    for entity in board.turn.entities:
        if isinstance(entity, ToolUse) and not (entity.done or entity.tool_call_id) and name in (None, entity.name):
            return entity
    return None


def _new_tool(board: Board, event: Event, call_id: str, name: str) -> ToolUse:
    source = event.correlation.source if event.correlation else None
    tool = ToolUse(
        id=f"tool:{call_id}" if call_id else board.position_id("tool"),
        tool_call_id=call_id,
        name=name,
        source=source,
        state="writing",
    )
    if event.meta.message_id == ZERO_ID and not isinstance(event, ToolCall):
        board.create(tool, board.turn_of(event))
    else:
        message = board.message_of(event)
        pause(board, message)
        message.tools.append(tool)
        board.create(tool, message.turn, message)
    if call_id:
        board.tools[call_id] = tool
    return tool


def _advance(board: Board, tool: ToolUse, state: ToolState) -> None:
    if _ORDER[state] > _ORDER[tool.state]:
        tool.state = state
        board.update(tool)


def _write(board: Board, event: ToolCallArgumentsDelta) -> None:
    tool = _tool(board, event, event.tool_call_id, None)
    if _ORDER[tool.state] > _ORDER["writing"]:
        return
    shown = len(tool.input)
    if event.arguments:
        board.rewrite(tool, tool.input, event.arguments)
    elif event.offset is None or event.offset >= shown:
        # A hole in the arguments stays until the call, which has all of them.
        board.append(tool, tool.input, event.delta)
    elif len(event.delta) > shown - event.offset:
        board.append(tool, tool.input, event.delta[shown - event.offset :])


def _answer(board: Board, event: Event, result: ToolResultPayload) -> None:
    if result.id not in board.tools and _answer_item(board, event, result):
        return
    tool = _tool(board, event, result.id, result.name)
    if tool.result is not None:
        return
    tool.result = result.result
    grow(board, result.result)
    failed = result.error
    if failed is None and event.meta.message_id == ZERO_ID and not event.meta.turn_id:
        failed = _says_error(result.result)
    # A result that comes after all undoes an interruption.
    tool.state = "failed" if failed or tool.state == "failed" else "done"
    if tool.done:
        board.update(tool)
    board.end(tool)


def _answer_item(board: Board, event: Event, result: ToolResultPayload) -> bool:
    """What came back from code or an MCP call of the event's message; False: it belongs to another tool."""
    if event.meta.message_id == ZERO_ID or not result.id:
        return False
    items = board.message_of(event).items
    item = items.get((CodeInterpreter, result.id)) or items.get((McpCall, result.id))
    if not isinstance(item, CodeInterpreter | McpCall):
        return False
    if item.result is None:
        item.result = result.result
        if isinstance(item, McpCall):
            item.name, item.failed = item.name or result.name or "", item.failed or bool(result.error)
        board.update(item)
    return True


def _says_error(result: str) -> bool:
    """Geppetto has no flag: it writes `Error: …`, or the result's JSON, a bar and `Error: …`."""
    value, bar, _ = result.partition(" | Error: ")
    if not bar:
        return result.startswith("Error: ")
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _finish(board: Board, tool: ToolUse, *, failed: bool) -> None:
    if not tool.done:
        tool.state = "failed" if failed else "done"
        board.end(tool)
