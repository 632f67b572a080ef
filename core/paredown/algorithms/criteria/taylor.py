"""First-order Taylor expansion: what the loss would change by without a channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray
from paredown.errors import PlanError


def taylor(slices: ChannelSlices, options: Any) -> FloatArray:  # noqa: ARG001
    """The mean over members of the mean over batches of (sum w * dL/dw)^2.

    Molchanov et al., 2019, "Importance Estimation for Neural Network Pruning", equation 8, with the sum over a
    channel's slice as one group of weights.

    Args:
        slices: Its `gradients`, [channels, batches], float64: weight times gradient summed over each member's slice.
        options: How many images the gradients came from; used where they are measured.

    Returns:
        [channels], float64.

    Raises:
        PlanError: No gradients were measured.
    """
    if not slices.gradients:
        raise PlanError(
            "the criterion `taylor` has no gradients to go by",
            where=f"group {slices.group}",
            value="none measured",
            expected="weight times gradient for each member",
            remedy="measure `gradients` on training batches first",
        )
    return np.asarray(np.mean([np.square(values).mean(axis=1) for values in slices.gradients], axis=0))
