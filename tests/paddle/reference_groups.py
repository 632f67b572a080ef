"""PaddleSlim's own search for coupled channels: what core's groups are compared with, where PaddleSlim can follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from paredown.plan import Group, Member
from paredown_paddle.framework import import_paddleslim, paddle, quiet
from paredown_paddle.modes import evaluating
from paredown_paddle.names import Slot, is_batch_norm, named_layers, tensors

_ROOTS = (paddle.nn.Conv2D, paddle.nn.Linear)
_STATISTICS = ("running_mean", "running_var")


class Untraceable(Exception):
    """Why PaddleSlim does not tell the channels of one layer."""


def find_groups(model: Any, input_shape: tuple[int, int, int]) -> tuple[dict[str, Group], dict[str, str]]:
    """The groups by the weight whose outputs they are, the network's outputs among them; and what is untraceable.

    What PaddleSlim traces in part is untraceable: groups that claim one position twice.
    """
    graph, slots = _trace(model, input_shape), tensors(model)
    neutral = {slot.tensor.name: name for name, slot in slots.items()}
    groups: dict[str, Group] = {}
    reasons: dict[str, str] = {}
    for name, layer in named_layers(model):
        root = f"{name}.weight"
        if not isinstance(layer, _ROOTS) or any(_is_output_of(group, root) for group in groups.values()):
            continue
        try:
            groups[root] = _group(root, _details(graph, layer), neutral, slots)
        except Untraceable as reason:
            reasons[name] = str(reason)
    for root in _disputed(groups):
        del groups[root]
        reasons[root.removesuffix(".weight")] = "PaddleSlim traces its channels into those of another layer, in part"
    return groups, reasons


def _trace(model: Any, input_shape: tuple[int, int, int]) -> Any:
    """The graph under Paddle's old IR, which is the one that PaddleSlim understands."""
    slim = import_paddleslim()
    _teach_reductions()
    image = paddle.static.InputSpec([None, *input_shape], "float32", "image")
    with evaluating(model), paddle.pir_utils.OldIrGuard(), quiet():
        traced = paddle.jit.to_static(model.forward, input_spec=[image], full_graph=True)
        return slim.core.GraphWrapper(traced.concrete_program.main_program)


def _teach_reductions() -> None:
    """Leads PaddleSlim's search past means over axes: by itself it stops there, and reports only what comes before."""
    from paddleslim.prune.prune_worker import PRUNE_WORKER, PruneWorker, UnsupportOpError

    if "reduce_mean" in PRUNE_WORKER._module_dict:
        return

    def prune(self: Any, var: Any, pruned_axis: int, transforms: list[Any]) -> None:
        before, after = self.op.inputs("X")[0], self.op.outputs("Out")[0]
        rank = len(before.shape())
        gone = {axis % rank for axis in self.op.attr("dim") or range(rank)}
        kept = [axis for axis in range(rank) if axis not in gone]
        places = {axis: axis if self.op.attr("keep_dim") else place for place, axis in enumerate(kept)}
        forward = var == before
        if not forward:
            places = {place: axis for axis, place in places.items()}
        if pruned_axis not in places:
            raise UnsupportOpError("a mean over the channels")
        self._visit_and_search(after if forward else before, places[pruned_axis], transforms)

    # PaddleSlim looks workers up by the operator's name.
    PRUNE_WORKER.register(type("reduce_mean", (PruneWorker,), {"_prune": prune}))


