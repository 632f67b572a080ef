"""Groups of coupled channels: brought to one form, so that every backend's groups can be compared and replayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from paredown.contracts import LayerInfo, State
from paredown.plan import Group, Member

_BUFFERS = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class GroupSet:
    """The groups that may be cut, in the order of the network's parameters, and what was left whole, with reasons."""

    groups: tuple[Group, ...]
    left_whole: Mapping[str, str]


def normalise(
    groups: Iterable[Group], state: State, layers: Sequence[LayerInfo], left_whole: Mapping[str, str]
) -> GroupSet:
    """Brings a backend's groups to the one form that core decides on.

    Members are ordered as the network defines its parameters, BatchNorm's running statistics join as buffers, a group
    is named after the first parameter whose outputs it holds, and groups that hold an output of the network are
    dropped: removing a class is no compression.

    Args:
        groups: As measured.
        state: The network's arrays; their order is the order of definition.
        layers: In order of execution; `is_output` marks what must stay.
        left_whole: What the backend could not trace, by layer name.
    """
    order = {name: position for position, name in enumerate(state)}
    outputs = output_layers(layers)
    kept: dict[str, Group] = {}
    whole = dict(left_whole)
    for group in groups:
        members = _ordered(group, state, order)
        roots = [m for m in members if m.axis == 0 and m.role == "parameter" and state[m.parameter].ndim > 1]
        if not roots:
            continue
        protected = sorted({_layer(m.parameter) for m in roots} & outputs)
        if protected:
            whole.update(dict.fromkeys(protected, "its outputs are the network's"))
            continue
        kept.setdefault(roots[0].parameter, group.model_copy(update={"name": roots[0].parameter, "members": members}))
    named = sorted(kept.values(), key=lambda group: order[group.name])
    return GroupSet(tuple(named), whole)


def output_layers(layers: Sequence[LayerInfo]) -> set[str]:
    """The layers with weights whose outputs the network returns; where none can be told, the last one."""
    by_name = {layer.name: layer for layer in layers}
    found = {_weighted_source(layer, by_name) for layer in layers if layer.is_output} - {None}
    last = [layer.name for layer in layers if layer.kind in ("conv", "linear")][-1:]
    return {name for name in found if name is not None} or set(last)


def _weighted_source(layer: LayerInfo, by_name: Mapping[str, LayerInfo]) -> str | None:
    """The layer with weights behind an output: a softmax, a pooling or a flattening adds no channels of its own."""
    seen: set[str] = set()
    current: LayerInfo | None = layer
    while current is not None and current.kind not in ("conv", "linear") and current.name not in seen:
        seen.add(current.name)
        current = by_name.get(current.source) if current.source else None
    return current.name if current is not None and current.kind in ("conv", "linear") else None


def _ordered(group: Group, state: State, order: Mapping[str, int]) -> tuple[Member, ...]:
    members = {(m.parameter, m.axis): m for m in group.members if m.parameter in order}
    for member in tuple(members.values()):
        layer = _layer(member.parameter)
        for name in (f"{layer}.{buffer}" for buffer in _BUFFERS):
            if name in state and state[member.parameter].ndim == 1:
                members[name, 0] = member.model_copy(update={"parameter": name, "role": "buffer"})
    return tuple(sorted(members.values(), key=lambda m: (order[m.parameter], m.axis)))


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]
