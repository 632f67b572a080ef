"""Quantization while a network trains (Jacob et al., 2018, section 3): which scales hold at which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.fold import fold_factor
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.contracts import FloatArray, Fold, PointKey, State
from paredown.plan import QuantizationPoint, QuantizedTensor
from paredown.spec.models import QuantizeActivations, QuantizeWeights


def key_of(point: QuantizationPoint) -> PointKey:
    """The key of a point."""
    return point.layer, point.port, point.index


def represented_range(tensor: QuantizedTensor) -> tuple[float, float]:
    """The smallest and the greatest number that a tensor with one scale represents."""
    scale, zero_point = tensor.scale[0], tensor.zero_point[0]
    return (tensor.qmin - zero_point) * scale, (tensor.qmax - zero_point) * scale


@dataclass(frozen=True, slots=True)
class Schedule:
    """When what changes, in steps of the optimizer: weights' scales every so many, all ranges until `freeze`."""

    every: int
    freeze: int


class TrainingScales:
    """The scales of a training with fake quantization; `paredown.contracts.Quantizing`.

    Scales of weights follow the folded weights. Ranges of activations follow the batches: with `momentum` m, a = m * a
    + (1 - m) * batch; without one the range only grows. Both start as calibrated, and stay from `schedule.freeze` on,
    with the statistics of BatchNorm, so that the network settles on the numbers that it will be deployed with.
    """

    def __init__(
        self,
        points: tuple[QuantizationPoint, ...],
        folds: tuple[Fold, ...],
        epsilons: Mapping[str, float],
        leaders: Mapping[PointKey, PointKey],
        weights: QuantizeWeights,
        activations: QuantizeActivations,
        target: str,
        schedule: Schedule,
        *,
        momentum: float | None,
        learned: bool = False,
        pact: bool = False,
    ) -> None:
        """Starts from calibrated points.

        Args:
            points: Those of layers.
            folds: The BatchNorm layers that are folded when the network is deployed.
            epsilons: The epsilon of each of these.
            leaders: The point whose scale each activation point takes, where that is another.
            weights: How weights are quantized.
            activations: How activations are.
            target: What the file is for.
            schedule: When scales change.
            momentum: Of the moving average of ranges; None for the extremes seen.
            learned: Scales are learned; nothing here changes.
            pact: Upper ends of ranges are learned.
        """
        self.points = points
        self.folds = folds
        self.freeze_bn: int | None = schedule.freeze
        self.learned = learned
        self.pact = pact
        self._factors = {fold.layer: (fold.batch_norm, epsilons[fold.batch_norm]) for fold in folds}
        self._leaders = dict(leaders)
        self._weights, self._activations, self._target = weights, activations, target
        self._schedule, self._momentum = schedule, momentum
        self._step = 0
        self._tensors = {key_of(point): point.tensor for point in points if point.port != "weight"}
        self._ranges = {key: represented_range(tensor) for key, tensor in self._tensors.items()}

    def leader(self, key: PointKey) -> PointKey:
        """The point whose scale a point takes."""
        return self._leaders.get(key, key)

    def is_due(self, step: int) -> bool:
        """Whether weights get new scales before this step, and remembers the step."""
        self._step = step
        return not self.learned and step % self._schedule.every == 0

    def update(self, step: int, weights: State) -> tuple[QuantizationPoint, ...]:
        """The weight points, from all arrays as they are."""
        self._step = step
        found = []
        for point in self.points:
            if point.port == "weight":
                values = self._folded(point.layer, weights)
                tensor = weight_qparams(values, self._weights, self._target, where=f"{point.layer}.weight")
                found.append(point.model_copy(update={"tensor": tensor}))
        return tuple(found)

    def activation(self, key: PointKey, minimum: float, maximum: float) -> QuantizedTensor:
        """How to quantize a tensor now, given the range of its values in this batch."""
        leader = self.leader(key)
        if leader == key and self._step < self._schedule.freeze and np.isfinite(minimum) and np.isfinite(maximum):
            low, high = self._ranges[key]
            if self._momentum is None:
                low, high = min(low, minimum), max(high, maximum)
            else:
                low = self._momentum * low + (1 - self._momentum) * minimum
                high = self._momentum * high + (1 - self._momentum) * maximum
            self._ranges[key] = low, high
            self._tensors[key] = activation_qparams(
                low, high, bits=self._activations.bits, symmetric=self._activations.symmetric, where=key[0]
            )
        return self._tensors[leader]

    def trained(self) -> dict[PointKey, QuantizedTensor]:
        """How activations are quantized by now, by leading point."""
        return {key: tensor for key, tensor in self._tensors.items() if self.leader(key) == key}

    def _folded(self, layer: str, weights: State) -> FloatArray:
        values = np.asarray(weights[f"{layer}.weight"])
        if layer not in self._factors:
            return values
        batch_norm, eps = self._factors[layer]
        variance = np.asarray(weights[f"{batch_norm}.running_var"])
        gamma = np.asarray(weights.get(f"{batch_norm}.weight", np.ones_like(variance)))
        factor = fold_factor(gamma, variance, eps)
        with np.errstate(over="ignore"):  # an infinite weight is an error with the layer's name, in qparams
            folded: FloatArray = (values * factor.reshape((-1,) + (1,) * (values.ndim - 1))).astype(np.float32)
        return folded
