"""Redundancy: how far a filter lies from the other filters of its layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.contracts import ChannelSlices, FloatArray


def fpgm(slices: ChannelSlices, options: Any) -> FloatArray | None:  # noqa: ARG001
    """The mean distance to the other filters: sum_j |f_i - f_j| / (channels - 1), Euclidean.

    A filter near the geometric median of its layer can be spoken for by the others (He et al., 2019, "Filter Pruning
    via Geometric Median for Deep Convolutional Neural Networks Acceleration", equation 7; there the sum). The filters
    are the slices of members with the role `output`; where several layers are coupled, the mean over them. Inputs,
    biases and normalisations do not enter: they are no filters. A channel without others scores its filter's norm.

    Args:
        slices: Its `weights`, [channels, elements], float64, and `roles`.
        options: Unused.

    Returns:
        [channels], float64; None where no member is a layer's output.
    """
    filters = [values for values, role in zip(slices.weights, slices.roles, strict=True) if role == "output"]
    return np.asarray(np.mean([_mean_distance(values) for values in filters], axis=0)) if filters else None


def _mean_distance(filters: FloatArray) -> FloatArray:
    if len(filters) == 1:
        return np.asarray(np.linalg.norm(filters, axis=1))
    # Distances do not change when all are moved; around the mean the products below cancel least.
    centred = filters - filters.mean(axis=0)
    products = centred @ centred.T
    norms = np.diagonal(products)
    squared = np.maximum(norms[:, None] + norms[None, :] - 2 * products, 0.0)
    np.fill_diagonal(squared, 0.0)
    return np.asarray(np.sqrt(squared).sum(axis=1) / (len(filters) - 1))
