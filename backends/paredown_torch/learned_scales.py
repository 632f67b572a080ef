"""Parameters of a training with fake quantization: step sizes (LSQ) and upper ends of ranges (PACT)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from paredown.algorithms.learned_scales import GREATEST_CHANGE, gradient_scale
from paredown.plan import QuantizedTensor
from paredown_torch.fake_quantization import Grid, grid_of, per_element
from paredown_torch.straight_through import Factor, learned_clip, learned_step, scaled_start


def _one() -> torch.Tensor:
    return torch.ones(1, dtype=torch.float64)


class LearnedScale:
    """The scales of one tensor, learned from where a plan put them; zero points stay (Esser et al., 2020, LSQ).

    What the paper learns is the scale of a weight as it is. Where the weight is quantized after multiplying it with
    BatchNorm's factor, its scale is here that same scale times the `unit`, the factor's size in each row: learning is
    then as fast as in the paper whatever the factor, and scales follow the factor when BatchNorm learns.
    """

    def __init__(self, tensor: QuantizedTensor, device: torch.device, unit: Callable[[], torch.Tensor] = _one) -> None:
        """Starts from the scales of `tensor`; `unit` gives the present unit of each scale, float64 and positive."""
        self._tensor, self._unit = tensor, unit
        self._start = self._in_units(tensor, device)
        self.parameter = nn.Parameter(torch.ones_like(self._start, dtype=torch.float32))
        """What is learned: each scale as a share of its start, in units."""
        self._before = self.parameter.detach().clone()

    def quantize(self, values: torch.Tensor, sharing: int, factor: Factor = None) -> torch.Tensor:
        """Fake quantization of `values`; `sharing` counts the numbers that share a scale.

        The gradient of a scale is multiplied with 1 / sqrt(sharing * qmax) (section 2.2 of the paper).

        Raises:
            ValueError: There is not one scale for each row of the values.
        """
        fixed = grid_of(self._tensor, values)
        factor_of_gradient = gradient_scale(sharing, self._tensor)
        scale = scaled_start(self._start, self.parameter, self._unit().to(self._start), factor_of_gradient)
        grid: Grid = replace(fixed, scale=per_element(scale, self._tensor, values.shape))
        return learned_step(values, grid, factor)

    @torch.no_grad()
    def restart(self, tensor: QuantizedTensor) -> None:
        """Starts again from the scales of `tensor`, in the rows that differ from what they started from."""
        pairs = [zip(each.scale, each.zero_point, strict=True) for each in (tensor, self._tensor)]
        begins = torch.tensor([new != old for new, old in zip(*pairs, strict=True)], device=self._start.device)
        self._start = torch.where(begins, self._in_units(tensor, self._start.device), self._start)
        self.parameter[begins] = 1.0
        self._tensor, self._before = tensor, self.parameter.detach().clone()

    def after_step(self) -> None:
        """Bounds what a step of the optimizer did."""
        self._before = _bounded(self.parameter, self._before)

    @torch.no_grad()
    def tensor(self) -> QuantizedTensor:
        """What was learned, with the very float32 numbers that the training computes with."""
        scale = scaled_start(self._start, self.parameter, self._unit().to(self._start), 1.0)
        return self._tensor.model_copy(update={"scale": tuple(scale.cpu().tolist())})

    def _in_units(self, tensor: QuantizedTensor, device: torch.device) -> torch.Tensor:
        return torch.tensor(tensor.scale, dtype=torch.float64, device=device) / self._unit().to(device)


class LearnedClip:
    """The upper end of a range from zero on (Choi et al., 2018, PACT)."""

    def __init__(self, tensor: QuantizedTensor, device: torch.device) -> None:
        """Starts from the upper end of `tensor`."""
        self._tensor = tensor
        self.parameter = nn.Parameter(torch.tensor(tensor.scale, dtype=torch.float32, device=device) * tensor.qmax)
        """What is learned: the upper end, one number."""
        self._before = self.parameter.detach().clone()

    def quantize(self, values: torch.Tensor) -> torch.Tensor:
        """Fake quantization of `values`."""
        return learned_clip(values, self.parameter, self._tensor.qmax)

    @torch.no_grad()
    def restart(self, tensor: QuantizedTensor) -> None:
        """Starts again from the upper end of `tensor`."""
        self.parameter.fill_(tensor.scale[0] * tensor.qmax)
        self._tensor, self._before = tensor, self.parameter.detach().clone()

    def after_step(self) -> None:
        """Bounds what a step of the optimizer did."""
        self._before = _bounded(self.parameter, self._before)

    def tensor(self) -> QuantizedTensor:
        """What was learned, with the very float32 number that the training computed with."""
        scale = (self.parameter.detach() / self._tensor.qmax).cpu()
        return self._tensor.model_copy(update={"scale": tuple(scale.tolist())})


@torch.no_grad()
def _bounded(parameter: nn.Parameter, before: torch.Tensor) -> torch.Tensor:
    low, high = before * (1 - GREATEST_CHANGE), before * (1 + GREATEST_CHANGE)
    parameter.copy_(torch.minimum(torch.maximum(parameter, low), high))
    return parameter.detach().clone()
