"""One walk through the graph, from the image to the outputs, that follows every channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from paredown.contracts import Array, IntArray, State
from paredown.deploy.canonical.graph import array_of, constants, consumers
from paredown.deploy.coupling.classes import NEUTRAL, Classes
from paredown.deploy.coupling.parameters import Parameters
from paredown.deploy.coupling.shapes import fixed_shapes
from paredown.deploy.coupling.tensors import Constant, Labels, Shape, Tensor, neutral, uniform

IMAGE = "its channels are the image's"
OUTPUT = "its outputs are the network's"


@dataclass(frozen=True, slots=True)
class Constraint:
    """Pieces of a tensor that must keep equally many channels each: labels, [pieces, channels of a piece]."""

    pieces: IntArray
    reason: str
    """Why channels that cannot be made to fit are left whole."""


@dataclass(slots=True)
class Trace:
    """What is known so far; handlers of operators read and add to it."""

    graph: onnx.GraphProto
    shapes: Mapping[str, Shape]
    parameters: Parameters
    classes: Classes
    initializers: Mapping[str, onnx.TensorProto]
    readers: Mapping[str, Sequence[onnx.NodeProto]]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)

    def tensor(self, name: str) -> Tensor:
        """What is known of a tensor."""
        if name not in self.tensors:
            self.tensors[name] = self.parameters.identify(name, array_of(self.initializers[name]))
        return self.tensors[name]

    def inputs(self, node: onnx.NodeProto) -> list[Tensor]:
        """What is known of a node's inputs; those left out are skipped."""
        return [self.tensor(name) for name in node.input if name]

    def value(self, node: onnx.NodeProto, index: int) -> Array | None:
        """A constant input of a node; None where it is left out or computed."""
        if index >= len(node.input) or node.input[index] not in self.initializers:
            return None
        return array_of(self.initializers[node.input[index]])

    def shape(self, node: onnx.NodeProto, index: int = 0) -> Shape | None:
        """The shape of a node's output; None where it depends on the image."""
        return self.shapes.get(node.output[index])

    def channels(self, tensor: Labels, axis: int) -> IntArray:
        """The labels along an axis at whose positions something reads the same at all others, which couples them."""
        moved = np.moveaxis(tensor.full(axis), axis, 0)
        rows = moved.reshape(len(moved), -1)
        self.classes.union(rows[:, :1], rows)
        first: IntArray = rows[:, 0]
        if np.any(first == NEUTRAL):
            first = np.where(first == NEUTRAL, self.classes.pinned("its channels are computed from sizes alone"), first)
        return first

    def pin(self, tensor: Tensor, reason: str) -> None:
        """Keeps whole what a tensor holds."""
        if isinstance(tensor, Labels):
            self.classes.pin(tensor.values, reason)
        elif tensor.parameter is not None:
            self.parameters.set_aside(tensor.parameter, reason)

    def pinned(self, shape: Shape | None, reason: str) -> Labels:
        """A tensor that has nothing to lose. Where the shape is not known it is that of a single number."""
        return uniform(self.classes.pinned(reason), shape or ())


Handler = Callable[[Trace, onnx.NodeProto], Sequence[Tensor]]
"""Follows the channels through one node: returns what is known of its outputs."""


def follow(model: onnx.ModelProto, state: State, handlers: Mapping[str, Handler]) -> Trace:
    """Walks through a canonical graph.

    Args:
        model: The network, whose first axis is the batch.
        state: The arrays that constants are recognised by.
        handlers: What to do at each operator; at others everything that meets is left whole.
    """
    classes = Classes()
    initializers = constants(model.graph)
    shapes = fixed_shapes(model)
    trace = Trace(model.graph, shapes, Parameters(state, classes), classes, initializers, consumers(model.graph))
    for value in model.graph.input:
        if value.name not in initializers:
            trace.tensors[value.name] = trace.pinned(shapes[value.name], IMAGE)
    for node in model.graph.node:
        _follow_node(trace, node, handlers.get(node.op_type, unknown))
    for value in model.graph.output:
        found = trace.tensor(value.name)
        if isinstance(found, Labels):
            classes.explain(found.values, OUTPUT)
    trace.parameters.pin_set_aside()
    return trace


def unknown(trace: Trace, node: onnx.NodeProto) -> list[Tensor]:
    """Leaves whole all that meets at an operator through which channels are not followed."""
    return leave_whole(trace, node, f"its channels meet the operator {node.op_type}, which is not followed")


def leave_whole(trace: Trace, node: onnx.NodeProto, reason: str) -> list[Tensor]:
    """Pins all inputs of a node, those that a branch or a loop captures included; its outputs have nothing to lose."""
    for tensor in trace.inputs(node):
        trace.pin(tensor, reason)
    for name in _captured(node):
        if name in trace.tensors or name in trace.initializers:
            trace.pin(trace.tensor(name), reason)
    return [trace.pinned(trace.shape(node, index), reason) for index in range(len(node.output))]


def _follow_node(trace: Trace, node: onnx.NodeProto, handler: Handler) -> None:
    inputs = trace.inputs(node)
    known = all(not output or output in trace.shapes for output in node.output)
    if node.op_type in ("Shape", "Size"):
        results: Sequence[Tensor] = [neutral(trace.shape(node) or ())]
    elif any(isinstance(tensor, Labels) and not _is_neutral(tensor) for tensor in inputs) or _captured(node):
        results = (
            handler(trace, node) if known else leave_whole(trace, node, f"the shape of {node.op_type} is computed")
        )
    else:
        results = _constant(trace, node, inputs)
    trace.tensors.update(zip(node.output, results, strict=False))


def _constant(trace: Trace, node: onnx.NodeProto, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """What is computed from constants and sizes: a parameter that is passed on or repeated stays that parameter."""
    shape = trace.shape(node) or ()
    if node.op_type in ("Expand", "Identity", "Cast") and isinstance(inputs[0], Constant) and trace.shape(node):
        source = inputs[0]
        axes = (None,) * (len(shape) - len(source.axes)) + source.axes
        return [Constant(shape, source.parameter, axes if source.parameter else ())]
    for tensor in inputs:
        trace.pin(tensor, f"its weights are computed by {node.op_type}")
    return [neutral(trace.shape(node, index) or ()) for index in range(len(node.output))]


def _is_neutral(tensor: Labels) -> bool:
    return bool(np.all(tensor.values == NEUTRAL))


def _captured(node: onnx.NodeProto) -> set[str]:
    """The names that the branches of a node read, its own and those around it alike."""
    graphs = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    inner = [nested for graph in graphs for nested in graph.node]
    return {name for nested in inner for name in nested.input} | {n for nested in inner for n in _captured(nested)}
