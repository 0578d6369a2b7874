"""The prefix sums against a plain list that is summed every time."""

from __future__ import annotations

import random

import pytest

from tui.timeline.heights import Heights


def find_slowly(heights: list[int], row: int) -> tuple[int, int]:
    """Which item a row lies in, by walking."""
    for index, height in enumerate(heights):
        if row < height:
            return index, row
        row -= height
    return len(heights), row


@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_of_changes_agrees_with_a_plain_list(seed: int) -> None:
    randomness = random.Random(seed)
    plain: list[int] = [randomness.randint(0, 9) for _ in range(randomness.randint(0, 40))]
    heights = Heights(plain)
    for _ in range(300):
        match randomness.choice(["append", "append", "set", "truncate", "insert", "remove"]):
            case "set" if plain:
                index, height = randomness.randrange(len(plain)), randomness.randint(0, 50)
                assert heights.set(index, height) == height - plain[index]
                plain[index] = height
            case "truncate":
                length = max(len(plain) - randomness.randint(0, 5), 0)
                heights.truncate(length)
                del plain[length:]
            case "insert":
                index, height = randomness.randint(0, len(plain)), randomness.randint(0, 50)
                heights.insert(index, height)
                plain.insert(index, height)
            case "remove" if plain:
                index = randomness.randrange(len(plain))
                heights.remove(index)
                del plain[index]
            case _:
                height = randomness.randint(0, 50)
                heights.append(height)
                plain.append(height)
        assert heights.total == sum(plain)
        assert len(heights) == len(plain)
        index = randomness.randint(0, len(plain))
        assert heights.before(index) == sum(plain[:index])
        row = randomness.randint(0, sum(plain) + 3)
        assert heights.find(row) == find_slowly(plain, row)


def test_items_without_height_are_never_found() -> None:
    heights = Heights([0, 0, 3, 0, 2, 0])
    assert [heights.find(row) for row in range(6)] == [(2, 0), (2, 1), (2, 2), (4, 0), (4, 1), (6, 0)]


def test_an_empty_tree_has_only_an_end() -> None:
    assert Heights().find(7) == (0, 7)
    assert Heights().total == 0
