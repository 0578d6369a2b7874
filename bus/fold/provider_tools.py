"""Tools that run at the provider: searches, code, MCP calls, images, and the sources of an answer."""

from __future__ import annotations

from typing import TypeVar

from .. import builtin_events as wire
from ..entities import Citations, CodeInterpreter, Entity, FileSearch, GeneratedImage, McpCall, Source, WebSearch
from ..events import Event, ProviderToolEvent
from .board import Board
from .notices import fold_unknown
from .segments import pause

Item = TypeVar("Item", bound=Entity)


def fold_provider_tool(board: Board, event: ProviderToolEvent) -> None:
    """One event of such a tool."""
    match event:
        case wire.WebSearchEvent() | wire.ToolSearchResults():
            _web_search(board, event)
        case wire.FileSearchEvent():
            _file_search(board, event)
        case wire.CodeInterpreterEvent():
            _code(board, event)
        case wire.McpEvent():
            _mcp(board, event)
        case wire.ImageGenerationEvent():
            _image(board, event)
        case wire.Citation():
            _citation(board, event)
        case _:
            fold_unknown(board, event)


def _web_search(board: Board, event: Event) -> None:
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


def _file_search(board: Board, event: Event) -> None:
    """A search in files."""
    match event:
        case wire.FileSearchStarted(item_id=item_id) | wire.FileSearchSearching(item_id=item_id):
            _item(board, event, FileSearch, item_id)
        case wire.FileSearchDone(item_id=item_id):
            board.end(_item(board, event, FileSearch, item_id))
        case _:
            pass


def _code(board: Board, event: Event) -> None:
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


def _mcp(board: Board, event: Event) -> None:
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


def _image(board: Board, event: Event) -> None:
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


def _citation(board: Board, event: wire.Citation) -> None:
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
