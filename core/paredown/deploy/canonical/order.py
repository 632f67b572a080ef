"""The order of nodes and the names of tensors, from the structure of the graph alone."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Mapping

import onnx

from paredown.deploy.canonical.graph import array_of, constants, producers, replace_nodes
from paredown.deploy.canonical.layers import LAYERS
from paredown.errors import UnsupportedError

COMMUTATIVE = ("Add", "Mul", "Max", "Min", "Sum")
PARAMETERIZED = (*LAYERS, "BatchNormalization")

Rank = tuple[int, str]
"""Minus the longest path from the graph's input, then a digest of the computation: smaller comes first."""


def settle_order(model: onnx.ModelProto, parameters: Collection[str] = ()) -> None:
    """Sorts the operands of commutative operators, the nodes and the initializers, and names all tensors anew.

    Neither the order nor the names in the file, nor the values of the layers' weights have a say.

    Args:
        model: The graph, changed in place.
        parameters: Neutral names that are kept, besides those of the weights of layers.

    Raises:
        UnsupportedError: The graph has several inputs.
    """
    graph = model.graph
    known = constants(graph)
    inputs = [value.name for value in graph.input if value.name not in known]
    if len(inputs) != 1:
        raise UnsupportedError("the exported network has several inputs", where="export", value=", ".join(inputs))
    ranks: dict[str, Rank] = {inputs[0]: (0, "images"), "": (1, "")}
    kept = _layer_parameters(graph) | set(parameters)
    ranks |= {name: (1, _constant_digest(tensor, kept)) for name, tensor in known.items()}
    for node in _depth_first(graph):
        _rank_node(node, ranks)
    ordered = _depth_first(graph)
    replace_nodes(graph, ordered)
    _name_tensors(graph, inputs[0], kept)
    _sort_initializers(graph)


def _depth_first(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Nodes in the order in which a depth-first walk from the outputs leaves them."""
    made_by = producers(graph)
    position = {id(node): index for index, node in enumerate(graph.node)}
    nodes = list(graph.node)
    left: list[int] = []
    seen: set[int] = set()
    stack = [(position[id(made_by[output.name])], False) for output in reversed(graph.output) if output.name in made_by]
    while stack:
        index, expanded = stack.pop()
        if expanded:
            left.append(index)
        elif index not in seen:
            seen.add(index)
            stack.append((index, True))
            sources = [made_by[name] for name in reversed(nodes[index].input) if name in made_by]
            stack.extend((position[id(source)], False) for source in sources)
    return [nodes[index] for index in left]


def _rank_node(node: onnx.NodeProto, ranks: dict[str, Rank]) -> None:
    if node.op_type in COMMUTATIVE:
        operands = sorted(node.input, key=lambda name: ranks[name])
        del node.input[:]
        node.input.extend(operands)
    digest = hashlib.sha256(node.op_type.encode())
    for attribute in node.attribute:
        digest.update(attribute.SerializeToString(deterministic=True))
    for name in node.input:
        digest.update(f"|{ranks[name][1]}".encode())
    depth = min((min(ranks[name][0], 0) for name in node.input), default=0) - 1
    for index, output in enumerate(node.output):
        ranks[output] = (depth, f"{digest.hexdigest()}:{index}")


def _constant_digest(tensor: onnx.TensorProto, parameters: Collection[str]) -> str:
    if tensor.name in parameters:
        return f"parameter {tensor.name}"
    values = array_of(tensor)
    return hashlib.sha256(f"{values.dtype}{values.shape}".encode() + values.tobytes()).hexdigest()


def _layer_parameters(graph: onnx.GraphProto) -> set[str]:
    """Initializers that keep their names: what layers hold."""
    return {name for node in graph.node if node.op_type in PARAMETERIZED for name in node.input[1:] if name}


def _name_tensors(graph: onnx.GraphProto, image: str, parameters: Collection[str]) -> None:
    known = constants(graph)
    outputs = [output.name for output in graph.output]
    names = {image: "images"}
    names |= {name: "outputs" if index == 0 else f"outputs{index}" for index, name in enumerate(outputs)}
    by_value: dict[str, str] = {}
    counter = itertools.count()
    for node in graph.node:
        for name in node.input:
            if name in known and name not in parameters and name not in names:
                names[name] = by_value.setdefault(_constant_digest(known[name], parameters), f"c{len(by_value)}")
        for name in node.output:
            if name and name not in names:
                names[name] = f"t{next(counter)}"
    _rename(graph, names)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    # What is said of a tensor by its old name could be taken for another that has this name now.
    del graph.value_info[:]
    for node in graph.node:
        node.name = ""
        for field in (node.input, node.output):
            for position, name in enumerate(field):
                field[position] = names.get(name, name)
    kept = {names.get(tensor.name, tensor.name): tensor for tensor in graph.initializer}
    for name, tensor in kept.items():
        tensor.name = name
    replacement = list(kept.values())
    del graph.initializer[:]
    graph.initializer.extend(replacement)
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)


def _sort_initializers(graph: onnx.GraphProto) -> None:
    """Initializers in the order in which nodes read them first."""
    known = constants(graph)
    first = list(dict.fromkeys(name for node in graph.node for name in node.input if name in known))
    kept = [known[name] for name in first]
    del graph.initializer[:]
    graph.initializer.extend(kept)
