"""Tools that run at the provider: searches, code, MCP calls, images, and the sources of an answer."""

from __future__ import annotations

from typing import TypeVar

from .. import builtin_events as wire
from ..entities import Citations, CodeInterpreter, Entity, FileSearch, GeneratedImage, McpCall, Source, WebSearch
from ..events import Event, ToolResultPayload
from ..meta import ZERO_ID
from .board import Board
from .segments import pause

Item = TypeVar("Item", bound=Entity)


def fold_web_search(board: Board, event: Event) -> None:
    """A search on the web."""
    match event:
        case wire.WebSearchStarted(item_id=item_id, query=query):
            search = _item(board, event, WebSearch, item_id)
            _note(board, search, search.queries, query)
        case wire.WebSearchOpenPage(item_id=item_id, url=url):
            search = _item(board, event, WebSearch, item_id)
            _note(board, search, search.urls, url)
        case wire.WebSearchSearching(item_id=item_id):
            _item(board, event, WebSearch, item_id)
        case wire.WebSearchDone(item_id=item_id):
            board.end(_item(board, event, WebSearch, item_id))
        case wire.ToolSearchResults(tool=tool, item_id=item_id, results=results):
            search = _item(board, event, FileSearch if tool == "file_search" else WebSearch, item_id)
            search.results = results or []
            board.update(search)
        case _:
            pass


def fold_file_search(board: Board, event: Event) -> None:
    """A search in files."""
    match event:
        case wire.FileSearchStarted(item_id=item_id) | wire.FileSearchSearching(item_id=item_id):
            _item(board, event, FileSearch, item_id)
        case wire.FileSearchDone(item_id=item_id):
            board.end(_item(board, event, FileSearch, item_id))
        case _:
            pass


def fold_code(board: Board, event: Event) -> None:
    """Code that is written, then run."""
    match event:
        case wire.CodeInterpreterStarted(item_id=item_id):
            _item(board, event, CodeInterpreter, item_id)
        case wire.CodeInterpreterCodeDelta(item_id=item_id, delta=delta):
            code = _item(board, event, CodeInterpreter, item_id)
            if delta and not code.done:
                board.append(code, code.code, delta)
        case wire.CodeInterpreterCodeDone(item_id=item_id, code=text):
            code = _item(board, event, CodeInterpreter, item_id)
            board.rewrite(code, code.code, text or str(code.code))
        case wire.CodeInterpreterInterpreting(item_id=item_id):
            code = _item(board, event, CodeInterpreter, item_id)
            _run(board, code, running=not code.done)
        case wire.CodeInterpreterDone(item_id=item_id):
            code = _item(board, event, CodeInterpreter, item_id)
            _run(board, code, running=False)
            board.end(code)
        case _:
            pass


def _run(board: Board, code: CodeInterpreter, *, running: bool) -> None:
    if code.running != running:
        code.running = running
        board.update(code)


def fold_result(board: Board, event: Event, result: ToolResultPayload) -> bool:
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


def fold_mcp(board: Board, event: Event) -> None:
    """An MCP call, or the listing of a server's tools."""
    match event:
        case wire.McpArgsDelta(item_id=item_id, delta=delta):
            call = _item(board, event, McpCall, item_id)
            if delta and not call.done:
                board.append(call, call.arguments, delta)
        case wire.McpArgsDone(item_id=item_id, arguments=arguments):
            call = _item(board, event, McpCall, item_id)
            board.rewrite(call, call.arguments, arguments or str(call.arguments))
        case wire.McpInProgress(item_id=item_id):
            _item(board, event, McpCall, item_id)
        case wire.McpCompleted(item_id=item_id):
            board.end(_item(board, event, McpCall, item_id))
        case wire.McpFailed(item_id=item_id):
            _fail(board, _item(board, event, McpCall, item_id))
        case wire.McpListToolsInProgress(item_id=item_id):
            _listing(board, event, item_id)
        case wire.McpListToolsCompleted(item_id=item_id):
            board.end(_listing(board, event, item_id))
        case wire.McpListToolsFailed(item_id=item_id):
            _fail(board, _listing(board, event, item_id))
        case _:
            pass


def _listing(board: Board, event: Event, item_id: str | None) -> McpCall:
    call = _item(board, event, McpCall, f"{item_id or ''}:list")
    call.listing = True
    return call


def _fail(board: Board, call: McpCall) -> None:
    if not call.done:
        call.failed = True
        board.end(call)


def fold_image(board: Board, event: Event) -> None:
    """An image; previews replace each other, the last one stays."""
    match event:
        case wire.ImageGenerationInProgress(item_id=item_id) | wire.ImageGenerationGenerating(item_id=item_id):
            _item(board, event, GeneratedImage, item_id)
        case wire.ImageGenerationPartialImage(item_id=item_id, partial_image_base64=picture):
            image = _item(board, event, GeneratedImage, item_id)
            if picture and picture != image.image_base64:
                image.image_base64 = picture
                board.update(image)
        case wire.ImageGenerationCompleted(item_id=item_id):
            board.end(_item(board, event, GeneratedImage, item_id))
        case _:
            pass


def fold_citation(board: Board, event: wire.Citation) -> None:
    """One more numbered source of the message."""
    message = board.message_of(event)
    source = Source(title=event.title, url=event.url, start_index=event.start_index, end_index=event.end_index)
    if message.citations is None:
        message.citations = Citations(id=f"citations:{message.id}", sources=[source])
        board.create(message.citations, message.turn, message)
    elif source not in message.citations.sources:
        message.citations.sources.append(source)
        board.update(message.citations)


def _item(board: Board, event: Event, kind: type[Item], item_id: str | None) -> Item:
    """The item that `event` is about. Ids are unique within one message only; without one it is the open item."""
    message = board.message_of(event)
    key = (kind, item_id or "")
    item = message.items.get(key)
    if isinstance(item, kind) and (item_id or not item.done):
        return item
    pause(board, message)
    item = kind(id=f"{kind.__name__.lower()}:{message.id}:{item_id or len(message.items)}")
    message.items[key] = item
    board.create(item, message.turn, message)
    return item


def _note(board: Board, search: WebSearch, known: list[str], value: str | None) -> None:
    if value and value not in known:
        known.append(value)
        board.update(search)
