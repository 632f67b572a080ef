"""Cutting the channels of a plan out of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paredown.algorithms.surgery import positions_removed
from paredown.contracts import IntArray, Outcome
from paredown.errors import PlanError
from paredown.plan import PrunePlan
from paredown_paddle.names import Slot, tensors
from paredown_paddle.sizes import is_depthwise, outputs_per_input, update_sizes
from paredown_paddle.surgery import Keep, cut_by_slicing, cut_with_paddleslim, is_for_paddleslim


def prune(model: Any, plan: PrunePlan) -> Outcome:
    """Shrinks the network in place: through PaddleSlim, and by slicing where it cannot.

    The evidence names those that cut under `cut_by`, and counts the arrays that became smaller under `tensors`.

    Raises:
        PlanError: When the plan names a tensor or a length that the network does not have, before anything is cut; or
            when the shapes afterwards are not the plan's.
    """
    slots = tensors(model)
    keep = _positions_kept(plan, slots)
    expected = {key: len(positions) for key, positions in keep.items()}
    plain = {key: positions for key, positions in keep.items() if is_for_paddleslim(slots[key[0]])}
    rest = {key: positions for key, positions in keep.items() if key not in plain}
    layers = {id(slots[name].layer): slots[name].layer for name, _ in keep}.values()
    multipliers = {id(layer): outputs_per_input(layer) for layer in layers if is_depthwise(layer)}
    if plain:
        cut_with_paddleslim(model, plain, slots)
    cut_by_slicing(rest, slots)
    for layer in layers:
        update_sizes(layer, multipliers.get(id(layer)))
    _check(expected, slots)
    libraries = [name for name, used in (("paddleslim", plain), ("paredown", rest)) if used]
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
        kept[name, axis] = np.delete(np.arange(slots[name].shape[axis]), sorted(gone))
        if not len(kept[name, axis]):
            raise PlanError("the plan removes every channel", where=f"{name}, axis {axis}", remedy="keep at least one")
    return kept


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
