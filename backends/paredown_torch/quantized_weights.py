"""One layer's weight, fake-quantized while the network trains."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.learned_scales import factor_size
from paredown.contracts import FloatArray
from paredown.plan import QuantizedTensor
from paredown_torch.fake_quantization import grid_of
from paredown_torch.learned_scales import LearnedScale
from paredown_torch.straight_through import Factor, straight_through


class QuantizedWeight:
    """A weight that is quantized as it will be deployed: multiplied with what its BatchNorm folds into it."""

    def __init__(
        self, parameter: nn.Parameter, norm: _BatchNorm | None, tensor: QuantizedTensor, *, learned: bool
    ) -> None:
        """Takes the weight, the BatchNorm behind its layer that is folded, its scales, and whether they are learned.

        Raises:
            ValueError: There is not one scale and zero point for each row of the weight.
        """
        self.parameter, self._norm = parameter, norm
        self.scale: LearnedScale | None = None
        self.take(tensor)
        if learned:
            self.scale = LearnedScale(tensor, parameter.device, lambda: self._unit(tensor))
            self._sharing = parameter.numel() // len(tensor.scale)

    def take(self, tensor: QuantizedTensor) -> None:
        """Takes new scales; where they are learned, for the rows that begin.

        Raises:
            ValueError: There is not one scale and zero point for each row of the weight.
        """
        self._grid = grid_of(tensor, self.parameter.detach())
        if self.scale is not None:
            self.scale.restart(tensor)

    def quantized(self) -> torch.Tensor:
        """The weight to compute with: fake_quantize(w * k) / k, k = gamma / sqrt(running variance + eps)."""
        if self.scale is not None:
            return self.scale.quantize(self.parameter, self._sharing, self._factor())
        return straight_through(self.parameter, self._grid, self._factor())

    def _unit(self, tensor: QuantizedTensor) -> torch.Tensor:
        factor = self._factor_array()
        return torch.ones(1, dtype=torch.float64) if factor is None else torch.from_numpy(factor_size(factor, tensor))

    def _factor(self) -> Factor:
        factor = self._factor_array()
        if factor is None:
            return None
        return torch.from_numpy(factor).to(self.parameter.device).reshape((-1,) + (1,) * (self.parameter.ndim - 1))

    def _factor_array(self) -> FloatArray | None:
        """[out], float64; None without a BatchNorm."""
        if self._norm is None:
            return None
        variance = self._norm.running_var
        assert variance is not None, "the student takes no other BatchNorm"
        gamma = np.ones(len(variance), np.float32) if self._norm.weight is None else _array(self._norm.weight)
        return fold_factor(gamma, _array(variance), self._norm.eps)


def _array(tensor: torch.Tensor) -> FloatArray:
    return np.asarray(tensor.detach().cpu().numpy())
