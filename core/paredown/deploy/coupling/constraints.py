"""Constraints between channels: equal counts in every piece, as blocks of a group or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.contracts import IntArray
from paredown.deploy.coupling.classes import Classes
from paredown.deploy.coupling.trace import Constraint


@dataclass(frozen=True, slots=True)
class Pieces:
    """A constraint that binds: how often each class lies in each piece, `counts` [pieces, classes]."""

    classes: IntArray
    counts: IntArray
    reason: str


def binding(constraints: Sequence[Constraint], classes: Classes) -> list[Pieces]:
    """The constraints that do not hold by themselves: those with a class that is not equally often in every piece."""
    found = []
    for constraint in constraints:
        roots = classes.roots(constraint.pieces)
        unique, positions = np.unique(roots, return_inverse=True)
        counts = np.zeros((len(roots), len(unique)), dtype=np.int64)
        rows = np.broadcast_to(np.arange(len(roots))[:, None], roots.shape)
        np.add.at(counts, (rows.ravel(), positions.ravel()), 1)
        if np.any(counts != counts[0]):
            found.append(Pieces(unique, counts, constraint.reason))
    return found


def blocks_of(channels: Sequence[int], constraints: Sequence[Pieces]) -> tuple[dict[int, int], int] | str:
    """The block of each class of a group and the number of blocks, or why no number of blocks fits.

    A constraint fits where each class lies in one piece, all equally often; where constraints ask for different numbers
    of pieces, the pieces of the coarser must be made of equally many blocks of the finest.
    """
    if not constraints:
        return dict.fromkeys(channels, 0), 1
    for constraint in constraints:
        often = constraint.counts[constraint.counts > 0]
        if np.any((constraint.counts > 0).sum(axis=0) != 1) or np.any(often != often[0]):
            return constraint.reason
        if set(constraint.classes.tolist()) != set(channels):
            return constraint.reason
    finest, *others = sorted(constraints, key=lambda constraint: -len(constraint.counts))
    block = _pieces(finest)
    for other in others:
        pairs = {(piece, block[channel]) for channel, piece in _pieces(other).items()}
        if len(pairs) != len(finest.counts) or len(finest.counts) % len(other.counts):
            return other.reason
        if any(len({b for p, b in pairs if p == piece}) * len(other.counts) != len(pairs) for piece, _ in pairs):
            return other.reason
    return block, len(finest.counts)


def components(axes: Sequence[IntArray], pieces: Sequence[Pieces]) -> list[list[int]]:
    """The classes that go together into one group, because an axis or a binding constraint holds them all.

    Args:
        axes: Classes on output axes, in the network's order; each component lists its classes as these name them.
        pieces: Constraints that bind.
    """
    joined = Classes()
    held = [*axes, *(piece.classes for piece in pieces)]
    everything = np.unique(np.concatenate(held)) if held else np.empty(0, dtype=np.int64)
    table = np.zeros(1 + int(everything.max(initial=0)), dtype=np.int64)
    table[everything] = joined.fresh(len(everything))
    for classes in held:
        joined.union(table[classes[:1]], table[classes])
    found: dict[int, dict[int, None]] = {}
    for classes in axes:
        key = int(joined.roots(table[classes[:1]])[0])
        found.setdefault(key, {}).update(dict.fromkeys(classes.tolist()))
    return [list(classes) for classes in found.values()]


def _pieces(constraint: Pieces) -> dict[int, int]:
    return dict(zip(constraint.classes.tolist(), constraint.counts.argmax(axis=0).tolist(), strict=True))
