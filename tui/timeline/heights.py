"""Prefix sums over heights that change: which row belongs to which item, in O(log n)."""

from __future__ import annotations

from collections.abc import Iterable


class Heights:
    """A Fenwick tree over a list of heights (lines, never negative)."""

    __slots__ = ("_heights", "_tree", "total")

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self.total = 0
        self._heights: list[int] = []
        # `_tree[i - 1]` is the sum of the heights (i - lowbit(i), i], counted from 1.
        self._tree: list[int] = []
        for height in heights:
            self.append(height)

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def append(self, height: int) -> None:
        """Add an item at the end."""
        self._heights.append(height)
        self.total += height
        position = len(self._heights)
        low, node = position & -position, height
        step = 1
        while step < low:
            node += self._tree[position - step - 1]
            step <<= 1
        self._tree.append(node)

    def set(self, index: int, height: int) -> int:
        """Give the item at `index` another height; return the difference."""
        difference = height - self._heights[index]
        if difference:
            self._heights[index] = height
            self.total += difference
            position = index + 1
            while position <= len(self._tree):
                self._tree[position - 1] += difference
                position += position & -position
        return difference

    def truncate(self, length: int) -> None:
        """Remove every item from `length` on."""
        self.total -= sum(self._heights[length:])
        del self._heights[length:]
        del self._tree[length:]

    def insert(self, index: int, height: int) -> None:
        """Add an item before `index`; costs O(items after it)."""
        if index == len(self._heights):
            self.append(height)
            return
        after = self._heights[index:]
        self.truncate(index)
        self.append(height)
        for each in after:
            self.append(each)

    def remove(self, index: int) -> None:
        """Remove the item at `index`; costs O(items after it)."""
        after = self._heights[index + 1 :]
        self.truncate(index)
        for each in after:
            self.append(each)

    def before(self, index: int) -> int:
        """The sum of all heights before the item at `index`."""
        total = 0
        while index:
            total += self._tree[index - 1]
            index -= index & -index
        return total

    def find(self, row: int) -> tuple[int, int]:
        """The item that row `row` lies in, and which of its rows that is; past the end: `(len, rows past it)`."""
        index = 0
        step = 1 << len(self._tree).bit_length()
        while step:
            following = index + step
            if following <= len(self._tree) and self._tree[following - 1] <= row:
                index = following
                row -= self._tree[following - 1]
            step >>= 1
        return index, row
