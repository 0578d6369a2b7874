"""The public surface of each package is a list, and the list is true."""

from __future__ import annotations

import bus


def test_every_public_name_of_the_bus_is_there_and_documented() -> None:
    assert bus.__all__ == sorted(bus.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in bus.__all__:
        value = getattr(bus, name)
        assert name == "START" or name in ("Change", "FeedItem") or value.__doc__, name
