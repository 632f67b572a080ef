"""The criterion itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.contracts import FloatArray
from paredown_example.plugin import LpCriterion


def lp(slices: Sequence[FloatArray], options: LpCriterion) -> FloatArray:
    """The mean over members of sum(|w|^p).

    Args:
        slices: One array a member, [channels, elements], float64.
        options: `p`.

    Returns:
        [channels], float64; greater is more important.
    """
    return np.asarray(np.mean([np.power(np.abs(values), options.p).sum(axis=1) for values in slices], axis=0))
