"""History -> the body of a Chat Completions request."""

from __future__ import annotations

from typing import Any

from .conversation import CallIds, Said, arguments_json, arrange, tool_name
from .loose import JSON, a_list
from .ports import Block, Request

OFFICIAL_HOST = "api.openai.com"


def chat_body(request: Request, origin: str, *, official: bool) -> JSON:
    """The body, without `stream`. `origin`: whose provider blocks go back; `official`: the server is OpenAI's own."""
    turns = arrange(request.blocks, provider=origin, ids=CallIds(max_length=40))
    messages: list[JSON] = [{"role": "system", "content": request.system}] if request.system else []
    newest_question = max((n for n, turn in enumerate(turns) if turn.by_user), default=-1)
    for number, turn in enumerate(turns):
        messages += _messages(turn, in_tool_loop=number > newest_question)
    body: JSON = {"model": request.model, "messages": messages, "stream_options": {"include_usage": True}}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            }
            for t in request.tools
        ]
    if request.max_tokens is not None:
        # Compatible servers know the old name only; OpenAI's reasoning models the new one only.
        body["max_completion_tokens" if official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if effort := request.settings.get("reasoning_effort"):
        body["reasoning_effort"] = effort
    return body


def _messages(turn: Said, *, in_tool_loop: bool) -> list[JSON]:
    if turn.by_user:
        return [{"role": "user", "content": turn.text}]
    reasoning = _reasoning(turn.blocks, in_tool_loop=in_tool_loop)
    thoughts = a_list(reasoning.pop("content", None))
    content: Any = [*thoughts, {"type": "text", "text": turn.text}] if thoughts else turn.text or None
    calls = [
        {
            "id": block.call_id,
            "type": "function",
            "function": {"name": tool_name(block.name), "arguments": arguments_json(block)},
        }
        for block in turn.blocks
        if block.kind == "tool-call"
    ]
    if content is None and not calls:
        return []
    answer: JSON = {"role": "assistant", "content": content, **reasoning}
    if calls:
        answer["tool_calls"] = calls
    return [answer, *({"role": "tool", "tool_call_id": r.call_id, "content": r.text} for r in turn.results)]


def _reasoning(blocks: list[Block], *, in_tool_loop: bool) -> JSON:
    """The reasoning fields of an assistant message, as the server sent them.

    Plain reasoning text goes back only while its tools are answered: servers ignore or refuse it later.
    """
    fields: JSON = {}
    for block in blocks:
        for name, value in (block.data or {}).items():
            if name in ("reasoning_details", "content") or in_tool_loop:
                fields[name] = value
    return fields
