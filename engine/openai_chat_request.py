"""History -> the body of a Chat Completions request."""

from __future__ import annotations

from typing import Any

from .attachments import chat_part
from .conversation import CallIds, Said, arguments_json, arrange, tool_name
from .loose import JSON, a_list, a_text, objects
from .ports import Block, Request

OFFICIAL_HOST = "api.openai.com"


def chat_body(request: Request, origin: str, *, official: bool, reasoning_field: str = "") -> JSON:
    """The body, without `stream`. `origin`: whose provider blocks go back; `official`: the server is OpenAI's own.

    `reasoning_field` is how the server wants its reasoning back (`servers.REASONING_FIELDS`); empty: as it sent it.
    """
    turns = arrange(request.blocks, provider=origin, ids=CallIds(max_length=40))
    messages: list[JSON] = [{"role": "system", "content": request.system}] if request.system else []
    newest_question = max((n for n, turn in enumerate(turns) if turn.by_user), default=-1)
    for number, turn in enumerate(turns):
        messages += _messages(turn, reasoning_field, in_tool_loop=number > newest_question)
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


def _messages(turn: Said, reasoning_field: str, *, in_tool_loop: bool) -> list[JSON]:
    if turn.by_user:
        files = [chat_part(file) for file in turn.files]
        return [{"role": "user", "content": [*files, {"type": "text", "text": turn.text}] if files else turn.text}]
    reasoning = _reasoning(turn.blocks, reasoning_field, in_tool_loop=in_tool_loop)
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


def _reasoning(blocks: list[Block], field: str, *, in_tool_loop: bool) -> JSON:
    """The reasoning fields of an assistant message: as the server sent them, or as the text of the one `field`.

    Plain reasoning text goes back only while its tools are answered, unless the server asks for it by name: others
    ignore or refuse it later.
    """
    sent = {name: value for block in blocks for name, value in (block.data or {}).items()}
    match field:
        case "none":
            return {}
        case "reasoning_content" | "reasoning":
            text = _plain(sent)
            return {field: text} if text else {}
        case _:
            return {n: v for n, v in sent.items() if n in ("reasoning_details", "content") or in_tool_loop}


def _plain(sent: JSON) -> str:
    details = objects(sent.get("reasoning_details"))
    return (
        a_text(sent.get("reasoning_content"))
        or a_text(sent.get("reasoning"))
        or "".join(a_text(detail.get("text")) or a_text(detail.get("summary")) for detail in details)
    )
