"""Which inputs and outputs of an operator may be 16-bit floats, from the standard's own schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from paredown.deploy.canonical.opset import OPSET
from paredown.errors import UnsupportedError

HALF = "tensor(float16)"


@dataclass(frozen=True, slots=True)
class HalfTypes:
    """For each formal input and output, whether it may be a 16-bit float; the last one stands for all that follow."""

    inputs: tuple[bool, ...] = (False,)
    outputs: tuple[bool, ...] = (False,)

    def takes(self, position: int) -> bool:
        """Whether the input at this position may be a 16-bit float."""
        return _at(self.inputs, position)

    def gives(self, position: int) -> bool:
        """Whether the output at this position is a 16-bit float where the inputs are."""
        return _at(self.outputs, position)


def half_types(node: onnx.NodeProto) -> HalfTypes:
    """What the operator's schema permits."""
    schema = onnx.defs.get_schema(node.op_type, OPSET)
    permitted = {constraint.type_param_str: constraint.allowed_type_strs for constraint in schema.type_constraints}

    def are_half(formals: Sequence[onnx.defs.OpSchema.FormalParameter]) -> tuple[bool, ...]:
        return tuple(HALF in permitted.get(formal.type_str, [formal.type_str]) for formal in formals)

    return HalfTypes(are_half(schema.inputs), are_half(schema.outputs))


def refuse_subgraphs(graph: onnx.GraphProto) -> None:
    """Raises `UnsupportedError` that names the operators with graphs inside."""
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    found = sorted({node.op_type for node in graph.node for attribute in node.attribute if attribute.type in kinds})
    if found:
        raise UnsupportedError(
            "a network with control flow cannot be written in 16-bit floats",
            where="export",
            value=", ".join(found),
            expected="a graph without branches and loops",
            remedy="write the network without control flow, or choose another mode",
        )


def _at(flags: tuple[bool, ...], position: int) -> bool:
    return bool(flags) and flags[min(position, len(flags) - 1)]
