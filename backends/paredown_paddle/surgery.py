"""PaddleSlim's surgery, led by a plan: which positions of which axis stay is decided, PaddleSlim only cuts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paredown.contracts import IntArray
from paredown_paddle.framework import import_paddleslim, paddle
from paredown_paddle.names import Slot, is_batch_norm
from paredown_paddle.sizes import outputs_per_input

Keep = Mapping[tuple[str, int], "IntArray"]
"""(Neutral tensor name, axis in torch's layout) to the positions that stay, ascending."""


def is_for_paddleslim(slot: Slot) -> bool:
    """Whether PaddleSlim cuts a tensor as the plan says.

    It reaches parameters alone, makes float32 of what it cuts, and changes the group count of every convolution in
    groups to the number of its outputs: right for a depthwise one with one output an input, and for no other.
    """
    if slot.attribute not in slot.layer._parameters or slot.tensor.dtype != paddle.float32:
        return False
    if isinstance(slot.layer, paddle.nn.Conv2D):
        return slot.layer._groups == 1 or (int(slot.layer.weight.shape[1]) == 1 == outputs_per_input(slot.layer))
    return isinstance(slot.layer, paddle.nn.Linear) or is_batch_norm(slot.layer)


def cut_with_paddleslim(model: Any, keep: Keep, slots: Mapping[str, Slot]) -> None:
    """Shrinks parameters in place through PaddleSlim's `prune_vars`; their layers' group counts follow."""
    by_tensor: dict[str, list[tuple[int, Any]]] = {}
    for (name, axis), positions in keep.items():
        slot = slots[name]
        own = slot.axis(axis)
        mask = np.zeros(slot.tensor.shape[own], dtype=np.int64)
        mask[positions] = 1
        by_tensor.setdefault(slot.tensor.name, []).append((own, mask))
    layers = {slots[name].tensor.name: slots[name].layer for name, _ in keep}
    pruner = _pruner_class()(model, by_tensor, layers)
    pruner.prune_vars(dict.fromkeys(by_tensor, 0.0), [0], apply="impretive")
    _drop_backups(model)


def cut_by_slicing(keep: Keep, slots: Mapping[str, Slot]) -> None:
    """Shrinks tensors in place where PaddleSlim cannot."""
    for (name, axis), positions in keep.items():
        slot = slots[name]
        values = np.take(slot.tensor.numpy(), positions, axis=slot.axis(axis))
        tensor = slot.tensor.value().get_tensor()
        tensor.set(values, _place(tensor))
        if slot.tensor.trainable:
            slot.tensor.clear_gradient()


Masks = Mapping[str, Sequence[tuple[int, Any]]]
"""Paddle's tensor name to axes in Paddle's layout, each with ones where a position stays."""


def _place(tensor: Any) -> Any:
    """The device of a tensor, as the class that `set` takes."""
    general = tensor._place()
    return paddle.CPUPlace() if general.is_cpu_place() else paddle.CUDAPlace(general.gpu_device_id())


class _Operator:
    """What PaddleSlim asks of the operator that a parameter belongs to."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def attr(self, name: str) -> Any:
        """An attribute of the operator; None where it has none of that name."""
        return getattr(self.layer, f"_{name}", None)


@functools.cache
def _pruner_class() -> Any:
    """The subclass is made on first use, because importing PaddleSlim takes seconds."""
    import_paddleslim()
    from paddleslim.dygraph.prune.filter_pruner import FilterPruner
    from paddleslim.dygraph.prune.pruning_plan import PruningMask, PruningPlan

    class PlannedPruner(FilterPruner):
        """A pruner whose masks are given; PaddleSlim's own constructor would trace with what Paddle no longer has."""

        def __init__(self, model: Any, masks: Masks, layers: Mapping[str, Any]) -> None:
            self.model, self.opt, self.plan, self.prune_type = model, None, None, "conv"
            self.masks, self.layers = masks, layers

        def prune_var(self, var_name: str, pruned_axis: int, pruned_ratio: float, apply: Any = None) -> Any:  # noqa: ARG002
            """The given masks of one parameter, on every axis, as PaddleSlim's plan."""
            plan = PruningPlan(self.model.full_name)
            for axis, mask in self.masks[var_name]:
                plan.add(var_name, PruningMask(axis, mask, 0.0, _Operator(self.layers[var_name])))
            return plan

    return PlannedPruner


def _drop_backups(model: Any) -> None:
    """PaddleSlim keeps the old values as buffers; they would be saved with the network and double its size."""
    for layer in model.sublayers(include_self=True):
        for name in [name for name in layer._buffers if name.endswith("_backup")]:
            del layer._buffers[name]
        vars(layer).pop("_origin_groups", None)
