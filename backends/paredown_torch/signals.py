"""The networks' sides of a lesson: what one gave as the losses take it, and projections that learn with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from paredown.algorithms.lesson import Answer
from paredown.contracts import Array
from paredown_torch.mixed_precision import MixedPrecision
from paredown_torch.outputs import as_returned


def answered(returned: Any, taps: Mapping[str, torch.Tensor], precision: MixedPrecision) -> Answer:
    """What a network returned and gave at its taps, as the losses take it.

    Raises:
        ModelError: It returned neither a tensor nor a tuple of tensors.
    """
    return Answer(as_returned(returned), taps).through(precision.given)


class Projections:
    """The 1x1 convolutions and Linear layers between a student's taps and its teacher's; parts of no network."""

    def __init__(self, arrays: Mapping[tuple[int, int], Array], like: torch.Tensor) -> None:
        """Starts from the given weights, as parameters of the device and the dtype of `like`."""
        self._weights = {
            place: nn.Parameter(torch.from_numpy(np.array(values)).to(like)) for place, values in arrays.items()
        }

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All weights, for the optimizer."""
        return list(self._weights.values())

    def applied(self, place: tuple[int, int], values: torch.Tensor) -> torch.Tensor:
        """A tap of the student in the teacher's channels: [batch, channels, height, width] or [batch, features]."""
        weight = self._weights.get(place)
        if weight is None:
            return values
        return functional.conv2d(values, weight) if weight.dim() == 4 else functional.linear(values, weight)
