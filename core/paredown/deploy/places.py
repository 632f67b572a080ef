"""Which tensors of the canonical graph are quantized, and the names of those places in the network.

The choice follows what ONNX Runtime fuses into integer kernels: an activation function belongs to the layer before it,
so the tensor between them stays in float; max pooling, flattening and the repeating of pixels pass the integers of
their input on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import onnx

from paredown.deploy.canonical.graph import attributes, constants, consumers, output_names, producers

LAYERS = ("Conv", "Gemm")
INTEGER_OPERATORS = (*LAYERS, "Add", "AveragePool", "Concat", "GlobalAveragePool", "Mul")
"""Operators for which the runtime has integer kernels."""
FUSED_ACTIVATIONS = ("Clip", "Relu")
"""Functions that quantizing after them carries out, because they only cut the range."""
PASSING = ("Flatten", "MaxPool")
"""Operators whose output takes the scale of their input; so does a Resize to the nearest pixels."""


NEAREST = b"nearest"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the network: the key of a `QuantizationPoint`."""

    layer: str
    port: Literal["input", "output"]
    index: int = 0
    owner: Literal["layer", "graph"] = "layer"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a Conv or Gemm node with constant weights. `index` counts the calls of one layer."""

    layer: str
    index: int
    node: onnx.NodeProto

    @property
    def weight(self) -> str:
        """The weight's initializer."""
        return str(self.node.input[1])

    @property
    def bias(self) -> str | None:
        """The bias's initializer, if there is one."""
        return str(self.node.input[2]) if len(self.node.input) > 2 and self.node.input[2] else None


def passes_on(node: onnx.NodeProto) -> bool:
    """Whether every value that a node gives is one that it was given, so that the scale stays."""
    return node.op_type in PASSING or (node.op_type == "Resize" and attributes(node).get("mode", NEAREST) == NEAREST)


def layer_calls(graph: onnx.GraphProto, left: Collection[str] = ()) -> list[Call]:
    """Every call of a layer that can be quantized and is not `left` in float, in the graph's order."""
    known, counts = constants(graph), dict[str, int]()
    calls = []
    for node in graph.node:
        if _is_integer_layer(node, known, left):
            layer = layer_name(node)
            calls.append(Call(layer, counts.get(layer, 0), node))
            counts[layer] = counts.get(layer, 0) + 1
    return calls


def layer_name(node: onnx.NodeProto) -> str:
    """The neutral name of the layer that a node belongs to, from its weight's name."""
    return str(node.input[1]).removesuffix(".weight")


def unquantizable(node: onnx.NodeProto, known: dict[str, onnx.TensorProto]) -> str | None:
    """Why a node with weights stays in float, or None where it need not."""
    if node.op_type == "MatMul":
        return "a Linear layer on more than two axes is not quantized yet"
    if node.op_type not in LAYERS:
        return f"{node.op_type} has no integer kernel"
    if any(name and name not in known for name in node.input[1:]):
        return "its weights are computed"
    options = attributes(node)
    if node.op_type == "Gemm" and not (
        options.get("alpha", 1.0) == 1.0 and options.get("beta", 1.0) == 1.0 and not options.get("transA", 0)
    ):
        return "it scales or transposes its operands"
    return None


def quantized_tensors(graph: onnx.GraphProto, left: Collection[str] = ()) -> list[str]:
    """Names of the tensors that are quantized, inputs first, in the graph's order; `left` are layers left in float.

    Outputs of what passes integers on are not among them: they share their input's scale. Where no layer is quantized,
    neither is what lies between layers: sums and pooling alone would only lose precision.
    """
    if not layer_calls(graph, left):
        return []
    known = constants(graph)
    made_by, read_by, outputs = producers(graph), consumers(graph), output_names(graph)
    candidates = [value.name for value in graph.input if value.name not in known]
    candidates += [name for node in graph.node for name in node.output if name]

    def is_integer(node: onnx.NodeProto) -> bool:
        # A concatenation that the network returns gets no scale of its own, so it stays in float.
        return _is_integer(node, known, left) and not (node.op_type == "Concat" and node.output[0] in outputs)

    def touches_integers(name: str) -> bool:
        neighbours = [*([made_by[name]] if name in made_by else []), *_readers_through(name, read_by)]
        return any(is_integer(node) for node in neighbours)

    def is_inside_fusion(name: str) -> bool:
        readers = read_by.get(name, [])
        producer = made_by.get(name)
        return (
            producer is not None
            and is_integer(producer)
            and len(readers) == 1
            and readers[0].op_type in FUSED_ACTIVATIONS
        )

    return [
        name
        for name in candidates
        if name not in outputs
        and not (name in made_by and passes_on(made_by[name]))
        and name in read_by
        and touches_integers(name)
        and not is_inside_fusion(name)
    ]


def places(graph: onnx.GraphProto, left: Collection[str] = ()) -> dict[str, tuple[Place, ...]]:
    """The places of each quantized tensor; `left` are layers left in float.

    It is the input of every layer that reads it, at first hand or through pooling and flattening. It is the output of
    the layer that made it, if something else reads it too. A tensor that is neither belongs to the graph.
    """
    calls = layer_calls(graph, left)
    read_by = consumers(graph)
    by_output = {call.node.output[0]: call for call in calls}
    inputs: dict[str, list[Place]] = {}
    for call in calls:
        source = source_of(graph, call.node.input[0])
        inputs.setdefault(source, []).append(Place(call.layer, "input", call.index))
    found: dict[str, tuple[Place, ...]] = {}
    for name in quantized_tensors(graph, left):
        own = inputs.get(name, [])
        only_layers = all(node.op_type in LAYERS for node in _readers_through(name, read_by))
        if name in by_output and not (own and only_layers):
            own = [*own, Place(by_output[name].layer, "output", by_output[name].index)]
        found[name] = tuple(own) or (Place(name, "output", owner="graph"),)
    return found


def source_of(graph: onnx.GraphProto, name: str) -> str:
    """The tensor whose scale `name` takes: itself, or what flows into what passes integers on before it."""
    made_by = producers(graph)
    while name in made_by and passes_on(made_by[name]):
        name = made_by[name].input[0]
    return name


def _readers_through(name: str, read_by: dict[str, list[onnx.NodeProto]]) -> Iterator[onnx.NodeProto]:
    """The nodes that read a tensor's values, at first hand or through what passes integers on."""
    for node in read_by.get(name, []):
        if passes_on(node) and node.input[0] == name:
            yield from _readers_through(node.output[0], read_by)
        elif node.op_type != "Shape":
            yield node


def _is_integer_layer(node: onnx.NodeProto, known: dict[str, onnx.TensorProto], left: Collection[str]) -> bool:
    return node.op_type in LAYERS and unquantizable(node, known) is None and layer_name(node) not in left


def _is_integer(node: onnx.NodeProto, known: dict[str, onnx.TensorProto], left: Collection[str]) -> bool:
    """Whether the runtime can compute this node in integers."""
    if node.op_type in LAYERS:
        return _is_integer_layer(node, known, left)
    # With a constant operand, the operator stays in float: constants are not calibrated.
    return node.op_type in INTEGER_OPERATORS and not any(name in known for name in node.input)
