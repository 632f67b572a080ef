"""The networks' sides of a lesson: what one gave as the losses take it, and projections that learn with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.lesson import Answer
from paredown.contracts import Array
from paredown_paddle.framework import paddle
from paredown_paddle.mixed_precision import MixedPrecision
from paredown_paddle.outputs import as_returned


def answered(returned: Any, taps: Mapping[str, Any], precision: MixedPrecision) -> Answer:
    """What a network returned and gave at its taps, as the losses take it.

    Raises:
        ModelError: It returned neither a tensor nor a tuple of tensors.
    """
    return Answer(as_returned(returned), taps).through(precision.given)


class Projections:
    """The 1x1 convolutions and Linear layers between a student's taps and its teacher's; parts of no network.

    Args:
        arrays: The weights to start from, in torch's layout.
        dtype: What they are kept in.
    """

    def __init__(self, arrays: Mapping[tuple[int, int], Array], dtype: str) -> None:
        self._weights = {place: _parameter(values, dtype) for place, values in arrays.items()}

    def parameters(self) -> list[Any]:
        """All weights, for the optimizer."""
        return list(self._weights.values())

    def applied(self, place: tuple[int, int], values: Any) -> Any:
        """A tap of the student in the teacher's channels: [batch, channels, height, width] or [batch, features]."""
        weight = self._weights.get(place)
        if weight is None:
            return values
        if weight.ndim == 4:
            return paddle.nn.functional.conv2d(values, weight)
        return paddle.matmul(values, weight, transpose_y=True)


def _parameter(values: Array, dtype: str) -> Any:
    return paddle.create_parameter(
        list(values.shape), dtype, default_initializer=paddle.nn.initializer.Assign(np.array(values, dtype=dtype))
    )
