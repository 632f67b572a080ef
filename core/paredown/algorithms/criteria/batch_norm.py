"""Network slimming: the scale that normalisation gives a channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray


def bn_scale(slices: ChannelSlices, options: Any) -> FloatArray | None:  # noqa: ARG001
    """The mean over normalisations of |gamma|; sharper after training with `bn_l1`.

    Liu et al., 2017, "Learning Efficient Convolutional Networks through Network Slimming".

    Args:
        slices: Its `weights` with the role `scale`, [channels, positions], float64.
        options: Unused.

    Returns:
        [channels], float64; None where no normalisation has a scale.
    """
    scales = [values for values, role in zip(slices.weights, slices.roles, strict=True) if role == "scale"]
    return np.asarray(np.mean([np.abs(values).mean(axis=1) for values in scales], axis=0)) if scales else None
