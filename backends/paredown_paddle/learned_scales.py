"""The parameters that a training with fake quantization learns beside the network's: step sizes, clipping levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paredown.algorithms.learned_scales import GREATEST_CHANGE, SMALLEST_FACTOR, gradient_scale, learns_level
from paredown.algorithms.qat import key_of
from paredown.contracts import FloatArray, PointKey, Quantizing
from paredown.plan import QuantizedTensor
from paredown_paddle.divergence import diverged
from paredown_paddle.fake_quantization import Grid, row_sums, value_range
from paredown_paddle.framework import paddle
from paredown_paddle.straight_through import (
    Result,
    clipped,
    level_scale,
    passed_through,
    step_slope,
    straight_through,
)

Unit = Callable[[], FloatArray]
"""What scales are measured in at present: float64 and positive, [scales], or [1] for all of them."""


def _one() -> FloatArray:
    return np.ones(1)


@dataclass
class StepSize:
    """The learned step sizes of one tensor (Esser et al., 2020), float32 [scales]: share * start * unit.

    What the paper learns is the step size of a weight as it is. Where the weight is quantized after multiplying it with
    BatchNorm's factor, its step size is here that same one times the unit, the factor's size in each row: learning is
    then as fast as in the paper whatever the factor, and step sizes follow the factor when BatchNorm learns.

    The optimizer moves the shares, which begin at 1, and their gradient is that of share * start by the start. Gradient
    descent so moves that product as if it were the parameter, and Adam, whose steps do not depend on the size of
    gradients, moves it by a share of itself, whatever its size.

    Attributes:
        share: float32 [scales], the parameter.
        start: float64 [scales], in units.
        unit: Gives the unit.
    """

    share: Any
    start: FloatArray
    unit: Unit

    @classmethod
    def starting(cls, tensor: QuantizedTensor, unit: Unit) -> StepSize:
        """Step sizes that start from the scales of a tensor."""
        start = np.asarray(tensor.scale, dtype=np.float64) / unit()
        return cls(_parameter(np.ones_like(start), decayed=False), start, unit)

    @property
    def scale(self) -> Any:
        """The step sizes now."""
        whole = paddle.to_tensor(self.start * self.unit(), dtype="float64", place=self.share.place)
        product = self.share.detach().astype("float64") * whole
        return paddle.clip(product.astype("float32"), min=SMALLEST_FACTOR)

    def restart(self, tensor: QuantizedTensor, before: QuantizedTensor) -> None:
        """Starts again from the scales of a tensor, in the rows that differ from what they started from before."""
        pairs = [zip(each.scale, each.zero_point, strict=True) for each in (tensor, before)]
        begins = np.array([new != old for new, old in zip(*pairs, strict=True)])
        self.start = np.where(begins, np.asarray(tensor.scale, dtype=np.float64) / self.unit(), self.start)
        paddle.assign(np.where(begins, np.float32(1), self.share.numpy()), output=self.share)

    def learner(self, tensor: QuantizedTensor, slope: Any, count: int) -> Callable[[Any], Any]:
        """Turns the gradient of a fake-quantized tensor into that of the shares.

        Args:
            tensor: How it is quantized.
            slope: Of the result in the step size, element for element.
            count: The numbers that have one step size; its gradient is multiplied with 1 / sqrt(count * qmax) (section
                2.2 of the paper).
        """
        of_sum = self.unit() / self.start * gradient_scale(count, tensor)
        factor = paddle.to_tensor(of_sum, dtype="float64", place=self.share.place)

        def learn(gradient: Any) -> Any:
            sums = row_sums(gradient * slope, tensor.axis, tensor.group_size)
            return (sums.astype("float64") * factor).astype("float32")

        return learn


class LearnedScales:
    """One parameter for each leading point whose range is learned.

    Args:
        quantizing: What is quantized, and what is learned of it.
        units: By leader, what its step sizes are measured in, where that is not 1.

    Attributes:
        steps: Step sizes (LSQ) by leader. They start from the points' own scales.
        levels: Clipping levels (PACT), float32 [1], by leader. They start where the calibrated range ends.
    """

    def __init__(self, quantizing: Quantizing, units: Mapping[PointKey, Unit] | None = None) -> None:
        self.tensors: dict[PointKey, QuantizedTensor] = {}
        for point in quantizing.points:
            self.tensors.setdefault(quantizing.leader(key_of(point)), point.tensor)
        ports = {quantizing.leader(key_of(point)): point.port for point in quantizing.points}
        self.steps: dict[PointKey, StepSize] = {}
        self.levels: dict[PointKey, Any] = {}
        for key, tensor in self.tensors.items():
            if quantizing.pact and ports[key] != "weight" and learns_level(tensor):
                # PACT has weight decay pull the level down, as far as the loss lets it.
                self.levels[key] = _parameter([tensor.scale[0] * tensor.qmax], decayed=True)
            elif quantizing.learned:
                self.steps[key] = StepSize.starting(tensor, (units or {}).get(key, _one))
        self._before = [parameter.detach().clone() for parameter in self.parameters()]
        self._quantizing = quantizing
        learned = {*self.steps, *self.levels}
        self._waiting = {key for key in learned if ports[key] != "weight" and quantizing.is_silent(key)}

    def parameters(self) -> list[Any]:
        """All of them, for the optimizer."""
        return [*(step.share for step in self.steps.values()), *self.levels.values()]

    def is_decayed(self, name: str) -> bool:
        """Whether weight decay applies to the parameter of this name; to any that is not a step size, it does."""
        return all(step.share.name != name for step in self.steps.values())

    def quantized(self, leader: PointKey, values: Any) -> Any:
        """An activation after fake quantization with what is learned for its leader, once it is not zero."""
        if leader in self._waiting:
            given = self._quantizing.activation(leader, *value_range(values))
            # A range that turns out to reach below zero has no level to learn, and goes on following the batches.
            fits = leader in self.steps or learns_level(given)
            if self._quantizing.is_silent(leader) or not fits:
                return straight_through(values, given)
            self.restart(leader, given)
            self._waiting.remove(leader)
        tensor = self.tensors[leader]
        if leader in self.levels:
            return clipped(values, tensor, self.levels[leader])
        return _stepped(values, tensor, self.steps[leader])

    def restart(self, leader: PointKey, tensor: QuantizedTensor) -> None:
        """Starts again from a tensor, in the rows that differ from what they started from."""
        with paddle.no_grad():
            if leader in self.levels:
                level = self.levels[leader]
                paddle.assign(np.array([tensor.scale[0] * tensor.qmax], np.float32), output=level)
            else:
                self.steps[leader].restart(tensor, self.tensors[leader])
            self._before = [parameter.detach().clone() for parameter in self.parameters()]
        self.tensors[leader] = tensor

    def after_step(self) -> None:
        """Bounds what a step of the optimizer did."""
        with paddle.no_grad():
            for parameter, before in zip(self.parameters(), self._before, strict=True):
                low, high = before * (1 - GREATEST_CHANGE), before * (1 + GREATEST_CHANGE)
                paddle.assign(paddle.minimum(paddle.maximum(parameter, low), high), output=parameter)
                paddle.assign(parameter, output=before)

    def require_finite(self, where: str) -> None:
        """Raises `TrainingDiverged` where a learned number is none any more."""
        for key, parameter in zip([*self.steps, *self.levels], self.parameters(), strict=True):
            if not bool(paddle.isfinite(parameter).all()):
                raise diverged(f"{where}, {key[0]} ({key[1]})", "NaN or infinity in a learned scale")

    def learned(self) -> Mapping[PointKey, QuantizedTensor]:
        """How each leader is quantized by now, without activations that were zero all the time; float32 scales."""
        with paddle.no_grad():
            scales = {key: step.scale for key, step in self.steps.items()}
            scales.update({key: level_scale(level, self.tensors[key]) for key, level in self.levels.items()})
        return {
            key: self.tensors[key].model_copy(update={"scale": tuple(scale.numpy().tolist())})
            for key, scale in scales.items()
            if key not in self._waiting
        }


def _stepped(values: Any, tensor: QuantizedTensor, step: StepSize) -> Any:
    """Fake quantization with learned step sizes; the paper counts the features of a layer, not those of all images."""
    with paddle.no_grad():
        scale = step.scale
        grid = Grid(tensor, values, scale)
        slope, inside = step_slope(values, tensor, scale)
        learn = step.learner(tensor, slope, values.size // values.shape[0])
        result = Result(grid.restored(grid.steps(values)), inside, learn)
    return passed_through(values, result, step.share)


def _parameter(start: Any, *, decayed: bool) -> Any:
    values = np.asarray(start, dtype=np.float32)
    # Momentum asks each parameter for its own decay; AdamW asks `is_decayed`.
    decay = None if decayed else paddle.regularizer.L2Decay(0.0)
    return paddle.create_parameter(
        [len(values)],
        "float32",
        attr=paddle.ParamAttr(regularizer=decay),
        default_initializer=paddle.nn.initializer.Assign(values),
    )
