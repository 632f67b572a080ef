"""From labels on the axes of parameters to groups, and to the reasons of what is left whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.algorithms.groups import SINGLE, GroupSet, layer_of, member_channels, why_whole
from paredown.contracts import IntArray
from paredown.deploy.coupling.classes import Classes
from paredown.deploy.coupling.constraints import Pieces, binding, blocks_of, components
from paredown.deploy.coupling.parameters import Parameters
from paredown.deploy.coupling.shaping import HEADS
from paredown.deploy.coupling.trace import Trace
from paredown.plan import Group, Member

ATTENTION = "it feeds or adds to what attention reads, whose sizes the network's code fixes"
UNSEEN = "the exported graph does not hold its weights"


@dataclass(frozen=True, slots=True)
class Numbering:
    """The classes of a group, channel by channel, and its number of blocks."""

    classes: IntArray
    blocks: int


def assemble(trace: Trace) -> GroupSet:
    """Groups of the classes that were found: those that share an output axis or a constraint are cut as one."""
    parameters, classes = trace.parameters, trace.classes
    _protect_attention(parameters, classes)
    pieces = binding(trace.constraints, classes)
    outputs = [classes.roots(labels) for labels in _root_labels(parameters)]
    numberings = []
    for channels in components(outputs, pieces):
        found = _numbered(channels, [piece for piece in pieces if np.isin(piece.classes, channels).any()], classes)
        if isinstance(found, str):
            classes.pin(np.asarray(channels), found)
        else:
            numberings.append(found)
    groups = _groups(parameters, classes, numberings)
    return GroupSet(groups, _left_whole(parameters, classes, groups))


def _protect_attention(parameters: Parameters, classes: Classes) -> None:
    """Pins the inputs of layers whose outputs are taken apart into heads: code computes their number from the input."""
    for weight, labels in parameters.outputs().items():
        if classes.reason(labels) == HEADS:
            for (name, axis), inputs in parameters.labels.items():
                if name == weight and parameters.roles[name, axis] == "input":
                    classes.pin(inputs, ATTENTION)


def _root_labels(parameters: Parameters) -> list[IntArray]:
    """The labels of outputs that are new channels; depthwise convolutions pass theirs on."""
    return [labels for weight, labels in parameters.outputs().items() if parameters.layers[weight]]


def _numbered(channels: Sequence[int], pieces: Sequence[Pieces], classes: Classes) -> Numbering | str:
    """The channels of a group by class, each block a contiguous run, and the number of blocks; or why there is none."""
    coupled = np.concatenate([np.asarray(channels), *(piece.classes for piece in pieces)])
    if (reason := classes.reason(coupled)) is not None:
        return reason
    if (reason := why_whole(len(channels))) is not None:
        return reason
    found = blocks_of(channels, pieces)
    if isinstance(found, str):
        return found
    block, count = found
    if (reason := why_whole(len(channels), count)) is not None:
        return reason
    ordered = sorted(channels, key=lambda label: block[label])
    return Numbering(np.asarray(ordered), count)


def _groups(parameters: Parameters, classes: Classes, numberings: Sequence[Numbering]) -> tuple[Group, ...]:
    """The groups, in the order of their names; one pass over all parameters finds the members of all of them."""
    owner, number = classes.table(-1), classes.table(-1)
    for index, numbering in enumerate(numberings):
        owner[numbering.classes] = index
        number[numbering.classes] = np.arange(len(numbering.classes))
    members: list[list[Member]] = [[] for _ in numberings]
    for name, axis in sorted(parameters.labels, key=lambda key: (parameters.order[key[0]], key[1])):
        roots = classes.roots(parameters.labels[name, axis])
        for index in np.unique(owner[roots]).tolist():
            if index >= 0:
                channels = np.where(owner[roots] == index, number[roots], -1)
                plain = member_channels(channels, len(numberings[index].classes))
                role = parameters.roles[name, axis]
                members[index].append(Member(parameter=name, axis=axis, channels=plain, role=role))
    groups = [
        Group(name=_name(held), size=len(numbering.classes), members=tuple(held), blocks=numbering.blocks)
        for held, numbering in zip(members, numberings, strict=True)
    ]
    return tuple(sorted(groups, key=lambda group: parameters.order[group.name]))


def _name(members: Sequence[Member]) -> str:
    return next(member.parameter for member in members if member.role == "output")


def _left_whole(parameters: Parameters, classes: Classes, groups: Sequence[Group]) -> dict[str, str]:
    """Reasons for the layers whose outputs are in no group, in the network's order."""
    cut = {member.parameter for group in groups for member in group.members if member.role == "output"}
    outputs = parameters.outputs()
    reasons: dict[str, str] = {}
    for name, values in parameters.state.items():
        if name in outputs and name not in cut:
            reasons[layer_of(name)] = classes.reason(outputs[name]) or SINGLE
        elif name in parameters.elsewhere and name not in outputs:
            reasons[layer_of(name)] = parameters.elsewhere[name]
        elif name not in parameters.seen and values.ndim > 1 and name.endswith("weight"):
            reasons[layer_of(name)] = UNSEEN
    return reasons
