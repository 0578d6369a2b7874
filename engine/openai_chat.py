"""Chat Completions, of OpenAI and of every server that speaks like it: the stream's chunks -> events.

No two servers send the same chunks. What is known of them: reasoning comes as `reasoning_content`, `reasoning`,
`reasoning_details` (often the same text beside one of the others), as parts of a content list, or in `<think>` tags;
tool calls come in pieces or whole, with or without an index, their id and name once or in every piece; usage comes in
any chunk, the last one counts; errors come as a chunk, after a 200.
"""

from __future__ import annotations

from dataclasses import dataclass

from bus.builtin_events import Citation
from bus.meta import Usage

from . import endings
from .call import Call
from .exchange import Adapter, Streamed
from .failures import Service
from .loose import JSON, a_count, a_text, an_object, as_text, joined, objects, parsed_object
from .openai_chat_request import chat_body
from .openai_client import OpenAIProvider
from .ports import Request
from .think_tags import ThinkTags

_WHOLE_TOOL_CALLS = frozenset({"tool_calls", "function_call", "stop", None})


@dataclass(slots=True)
class _ToolCall:
    """A tool call in the making. `id` is empty until the call is announced."""

    wanted_id: str = ""
    name: str = ""
    arguments: str = ""
    id: str = ""
    sent: int = 0


class ChatAdapter(Adapter):
    """Chunks of one answer -> its events. Of several choices only the first is read."""

    def __init__(self, call: Call, service: Service) -> None:
        super().__init__(call, service)
        self._tags = ThinkTags()
        self._tools: list[_ToolCall] = []
        self._tool_at: dict[int, _ToolCall] = {}
        self._finish_reason: str | None = None
        self._refused = False
        self._reasoning_field = ""
        self._reasoning = ""
        self._details: list[JSON] = []
        self._thinking_id: str | None = None
        self._server_tools: dict[int, str] = {}

    @property
    def complete(self) -> bool:
        return super().complete or self._finish_reason is not None

    def _take(self, event: JSON) -> None:
        self.call.start(a_text(event.get("model")))
        choices = [c for c in objects(event.get("choices")) if a_count(c.get("index")) in (0, None)]
        for choice in choices:
            self._take_delta(an_object(choice.get("delta")) or an_object(choice.get("message")))
            self._finish_reason = a_text(choice.get("finish_reason")) or self._finish_reason
        groq = an_object(event.get("x_groq"))
        choice = choices[0] if choices else {}
        if usage := an_object(event.get("usage") or groq.get("usage") or choice.get("usage")):
            self.call.usage(*_usage(usage))
        if error := event.get("error") or groq.get("error") or choice.get("error"):
            self.fail(error)
        elif event.get("object") == "error" or ("choices" not in event and a_text(event.get("message"))):
            self.fail(event)

    def _flush(self) -> None:
        for kind, text in self._tags.close():
            self._say(kind, text)

    def _conclude(self) -> None:
        whole = self._finish_reason in _WHOLE_TOOL_CALLS
        for tool in self._tools:
            if not tool.name or not (whole or parsed_object(tool.arguments) is not None):
                continue
            self._announce(tool)
            self.call.tool_call(tool.id, tool.arguments)
        self._keep_reasoning()
        if notice := endings.notice(self._finish_reason):
            self.call.notice(notice)
        self.call.final("refusal" if self._refused else self._finish_reason)

    # -- text and reasoning ------------------------------------------------------------------------------------

    def _take_delta(self, delta: JSON) -> None:
        self._take_reasoning(delta)
        content = delta.get("content")
        if isinstance(content, str):
            for kind, text in self._tags.feed(content):
                self._say(kind, text)
        for part in objects(content):
            self._take_part(part)
        if refusal := a_text(delta.get("refusal")):
            self._refused = True
            self.call.text(refusal)
        for piece in objects(delta.get("tool_calls")):
            self._take_tool_call(piece)
        for annotation in objects(delta.get("annotations")):
            self._cite(an_object(annotation.get("url_citation")))
        for tool in objects(delta.get("executed_tools")):
            self._take_server_tool(tool)

    def _say(self, kind: str, text: str) -> None:
        if kind == "thinking":
            self.call.thinking(text)
            self._thinking_id = self.call.segment_id()
        else:
            self.call.text(text)

    def _take_part(self, part: JSON) -> None:
        """A part of a content list (Mistral); its thinking goes back as such parts."""
        if part.get("type") != "thinking":
            self._say("text", a_text(part.get("text")))
            return
        pieces = [a_text(part.get("thinking")), *(a_text(piece.get("text")) for piece in objects(part.get("thinking")))]
        for text in pieces:
            self._reasoning += text
            self._say("thinking", text)
        self._reasoning_field = "content"

    def _take_reasoning(self, delta: JSON) -> None:
        details = objects(delta.get("reasoning_details"))
        for detail in details:
            _merge_detail(self._details, detail)
        said = {name: a_text(delta.get(name)) for name in ("reasoning_content", "reasoning")}
        said["reasoning_details"] = "".join(a_text(d.get("text")) or a_text(d.get("summary")) for d in details)
        # Where a server says the same in two fields, the first to come is shown.
        name = self._reasoning_field or next((name for name, text in said.items() if text), "")
        if text := said.get(name):
            self._reasoning_field = name
            self._reasoning += text
            self._say("thinking", text)

    def _keep_reasoning(self) -> None:
        """What must go back: reasoning details always, plain reasoning with tool calls only."""
        if self._details:
            self.call.provider_block({"reasoning_details": self._details}, self._thinking_id)
        elif self._reasoning_field == "content":
            part = {"type": "thinking", "thinking": [{"type": "text", "text": joined([self._reasoning])}]}
            self.call.provider_block({"content": [part]}, self._thinking_id)
        elif self._reasoning_field and self._tools:
            self.call.provider_block({self._reasoning_field: joined([self._reasoning])}, self._thinking_id)

    def _cite(self, citation: JSON) -> None:
        if citation:
            self.call.emit(
                Citation,
                title=a_text(citation.get("title")) or None,
                url=a_text(citation.get("url")) or None,
                start_index=a_count(citation.get("start_index")),
                end_index=a_count(citation.get("end_index")),
            )

    # -- tools -------------------------------------------------------------------------------------------------

    def _take_tool_call(self, piece: JSON) -> None:
        function = an_object(piece.get("function"))
        tool = self._tool(a_count(piece.get("index")), a_text(piece.get("id")), a_text(function.get("name")))
        tool.wanted_id = tool.wanted_id or a_text(piece.get("id"))
        tool.name = tool.name or a_text(function.get("name"))
        tool.arguments += as_text(function.get("arguments"))
        if tool.name:
            self._announce(tool)
            self.call.tool_arguments(tool.id, tool.arguments[tool.sent :])
            tool.sent = len(tool.arguments)

    def _tool(self, index: int | None, wanted_id: str, name: str) -> _ToolCall:
        """The call that a piece belongs to. Without an index: by its id, else the newest."""
        if index is None:
            known = next((t for t in self._tools if wanted_id and t.wanted_id == wanted_id), None)
            tool = known or (self._tools[-1] if self._tools and not name else None)
        else:
            tool = self._tool_at.get(index)
            if tool is not None and name and wanted_id and tool.wanted_id not in ("", wanted_id):
                tool = None  # some servers give every parallel call the same index
        if tool is None:
            tool = _ToolCall()
            self._tools.append(tool)
            if index is not None:
                self._tool_at[index] = tool
        return tool

    def _announce(self, tool: _ToolCall) -> None:
        if not tool.id:
            tool.id = self.call.unique_tool_id(tool.wanted_id)
            self.call.tool_started(tool.id, tool.name)

    def _take_server_tool(self, tool: JSON) -> None:
        """A tool that Groq ran: first as a call, then again with its output."""
        index = a_count(tool.get("index")) or 0
        if index not in self._server_tools:
            self._server_tools[index] = tool_id = self.call.unique_tool_id(f"{self.call.message_id}:server-{index}")
            self.call.tool_started(tool_id, a_text(tool.get("type")) or "tool", at_provider=True)
            self.call.tool_call(tool_id, as_text(tool.get("arguments")))
        if output := as_text(tool.get("output")):
            self.call.provider_tool_result(self._server_tools[index], output)


