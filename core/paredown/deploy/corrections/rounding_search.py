"""AdaRound's optimisation: which weights of one layer to round down, and which up (Nagel et al., 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paredown.algorithms.grouping import per_element
from paredown.plan import QuantizedTensor

if TYPE_CHECKING:
    from paredown.contracts import FloatArray, IntArray
    from paredown.spec.components import AdaRound

ZETA, GAMMA = 1.1, -0.1
"""How far the sigmoid is stretched before it is clipped to [0, 1] (Louizos et al., 2018)."""
FIRST_BETA, LAST_BETA = 20.0, 2.0
WARM = 0.2
"""The share of the iterations in which nothing pushes towards 0 or 1."""
BATCH = 256
LARGEST = 88.0
"""Beyond it the exponential overflows float32, and the sigmoid is 0 or 1 for good."""
FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Samples:
    """What a layer reads in the quantized network, and what it should give.

    `inputs` is [groups, count, numbers], `targets` [groups, count, outputs of a group], without the bias; `bias` is
    [groups, 1, outputs of a group], `rectified` says that a ReLU follows, so that only what it lets through counts.
    """

    inputs: FloatArray
    targets: FloatArray
    bias: FloatArray
    rectified: bool

    def part(self, start: int, stop: int) -> Samples:
        """The samples from `start` to before `stop`."""
        return Samples(self.inputs[:, start:stop], self.targets[:, start:stop], self.bias, self.rectified)

    def error(self, weight: FloatArray) -> float:
        """The mean squared error of the outputs with a weight of [groups, outputs of a group, numbers]."""
        return float(np.mean(np.square(self._difference(weight, slice(None))[0], dtype=np.float64)))

    def gradient(self, weight: FloatArray, chosen: IntArray) -> FloatArray:
        """The gradient of the mean squared error of the chosen samples by the weight."""
        difference, inputs = self._difference(weight, chosen)
        found: FloatArray = np.matmul(difference.transpose(0, 2, 1), inputs) * np.float32(2 / difference.size)
        return found

    def _difference(self, weight: FloatArray, chosen: IntArray | slice) -> tuple[FloatArray, FloatArray]:
        """Outputs minus targets, zero where the ReLU blocks the gradient, and the inputs."""
        inputs, targets = self.inputs[:, chosen], self.targets[:, chosen]
        outputs = np.matmul(inputs, weight.transpose(0, 2, 1))
        if not self.rectified:
            return outputs - targets, inputs
        outputs += self.bias
        wanted = np.maximum(targets + self.bias, 0)
        return np.maximum(outputs, 0) - wanted, inputs


def nearest(weight: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    """Whether rounding to nearest rounds up, 0 or 1 for each weight, in the weight's shape."""
    steps = _steps(weight, tensor)
    up: FloatArray = np.rint(steps) - np.floor(steps)
    return up


def rounded(weight: FloatArray, tensor: QuantizedTensor, up: FloatArray) -> FloatArray:
    """The weights with each rounded down plus `up` of a step, within the range of integers; float32."""
    scale, zero_point = _grid(weight.shape, tensor)
    steps = np.floor(weight.astype(np.float32) / scale) + up
    values: FloatArray = (np.clip(steps, tensor.qmin - zero_point, tensor.qmax - zero_point) * scale).astype(np.float32)
    return values