def _details(graph: Any, layer: Any) -> list[Any]:
    """PaddleSlim's details (tensor, axis, transforms) of all that is cut with a layer's output channels."""
    from paddleslim.dygraph.prune.var_group import DygraphPruningCollections

    # PaddleSlim's own constructor traces with functions that Paddle no longer has.
    found = DygraphPruningCollections.__new__(DygraphPruningCollections)
    kind = "fc" if isinstance(layer, paddle.nn.Linear) else "conv"
    try:
        found.create_pruning_collections([layer.weight.name], graph, skip_leaves=False, prune_type=kind)
    except (AssertionError, AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
        raise Untraceable(f"PaddleSlim cannot follow an operator behind it ({type(error).__name__})") from error
    details = [detail for collection in found._collections for detail in collection.all_pruning_details()]
    if not details:
        raise Untraceable("PaddleSlim meets an operator behind it that it cannot follow")
    return details


def _group(root: str, details: list[Any], neutral: dict[str, str], slots: dict[str, Slot]) -> Group:
    size = slots[root].shape[0]
    maps: dict[tuple[str, int], Any] = {}
    for detail in details:
        name = neutral.get(detail.name)
        if name is None or name.endswith(_STATISTICS):
            continue
        key, channels = (name, slots[name].axis(detail.axis)), _follow(np.arange(size), detail.transform)
        maps[key] = np.maximum(maps[key], channels) if key in maps else channels
    if (root, 0) not in maps:
        raise Untraceable("PaddleSlim does not trace its outputs")
    blocks, size = _constraint(maps, slots, size)
    order = {name: index for index, name in enumerate(slots)}
    members: list[Member] = []
    for name, axis in sorted(maps, key=lambda key: (order[key[0]], key[1])):
        channels = np.where(maps[name, axis] >= 0, maps[name, axis] % size, -1)
        channels = channels[: size if _is_grouped(slots[name]) and axis == 1 else None]
        if len(channels) != slots[name].shape[axis]:
            raise Untraceable(f"it meets {name} at {len(channels)} positions of {slots[name].shape[axis]}")
        plain = None if np.array_equal(channels, np.arange(size)) else tuple(channels.tolist())
        members.append(Member(parameter=name, axis=axis, channels=plain, role=_role(name, axis, slots)))
        if is_batch_norm(slots[name].layer) and name.endswith(".bias"):
            layer = name.removesuffix("bias")
            members += [
                Member(parameter=layer + statistic, axis=0, channels=plain, role="buffer") for statistic in _STATISTICS
            ]
    return Group(name=root, size=size, members=tuple(members), blocks=blocks)


def _constraint(maps: dict[tuple[str, int], Any], slots: dict[str, Slot], size: int) -> tuple[int, int]:
    """What grouped convolutions demand: (blocks, size).

    One whose outputs are cut loses equally many in each of its groups. One whose inputs are cut has a single axis for
    the inputs of all its groups: the group's channel i is the i-th input of every one of them.
    """
    blocks = 1
    period = size
    for (name, axis), channels in maps.items():
        if not _is_grouped(slots[name]):
            continue
        if not np.array_equal(channels, np.arange(size)):
            raise Untraceable(f"{name}, a grouped convolution, sees its channels in another order")
        if axis == 0:
            blocks = slots[name].layer._groups
        else:
            period = slots[name].shape[1]
    if blocks > 1 and period < size:
        raise Untraceable("it lies between two grouped convolutions")
    return blocks, period


def _is_grouped(slot: Slot) -> bool:
    """A convolution of several groups that is not depthwise."""
    return int(getattr(slot.layer, "_groups", 1)) > 1 and len(slot.shape) == 4 and slot.shape[1] > 1


def _follow(channels: Any, transforms: list[dict[str, Any]]) -> Any:
    """Sends channels through PaddleSlim's transforms as it sends its masks; -1 is another group's."""
    for transform in transforms:
        if "src_start" in transform:
            part = channels[transform["src_start"] : transform["src_end"]]
            start, end = transform["target_start"], transform["target_end"]
            channels = np.full(transform["target_len"], -1)
            channels[start:end] = np.tile(part, (end - start) // len(part))
        elif "stride" in transform:
            channels = np.repeat(channels, transform["stride"])
        elif "squeeze" in transform:
            channels = channels.reshape(-1, transform["squeeze"])[:, 0]
        elif "repeat" in transform:
            channels = np.tile(np.repeat(channels, transform["repeat"]), transform.get("tile", 1))
    return channels


def _role(name: str, axis: int, slots: dict[str, Slot]) -> Any:
    if len(slots[name].shape) > 1:
        return ("output", "input")[axis]
    if is_batch_norm(slots[name].layer):
        return "scale" if name.endswith(".weight") else "shift"
    return "bias" if name.endswith(".bias") else "other"


def _is_output_of(group: Group, parameter: str) -> bool:
    return any(member.parameter == parameter and member.role == "output" for member in group.members)


def _disputed(groups: dict[str, Group]) -> set[str]:
    claims: dict[tuple[str, int, int], list[str]] = {}
    for root, group in groups.items():
        for member in group.members:
            for position, channel in enumerate(member.channels or range(group.size)):
                if channel >= 0:
                    claims.setdefault((member.parameter, member.axis, position), []).append(root)
    return {root for claimed in claims.values() if len(claimed) > 1 for root in claimed}
