"""Classes of coupled channels: numbers that are joined, and classes of which no channel may go."""

from __future__ import annotations

import numpy as np

from paredown.contracts import IntArray

NEUTRAL = -1
"""The label of what is no channel: a scalar, a constant, a size."""


class Classes:
    """Disjoint sets of channel labels (Tarjan, 1975). A pinned class stays whole, for the first reason given."""

    def __init__(self) -> None:
        self._parents = np.empty(1024, dtype=np.int64)
        self._count = 0
        self._reasons: dict[int, str] = {}

    def fresh(self, count: int) -> IntArray:
        """New labels, each a class of its own, [count], int64."""
        start, end = self._count, self._count + count
        if end > len(self._parents):
            self._parents = np.concatenate([self._parents[:start], np.empty(end, dtype=np.int64)])
        self._parents[start:end] = np.arange(start, end)
        self._count = end
        return self._parents[start:end].copy()

    def pinned(self, reason: str) -> int:
        """A new label of a pinned class."""
        label = int(self.fresh(1)[0])
        self._reasons[label] = reason
        return label

    def table(self, value: int) -> IntArray:
        """An array with room for every label, and for neutral at the end, filled with a value."""
        return np.full(self._count + 1, value, dtype=np.int64)

    def roots(self, labels: IntArray) -> IntArray:
        """The label that stands for the class of each label; neutral stays neutral."""
        found: IntArray = np.where(labels == NEUTRAL, NEUTRAL, self._parents[labels])
        while not np.array_equal(above := np.where(found == NEUTRAL, NEUTRAL, self._parents[found]), found):
            found = above
        return found

    def union(self, left: IntArray, right: IntArray) -> None:
        """Joins the classes of two arrays of labels, element by element; neutral elements join nothing.

        A pinned class pins the other and does not grow by it, so that each keeps the reason that came first.
        """
        pairs = np.stack([np.ravel(side) for side in np.broadcast_arrays(left, right)])
        pairs = pairs[:, (pairs != NEUTRAL).all(axis=0) & (pairs[0] != pairs[1])]
        for one, other in np.unique(pairs, axis=1).T.tolist():
            self._join(self._root(one), self._root(other))

    def pin(self, labels: IntArray, reason: str) -> None:
        """Keeps the classes of labels whole; a class that is pinned already keeps its reason."""
        for root in np.unique(self.roots(np.ravel(labels))).tolist():
            if root != NEUTRAL:
                self._reasons.setdefault(root, reason)

    def explain(self, labels: IntArray, reason: str) -> None:
        """Pins classes for a reason that outranks the one they have."""
        for root in np.unique(self.roots(np.ravel(labels))).tolist():
            if root != NEUTRAL:
                self._reasons[root] = reason

    def reason(self, labels: IntArray) -> str | None:
        """Why the first pinned class among labels is pinned; None where none is."""
        roots = self.roots(np.ravel(labels)).tolist()
        return next((self._reasons[root] for root in roots if root in self._reasons), None)

    def _root(self, label: int) -> int:
        while (parent := int(self._parents[label])) != label:
            self._parents[label] = self._parents[parent]
            label = parent
        return label

    def _join(self, one: int, other: int) -> None:
        if one == other:
            return
        first, second = self._reasons.get(one), self._reasons.get(other)
        if first is None and second is None:
            self._parents[max(one, other)] = min(one, other)
        elif first is None:
            self._reasons[one] = str(second)
        elif second is None:
            self._reasons[other] = first
