"""Which riffle this is."""

from __future__ import annotations


def version() -> str:
    """The version of the installed distribution."""
    # Costs 10 ms, which the first frame does not have.
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("riffle-chat")
    except PackageNotFoundError:
        return "0 (not installed)"
