"""Tools that a model may call: what one is, and the box that they are kept in and run from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from .ports import ToolSpec

TIME_LIMIT = 20.0
"""Seconds that a tool may take, unless it says otherwise."""


class Arguments(BaseModel):
    """Base of a tool's arguments. A name that the tool does not know is an error, so that the model learns of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=Arguments)


class ToolError(Exception):
    """A tool cannot do what was asked. The message is for the model, and a person reads it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[A]):
    """One tool: `run` gets its checked arguments and returns the result as text; `seconds` is its time limit."""

    name: str
    description: str
    arguments: type[A]
    run: Callable[[A], Awaitable[str]]
    seconds: float = TIME_LIMIT

    def spec(self) -> ToolSpec:
        """The tool as a model is told about it."""
        schema = cast(dict[str, Any], _without_titles(self.arguments.model_json_schema()))
        schema.pop("description", None)
        return ToolSpec(name=self.name, description=self.description, parameters=schema)

    async def call(self, arguments: str) -> str:
        """Check `arguments` (a JSON object as text; empty text means none) and run the tool within its time limit."""
        checked = self.arguments.model_validate_json(arguments.strip() or "{}")
        async with asyncio.timeout(self.seconds):
            return await self.run(checked)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What the model is told. `failed`: `text` says in words why there is no result."""

    text: str
    failed: bool = False


class Toolbox:
    """The tools of an engine, by name."""

    def __init__(self, tools: Iterable[Tool[Any]] = ()) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def specs(self) -> list[ToolSpec]:
        """All tools, as a model is told about them."""
        return [tool.spec() for tool in self._tools.values()]

    def only(self, names: Iterable[str]) -> Toolbox:
        """Of these tools, those of `names`."""
        wanted = set(names)
        return Toolbox(tool for name, tool in self._tools.items() if name in wanted)

    async def call(self, name: str, arguments: str) -> ToolOutput:
        """Run a tool. Whatever goes wrong becomes words; only a cancellation is passed on."""
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return ToolOutput(f"There is no tool {name!r}. The tools are: {known}.", failed=True)
        try:
            return ToolOutput(await tool.call(arguments))
        except ValidationError as error:
            return ToolOutput(f"The arguments of {name} are wrong: {_in_words(error)}", failed=True)
        except TimeoutError:
            return ToolOutput(f"{name} took longer than {tool.seconds:g} s and was stopped.", failed=True)
        except ToolError as error:
            return ToolOutput(str(error), failed=True)
        except OSError as error:
            return ToolOutput(f"{name} failed: {error.strerror or error}.", failed=True)
        # A tool is somebody's program: its fault must not end the turn, and the model and the person are shown it.
        except Exception as error:
            return ToolOutput(f"{name} failed: {type(error).__name__}: {error}", failed=True)


async def in_thread(work: Callable[[threading.Event], str]) -> str:
    """Run blocking `work` beside the loop. Its argument is set when nobody waits any more: it should then return."""
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(work, given_up)
    finally:
        given_up.set()


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'JSON'}: {p['msg']}" for p in problems) + "."


def _without_titles(schema: object) -> object:
    """Pydantic titles every field with its own name: tokens that say nothing."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in cast(list[object], schema)]
    if not isinstance(schema, dict):
        return schema
    entries = cast(dict[str, object], schema)
    return {key: _without_titles(value) for key, value in entries.items() if not (key == "title" and value != {})}
