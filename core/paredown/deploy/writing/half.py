"""Networks of 16-bit floats (IEEE 754 binary16) with 32-bit inputs and outputs."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper

from paredown.deploy.canonical.graph import attributes, output_names
from paredown.deploy.places import layer_name
from paredown.deploy.writing.graph_file import GraphFile
from paredown.deploy.writing.half_numbers import to_half
from paredown.deploy.writing.half_types import HalfTypes, half_types, refuse_subgraphs
from paredown.plan import QuantPlan


def write_half(model: onnx.ModelProto, plan: QuantPlan) -> onnx.ModelProto:
    """The network with all weights and activations rounded to 16-bit floats, to nearest.

    Layers that the plan leaves in float, and operators without a 16-bit form, compute in 32 bits between two casts.
    Weights too small for 16 bits become zero.

    Raises:
        DataError: A weight is not finite, or beyond the greatest 16-bit float (65504); the error names it.
        UnsupportedError: The network has control flow.
    """
    refuse_subgraphs(model.graph)
    return _Writer(model, plan).write()


class _Writer:
    """Copies the graph; the 16-bit form of a computed tensor `t` is `t_h`, made when the first node asks for it."""

    def __init__(self, model: onnx.ModelProto, plan: QuantPlan) -> None:
        self.graph = model.graph
        self.left = plan.left_float
        self.file = GraphFile(self.graph)
        types = onnx.shape_inference.infer_shapes(model).graph
        values = [*types.input, *types.value_info, *types.output]
        self.floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
        self.floats |= {name for name, held in self.file.known.items() if held.data_type == TensorProto.FLOAT}
        self.made = {value.name for value in self.graph.input}

    def write(self) -> onnx.ModelProto:
        for node in self.graph.node:
            self._copy(node)
        for name in sorted(output_names(self.graph) & self.floats):
            self._single(name)
        return self.file.finish()

    def _copy(self, node: onnx.NodeProto) -> None:
        is_left = len(node.input) > 1 and node.input[1].endswith(".weight") and layer_name(node) in self.left
        types = HalfTypes() if is_left else half_types(node)
        names = []
        for position, name in enumerate(node.input):
            if name not in self.floats:
                names.append(name)
            elif types.takes(position):
                names.append(self._half(name, node, position))
            else:
                names.append(self._single(name))
        outputs = [
            f"{name}_h" if name in self.floats and types.gives(position) else name
            for position, name in enumerate(node.output)
        ]
        self.made.update(outputs)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.output[:]
        copy.output.extend(outputs)
        if not is_left:
            _set_half_attributes(copy)
        self.file.copy(copy, names)

    def _half(self, name: str, node: onnx.NodeProto, position: int) -> str:
        if name in self.file.known:
            if name not in self.file:
                is_bound = node.op_type == "Clip" and position > 0
                self.file.constant(name, to_half(self.file.array(name), name, is_bound=is_bound))
            return name
        if f"{name}_h" not in self.made:
            self.made.add(f"{name}_h")
            self.file.append("Cast", [name], f"{name}_h", to=TensorProto.FLOAT16)
        return f"{name}_h"

    def _single(self, name: str) -> str:
        if name in self.file.known:
            return self.file.constant(f"{name}_w", self.file.array(name))
        if name not in self.made:
            self.made.add(name)
            self.file.append("Cast", [f"{name}_h"], name, to=TensorProto.FLOAT)
        return name


def _set_half_attributes(node: onnx.NodeProto) -> None:
    """Turns what a node says of its output's type: `to`, `dtype` and the value of ConstantOfShape."""
    given = attributes(node)
    changed = {name: TensorProto.FLOAT16 for name in ("to", "dtype") if given.get(name) == TensorProto.FLOAT}
    value = given.get("value")
    if isinstance(value, TensorProto) and value.data_type == TensorProto.FLOAT:
        numbers = to_half(numpy_helper.to_array(value), node.output[0])
        changed["value"] = numpy_helper.from_array(numbers)
    kept = [attribute for attribute in node.attribute if attribute.name not in changed]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in changed.items())])