def _merge_detail(details: list[JSON], detail: JSON) -> None:
    """Add a piece to the reasoning details: pieces in a row of one kind and index are one detail, cut for streaming."""
    last = details[-1] if details else {}
    if not last or any(last.get(key) != detail.get(key) for key in ("type", "index")) or "data" in detail:
        details.append(dict(detail))
        return
    for key, value in detail.items():
        if key in ("text", "summary"):
            last[key] = a_text(last.get(key)) + a_text(value)
        elif value is not None:
            last[key] = value


def _usage(usage: JSON) -> tuple[Usage, int | None]:
    into = an_object(usage.get("prompt_tokens_details"))
    out = an_object(usage.get("completion_tokens_details"))
    return (
        Usage(
            input_tokens=a_count(usage.get("prompt_tokens")) or 0,
            output_tokens=a_count(usage.get("completion_tokens")) or 0,
            cached_tokens=a_count(into.get("cached_tokens")),
            cache_creation_input_tokens=a_count(into.get("cache_write_tokens")),
        ),
        a_count(out.get("reasoning_tokens")),
    )


class OpenAIChatProvider(OpenAIProvider):
    """Chat Completions."""

    optional_fields = ("stream_options",)
    adapter = ChatAdapter

    def _body(self, request: Request) -> JSON:
        return chat_body(request, self.origin, official=self.official, reasoning_field=self.place.reasoning_field)

    async def _send(self, body: JSON) -> Streamed:
        return await self._client.chat.completions.create(**body, stream=True)
