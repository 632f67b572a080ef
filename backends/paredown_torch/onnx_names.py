"""The initializers of an exported ONNX program against the network's parameters: the same bytes, and their names."""

from __future__ import annotations

import numpy as np
from torch.onnx import ONNXProgram

from paredown.contracts import Array


def initializer_names(program: ONNXProgram) -> tuple[dict[str, str], list[str]]:
    """Looks for every parameter that the network uses among the initializers, byte for byte, matrices transposed too.

    Returns:
        Initializer names to neutral names, where they differ; and the neutral names that were not found.
    """
    held: dict[str, Array] = {
        name: value.const_value.numpy()
        for name, value in program.model.graph.initializers.items()
        if value.const_value is not None
    }
    names: dict[str, str] = {}
    changed: list[str] = []
    for neutral, wanted in _used_parameters(program).items():
        if neutral in held and _equal(held[neutral], wanted):
            continue
        elsewhere = next((n for n, found in held.items() if n not in names and _holds(found, wanted)), None)
        if elsewhere is None:
            changed.append(neutral)
        else:
            names[elsewhere] = neutral
    return names, changed


def _used_parameters(program: ONNXProgram) -> dict[str, Array]:
    exported = program.exported_program
    assert exported is not None
    targets = exported.graph_signature.inputs_to_parameters
    return {
        targets[node.name]: exported.state_dict[targets[node.name]].detach().cpu().numpy()
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in targets and node.users
    }


def _holds(found: Array, wanted: Array) -> bool:
    # The exporter stores the weight of a Linear layer over several axes as its MatMul reads it: [in, out], as Paddle.
    return _equal(found, wanted) or (wanted.ndim == 2 and _equal(found, wanted.T))


def _equal(found: Array, wanted: Array) -> bool:
    return found.shape == wanted.shape and found.dtype == wanted.dtype and np.array_equal(_bytes(found), _bytes(wanted))


def _bytes(array: Array) -> Array:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
