"""Simulating a quantization plan: the arithmetic of the deployed file, in float32."""

from __future__ import annotations

from typing import Any

from paredown.algorithms import quantizing
from paredown.contracts import Outcome
from paredown.plan import QuantizationPoint, QuantPlan
from paredown_paddle.fake_quantization import fake_quantize
from paredown_paddle.half_precision import round_network
from paredown_paddle.names import tensors
from paredown_paddle.points import check_points, layers_by_name


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
        return (fake_quantize(inputs[0], self.tensor), *inputs[1:]) if self.calls.made == self.index else None

    def on_output(self, layer: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG002 - a hook's signature
        """Replaces the layer's output at the call that the point is for."""
        return fake_quantize(output, self.tensor) if self.calls.made == self.index else None


def quantize(model: Any, plan: QuantPlan) -> Outcome:
    """Puts dequantized weights and fake quantization of inputs and outputs into the network, in place.

    The evidence counts the points. A plan of mode `fp16` has none: see `round_network`.

    Raises:
        PlanError: When a point does not fit the network; nothing is changed then.
        DataError: When a weight does not fit a 16-bit float; or, once the network runs, when a value is not finite
            whose range is taken then.
    """
    if plan.mode == "fp16":
        return round_network(model, plan.left_float)
    points = [point for point in plan.points if point.owner == "layer"]
    check_points(model, points)
    layers, slots = layers_by_name(model), tensors(model)
    calls: dict[str, _Calls] = {}
    for point in points:
        if point.port == "weight":
            slot = slots[f"{point.layer}.weight"]
            slot.write(quantizing.fake_quantize(slot.read(), point.tensor))
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
