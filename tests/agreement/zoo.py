"""What a backend says of every network that both hold: arrays, layers, size, and the outputs of all but the largest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from agreement.networks import PRUNED, AgreementBench, workbench

from paredown.algorithms import counting
from paredown.contracts import LayerInfo, Model
from paredown.manager import Manager
from paredown.twins import DETECTORS, MASK_DETECTORS, OWN, PIXELS, SHARED

NETWORKS = (*OWN, *SHARED, *PIXELS, *DETECTORS, *MASK_DETECTORS)
"""Those that both backends hold."""

LARGEST = 10_000_000
"""Networks with more parameters are built and counted, and do not answer to images: drawing them takes too long."""


def zoo_facts(manager: Manager, backend: str, out: Path) -> dict[str, Any]:
    """The names of all networks, and by network: its arrays, its layers with weights, its size.

    Outputs go to `zoo-NETWORK.npy`.
    """
    facts = {}
    for name in NETWORKS:
        bench = workbench(manager, backend, name)
        model = bench.build()
        facts[name] = describe(bench, model)
        if name not in PRUNED and facts[name]["params"] < LARGEST:
            np.save(out / f"zoo-{name}.npy", bench.outputs(bench.build_lively(model), "test"))
    return {"names": list(manager.registry.backends[backend].models), "networks": facts}


def describe(bench: AgreementBench, model: Model) -> dict[str, Any]:
    """A network's arrays, its layers with weights, its size."""
    state, layers = bench.state(model), bench.layers(model)
    return {
        "arrays": [[name, list(values.shape)] for name, values in state.items()],
        "layers": [_layer(layer) for layer in layers if layer.kind != "other"],
        "params": counting.count_parameters(state),
        "macs": counting.count_macs(layers),
    }


def _layer(layer: LayerInfo) -> list[Any]:
    """What must be equal; layers without weights have names of their own in each framework."""
    shapes = [list(shape) for shape in (layer.weight_shape, layer.input_shape, layer.output_shape)]
    return [layer.name, layer.kind, *shapes, layer.groups, layer.eps, layer.is_output]
