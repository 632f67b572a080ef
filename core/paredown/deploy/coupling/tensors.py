"""What is known of a tensor: the channel that each element belongs to, or the parameter that it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from paredown.contracts import IntArray
from paredown.deploy.coupling.classes import NEUTRAL

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """The channel label of each element of a tensor.

    `values` has the tensor's rank; an axis along which the labels do not change has length 1 there, whatever its
    length in `shape`, so that images cost no more than their channels.
    """

    values: IntArray
    shape: Shape

    def varies(self, axis: int) -> bool:
        """Whether an axis tells channels apart."""
        return self.values.shape[axis] > 1

    def varying(self) -> list[int]:
        """The axes that tell channels apart."""
        return [axis for axis in range(len(self.shape)) if self.varies(axis)]

    def full(self, *axes: int) -> IntArray:
        """`values` with the given axes at their full length."""
        lengths = [self.shape[axis] if axis in axes else n for axis, n in enumerate(self.values.shape)]
        return np.broadcast_to(self.values, lengths)


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that does not depend on the image.

    `parameter` is the network's parameter that it is, None for a constant of the code; `axes[a]` is the parameter's
    axis that axis a runs along, None for an axis of length 1 or one that repeats. `candidates` are the parameters, with
    such axes, where several hold the same values and the name does not tell them apart.
    """

    shape: Shape
    parameter: str | None = None
    axes: tuple[int | None, ...] = ()
    candidates: tuple[tuple[str, tuple[int | None, ...]], ...] = ()


Tensor = Labels | Constant


def uniform(label: int, shape: Shape) -> Labels:
    """A tensor all of whose elements have one label."""
    return Labels(np.full((1,) * len(shape), label, dtype=np.int64), shape)


def neutral(shape: Shape) -> Labels:
    """A tensor without channels."""
    return uniform(NEUTRAL, shape)


def along(labels: IntArray, axis: int, shape: Shape) -> Labels:
    """A tensor whose channels lie on one axis."""
    lengths = [1] * len(shape)
    lengths[axis] = len(labels)
    return Labels(labels.reshape(lengths), shape)


def blocks(before: Shape, after: Shape) -> Iterator[tuple[range, range]]:
    """The shortest runs of axes of two shapes that hold the same elements: what a reshape joins or takes apart.

    (2, 3, 4) and (6, 4) give axes 0-1 with 0, and 2 with 1. Both shapes have the same number of elements, not zero.
    """
    i = j = 0
    while i < len(before) or j < len(after):
        start, other = i, j
        i, j = min(i + 1, len(before)), min(j + 1, len(after))
        while (left := prod(before[start:i])) != (right := prod(after[other:j])):
            if left < right:
                i += 1
            else:
                j += 1
        yield range(start, i), range(other, j)
