"""Quantization while a network trains (Jacob et al., 2018, section 3): which scales hold at which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.fold import fold_factor, fold_weight
from paredown.algorithms.observers.extremes import averaged
from paredown.algorithms.qparams import activation_qparams, weight_qparams
from paredown.algorithms.starting import is_zero, may_be_placeholder, started
from paredown.contracts import FloatArray, Fold, PointKey, State
from paredown.errors import TrainingDiverged
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
    + (1 - m) * batch, of absmax where integers are symmetric; without one the range only grows. Both start as
    calibrated, and stay from `schedule.freeze` on, with the statistics of BatchNorm, so that the network settles on the
    numbers that it will be deployed with.

    A tensor that was zero in calibration has a scale of 1 for want of values: its range is that of the first batch with
    other numbers, at whatever step. So have rows of weights that are zero, or that BatchNorm multiplies with zero; see
    `starting`.
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
        ranges: Mapping[PointKey, tuple[float, float]] | None = None,
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
            learned: Scales are learned; here only those begin that nothing was known of.
            pact: Upper ends of ranges are learned.
            ranges: As calibrated, (minimum, maximum) by point on an activation: which of them were zero. The others
                start from what their tensors represent.
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
        zero = {key: (0.0, 0.0) for key, seen in (ranges or {}).items() if is_zero(*seen)}
        self._ranges = {key: zero.get(key, represented_range(tensor)) for key, tensor in self._tensors.items()}
        self._rows = {
            point.layer: (point.tensor, may_be_placeholder(point.tensor)) for point in points if point.port == "weight"
        }

    def leader(self, key: PointKey) -> PointKey:
        """The point whose scale a point takes."""
        return self._leaders.get(key, key)

    def is_silent(self, key: PointKey) -> bool:
        """Whether a point's tensor was zero in all that was seen so far: its scale says nothing."""
        return is_zero(*self._ranges[self.leader(key)])

    def is_due(self, step: int) -> bool:
        """Whether weights get new scales before this step, and remembers the step."""
        self._step = step
        if self.learned and not any(waiting.any() for _, waiting in self._rows.values()):
            return False
        return step % self._schedule.every == 0

    def update(self, step: int, weights: State) -> tuple[QuantizationPoint, ...]:
        """The weight points, from all arrays as they are; where scales are learned, those in which some row begins.

        All other rows of such a point are as they were given before.
        """
        self._step = step
        found = []
        for point in self.points:
            if point.port == "weight":
                tensor = self._begun(point.layer, weights) if self.learned else self._measured(point.layer, weights)
                if tensor is not None:
                    found.append(point.model_copy(update={"tensor": tensor}))
        return tuple(found)

    def activation(self, key: PointKey, minimum: float, maximum: float) -> QuantizedTensor:
        """How to quantize a tensor now, given the range of its values in this batch.

        Raises:
            TrainingDiverged: A bound is not finite.
        """
        if not (np.isfinite(minimum) and np.isfinite(maximum)):
            raise TrainingDiverged(
                "training diverged: an activation is no longer finite",
                where=f"step {self._step + 1}, {key[1]} of {key[0]}",
                value=f"values from {minimum} to {maximum}",
                expected="finite numbers",
                remedy="look for NaN in the images; lower the learning rate, or add warmup_epochs to the schedule",
            )
        leader = self.leader(key)
        if leader == key:
            self._see(key, minimum, maximum)
        return self._tensors[leader]

    def trained(self) -> dict[PointKey, QuantizedTensor]:
        """How activations are quantized by now, by leading point; without those that were zero all the time."""
        return {
            key: tensor for key, tensor in self._tensors.items() if self.leader(key) == key and not self.is_silent(key)
        }

    def _see(self, key: PointKey, minimum: float, maximum: float) -> None:
        """Takes the range of a batch in, where that is still to change something."""
        low, high = self._ranges[key]
        if is_zero(low, high):
            if is_zero(minimum, maximum):
                return
            low, high = minimum, maximum
        elif self._step >= self._schedule.freeze:
            return
        elif self._momentum is None:
            low, high = min(low, minimum), max(high, maximum)
        else:
            seen = minimum, maximum
            low, high = averaged((low, high), seen, self._momentum, symmetric=self._activations.symmetric)
        self._ranges[key] = low, high
        bits, symmetric = self._activations.bits, self._activations.symmetric
        self._tensors[key] = activation_qparams(low, high, bits=bits, symmetric=symmetric, where=key[0])

    def _measured(self, layer: str, weights: State) -> QuantizedTensor:
        """How a weight is quantized as it will be deployed."""
        values, factor = self._weight(layer, weights)
        return self._qparams(layer, values if factor is None else fold_weight(values, factor))

    def _begun(self, layer: str, weights: State) -> QuantizedTensor | None:
        """A weight with scales for the rows that are zero no longer; None where there is none."""
        tensor, waiting = self._rows[layer]
        if not waiting.any():
            return None
        values, factor = self._weight(layer, weights)
        begun, still = started(tensor, waiting, values, factor, lambda given: self._qparams(layer, given))
        self._rows[layer] = begun, still
        return None if np.array_equal(still, waiting) else begun

    def _qparams(self, layer: str, values: FloatArray) -> QuantizedTensor:
        return weight_qparams(values, self._weights, self._target, where=f"{layer}.weight")

    def _weight(self, layer: str, weights: State) -> tuple[FloatArray, FloatArray | None]:
        """A weight, and what BatchNorm multiplies its channels with: [out], float64."""
        values = np.asarray(weights[f"{layer}.weight"])
        if layer not in self._factors:
            return values, None
        batch_norm, eps = self._factors[layer]
        variance = np.asarray(weights[f"{batch_norm}.running_var"])
        gamma = np.asarray(weights.get(f"{batch_norm}.weight", np.ones_like(variance)))
        return values, fold_factor(gamma, variance, eps)
