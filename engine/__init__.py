"""Turns prompts into events: providers, tools, the loop. Knows of the bus only the events and a sink.

Names load their module on first use: a screen asks for the default model before its first frame, and needs no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine, EngineConfig
    from .errors import EngineError
    from .history import History
    from .models import default_model
    from .ports import Block, Provider, Request, Seat, ToolSpec, Work
    from .providers import resolve
    from .service import Service
    from .toolbox import read_only_tools
    from .tools import Tool, Toolbox

__all__ = [
    "Block",
    "Engine",
    "EngineConfig",
    "EngineError",
    "History",
    "Provider",
    "Request",
    "Seat",
    "Service",
    "Tool",
    "ToolSpec",
    "Toolbox",
    "Work",
    "default_model",
    "read_only_tools",
    "resolve",
]

_HOMES = {
    "engine": ("Engine", "EngineConfig"),
    "errors": ("EngineError",),
    "history": ("History",),
    "models": ("default_model",),
    "ports": ("Block", "Provider", "Request", "Seat", "ToolSpec", "Work"),
    "providers": ("resolve",),
    "service": ("Service",),
    "toolbox": ("read_only_tools",),
    "tools": ("Tool", "Toolbox"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
