"""History -> the body of a Responses request. Nothing is stored at the provider: each request carries everything."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .attachments import responses_part
from .conversation import CallIds, Said, arguments_json, arrange, tool_name
from .loose import JSON, a_text
from .ports import Block, Request

# Models that do not reason refuse both reasoning options.
_NOT_REASONING = re.compile(r"gpt-[34]|chatgpt-|gpt-5[^-]*-chat")
# Calls that a client runs: without an output of theirs the API refuses them.
_CLIENT_CALLS = frozenset(
    {"apply_patch_call", "computer_call", "local_shell_call", "mcp_approval_request", "shell_call", "tool_search_call"}
)


def responses_body(request: Request, origin: str) -> JSON:
    """The body, without `stream`. `origin`: whose provider blocks go back."""
    turns = arrange(request.blocks, provider=origin, ids=CallIds(max_length=64))
    answered = _answered_calls(request.blocks)
    body: JSON = {
        "model": request.model,
        "input": [item for turn in turns for item in _items(turn, answered)],
        "store": False,
    }
    if request.system:
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                "strict": False,
            }
            for tool in request.tools
        ]
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return body | _reasoning(request)


def _reasoning(request: Request) -> JSON:
    if _NOT_REASONING.match(request.model):
        return {}
    options = {"summary": request.settings.get("reasoning_summary", "auto")}
    if effort := request.settings.get("reasoning_effort"):
        options["effort"] = effort
    return {"reasoning": options, "include": ["reasoning.encrypted_content"]}


def _items(turn: Said, answered: set[str]) -> list[JSON]:
    if turn.by_user:
        files = [responses_part(file) for file in turn.files]
        text = {"type": "input_text", "text": turn.text}
        return [{"role": "user", "content": [*files, text] if files else turn.text}]
    blocks = list(turn.blocks)
    while blocks and _is_reasoning(blocks[-1]):
        blocks.pop()  # reasoning that nothing follows is refused
    items = [item for block in blocks for item in _item(block, answered)]
    custom = {b.call_id for b in blocks if (b.data or {}).get("type") == "custom_tool_call"}
    for result in turn.results:
        kind = "custom_tool_call_output" if result.call_id in custom else "function_call_output"
        items.append({"type": kind, "call_id": result.call_id, "output": result.text})
    return items


def _item(block: Block, answered: set[str]) -> list[JSON]:
    data = dict(block.data) if block.data is not None else None
    if data is not None:
        unanswered = data.get("type") in _CLIENT_CALLS and a_text(data.get("call_id")) not in answered
        return [] if unanswered else [data]
    match block.kind:
        case "text" if block.text:
            return [{"role": "assistant", "content": block.text}]
        case "tool-call":
            name, arguments = tool_name(block.name), arguments_json(block)
            return [{"type": "function_call", "call_id": block.call_id, "name": name, "arguments": arguments}]
        case _:
            return []  # thinking goes back only in the provider's own, encrypted form


def _is_reasoning(block: Block) -> bool:
    return block.kind == "thinking" or (block.data or {}).get("type") == "reasoning"


def _answered_calls(blocks: Iterable[Block]) -> set[str]:
    outputs = [b.data for b in blocks if b.data is not None and a_text(b.data.get("type")).endswith("_output")]
    return {a_text(output.get("call_id")) for output in outputs}
