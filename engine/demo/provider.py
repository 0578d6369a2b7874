"""The provider `demo`: plays a story at a human pace, through the same events, tools and loop as a real model."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from bus.events import Event
from bus.meta import Usage

from ..call import Call
from ..compaction import INSTRUCTION
from ..errors import UnknownModel
from ..ports import Block, Request
from .long_story import long_story
from .story import Part, Story, choose, describe, fill, summary

TOKENS_PER_SECOND = {"human": 60.0, "fast": 600.0, "instant": None}
"""None: without any waiting."""
FIRST_TOKEN_AFTER = 30
"""How long the demo seems to think of how to begin, in tokens."""
VARIANTS = (*TOKENS_PER_SECOND, "long")
_TOKEN = re.compile(r"\s*\S{1,5}|\s+")


class Demo:
    """A provider without a model, a key or a network. `variant` holds words of `VARIANTS`, joined by `+`."""

    name = "demo"

    def __init__(self, variant: str = "") -> None:
        words = [word for word in variant.split("+") if word]
        if wrong := [word for word in words if word not in VARIANTS]:
            raise UnknownModel(
                f"The demo has no variant {wrong[0]!r}.", f"There are demo, {', '.join(f'demo:{v}' for v in VARIANTS)}."
            )
        self._model = f"demo:{variant}" if variant else "demo"
        self._speed = next((TOKENS_PER_SECOND[word] for word in words if word in TOKENS_PER_SECOND), 60.0)
        self._long = "long" in words

    async def stream(self, request: Request) -> AsyncIterator[Event]:
        """Play the part of the story that comes next."""
        scene = _scene(request, long_story() if self._long else None)
        pace = _Pace(self._speed, seed=scene.question)
        call = Call(request, provider=self.name)
        call.start(self._model)
        async for _ in _play(call, scene, pace):
            for event in call.drain():
                yield event
        asks = scene.parts[-1].kind == "tool"
        call.usage(_usage(request.blocks, scene), reasoning_tokens=_count(scene.texts("think")))
        call.final("tool_use" if asks else "stop")
        for event in call.drain():
            yield event

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one call plays: the parts up to and with the next tool call, filled in."""

    question: str
    parts: Sequence[Part]

    def texts(self, *kinds: str) -> list[str]:
        return [part.text for part in self.parts if part.kind in kinds]


class _Pace:
    """Waits between tokens like somebody who speaks: uneven, with a breath after a sentence. The same for a seed."""

    def __init__(self, tokens_per_second: float | None, seed: str) -> None:
        self._gap = 1 / tokens_per_second if tokens_per_second else 0.0
        self._random = random.Random(seed)
        self._due = asyncio.get_running_loop().time() + self._gap * FIRST_TOKEN_AFTER

    async def wait_for(self, token: str) -> None:
        """Return when `token` is due. Lateness is made up for, so that the speed does not depend on the reader."""
        await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()))
        breath = 3.0 if token.endswith((".", "!", "?", ":")) else 0.0
        self._due += self._gap * (self._random.lognormvariate(-0.3, 0.6) + breath)


async def _play(call: Call, scene: _Scene, pace: _Pace) -> AsyncIterator[None]:
    for number, part in enumerate(scene.parts):
        key = str(number)
        tool_id = ""
        if part.kind == "tool":
            tool_id = call.unique_tool_id("")
            call.tool_started(tool_id, part.name)
        for token in _TOKEN.findall(part.text):
            await pace.wait_for(token)
            match part.kind:
                case "think":
                    call.thinking(token, key)
                case "say":
                    call.text(token, key)
                case "tool":
                    call.tool_arguments(tool_id, token)
            yield
        if part.kind == "tool":
            call.tool_call(tool_id, part.text)
        else:
            call.end_segment(key)
        yield


def _scene(request: Request, fixed: Story | None) -> _Scene:
    """The part of the story that follows the tools that have run since the question."""
    asked = [index for index, block in enumerate(request.blocks) if block.kind == "user"]
    question = request.blocks[asked[-1]].text if asked else ""
    since = request.blocks[asked[-1] + 1 :] if asked else request.blocks
    results = [block for block in since if block.kind == "tool-result"]
    if question == INSTRUCTION:
        return _Scene(question, [Part("say", summary([request.blocks[index].text for index in asked[:-1]]))])
    story = fixed or choose(question, first=len(asked) < 2)
    tools = {tool.name for tool in request.tools}
    skip = len(results)
    parts: list[Part] = []
    for part in story.parts:
        if part.kind != "tool":
            if not skip:
                parts.append(Part(part.kind, fill(part.text, question, describe(results[-1] if results else None))))
        elif skip:
            skip -= 1
        elif part.name in tools:
            return _Scene(question, [*parts, part])
    return _Scene(question, parts)


def _count(texts: Iterable[str]) -> int:
    return sum(len(_TOKEN.findall(text)) for text in texts)


def _usage(blocks: Sequence[Block], scene: _Scene) -> Usage:
    """What a provider would count, more or less."""
    asked, said = [block.text for block in blocks], [part.text for part in scene.parts]
    return Usage(input_tokens=_count(asked), output_tokens=_count(said))
