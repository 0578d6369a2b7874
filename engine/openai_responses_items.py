"""Output items of the Responses API that OpenAI's side works on: searches, code, MCP, images, and what comes new.

Types with events of their own in the vocabulary use them; any other is a tool call that the provider runs. Every
item is also kept verbatim, because the next request needs it.
"""

from __future__ import annotations

import json

from bus.builtin_events import (
    CodeInterpreterCodeDone,
    CodeInterpreterDone,
    CodeInterpreterStarted,
    FileSearchDone,
    FileSearchStarted,
    ImageGenerationCompleted,
    ImageGenerationInProgress,
    ImageGenerationPartialImage,
    McpArgsDone,
    McpCompleted,
    McpFailed,
    McpInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    ToolSearchResults,
    WebSearchDone,
    WebSearchOpenPage,
    WebSearchStarted,
)
from bus.events import Event, Info

from .call import Call
from .loose import JSON, a_list, a_text, an_object, as_text, objects, parsed_object

_STARTED: dict[str, type[Event]] = {
    "web_search_call": WebSearchStarted,
    "file_search_call": FileSearchStarted,
    "code_interpreter_call": CodeInterpreterStarted,
    "image_generation_call": ImageGenerationInProgress,
    "mcp_list_tools": McpListToolsInProgress,
}
_ENVELOPE = frozenset({"id", "type", "status", "call_id", "name", "output", "error"})


def item_started(call: Call, item: JSON, item_id: str) -> None:
    """A server-side item begins. Kinds that nobody knows wait until they are done."""
    kind = a_text(item.get("type"))
    if kind in _STARTED:
        call.emit(_STARTED[kind], item_id=item_id)
    elif kind == "mcp_call":
        named = {"name": a_text(item.get("name")), "server_label": a_text(item.get("server_label"))}
        call.emit(McpInProgress, item_id=item_id, **named)


def item_done(call: Call, item: JSON, item_id: str) -> None:
    """A server-side item is complete: its end, what it brought, and the item itself to give back."""
    segment_id: str | None = None
    match a_text(item.get("type")):
        case "web_search_call":
            _web_search(call, item, item_id)
        case "file_search_call":
            results = [_file_result(result) for result in objects(item.get("results"))]
            if results:
                call.emit(ToolSearchResults, tool="file_search", item_id=item_id, results=results)
            call.emit(FileSearchDone, item_id=item_id)
        case "code_interpreter_call":
            _code(call, item, item_id)
        case "image_generation_call":
            if image := a_text(item.get("result")):
                call.emit(ImageGenerationPartialImage, item_id=item_id, partial_image_base64=image)
            call.emit(ImageGenerationCompleted, item_id=item_id)
        case "mcp_list_tools":
            call.emit(McpListToolsFailed if item.get("error") else McpListToolsCompleted, item_id=item_id)
        case "mcp_call":
            _mcp_call(call, item, item_id)
        case "compaction":
            call.emit(Info, message="The provider has compacted the conversation.")
        case kind:
            if kind == "mcp_approval_request":
                call.notice("The provider waits for a person to approve a tool call, which riffle cannot do yet.")
            segment_id = _other_tool(call, item, item_id)
    call.provider_block(item, segment_id)


def _web_search(call: Call, item: JSON, item_id: str) -> None:
    action = an_object(item.get("action"))
    asked = parsed_object(a_text(item.get("arguments"))) or {}  # xAI puts the query here
    queries = [action.get("query"), *a_list(action.get("queries")), asked.get("query")]
    for query in dict.fromkeys(text for query in queries if (text := a_text(query))):
        call.emit(WebSearchStarted, item_id=item_id, query=query)
    if url := a_text(action.get("url")):
        call.emit(WebSearchOpenPage, item_id=item_id, url=url)
    if sources := [{"url": url} for s in objects(action.get("sources")) if (url := a_text(s.get("url")))]:
        call.emit(ToolSearchResults, tool="web_search", item_id=item_id, results=sources)
    call.emit(WebSearchDone, item_id=item_id)


def _file_result(result: JSON) -> JSON:
    ext = {key: result[key] for key in ("file_id", "score") if result.get(key) is not None}
    return {"title": a_text(result.get("filename")), "snippet": a_text(result.get("text")), "ext": ext}


def _code(call: Call, item: JSON, item_id: str) -> None:
    if code := a_text(item.get("code")):
        call.emit(CodeInterpreterCodeDone, item_id=item_id, code=code)
    outputs = [a_text(o.get("logs")) if o.get("type") == "logs" else "[image]" for o in objects(item.get("outputs"))]
    if outputs:
        call.provider_tool_result(item_id, "\n".join(outputs), name="code_interpreter")
    call.emit(CodeInterpreterDone, item_id=item_id)


def _mcp_call(call: Call, item: JSON, item_id: str) -> None:
    call.emit(McpArgsDone, item_id=item_id, arguments=a_text(item.get("arguments")))
    error = item.get("error")
    call.emit(McpFailed if error else McpCompleted, item_id=item_id)
    if said := as_text(error or item.get("output")):
        call.provider_tool_result(item_id, said, name=a_text(item.get("name")) or None, failed=bool(error))


def _other_tool(call: Call, item: JSON, item_id: str) -> str | None:
    """A tool without events of its own; the output of one may be an item too, joined by the call id."""
    kind = a_text(item.get("type"))
    call_id = a_text(item.get("call_id")) or item_id
    output = as_text(item.get("output") or item.get("tools"))
    if kind.endswith("_output"):
        call.provider_tool_result(call_id, output, name=kind.removesuffix("_call_output").removesuffix("_output"))
        return None
    tool_id = call.unique_tool_id(call_id)
    call.tool_started(tool_id, a_text(item.get("name")) or kind.removesuffix("_call") or "tool", at_provider=True)
    written = {key: value for key, value in item.items() if key not in _ENVELOPE and value is not None}
    arguments = a_text(item.get("arguments")) or json.dumps(written, ensure_ascii=False)
    call.tool_call(tool_id, arguments)
    if output:
        call.provider_tool_result(tool_id, output, failed=bool(item.get("error")))
    return call.tool_segment_id(tool_id)
