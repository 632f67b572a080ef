"""The analysis of a quantization: how much noise each layer gets, and how much it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.deploy.corrections.running import Tap
from paredown.deploy.corrections.simulated import Simulation
from paredown.deploy.noise import LayerNoise, decibels, worst_first
from paredown.deploy.places import Call
from paredown.errors import DataError, UnsupportedError
from paredown.plan import QuantPlan

if TYPE_CHECKING:
    from paredown.contracts import Array, FloatArray

__all__ = ["LayerNoise", "layer_noise", "worst_first"]


def layer_noise(
    model: onnx.ModelProto,
    plan: QuantPlan,
    images: Callable[[], Iterable[FloatArray]],
    arrays: Mapping[str, Array] | None = None,
) -> tuple[LayerNoise, ...]:
    """The signal-to-noise ratio of each quantized layer, 10 * log10(sum(s^2) / sum((s - q)^2)), in dB.

    s are a layer's outputs in the float network and q those in a quantized one, before the activation function, over
    all images. The plan is simulated in ONNX Runtime; biases stay in float. One pass finds the ratios of the layers'
    own outputs, and one for each layer its effect on the network's output, of
    several on the one that it hurts most. Memory does not grow with the images.

    Args:
        model: The canonical float network.
        plan: Its plan.
        images: Yields the batches, float32, NCHW, each time that it is called.
        arrays: What corrections changed: the quantized network holds them, the float one does not.

    Returns:
        A record for each quantized layer, in order of execution; `worst_first` ranks them.

    Raises:
        DataError: There are no images, or an output is not finite.
        UnsupportedError: The plan is for 16-bit floats, which no layer has scales for.
        PlanError: The plan lacks a point of the network.
    """
    if plan.mode == "fp16":
        raise UnsupportedError(
            "16-bit floats are not analysed layer by layer",
            where="analysis",
            value=plan.mode,
            expected="a mode with integers",
            remedy="leave `analysis` out of this step",
        )
    simulation = Simulation(model, plan, arrays)
    layers: dict[str, list[Call]] = {}
    for call in simulation.calls:
        layers.setdefault(call.layer, []).append(call)
    if not layers:
        return ()
    own = _own_outputs(simulation, layers, images())
    return tuple(
        LayerNoise(
            layer,
            together=_ratio(own, calls, "together"),
            alone=_ratio(own, calls, "alone"),
            network=_at_the_output(Simulation(model, plan, _of_layer(arrays or {}, layer)), layer, images()),
        )
        for layer, calls in layers.items()
    )


def _own_outputs(
    simulation: Simulation, layers: dict[str, list[Call]], images: Iterable[FloatArray]
) -> dict[str, float]:
    """The sums of squares of each call's output and of its two kinds of noise, by their names in the graph."""
    names = simulation.copy_network()
    squares: list[str] = []
    for call in (call for calls in layers.values() for call in calls):
        output = call.node.output[0]
        squares.append(_square(simulation, output, f"{output}:signal"))
        for kind, noisy in (("together", names[output]), ("alone", simulation.copy_layer(call))):
            noise = simulation.add("Sub", [output, noisy], [f"{output}:{kind}"])
            squares.append(_square(simulation, noise, f"{output}:{kind}:noise"))
    return dict(zip(squares, _totals(simulation.both(), squares, images), strict=True))


def _of_layer(arrays: Mapping[str, Array], layer: str) -> dict[str, Array]:
    return {name: values for name, values in arrays.items() if name.rpartition(".")[0] == layer}


def _at_the_output(simulation: Simulation, layer: str, images: Iterable[FloatArray]) -> float:
    """The ratio of the network's output with one layer quantized; of several outputs that of the noisiest."""
    noisy, squares = simulation.copy_network(layers=(layer,)), list[str]()
    for output in (value.name for value in simulation.model.graph.output):
        noise = simulation.add("Sub", [output, noisy[output]], [f"{output}:difference"])
        squares += [_square(simulation, output, f"{output}:signal"), _square(simulation, noise, f"{output}:noise")]
    totals = _totals(simulation.both(), squares, images)
    return min(decibels(signal, error) for signal, error in zip(totals[::2], totals[1::2], strict=True))


def _square(simulation: Simulation, name: str, result: str) -> str:
    """Adds the sum of squares of each image's part of a tensor: [images, 1]."""
    flat = simulation.add("Flatten", [name], [f"{result}:flat"])
    axes = simulation.constant("square:axes", np.asarray([1], dtype=np.int64))
    return simulation.add("ReduceSumSquare", [flat, axes], [result])


def _totals(model: onnx.ModelProto, names: Sequence[str], images: Iterable[FloatArray]) -> list[float]:
    """The sum of each tensor over all images, in float64."""
    tap, totals, count = Tap(model, names), [0.0] * len(names), 0
    for batch in images:
        count += len(batch)
        found = [float(values.sum(dtype=np.float64)) for values in tap.run(batch)]
        totals = [total + value for total, value in zip(totals, found, strict=True)]
    if not count:
        raise DataError(
            "there are no images to analyse",
            where="analysis",
            expected="at least one image",
            remedy="raise calibration.samples",
        )
    broken = [name for name, total in zip(names, totals, strict=True) if not np.isfinite(total)]
    if broken:
        raise DataError(
            "a layer's outputs are not finite",
            where=f"analysis, tensor {broken[0]}",
            expected="finite numbers",
            remedy="look for NaN in the calibration images, or for overflow in the network",
        )
    return totals


def _ratio(sums: dict[str, float], calls: list[Call], kind: str) -> float:
    outputs = [call.node.output[0] for call in calls]
    return decibels(
        sum(sums[f"{output}:signal"] for output in outputs), sum(sums[f"{output}:{kind}:noise"] for output in outputs)
    )
