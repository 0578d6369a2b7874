"""History -> the body of an Anthropic Messages request."""

from __future__ import annotations

import re
from typing import Any

from .attachments import anthropic_part
from .conversation import CallIds, Said, arguments_object, arrange, tool_name
from .loose import JSON, a_text
from .ports import Block, Request

OFFICIAL_HOST = "api.anthropic.com"

_MAX_TOKENS = {"claude-3-5": 8192, "claude-3-7": 32_000, "claude-3": 4096}
_DEFAULT_MAX_TOKENS = 32_000
# Models up to 4.5 think by a budget, later ones by themselves.
_BY_BUDGET = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0125])?(-20\d+|-latest)?$)")


def anthropic_body(request: Request, origin: str) -> JSON:
    """The body, without `stream`. `origin`: whose provider blocks go back."""
    turns = arrange(request.blocks, provider=origin, ids=CallIds(max_length=64))
    unfinished = _unfinished_server_calls(turns)
    messages: list[JSON] = []
    for turn in turns:
        for role, content in _contents(turn, unfinished):
            _add(messages, role, content)
    body: JSON = {
        "model": request.model,
        "messages": messages,
        "max_tokens": request.max_tokens or _max_tokens(request.model),
    }
    if request.system:
        body["system"] = [{"type": "text", "text": request.system}]
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
    if request.thinking_budget:
        body |= _thinking(request, body["max_tokens"])
    elif request.temperature is not None:  # thinking allows the default temperature only
        body["temperature"] = request.temperature
    if effort := request.settings.get("reasoning_effort"):
        body["output_config"] = {"effort": effort}
    _mark_for_the_cache(body)
    return body


def _mark_for_the_cache(body: JSON) -> None:
    """Let the provider keep what the next request begins with: tools and system prompt, the conversation up to here.

    The question before is marked too: what was kept at its end is found again however much the answer has added.
    """
    said = [message["content"] for message in body["messages"] if message["role"] == "user"]
    for blocks in (body.get("system", []), *said[-2:]):
        if blocks:
            blocks[-1] = {**blocks[-1], "cache_control": {"type": "ephemeral"}}


def _max_tokens(model: str) -> int:
    return next((limit for name, limit in _MAX_TOKENS.items() if model.startswith(name)), _DEFAULT_MAX_TOKENS)


def _thinking(request: Request, max_tokens: int) -> JSON:
    if not _BY_BUDGET.match(request.model):
        return {"thinking": {"type": "adaptive", "display": "summarized"}}
    budget = max(1024, request.thinking_budget or 0)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": max(max_tokens, budget + 1024)}


def _add(messages: list[JSON], role: str, content: list[JSON]) -> None:
    """Roles must alternate, and the first must be the user's."""
    if not content:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += content
        return
    if not messages and role == "assistant":
        messages.append({"role": "user", "content": [{"type": "text", "text": "(continued)"}]})
    messages.append({"role": role, "content": content})


def _contents(turn: Said, unfinished: set[str]) -> list[tuple[str, list[JSON]]]:
    if turn.by_user:
        files = [anthropic_part(file) for file in turn.files]
        return [("user", [*files, *({"type": "text", "text": b.text} for b in turn.blocks if b.text.strip())])]
    content = [item for block in turn.blocks if (item := _item(block)) and a_text(item.get("id")) not in unfinished]
    results: list[JSON] = [
        {"type": "tool_result", "tool_use_id": r.call_id, "content": r.text, "is_error": r.failed} for r in turn.results
    ]
    return [("assistant", content), ("user", results)]


def _item(block: Block) -> JSON | None:
    if block.data is not None:
        return dict(block.data)
    match block.kind:
        case "text" if block.text.strip():  # text of white space alone is refused
            return {"type": "text", "text": block.text}
        case "tool-call":
            arguments: Any = arguments_object(block)
            return {"type": "tool_use", "id": block.call_id, "name": tool_name(block.name), "input": arguments}
        case _:
            return None  # thinking without its signature is refused


def _unfinished_server_calls(turns: list[Said]) -> set[str]:
    """Calls at the provider that never got a result. Only the newest turn may still go on with one (pause_turn)."""
    calls: set[str] = set()
    results: set[str] = set()
    pending: set[str] = set()
    for turn in turns:
        if turn.by_user:
            pending = set()
        for data in (block.data for block in turn.blocks if block.data is not None):
            kind = a_text(data.get("type"))
            if kind in ("server_tool_use", "mcp_tool_use"):
                calls.add(a_text(data.get("id")))
                pending.add(a_text(data.get("id")))
            elif kind.endswith("_tool_result"):
                results.add(a_text(data.get("tool_use_id")))
    return calls - results - pending
