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
    relative = [values / mean if (mean := float(np.mean(values))) else values for values in scores]
    owner = np.concatenate([np.full(group.size, index) for index, group in enumerate(groups)])
    position = np.concatenate([np.arange(group.size) for group in groups])
    order = np.lexsort((-position, owner, np.concatenate(relative)))
    removed = [0] * len(groups)
    wanted = _share(len(order), ratio)
    for index in owner[order]:
        if wanted == 0:
            break
        if removed[index] < groups[index].size - groups[index].blocks:
            removed[index] += 1
            wanted -= 1
    return removed


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
