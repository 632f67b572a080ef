"""What a plan says about this graph, checked: the tensor of each place and of each weight."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from paredown.algorithms.grouping import row_count
from paredown.deploy.canonical.graph import constants
from paredown.deploy.places import Call, places
from paredown.errors import PlanError
from paredown.plan import QuantizedTensor, QuantPlan

Points = dict[tuple[str, str, int], QuantizedTensor]
"""A plan's tensors by layer, port and index of the call."""
REMEDY = "make the plan from this very network"


def points_of(plan: QuantPlan) -> Points:
    """The plan's tensors by their places."""
    return {(point.layer, point.port, point.index): point.tensor for point in plan.points}


def weight_tensors(graph: onnx.GraphProto, calls: Iterable[Call], plan: QuantPlan) -> dict[str, QuantizedTensor]:
    """How each layer's weight is quantized.

    Raises:
        PlanError: A layer has no point, or another number of scales than its weight has rows.
    """
    points, known = points_of(plan), constants(graph)
    found = {}
    for call in calls:
        tensor = one_tensor(points, [(call.layer, "weight", 0)])
        expected = row_count(tuple(known[call.weight].dims), tensor.axis, tensor.group_size)
        if len(tensor.scale) != expected or len(tensor.zero_point) != expected:
            raise PlanError(
                "the plan is for a layer of another size",
                where=call.layer,
                value=f"{len(tensor.scale)} scales, {len(tensor.zero_point)} zero points",
                expected=f"{expected} of each",
                remedy=REMEDY,
            )
        found[call.layer] = tensor
    return found


def activation_tensors(graph: onnx.GraphProto, plan: QuantPlan) -> dict[str, QuantizedTensor]:
    """How each tensor of the graph is quantized that has a scale of its own.

    Raises:
        PlanError: A place has no point, or the places of one tensor differ.
    """
    points = points_of(plan)
    return {
        name: one_tensor(points, [(place.layer, place.port, place.index) for place in named])
        for name, named in places(graph, plan.left_float).items()
    }


def one_tensor(points: Points, keys: list[tuple[str, str, int]]) -> QuantizedTensor:
    """The tensor of the first key; every key must be in the plan, with an equal one."""
    for layer, port, index in keys:
        if (layer, port, index) not in points:
            raise PlanError(
                "the plan has no point for this place",
                where=layer,
                value=f"{port} of call {index}",
                expected="a scale",
                remedy=REMEDY,
            )
        if points[layer, port, index] != points[keys[0]]:
            raise PlanError(
                "the plan gives two scales to one tensor",
                where=layer,
                value=f"{port} of call {index}",
                expected=f"the scale of {keys[0][0]}'s {keys[0][1]}",
                remedy=REMEDY,
            )
    return points[keys[0]]
