"""Cutting the channels of a plan out of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.surgery import positions_removed
from paredown.contracts import IntArray, Outcome
from paredown.errors import PlanError
from paredown.plan import PrunePlan
from paredown_paddle.framework import paddle
from paredown_paddle.names import Slot, is_batch_norm, tensors
from paredown_paddle.surgery import Keep, cut_by_slicing, cut_with_paddleslim


def prune(model: Any, plan: PrunePlan) -> Outcome:
    """Shrinks the network in place: through PaddleSlim, and by slicing where it cannot.

    Raises:
        PlanError: When the plan names a tensor or a length that the network does not have, before anything is cut; or
            when the shapes afterwards are not the plan's.
    """
    slots = tensors(model)
    keep = _positions_kept(plan, slots)
    expected = {key: len(positions) for key, positions in keep.items()}
    grouped = {key: positions for key, positions in keep.items() if _is_grouped(slots[key[0]])}
    plain = {key: positions for key, positions in keep.items() if key not in grouped}
    if plain:
        cut_with_paddleslim(model, plain, slots)
    cut_by_slicing(grouped, slots)
    for layer in {id(slots[name].layer): slots[name].layer for name, _ in keep}.values():
        _update_sizes(layer)
    _check(expected, slots)
    libraries = [name for name, used in (("paddleslim", plain), ("paredown", grouped)) if used]
    return Outcome(model, {"cut_by": "+".join(libraries), "tensors": len({name for name, _ in keep})})


def _positions_kept(plan: PrunePlan, slots: Mapping[str, Slot]) -> Keep:
    state = {name: np.broadcast_to(np.float32(0), slot.shape) for name, slot in slots.items()}
    removed: dict[tuple[str, int], set[int]] = {}
    for cut in plan.cuts:
        for member in cut.group.members:
            positions = positions_removed(member, cut, state)
            removed.setdefault((member.parameter, member.axis), set()).update(positions)
    kept: dict[tuple[str, int], IntArray] = {}
    for (name, axis), gone in removed.items():
        kept[name, axis] = np.array([index for index in range(slots[name].shape[axis]) if index not in gone], dtype=int)
        if not len(kept[name, axis]):
            raise PlanError("the plan removes every channel", where=f"{name}, axis {axis}", remedy="keep at least one")
    return kept


def _is_grouped(slot: Slot) -> bool:
    """A convolution of several groups that is not depthwise."""
    groups = int(getattr(slot.layer, "_groups", 1) or 1)
    return groups > 1 and len(slot.shape) == 4 and slot.shape[1] > 1


def _update_sizes(layer: Any) -> None:
    """Makes a layer's own account of its sizes agree with its parameters."""
    if is_batch_norm(layer):
        if hasattr(layer, "_num_features"):
            layer._num_features = int(layer.weight.shape[0])
    elif isinstance(layer, paddle.nn.Conv2D):
        layer._out_channels = int(layer.weight.shape[0])
        layer._in_channels = int(layer.weight.shape[1]) * int(layer._groups)
    elif isinstance(layer, paddle.nn.Linear) and hasattr(layer, "in_features"):
        layer.in_features, layer.out_features = (int(size) for size in layer.weight.shape)


def _check(expected: Mapping[tuple[str, int], int], slots: Mapping[str, Slot]) -> None:
    for (name, axis), length in expected.items():
        found = slots[name].shape[axis]
        if found != length:
            raise PlanError(
                "the surgery did not leave what the plan says",
                where=f"{name}, axis {axis}",
                value=f"{found} long",
                expected=f"{length} long",
                remedy="report it with the plan: this is a fault of the Paddle backend",
            )