def learn(
    weight: FloatArray, tensor: QuantizedTensor, samples: Samples, options: AdaRound, random: np.random.Generator
) -> FloatArray | None:
    """Learns the direction of rounding by gradient descent on the layer's outputs.

    Equations 21 to 25 of the paper: W~ = s * clip(floor(W / s) + h(V), qmin, qmax) with the rectified sigmoid h,
    minimising the squared error of the outputs plus sum(1 - |2 h(V) - 1|^beta), beta going from 20 to 2. The error is
    taken by that of rounding to nearest, so that one strength of the second term fits every layer.

    Args:
        weight: The layer's weight, [out, ...].
        tensor: Its scales.
        samples: What to learn from.
        options: Iterations, learning rate, strength of the second term.
        random: Draws the samples of each iteration.

    Returns:
        0 (down) or 1 (up) for each weight, in the weight's shape; None where learning diverged: a variable is
        beyond `LARGEST`, or NaN.
    """
    shape = (len(samples.inputs), len(weight) // len(samples.inputs), -1)
    reference = samples.error(rounded(weight, tensor, nearest(weight, tensor)).reshape(shape))
    if reference == 0:
        return nearest(weight, tensor)
    soft = _SoftRounding(weight, tensor)
    optimizer = _Adam(soft.variable, options.lr)
    count = samples.inputs.shape[1]
    strength = np.float32(options.regularization / weight.size)
    with np.errstate(over="ignore", invalid="ignore"):  # a variable that is too large or NaN ends the loop
        for iteration in range(options.iterations):
            up, values = soft.forward()
            chosen = random.integers(0, count, size=min(BATCH, count))
            by_value = samples.gradient(values.reshape(shape), chosen).reshape(weight.shape) / np.float32(reference)
            by_up = soft.through_grid(by_value)
            if iteration >= WARM * options.iterations:
                by_up += strength * _push(up, _beta(iteration / options.iterations))
            optimizer.step(soft.through_sigmoid(by_up))
            if not (np.abs(soft.variable) < LARGEST).all():
                return None
    return soft.decided()


class _SoftRounding:
    """Weights between the grid's numbers, and the gradients back through them."""

    def __init__(self, weight: FloatArray, tensor: QuantizedTensor) -> None:
        self._scale, zero_point = _grid(weight.shape, tensor)
        self._low, self._high = tensor.qmin - zero_point, tensor.qmax - zero_point
        steps = _steps(weight, tensor)
        self._down = np.floor(steps)
        self._pruned = weight == 0
        # It starts where the soft weight is the weight itself.
        self.variable: FloatArray = -np.log((ZETA - GAMMA) / (steps - self._down - GAMMA) - 1).astype(np.float32)

    def forward(self) -> tuple[FloatArray, FloatArray]:
        """How far up each weight is rounded, in [0, 1], and the weights."""
        self._sigmoid = 1 / (1 + np.exp(-self.variable))
        self._stretched = self._sigmoid * np.float32(ZETA - GAMMA) + np.float32(GAMMA)
        up = np.where(self._pruned, 0, np.clip(self._stretched, 0, 1)).astype(np.float32)
        self._integers = self._down + up
        return up, np.clip(self._integers, self._low, self._high) * self._scale

    def through_grid(self, gradient: FloatArray) -> FloatArray:
        """From the gradient by the weights to that by how far up they are rounded."""
        inside = (self._integers >= self._low) & (self._integers <= self._high)
        passed: FloatArray = gradient * self._scale * inside
        return passed

    def through_sigmoid(self, gradient: FloatArray) -> FloatArray:
        """From the gradient by how far up weights are rounded to that by the variables."""
        inside = (self._stretched >= 0) & (self._stretched <= 1)
        slope = np.float32(ZETA - GAMMA) * self._sigmoid * (1 - self._sigmoid)
        passed: FloatArray = gradient * slope * inside
        return passed

    def decided(self) -> FloatArray:
        """1 where the variable says up, else 0; a weight of zero stays zero, so that masks hold."""
        up: FloatArray = ((self.variable >= 0) & ~self._pruned).astype(np.float32)
        return up


def _push(up: FloatArray, beta: float) -> FloatArray:
    """The gradient of 1 - |2 h - 1|^beta by h."""
    centred = 2 * up - 1
    pushed: FloatArray = np.float32(-2 * beta) * np.sign(centred) * np.abs(centred) ** np.float32(beta - 1)
    return pushed


def _beta(done: float) -> float:
    """From 20 to 2 after the warm start, along a cosine; `done` is the share of the iterations that are over."""
    annealed = (done - WARM) / (1 - WARM)
    return LAST_BETA + (FIRST_BETA - LAST_BETA) * 0.5 * (1 + float(np.cos(np.pi * annealed)))


class _Adam:
    """Adam (Kingma and Ba, 2015) on one array, in place."""

    def __init__(self, values: FloatArray, rate: float) -> None:
        self.values, self.rate, self.count = values, rate, 0
        self.mean, self.square = np.zeros_like(values), np.zeros_like(values)

    def step(self, gradient: FloatArray) -> None:
        self.count += 1
        self.mean += np.float32(1 - FIRST_DECAY) * (gradient - self.mean)
        self.square += np.float32(1 - SECOND_DECAY) * (gradient * gradient - self.square)
        rate = self.rate / (1 - FIRST_DECAY**self.count)
        size = np.sqrt(self.square / np.float32(1 - SECOND_DECAY**self.count))
        self.values -= np.float32(rate) * self.mean / (size + np.float32(TINY))


def _grid(shape: tuple[int, ...], tensor: QuantizedTensor) -> tuple[FloatArray, FloatArray]:
    """Scale and zero point, float32, shaped to broadcast over the weight."""
    return (
        per_element(np.asarray(tensor.scale, dtype=np.float32), shape, tensor.axis, tensor.group_size),
        per_element(np.asarray(tensor.zero_point, dtype=np.float32), shape, tensor.axis, tensor.group_size),
    )


def _steps(weight: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    steps: FloatArray = weight.astype(np.float32) / _grid(weight.shape, tensor)[0]
    return steps
