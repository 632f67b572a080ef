"""Activity: how much the layers that read a channel see of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray


def activation(slices: ChannelSlices, options: Any) -> FloatArray | None:
    """The mean over reading layers of the mean |x|, or of the share of values that are not zero.

    `mean_absolute`: Molchanov et al., 2017, "Pruning Convolutional Neural Networks for Resource Efficient Inference",
    section 2.2, on absolute values. `apoz`: 1 - the average percentage of zeros (Hu et al., 2016, "Network Trimming",
    equation 1).

    Args:
        slices: Its `activity`: a layer's statistics, each [channels], float64.
        options: `statistic`: `mean_absolute` or `apoz`.

    Returns:
        [channels], float64; None where no measured layer reads the channels.
    """
    if not slices.activity:
        return None
    if options.statistic == "apoz":
        return np.asarray(np.mean([1.0 - layer.zeros for layer in slices.activity], axis=0))
    return np.asarray(np.mean([layer.mean_absolute for layer in slices.activity], axis=0))
