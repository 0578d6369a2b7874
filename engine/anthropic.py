"""The Anthropic Messages API: the stream's events -> events.

A message is a row of content blocks; each is a segment here. Usage is cumulative and replaces what came before. Every
block that the next request needs is kept verbatim: thinking with its signature, what Anthropic's own tools did, text
with citations, and every kind that nobody here knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anthropic
import httpx2

from bus.builtin_events import Citation
from bus.events import Info
from bus.meta import Usage

from . import endings
from .anthropic_request import OFFICIAL_HOST, anthropic_body
from .anthropic_tools import WEB_TOOLS, tool_result, web_call
from .call import Call
from .exchange import Adapter, Streamed
from .failures import Service
from .loose import JSON, a_count, a_text, an_object, as_text, joined, objects, parsed_object
from .models import Endpoint
from .ports import Request
from .remote import TIMEOUT, RemoteProvider, staying_at

_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")


@dataclass(slots=True)
class _Block:
    """A content block in the making: `raw` is what goes back. `start` is where its text begins in the answer."""

    key: str
    kind: str
    raw: JSON
    tool_id: str = ""
    json: list[str] = field(default_factory=list[str])
    start: int = 0

    @property
    def written(self) -> str:
        """The input of a tool, as the model wrote it."""
        return joined(self.json)

    @property
    def at_provider(self) -> bool:
        return self.kind in _SERVER_CALLS

    @property
    def on_the_web(self) -> bool:
        return self.at_provider and a_text(self.raw.get("name")) in WEB_TOOLS


class AnthropicAdapter(Adapter):
    """Events of one message -> its events."""

    def __init__(self, call: Call, service: Service) -> None:
        super().__init__(call, service)
        self._blocks: dict[int, _Block] = {}
        self._count = 0
        self._usage: JSON = {}
        self._stop_reason: str | None = None
        self._stop_details: JSON = {}
        self._written: list[_Block] = []

    @property
    def complete(self) -> bool:
        return super().complete or self._stop_reason is not None

    def _take(self, event: JSON) -> None:
        index = a_count(event.get("index")) or 0
        match a_text(event.get("type")):
            case "message_start":
                self._message_started(an_object(event.get("message")))
            case "content_block_start":
                self._block_started(index, an_object(event.get("content_block")))
            case "content_block_delta":
                self._block_grew(index, an_object(event.get("delta")))
            case "content_block_stop":
                self._block_stopped(index)
            case "message_delta":
                self._message_changed(event)
            case "message_stop":
                self._conclude()
            case "error":
                self.fail(event.get("error"))
            case "ping":
                pass
            case "":
                if "error" in event:
                    self.fail(event["error"])
            case kind:
                self.call.unknown(kind, event)

    def _message_started(self, message: JSON) -> None:
        """While a program at Anthropic calls tools, messages come whole in their start."""
        self.call.start(a_text(message.get("model")))
        for index, block in enumerate(objects(message.get("content"))):
            self._block_started(index, block)
            self._block_stopped(index)
        self._stop_reason = a_text(message.get("stop_reason")) or self._stop_reason
        self._take_usage(an_object(message.get("usage")))

    def _message_changed(self, event: JSON) -> None:
        delta = an_object(event.get("delta"))
        self._stop_reason = a_text(delta.get("stop_reason")) or self._stop_reason
        self._stop_details = an_object(delta.get("stop_details")) or self._stop_details
        self._take_usage(an_object(event.get("usage")))

    def _take_usage(self, usage: JSON) -> None:
        """Servers before 2025 repeat only the output tokens; what they leave out stands."""
        self._usage |= {key: value for key, value in usage.items() if value is not None}
        if usage:
            self.call.usage(
                Usage(
                    input_tokens=a_count(self._usage.get("input_tokens")) or 0,
                    output_tokens=a_count(self._usage.get("output_tokens")) or 0,
                    cache_creation_input_tokens=a_count(self._usage.get("cache_creation_input_tokens")),
                    cache_read_input_tokens=a_count(self._usage.get("cache_read_input_tokens")),
                ),
                a_count(an_object(self._usage.get("output_tokens_details")).get("thinking_tokens")) or None,
            )

    def _conclude(self) -> None:
        for index in list(self._blocks):
            self._block_not_stopped(index)
        self._ask_for_tools()
        reason = self._stop_reason
        if reason == "refusal":
            why = a_text(self._stop_details.get("explanation"))
            self.call.notice(f"The model declined to answer{f': {why}' if why else '.'}")
        elif reason == "pause_turn":
            self.call.notice("The provider paused this long turn; the next call goes on with it.", level="info")
        elif notice := endings.notice(reason):
            self.call.notice(notice)
        self.call.final(reason, {"stop_details": self._stop_details} if self._stop_details else None)

    def _block_not_stopped(self, index: int) -> None:
        """A block without its stop, which some servers never send: a tool call may be cut, and then is not whole."""
        block = self._blocks[index]
        cut = block.kind.endswith("_use") and not block.written and not block.raw.get("input")
        if cut or self._stop_reason in (None, "max_tokens", "refusal"):
            self.call.end_segment(self._blocks.pop(index).key)
        else:
            self._block_stopped(index)

    def _ask_for_tools(self) -> None:
        """Calls count once the message is whole: one that was cut at the start looks like one without arguments."""
        for block in self._written:
            written = block.written
            if self._stop_reason == "refusal" or (self._stop_reason == "max_tokens" and not written):
                continue
            self.call.tool_call(block.tool_id, written)
            if block.raw.get("caller"):
                self.call.provider_block(block.raw, self.call.tool_segment_id(block.tool_id))

    # -- blocks ------------------------------------------------------------------------------------------------

    def _block_started(self, index: int, raw: JSON) -> None:
        if index in self._blocks:
            self.call.end_segment(self._blocks[index].key)
        self._count += 1
        block = _Block(key=str(self._count), kind=a_text(raw.get("type")), raw=dict(raw))
        self._blocks[index] = block
        match block.kind:
            case "text":
                block.start = len(self.call.final_text)
                self.call.text(a_text(raw.get("text")), block.key)
            case "thinking":
                self.call.open_thinking(block.key)
                self.call.thinking(a_text(raw.get("thinking")), block.key)
            case "redacted_thinking":
                self.call.open_thinking(block.key)
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                if not block.on_the_web:
                    block.tool_id = self.call.unique_tool_id(a_text(raw.get("id")))
                    name = a_text(raw.get("name")) or "tool"
                    self.call.tool_started(block.tool_id, name, at_provider=block.at_provider)
            case _:
                pass

    def _block_grew(self, index: int, delta: JSON) -> None:
        kind = a_text(delta.get("type"))
        if index not in self._blocks:  # its start was lost on the way
            started = {"text_delta": {"type": "text"}, "thinking_delta": {"type": "thinking"}}.get(kind)
            if started is None:
                return
            self._block_started(index, started)
        block = self._blocks[index]
        match kind:
            case "text_delta":
                self.call.text(a_text(delta.get("text")), block.key)
            case "thinking_delta":
                self.call.thinking(a_text(delta.get("thinking")), block.key)
            case "signature_delta":
                block.raw["signature"] = a_text(delta.get("signature"))
            case "input_json_delta":
                piece = a_text(delta.get("partial_json"))
                block.json.append(piece)
                if block.tool_id:
                    self.call.tool_arguments(block.tool_id, piece)
            case "citations_delta":
                block.raw["citations"] = [*objects(block.raw.get("citations")), an_object(delta.get("citation"))]
            case _:
                _merge(block.raw, delta)

    def _block_stopped(self, index: int) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        match block.kind:
            case "text":
                self._text_done(block)
            case "thinking":
                self._thinking_done(block)
            case "redacted_thinking":
                self.call.provider_block(block.raw, self.call.segment_id(block.key))
                self.call.end_segment(block.key, redacted=True)
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                self._tool_done(block)
            case kind:
                if (written := parsed_object(block.written)) is not None:
                    block.raw["input"] = written
                if kind.endswith("_tool_result"):
                    tool_result(self.call, block.raw)
                elif message := _passing_notice(block.raw):
                    self.call.emit(Info, message=message)
                self.call.provider_block(block.raw)

    def _text_done(self, block: _Block) -> None:
        citations = objects(block.raw.get("citations"))
        for citation in citations:
            self.call.emit(
                Citation,
                title=a_text(citation.get("title")) or a_text(citation.get("document_title")) or None,
                url=a_text(citation.get("url")) or None,
                start_index=block.start,
                end_index=len(self.call.final_text),
            )
        if citations:
            text = self.call.segment_text(block.key)
            self.call.provider_block({**block.raw, "text": text}, self.call.segment_id(block.key))
        self.call.end_segment(block.key)

    def _thinking_done(self, block: _Block) -> None:
        """Thinking without a signature cannot go back."""
        thought = self.call.segment_text(block.key)
        if block.raw.get("signature"):
            self.call.provider_block({**block.raw, "thinking": thought}, self.call.segment_id(block.key))
        self.call.end_segment(block.key, redacted=not thought)

    def _tool_done(self, block: _Block) -> None:
        whole = an_object(block.raw.get("input"))
        if whole and not block.written:
            block.json = [as_text(whole)]
            if block.tool_id:
                self.call.tool_arguments(block.tool_id, block.json[0])
        written = block.written
        arguments = parsed_object(written or "{}")
        if arguments is None:
            return  # cut by max_tokens in the middle: never to be run, and refused when sent back
        block.raw["input"] = arguments
        if not block.at_provider:
            self._written.append(block)
            return
        if block.on_the_web:
            web_call(self.call, a_text(block.raw.get("name")), a_text(block.raw.get("id")), arguments)
            self.call.provider_block(block.raw)
        else:
            self.call.tool_call(block.tool_id, written)
            self.call.provider_block(block.raw, self.call.tool_segment_id(block.tool_id))


def _merge(raw: JSON, delta: JSON) -> None:
    """A delta of a kind that nobody knows: its texts go to the end of the block's own, all else replaces."""
    for key, value in delta.items():
        if key == "type" or value is None:
            continue
        known = raw.get(key)
        raw[key] = known + value if isinstance(known, str) and isinstance(value, str) else value


def _passing_notice(raw: JSON) -> str:
    match raw.get("type"):
        case "compaction":
            return "The provider has compacted the conversation."
        case "fallback":
            models = [a_text(an_object(raw.get(end)).get("model")) or "another model" for end in ("from", "to")]
            return f"{models[0]} did not answer; {models[1]} does."
        case kind:
            return f"The provider sent a block of the unknown kind {kind!r}."


class AnthropicProvider(RemoteProvider[anthropic.AsyncAnthropic]):
    """Messages."""

    official_host = OFFICIAL_HOST
    optional_fields = ("thinking",)
    faults = (anthropic.AnthropicError,)
    adapter = AnthropicAdapter

    @staticmethod
    def _connect(place: Endpoint, api_key: str, http_client: httpx2.AsyncClient | None) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=place.base_url,
            default_headers=place.headers,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=http_client or anthropic.DefaultAsyncHttpxClient(event_hooks=staying_at(place.base_url)),
        )

    def _body(self, request: Request) -> JSON:
        return anthropic_body(request, self.origin)

    async def _send(self, body: JSON) -> Streamed:
        return await self._client.messages.create(**body, stream=True)
