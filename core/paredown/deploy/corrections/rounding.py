"""AdaRound: each weight is rounded to whichever side makes the layer's outputs right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import onnx

from paredown.contracts import Array, Corrected, CorrectionRun
from paredown.deploy.canonical.graph import array_of, attributes, constants, consumers, output_names
from paredown.deploy.corrections.rounding_search import Samples, learn, nearest, rounded
from paredown.deploy.corrections.sampling import Targets, some_images
from paredown.deploy.corrections.simulated import Simulation
from paredown.deploy.places import Call
from paredown.plan import QuantizedTensor
from paredown.spec.components import AdaRound

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

HELD_OUT = 0.25
"""The share of the samples that learning does not see, which decide whether what it found is taken."""

DIVERGED = "learning diverged: its variables left the range of the sigmoid; lower `lr` or `regularization`"


def learn_rounding(run: CorrectionRun, options: AdaRound) -> Corrected:
    """Learns for each weight whether it is rounded up or down, layer by layer in order of execution.

    Nagel et al., 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", with the asymmetric
    reconstruction of its section 3.4: a layer reads what the quantized network gives it, all layers before it rounded
    already, and is to give what it gives in the float network; behind a ReLU, what the ReLU lets through. Positions of
    the outputs are drawn at random. Samples of the last images are held out: where rounding to nearest is no worse on
    them, the layer's weight is left as it is. One pass over the images for the float network, and for each layer one
    through the layers before it.

    Args:
        run: The network, the images and the plan.
        options: Iterations, images, positions, learning rate.

    Returns:
        Weights that lie on the grid of their scales, float32, and those scales. Evidence: `images`, how many there
        were; `positions`, how many of each layer's output were drawn from them in all, fewer than asked for where it
        has fewer; `error`, the mean squared error of each learned layer's outputs on held-out samples by that of
        rounding to nearest; `nearest`, the layers where learning was not better; `left`, those it is not for and those
        where it diverged, with the reason.

    Raises:
        DataError: There are no images, or the network's values are not finite.
    """
    plan = run.plan(run.graph, {})
    simulation = Simulation(run.target, plan)
    layers: dict[str, list[Call]] = {}
    for call in simulation.calls:
        layers.setdefault(call.layer, []).append(call)
    refused = {layer: _refusal(calls[0], simulation.weight_tensor(layer)) for layer, calls in layers.items()}
    left = {layer: reason for layer, reason in refused.items() if reason is not None}
    layers = {layer: calls for layer, calls in layers.items() if layer not in left}
    if not layers:
        return Corrected({}, evidence={"error": {}, "nearest": [], "left": left})

    def images() -> Iterator[FloatArray]:
        return some_images(run.images, options.samples)

    count = sum(len(batch) for batch in images())
    per_image = -(-options.positions // max(count, 1))
    targets = Targets(run.target, layers, images(), per_image, run.seed)
    arrays: dict[str, Array] = {}
    weights: dict[str, QuantizedTensor] = {}
    error: dict[str, float] = {}
    looked_at: dict[str, int] = {}
    for index, (layer, calls) in enumerate(layers.items()):
        simulation = Simulation(run.target, plan, {**run.changed, **arrays})
        simulation.copy_network()
        weight, tensor = array_of(constants(run.graph.graph)[calls[0].weight]), simulation.weight_tensor(layer)
        samples = _samples(
            run.graph, calls, weight, targets.inputs(simulation, calls, weight.shape[2:], images()), targets.of(calls)
        )
        looked_at[layer] = samples.inputs.shape[1]
        found, gain = _better(weight, tensor, samples, options, np.random.default_rng([run.seed, index]))
        if found is None:
            left[layer] = DIVERGED
        elif gain < 1:
            arrays[calls[0].weight], weights[layer], error[layer] = found, tensor, gain
    kept = [layer for layer in layers if layer not in weights and layer not in left]
    evidence = {"images": count, "positions": looked_at, "error": error, "nearest": kept, "left": left}
    return Corrected(arrays, weights, evidence)


def _refusal(call: Call, tensor: QuantizedTensor) -> str | None:
    """Why rounding cannot be learned for a layer, or None."""
    if tensor.bits == 1:
        return "binary weights are not rounded"
    if attributes(call.node).get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return "its padding depends on the image"
    return None


def _samples(
    model: onnx.ModelProto, calls: list[Call], weight: Array, inputs: FloatArray, outputs: FloatArray
) -> Samples:
    """The samples of a layer; outputs are [count, channels], with the bias."""
    graph, groups, count = model.graph, len(inputs), inputs.shape[1]
    bias = np.zeros(len(weight), np.float32)
    if calls[0].bias is not None:
        bias = array_of(constants(graph)[calls[0].bias]).astype(np.float32)
    targets = (outputs - bias).reshape(count, groups, -1).transpose(1, 0, 2)
    rectified = all(_is_rectified(graph, call) for call in calls)
    return Samples(inputs, np.ascontiguousarray(targets), bias.reshape(groups, 1, -1), rectified)


def _is_rectified(graph: onnx.GraphProto, call: Call) -> bool:
    name = call.node.output[0]
    readers = consumers(graph).get(name, [])
    return name not in output_names(graph) and len(readers) == 1 and readers[0].op_type == "Relu"


def _better(
    weight: Array, tensor: QuantizedTensor, samples: Samples, options: AdaRound, random: np.random.Generator
) -> tuple[Array | None, float]:
    """The learned weight, and its error on held-out samples by that of rounding to nearest; None where it diverged."""
    count = samples.inputs.shape[1]
    learning = max(1, count - int(HELD_OUT * count))
    judged = samples.part(learning, count) if learning < count else samples
    plain = rounded(weight, tensor, nearest(weight, tensor))
    up = learn(weight, tensor, samples.part(0, learning), options, random)
    if up is None:
        return None, 1.0
    found = rounded(weight, tensor, up)
    shape = (len(samples.inputs), weight.shape[0] // len(samples.inputs), -1)
    reference = judged.error(plain.reshape(shape))
    return found, judged.error(found.reshape(shape)) / reference if reference > 0 else 1.0
