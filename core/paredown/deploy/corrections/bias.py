"""Bias correction: each layer's bias moves by the mean error that quantization makes in its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from paredown.contracts import Array, Corrected, CorrectionRun
from paredown.deploy.canonical.graph import array_of, constants, consumers
from paredown.deploy.corrections.running import Tap
from paredown.deploy.corrections.simulated import Simulation
from paredown.deploy.places import Call
from paredown.errors import DataError
from paredown.spec.components import BiasCorrection

if TYPE_CHECKING:
    from paredown.contracts import FloatArray

NO_BIAS = "it has no bias of its own to move"


def correct_bias(run: CorrectionRun, options: BiasCorrection) -> Corrected:  # noqa: ARG001 - there are none to choose
    """Moves biases so that quantized layers give, channel by channel, the mean of the float network's outputs.

    Nagel et al., 2019, "Data-Free Quantization", section 4.2, in the empirical form of its appendix D; Finkelstein et
    al., 2019. Both networks run side by side in one graph, which moves each layer's output to the float mean of the
    batch before the next layer reads it: the corrections of earlier layers are then in force without a pass for every
    layer. The bias moves by the mean over all batches, of a layer that is called several times also over its calls.
    That is one pass over the images. The means of a batch stand for those of all images while later layers are
    measured, so larger batches are more exact.

    A layer without a bias is left as it is, and named in the evidence: the framework's network could not hold one.

    Args:
        run: The network, the images and the plan.
        options: None are needed.

    Returns:
        The new biases, [out], float32. Evidence: `moved`, the greatest move in each layer; `left`, the layers without a
        correction, with the reason.

    Raises:
        DataError: There are no images, or the network's values are not finite.
    """
    plan = run.plan(run.graph, {})
    simulation = Simulation(run.target, plan, run.changed)
    movable = _movable(simulation)
    errors: dict[str, list[str]] = {}

    def move(simulation: Simulation, call: Call, found: str) -> str:
        if call.layer not in movable:
            return found
        rank = len(constants(run.graph.graph)[call.weight].dims)
        error = simulation.add("Sub", [call.node.output[0], found], [f"{found}:error"])
        axes = simulation.constant(f"axes{rank}", np.asarray([0, *range(2, rank)], dtype=np.int64))
        mean = simulation.add("ReduceMean", [error, axes], [f"{found}:mean"], keepdims=1)
        errors.setdefault(call.layer, []).append(mean)
        return simulation.add("Add", [found, mean], [f"{found}:moved"])

    simulation.copy_network(after=move)
    if not errors:
        return Corrected({}, evidence={"moved": {}, "left": _left(simulation, movable)})
    means = _means(run, simulation, [name for names in errors.values() for name in names])
    moves = {layer: np.mean([means[name] for name in names], axis=0) for layer, names in errors.items()}
    known = constants(run.graph.graph)
    return Corrected(
        {bias: _moved(array_of(known[bias]), moves[layer]) for layer, bias in movable.items()},
        evidence={
            "moved": {layer: float(np.max(np.abs(move))) for layer, move in moves.items()},
            "left": _left(simulation, movable),
        },
    )


def _movable(simulation: Simulation) -> dict[str, str]:
    """The bias of each quantized layer that has one which no other layer reads."""
    read_by = consumers(simulation.model.graph)
    outputs: dict[str, set[str]] = {}
    for call in simulation.calls:
        outputs.setdefault(call.layer, set()).add(call.node.output[0])
    return {
        call.layer: call.bias
        for call in simulation.calls
        if call.bias is not None and {node.output[0] for node in read_by[call.bias]} == outputs[call.layer]
    }


def _left(simulation: Simulation, movable: Mapping[str, str]) -> dict[str, str]:
    return {call.layer: NO_BIAS for call in simulation.calls if call.layer not in movable}


def _means(run: CorrectionRun, simulation: Simulation, names: list[str]) -> dict[str, FloatArray]:
    """The mean error of each call, [out], over all images."""
    tap = Tap(simulation.both(), names)
    sums = {name: np.zeros(()) for name in names}
    count = 0
    for batch in run.images():
        for name, values in zip(names, tap.run(batch), strict=True):
            sums[name] = sums[name] + len(batch) * values.astype(np.float64).reshape(-1)
        count += len(batch)
    if not count:
        raise DataError(
            "there are no calibration images",
            where="bias_correction",
            expected="at least one image",
            remedy="raise calibration.samples",
        )
    broken = [name for name, total in sums.items() if not np.all(np.isfinite(total))]
    if broken:
        raise DataError(
            "a layer's outputs are not finite",
            where=f"bias_correction, tensor {broken[0]}",
            expected="finite numbers",
            remedy="look for NaN in the calibration images, or for overflow in the network",
        )
    return {name: total / count for name, total in sums.items()}


def _moved(bias: Array, move: FloatArray) -> FloatArray:
    moved: FloatArray = (bias.astype(np.float64) + move).astype(np.float32)
    return moved
