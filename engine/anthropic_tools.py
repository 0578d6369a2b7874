"""Tools that Anthropic runs itself: their calls and results, as events.

Searches and fetches have events of their own in the vocabulary; any other tool is a call that the provider runs.
"""

from __future__ import annotations

from bus.builtin_events import ToolSearchResults, WebSearchDone, WebSearchOpenPage, WebSearchSearching, WebSearchStarted

from .call import Call
from .loose import JSON, a_text, an_object, as_text, objects

WEB_TOOLS = frozenset({"web_search", "web_fetch"})


def web_call(call: Call, name: str, tool_id: str, arguments: JSON) -> None:
    """A web search or fetch is asked for, with complete arguments."""
    if name == "web_search":
        call.emit(WebSearchStarted, item_id=tool_id, query=a_text(arguments.get("query")) or None)
        call.emit(WebSearchSearching, item_id=tool_id)
    else:
        call.emit(WebSearchStarted, item_id=tool_id)
        call.emit(WebSearchOpenPage, item_id=tool_id, url=a_text(arguments.get("url")) or None)


def tool_result(call: Call, block: JSON) -> None:
    """A result block; the call may stand in an earlier message."""
    tool_id, kind, content = a_text(block.get("tool_use_id")), a_text(block.get("type")), block.get("content")
    fault = a_text(an_object(content).get("error_code"))
    if kind in ("web_search_tool_result", "web_fetch_tool_result"):
        what = "web search" if kind.startswith("web_search") else "web fetch"
        if fault:
            call.notice(f"The {what} failed: {fault}.")
        found = objects(content) or [an_object(content)]
        if results := [result for item in found if (result := _web_result(item))]:
            call.emit(ToolSearchResults, tool=what.replace(" ", "_"), item_id=tool_id, results=results)
        call.emit(WebSearchDone, item_id=tool_id)
        return
    failed = bool(block.get("is_error") or fault)
    call.provider_tool_result(tool_id, _words(content), name=kind.removesuffix("_tool_result"), failed=failed)


def _web_result(item: JSON) -> JSON | None:
    if not (url := a_text(item.get("url"))):
        return None
    title = a_text(item.get("title")) or a_text(an_object(item.get("content")).get("title"))
    age = a_text(item.get("page_age"))
    return {"url": url, "title": title, **({"ext": {"page_age": age}} if age else {})}


def _words(content: object) -> str:
    """What a person wants to read of a result: the texts of its parts where it has any, else all of it."""
    texts = [text for part in objects(content) if (text := a_text(part.get("text")))]
    return "\n".join(texts) or as_text(content)
