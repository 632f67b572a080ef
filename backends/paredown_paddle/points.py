"""Quantization points and the layers and weights of a network that they belong to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from paredown.algorithms.grouping import row_count
from paredown.contracts import Fold
from paredown.errors import PlanError
from paredown.plan import QuantizationPoint
from paredown_paddle.names import Slot, is_batch_norm, named_layers, tensors


def layers_by_name(model: Any) -> dict[str, Any]:
    """The layers inside a network by neutral name."""
    return {name: layer for name, layer in named_layers(model) if name}


def check_points(model: Any, points: Iterable[QuantizationPoint]) -> None:
    """Refuses points that do not fit a network.

    Raises:
        PlanError: A point names a layer or a weight that the network does not have, or has not one scale and one zero
            point for each row of the weight.
    """
    layers, slots = layers_by_name(model), tensors(model)
    for point in points:
        _check_place(point, layers, slots)
        _check_numbers(point, slots)


def check_folds(model: Any, folds: Iterable[Fold]) -> None:
    """Refuses folds of layers that the network does not have, or that are no BatchNorm.

    Raises:
        PlanError: Names the fold.
    """
    layers = layers_by_name(model)
    for fold in folds:
        if fold.layer not in layers or not is_batch_norm(layers.get(fold.batch_norm)):
            raise PlanError(
                "a BatchNorm that belongs to a quantized weight is not in the network",
                where=f"{fold.layer} <- {fold.batch_norm}",
                expected="a convolution or Linear layer, and the BatchNorm behind it",
                remedy="measure the layers of this very network and fold what they say",
            )


def _check_place(point: QuantizationPoint, layers: Mapping[str, Any], slots: Mapping[str, Slot]) -> None:
    if point.layer in layers and (point.port != "weight" or f"{point.layer}.weight" in slots):
        return
    near = difflib.get_close_matches(point.layer, list(layers), n=1)
    raise PlanError(
        "a quantization point names a layer or a weight that the network does not have",
        where=f"{point.layer} ({point.port})",
        expected=f"a layer of this network, such as {near[0]}" if near else "a layer of this network",
        remedy="replay the plan on the network that it was made for",
    )


def _check_numbers(point: QuantizationPoint, slots: Mapping[str, Slot]) -> None:
    tensor = point.tensor
    lengths = {len(tensor.scale), len(tensor.zero_point)}
    if point.port == "weight":
        shape = slots[f"{point.layer}.weight"].shape
        has_axis = tensor.axis is None or 0 <= tensor.axis < len(shape)
        wanted = row_count(shape, tensor.axis, tensor.group_size) if has_axis else 0
        fits = lengths == {wanted} and has_axis
    else:
        wanted, fits = 1, len(lengths) == 1 and (tensor.axis is not None or lengths <= {0, 1})
    if not fits:
        raise PlanError(
            "a quantization point has another number of scales or zero points than the tensor has rows",
            where=f"{point.layer} ({point.port})",
            value=str(sorted(lengths)),
            expected=str(wanted),
            remedy="make the plan again from this network: it was pruned since",
        )
