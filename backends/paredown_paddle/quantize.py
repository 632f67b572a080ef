"""Simulating a quantization plan: the arithmetic of the deployed file, in float32."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.contracts import FloatArray, Outcome
from paredown.errors import PlanError
from paredown.plan import QuantizationPoint, QuantizedTensor, QuantPlan
from paredown_paddle.framework import paddle
from paredown_paddle.names import Slot, named_layers, tensors


class _Calls:
    """Counts the calls of one layer within one pass of the network."""

    def __init__(self) -> None:
        self.made = 0

    def reset(self, layer: Any, inputs: Any) -> None:  # noqa: ARG002 - a hook's signature
        """A new pass begins."""
        self.made = 0

    def count(self, layer: Any, inputs: Any, output: Any) -> None:  # noqa: ARG002 - a hook's signature
        """The layer was called."""
        self.made += 1


class FakeQuantizer:
    """Fake quantization of a tensor of Paddle, at one call of one layer."""

    def __init__(self, point: QuantizationPoint, calls: _Calls) -> None:
        self.tensor, self.index, self.calls = point.tensor, point.index, calls

    def on_input(self, layer: Any, inputs: Any) -> Any:  # noqa: ARG002 - a hook's signature
        """Replaces the layer's input at the call that the point is for."""
        return (self.restored(inputs[0]), *inputs[1:]) if self.calls.made == self.index else None

    def on_output(self, layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG002 - a hook's signature
        """Replaces the layer's output at the call that the point is for."""
        return self.restored(output) if self.calls.made == self.index else None

    def restored(self, values: Any) -> Any:
        """(clip(round(x / scale) + zero_point, qmin, qmax) - zero_point) * scale, rounding half to even, in float32."""
        # A Python number may become a product with its reciprocal, which rounds otherwise: only tensors divide.
        scale, zero = (self._shaped(numbers, values) for numbers in (self.tensor.scale, self.tensor.zero_point))
        quantized = paddle.clip(paddle.round(values / scale) + zero, float(self.tensor.qmin), float(self.tensor.qmax))
        return (quantized - zero) * scale

    def _shaped(self, numbers: tuple[float, ...], values: Any) -> Any:
        array = _along(numbers, self.tensor.axis, len(values.shape))
        return paddle.to_tensor(array, place=values.place)


def dequantized(values: FloatArray, tensor: QuantizedTensor) -> FloatArray:
    """The values that a stored integer tensor stands for: the formula of `FakeQuantizer`, in NumPy's float32."""
    scale = _along(tensor.scale, tensor.axis, values.ndim)
    zero = _along(tensor.zero_point, tensor.axis, values.ndim)
    quantized = np.clip(np.rint(values / scale) + zero, np.float32(tensor.qmin), np.float32(tensor.qmax))
    result: FloatArray = ((quantized - zero) * scale).astype(np.float32)
    return result


def quantize(model: Any, plan: QuantPlan) -> Outcome:
    """Puts dequantized weights and fake quantization of inputs and outputs into the network, in place.

    Raises:
        PlanError: When a point names a layer or a weight that the network does not have; nothing is changed then.
    """
    layers = {name: layer for name, layer in named_layers(model) if name}
    points = [point for point in plan.points if point.owner == "layer"]
    slots = tensors(model)
    for point in points:
        _check(point, layers, slots)
    calls: dict[str, _Calls] = {}
    for point in points:
        if point.port == "weight":
            slot = slots[f"{point.layer}.weight"]
            slot.write(dequantized(slot.read(), point.tensor))
            continue
        quantizer = FakeQuantizer(point, calls.setdefault(point.layer, _Calls()))
        if point.port == "input":
            layers[point.layer].register_forward_pre_hook(quantizer.on_input)
        else:
            layers[point.layer].register_forward_post_hook(quantizer.on_output)
    for name, counter in calls.items():
        model.register_forward_pre_hook(counter.reset)
        # Last of the layer's hooks: a call counts once its output has been quantized.
        layers[name].register_forward_post_hook(counter.count)
    return Outcome(model, {"points": len(points)})


def _check(point: QuantizationPoint, layers: Mapping[str, Any], slots: Mapping[str, Slot]) -> None:
    known = list(layers)
    if point.layer not in layers or (point.port == "weight" and f"{point.layer}.weight" not in slots):
        near = difflib.get_close_matches(point.layer, known, n=1)
        raise PlanError(
            "a quantization point names a layer or a weight that the network does not have",
            where=f"{point.layer} ({point.port})",
            expected=f"a layer of this network, such as {near[0]}" if near else "a layer of this network",
            remedy="replay the plan on the network that it was made for",
        )
    lengths = {len(point.tensor.scale), len(point.tensor.zero_point)}
    shape = slots[f"{point.layer}.weight"].shape if point.port == "weight" else None
    axis = point.tensor.axis
    wanted = 1 if axis is None else None if shape is None else shape[axis]
    if len(lengths) != 1 or (wanted is not None and lengths != {wanted}):
        raise PlanError(
            "a quantization point has another number of scales or zero points than channels",
            where=f"{point.layer} ({point.port})",
            value=str(sorted(lengths)),
            expected="as many as there are channels" if wanted is None else str(wanted),
            remedy="make the plan again from this network: it was pruned since",
        )


def _along(numbers: tuple[float, ...], axis: int | None, rank: int) -> FloatArray:
    shape = [1] * rank
    if axis is not None:
        shape[axis] = len(numbers)
    array: FloatArray = np.array(numbers, dtype=np.float32).reshape(shape)
    return array
