"""Which riffle this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The version of the installed distribution."""
    try:
        return installed("riffle-chat")
    except PackageNotFoundError:
        return "0 (not installed)"
