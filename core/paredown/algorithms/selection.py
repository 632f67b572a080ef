"""Which channels go: a share of each group, or of all groups ordered together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from paredown.contracts import FloatArray
from paredown.plan import Cut, Group


def select(
    groups: Sequence[Group], scores: Sequence[FloatArray], ratio: float, scope: Literal["local", "global"]
) -> tuple[Cut, ...]:
    """Chooses the least important share of channels. Ties keep the lower index.

    Args:
        groups: The groups that may be cut.
        scores: For each group, [size], greater is more important.
        ratio: The share removed, of each group (`local`) or of all channels together (`global`).
        scope: `global` divides a group's scores by their mean first, so that layers of other magnitudes compare.

    Returns:
        A cut for each group that loses channels. Every group keeps at least one channel of each block.
    """
    counts = _local(groups, ratio) if scope == "local" else _global(groups, scores, ratio)
    cuts = (
        Cut(group=group, remove=_least(group, values, count))
        for group, values, count in zip(groups, scores, counts, strict=True)
    )
    return tuple(cut for cut in cuts if cut.remove)


def _local(groups: Sequence[Group], ratio: float) -> list[int]:
    return [_share(group.size, ratio) for group in groups]


def _global(groups: Sequence[Group], scores: Sequence[FloatArray], ratio: float) -> list[int]:
    """How many channels each group loses. What goes at once is a unit: one channel of every block of a group."""
    units = [_units(group, values) for group, values in zip(groups, scores, strict=True)]
    owner = np.concatenate([np.full(len(unit), index) for index, unit in enumerate(units)])
    position = np.concatenate([np.arange(len(unit)) for unit in units])
    order = np.lexsort((position, owner, np.concatenate(units)))
    removed = [0] * len(groups)
    wanted = _share(sum(group.size for group in groups), ratio)
    for index in owner[order]:
        blocks = groups[index].blocks
        if blocks <= wanted and removed[index] < groups[index].size - blocks:
            removed[index] += blocks
            wanted -= blocks
    return removed


def _units(group: Group, scores: FloatArray) -> FloatArray:
    """The scores of a group's units, ascending, relative to the mean of its scores."""
    mean = float(np.mean(scores))
    relative = scores / mean if mean else scores
    return np.asarray(np.sort(relative.reshape(group.blocks, -1), axis=1).mean(axis=0))


def _share(count: int, ratio: float) -> int:
    # 0.29 * 100 is 28.999999999999996: a person who writes 0.29 means 29.
    return int(count * ratio + 1e-9)


def _least(group: Group, values: FloatArray, count: int) -> tuple[int, ...]:
    width = group.size // group.blocks
    each = min(count // group.blocks, width - 1)
    chosen: list[int] = []
    for start in range(0, group.size, width):
        block = values[start : start + width]
        order = np.lexsort((-np.arange(width), block))
        chosen.extend(int(start + index) for index in order[:each])
    return tuple(sorted(chosen))
