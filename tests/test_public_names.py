"""The public surface of each package is a list, and the list is true."""

from __future__ import annotations

from types import ModuleType

import pytest

import bus
import engine

TYPE_ALIASES = {"START", "Change", "FeedItem"}
"""Names of values, which cannot carry a docstring of their own."""


@pytest.mark.parametrize("package", [bus, engine])
def test_every_public_name_is_there_and_documented(package: ModuleType) -> None:
    names: list[str] = package.__all__
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(package, name)
        assert name in TYPE_ALIASES or value.__doc__, name


@pytest.mark.parametrize("package", [bus, engine])
def test_a_name_that_is_not_on_the_list_is_not_there(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_that_name'"):
        _ = package.nothing_of_that_name
