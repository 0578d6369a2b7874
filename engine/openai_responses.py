"""The Responses API, of OpenAI and of servers that speak like it: the stream's events -> events.

Items are known by their `output_index`: proxies change ids between the events of one item. What `output_item.done`
says wins over the deltas: gateways trim those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from bus.builtin_events import (
    Citation,
    CodeInterpreterCodeDelta,
    CodeInterpreterInterpreting,
    FileSearchSearching,
    ImageGenerationGenerating,
    ImageGenerationPartialImage,
    McpArgsDelta,
    WebSearchSearching,
)
from bus.events import Event
from bus.meta import Usage

from . import endings
from .call import Call
from .exchange import Adapter, Streamed
from .failures import Service
from .loose import JSON, a_count, a_text, an_object, objects, parsed_object
from .openai_client import OpenAIProvider
from .openai_responses_items import item_done, item_started
from .openai_responses_request import responses_body
from .ports import Request

_PROGRESS: dict[str, type[Event]] = {
    "response.web_search_call.searching": WebSearchSearching,
    "response.file_search_call.searching": FileSearchSearching,
    "response.code_interpreter_call.interpreting": CodeInterpreterInterpreting,
    "response.image_generation_call.generating": ImageGenerationGenerating,
}


@dataclass(slots=True)
class _Item:
    """An output item in the making. `part` is the reasoning part that was written last."""

    key: str
    kind: str = ""
    id: str = ""
    tool_id: str = ""
    arguments: str = ""
    part: str = ""
    citations: int = 0
    heard: set[str] = field(default_factory=set[str])
    done: bool = False


class ResponsesAdapter(Adapter):
    """Events of one response -> its events."""

    def __init__(self, call: Call, service: Service) -> None:
        super().__init__(call, service)
        self._items: dict[int, _Item] = {}
        self._refused = False

    def _take(self, event: JSON) -> None:
        kind = a_text(event.get("type"))
        if handler := self._handlers.get(kind):
            handler(self, event)
        elif progress := _PROGRESS.get(kind):
            self.call.emit(progress, item_id=self._item(event).id)
        elif not kind and "error" in event:
            self.fail(event["error"])
        elif kind and "output_index" not in event:
            # What belongs to an item comes once more with the item; only what stands alone would be lost.
            self.call.unknown(kind, event)

    def _conclude(self) -> None:
        self.call.final("refusal" if self._refused else None)

    # -- the response ------------------------------------------------------------------------------------------

    def _begun(self, event: JSON) -> None:
        self.call.start(a_text(an_object(event.get("response")).get("model")))

    def _ended(self, event: JSON) -> None:
        response = an_object(event.get("response"))
        self._catch_up(objects(response.get("output")))
        self._take_usage(response)
        status = a_text(response.get("status")) or "completed"
        self.call.final("refusal" if self._refused else status)

    def _catch_up(self, output: list[JSON]) -> None:
        """The end repeats all items: for some this is where they are said to be done, or heard of at all."""
        nothing_heard = not self._items
        for index, content in enumerate(output):
            known, kind = self._items.get(index), a_text(content.get("type"))
            if known is not None:
                is_news = not known.done and known.kind in ("", kind)
            else:
                is_news = nothing_heard or (kind == "function_call" and index > max(self._items))
            if is_news:
                self._item_done({"output_index": index, "item": content})
        for item in self._items.values():
            if item.tool_id and not item.done and parsed_object(item.arguments) is not None:
                item.done = True
                self.call.tool_call(item.tool_id, item.arguments)

    def _incomplete(self, event: JSON) -> None:
        response = an_object(event.get("response"))
        self._take_usage(response)
        reason = a_text(an_object(response.get("incomplete_details")).get("reason"))
        self.call.notice(
            endings.notice(reason) or f"The answer is incomplete: {reason or 'the provider does not say why'}."
        )
        self.call.final("incomplete", {"incomplete_reason": reason})

    def _failed(self, event: JSON) -> None:
        response = an_object(event.get("response"))
        self._take_usage(response)
        self.fail(response.get("error") or {"message": f"the response is {response.get('status') or 'failed'}"})

    def _error(self, event: JSON) -> None:
        self.fail(event.get("error") or event)

    def _take_usage(self, response: JSON) -> None:
        if usage := an_object(response.get("usage")):
            into, out = an_object(usage.get("input_tokens_details")), an_object(usage.get("output_tokens_details"))
            self.call.usage(
                Usage(
                    input_tokens=a_count(usage.get("input_tokens")) or 0,
                    output_tokens=a_count(usage.get("output_tokens")) or 0,
                    cached_tokens=a_count(into.get("cached_tokens")),
                    cache_creation_input_tokens=a_count(into.get("cache_write_tokens")),
                ),
                a_count(out.get("reasoning_tokens")),
            )

    # -- items -------------------------------------------------------------------------------------------------

    def _item(self, event: JSON) -> _Item:
        """The item that an event is about."""
        index = a_count(event.get("output_index"))
        if index is None:
            index = self._index_by_id(event)
        if index not in self._items:
            self._items[index] = _Item(key=str(index), id=a_text(event.get("item_id")))
        return self._items[index]

    def _index_by_id(self, event: JSON) -> int:
        """Where a server leaves the index out: the item of that id, else the newest; one that is new comes last."""
        named = an_object(event.get("item")) or {"id": event.get("item_id")}
        found = next((i for i, item in self._items.items() if item.id and item.id == named.get("id")), None)
        newest = max(self._items, default=-1)
        if found is None and event.get("type") == "response.output_item.added":
            return newest + 1
        return max(newest, 0) if found is None else found

    def _item_added(self, event: JSON) -> None:
        content, item = an_object(event.get("item")), self._item(event)
        item.kind = a_text(content.get("type"))
        item.id = a_text(content.get("id")) or item.id
        match item.kind:
            case "message":
                pass
            case "reasoning":
                self.call.open_thinking(item.key)
            case "function_call" | "custom_tool_call":
                self._announce(item, content)
            case _:
                item_started(self.call, content, item.id)

    def _item_done(self, event: JSON) -> None:
        content, item = an_object(event.get("item")), self._item(event)
        if item.done or not content:
            return
        item.done = True
        item.kind = a_text(content.get("type")) or item.kind
        item.id = item.id or a_text(content.get("id"))
        match item.kind:
            case "message":
                self._message_done(item, content)
            case "reasoning":
                self._reasoning_done(item, content)
            case "function_call" | "custom_tool_call":
                self._tool_done(item, content)
            case _:
                item_done(self.call, content, item.id)

    def _message_done(self, item: _Item, content: JSON) -> None:
        parts = objects(content.get("content"))
        self._refused = self._refused or any(part.get("type") == "refusal" for part in parts)
        self.call.settle("text", "".join(a_text(part.get("text") or part.get("refusal")) for part in parts), item.key)
        cited = [note for part in parts for note in objects(part.get("annotations"))]
        for annotation in cited[item.citations :]:
            self._cite({"annotation": annotation}, item)
        if content.get("phase"):
            self.call.provider_block(content, self.call.segment_id(item.key))
        self.call.end_segment(item.key)

    def _reasoning_done(self, item: _Item, content: JSON) -> None:
        summary = [a_text(part.get("text")) for part in objects(content.get("summary"))]
        raw = [a_text(part.get("text")) for part in objects(content.get("content"))]
        if item.part.startswith("text"):
            summary = []  # both are sent, the raw one came first and is shown
        self.call.open_thinking(item.key)
        self.call.settle("thinking", "\n\n".join(summary or raw), item.key)
        if content.get("encrypted_content") or raw:
            self.call.provider_block(content, self.call.segment_id(item.key))
        self.call.end_segment(item.key, redacted=not (summary or raw))

    # -- text and reasoning ------------------------------------------------------------------------------------

    def _text(self, event: JSON) -> None:
        item, delta = self._item(event), a_text(event.get("delta"))
        if not item.done and delta:
            item.heard.add(f"text {a_count(event.get('content_index')) or 0}")
            self.call.text(delta, item.key)

    def _text_done(self, event: JSON) -> None:
        """A part of the text, whole: it is news only where no delta of it came."""
        if f"text {a_count(event.get('content_index')) or 0}" not in self._item(event).heard:
            self._text({**event, "delta": event.get("text")})

    def _refusal(self, event: JSON) -> None:
        self._refused = True
        self._text(event)

    def _summary(self, event: JSON) -> None:
        self._reason(event, f"summary {a_count(event.get('summary_index')) or 0}")

    def _raw_reasoning(self, event: JSON) -> None:
        self._reason(event, f"text {a_count(event.get('content_index')) or 0}")

    def _reason(self, event: JSON, part: str) -> None:
        """Parts are joined by a blank line. Of a summary and the raw text of one item the first to come is shown."""
        item, delta = self._item(event), a_text(event.get("delta"))
        if item.done or not delta or (item.part and item.part.split()[0] != part.split()[0]):
            return
        if item.part not in ("", part):
            delta = "\n\n" + delta
        item.part = part
        self.call.thinking(delta, item.key)

    def _annotation(self, event: JSON) -> None:
        self._cite(event, self._item(event))

    def _cite(self, event: JSON, item: _Item) -> None:
        item.citations += 1
        note = an_object(event.get("annotation"))
        self.call.emit(
            Citation,
            title=a_text(note.get("title")) or a_text(note.get("filename")) or None,
            url=a_text(note.get("url")) or None,
            start_index=a_count(note.get("start_index")),
            end_index=a_count(note.get("end_index")),
            output_index=int(item.key),
            content_index=a_count(event.get("content_index")),
            annotation_index=a_count(event.get("annotation_index")),
        )

    # -- tools -------------------------------------------------------------------------------------------------

    def _announce(self, item: _Item, content: JSON) -> None:
        if not item.tool_id and (name := a_text(content.get("name"))):
            item.tool_id = self.call.unique_tool_id(a_text(content.get("call_id")) or item.id)
            self.call.tool_started(item.tool_id, name)

    def _arguments(self, event: JSON) -> None:
        item, delta = self._item(event), a_text(event.get("delta"))
        if item.done:
            return
        item.arguments += delta
        if item.tool_id:
            self.call.tool_arguments(item.tool_id, delta)

    def _arguments_done(self, event: JSON) -> None:
        """The arguments, whole. The call is asked for when its item is done, or at the end where that never comes."""
        item, whole = self._item(event), a_text(event.get("arguments"))
        if not item.done and whole.startswith(item.arguments):
            self._arguments({**event, "delta": whole[len(item.arguments) :]})

    def _tool_done(self, item: _Item, content: JSON) -> None:
        self._announce(item, content)
        if not item.tool_id:
            return
        arguments = a_text(content.get("arguments")) or a_text(content.get("input")) or item.arguments
        if arguments.startswith(item.arguments):
            self.call.tool_arguments(item.tool_id, arguments[len(item.arguments) :])
        whole = item.kind == "function_call" and parsed_object(arguments) is not None
        if content.get("status") == "incomplete" and not whole:
            return
        self.call.tool_call(item.tool_id, arguments)
        if item.kind == "custom_tool_call" or content.get("namespace") or content.get("caller"):
            self.call.provider_block(content, self.call.tool_segment_id(item.tool_id))

    def _code(self, event: JSON) -> None:
        self.call.emit(CodeInterpreterCodeDelta, item_id=self._item(event).id, delta=a_text(event.get("delta")))

    def _mcp_arguments(self, event: JSON) -> None:
        self.call.emit(McpArgsDelta, item_id=self._item(event).id, delta=a_text(event.get("delta")))

    def _image(self, event: JSON) -> None:
        image = a_text(event.get("partial_image_b64"))
        self.call.emit(ImageGenerationPartialImage, item_id=self._item(event).id, partial_image_base64=image)

    _handlers: ClassVar[dict[str, Callable[[ResponsesAdapter, JSON], None]]] = {
        "response.created": _begun,
        "response.queued": _begun,
        "response.in_progress": _begun,
        "response.completed": _ended,
        "response.incomplete": _incomplete,
        "response.failed": _failed,
        "response.cancelled": _failed,
        "error": _error,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.output_text.delta": _text,
        "response.output_text.done": _text_done,
        "response.output_text.annotation.added": _annotation,
        "response.refusal.delta": _refusal,
        "response.reasoning_summary_text.delta": _summary,
        "response.reasoning_text.delta": _raw_reasoning,
        "response.function_call_arguments.delta": _arguments,
        "response.function_call_arguments.done": _arguments_done,
        "response.custom_tool_call_input.delta": _arguments,
        "response.code_interpreter_call_code.delta": _code,
        "response.mcp_call_arguments.delta": _mcp_arguments,
        "response.image_generation_call.partial_image": _image,
    }


class OpenAIResponsesProvider(OpenAIProvider):
    """Responses."""

    optional_fields = ("include", "reasoning")
    adapter = ResponsesAdapter

    def _body(self, request: Request) -> JSON:
        return responses_body(request, self.origin)

    async def _send(self, body: JSON) -> Streamed:
        return await self._client.responses.create(**body, stream=True)
