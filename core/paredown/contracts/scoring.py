"""What criteria are given and give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paredown.contracts.arrays import FloatArray
from paredown.contracts.measuring import Activity
from paredown.plan import MemberRole

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class ChannelSlices:
    """All that is known about the channels of one group that own positions in the same members.

    `weights[i]` is [channels, elements] of the member `parameters[i]` with the role `roles[i]`, float64, elements in C
    order. `gradients[i]` is [channels, batches]: weight times gradient summed over the member's slice. `activity` holds
    for each layer that reads the channels its statistics, each [channels]. `random` is a generator that core has
    seeded with the run's seed and the group's name.
    """

    group: str
    parameters: tuple[str, ...]
    roles: tuple[MemberRole, ...]
    weights: tuple[FloatArray, ...]
    gradients: tuple[FloatArray, ...] = ()
    activity: tuple[Activity, ...] = ()
    random: np.random.Generator | None = None


Criterion = Callable[[ChannelSlices, Any], "FloatArray | None"]
"""Scores channels: takes what is known about them and the options; returns one number a channel, greater is more
important, or None where it has nothing to go by (no BatchNorm, say): that group is left whole and named."""


WeightCriterion = Callable[["FloatArray", Any, "np.random.Generator"], "FloatArray"]
"""Scores single weights: takes one layer's weight in torch's layout, float64, the options and a seeded generator;
returns an array of the same shape, greater is more important."""
