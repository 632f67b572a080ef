"""The network's parameters: which constant of the graph is which, and the channels that lie on their axes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paredown.contracts import Array, Axis, IntArray, State
from paredown.deploy.coupling.classes import Classes
from paredown.deploy.coupling.tensors import Constant
from paredown.errors import ModelError
from paredown.plan import MemberRole

AFFINE: dict[str, MemberRole] = {"weight": "scale", "bias": "shift", "running_mean": "buffer", "running_var": "buffer"}
"""What a normalisation holds for each channel."""

SAME_NETWORK = "find the groups on the export of the network that the arrays were saved from"


class Parameters:
    """Labels for the axes of parameters: given by the first use of an axis, joined by every other."""

    def __init__(self, state: State, classes: Classes) -> None:
        self.state = state
        self._classes = classes
        self.order = {name: position for position, name in enumerate(state)}
        self.labels: dict[Axis, IntArray] = {}
        self.roles: dict[Axis, MemberRole] = {}
        self.layers: dict[str, bool] = {}
        """The weights of convolutions and linear layers; True where outputs are new channels, not passed on."""
        self.seen: set[str] = set()
        self.elsewhere: dict[str, str] = {}
        """Parameters that something reads in a way that is not followed, and what that is."""

    def identify(self, name: str, values: Array) -> Constant:
        """The parameter that a constant is: by its name, else by its values, if just one parameter holds them.

        Raises:
            ModelError: The parameter of that name has another shape.
        """
        if name in self.state:
            self.seen.add(name)
            return Constant(values.shape, name, self._orientation(name, values))
        if values.ndim == 0 or values.size < 2 or not np.issubdtype(values.dtype, np.floating):
            return Constant(values.shape)
        found = tuple(self._equal(values))
        if len(found) != 1:
            return Constant(values.shape, candidates=found)
        parameter, axes = found[0]
        self.seen.add(parameter)
        return Constant(values.shape, parameter, axes)

    def bind(self, parameter: str, axis: int, labels: IntArray, role: MemberRole) -> IntArray:
        """Says which channels lie on an axis; returns the labels that the axis has now.

        Raises:
            ModelError: The axis has another length in the state.
        """
        expected = self.state[parameter].shape[axis]
        if expected != len(labels):
            raise ModelError(
                "the graph and the arrays are not of one network",
                where=f"{parameter}, axis {axis}",
                value=f"{len(labels)} long in the graph, {expected} long in the arrays",
                remedy=SAME_NETWORK,
            )
        self.seen.add(parameter)
        key = (parameter, axis)
        if key in self.labels:
            self._classes.union(self.labels[key], labels)
        else:
            self.labels[key], self.roles[key] = labels, role
        return self.labels[key]

    def holds(self, parameter: str, axis: int, labels: IntArray) -> bool:
        """Whether an axis is known to hold just these channels."""
        held = self.labels.get((parameter, axis))
        return held is not None and np.array_equal(self._classes.roots(held), self._classes.roots(labels))

    def bind_outputs(self, weight: str, axis: int, labels: IntArray | None, *, root: bool) -> IntArray:
        """Binds a layer's output axis and its bias; None gives new labels, or those of the layer's earlier call."""
        if labels is None:
            known = self.labels.get((weight, axis))
            labels = self._classes.fresh(self.state[weight].shape[axis]) if known is None else known
        self.layers[weight] = root
        bound = self.bind(weight, axis, labels, "output")
        bias = bias_of(weight)
        if bias in self.state and self.state[bias].shape == bound.shape:
            self.bind(bias, 0, bound, "bias")
        return bound

    def bind_affine(self, layer: str, labels: IntArray) -> None:
        """Binds all that a normalisation layer holds for each channel."""
        for suffix, role in AFFINE.items():
            if f"{layer}.{suffix}" in self.state:
                self.bind(f"{layer}.{suffix}", 0, labels, role)

    def outputs(self) -> dict[str, IntArray]:
        """The labels on the output axis of each layer's weight, in the network's order."""
        axes = [axis for axis, role in self.roles.items() if role == "output"]
        return {axis[0]: self.labels[axis] for axis in sorted(axes, key=lambda axis: self.order[axis[0]])}

    def bind_whole(self, weight: str, axis: int, label: int) -> None:
        """Binds the outputs of a layer none of which may go to the label of a pinned class."""
        self.bind_outputs(weight, axis, np.full(self.state[weight].shape[axis], label), root=True)

    def set_aside(self, parameter: str, reason: str) -> None:
        """Keeps a parameter whole that something reads in a way that is not followed."""
        self.elsewhere.setdefault(parameter, reason)

    def pin_set_aside(self) -> None:
        """Pins the channels of parameters that were set aside, once all is bound."""
        for (parameter, _), labels in self.labels.items():
            if parameter in self.elsewhere:
                self._classes.pin(labels, self.elsewhere[parameter])

    def _orientation(self, name: str, values: Array) -> tuple[int | None, ...]:
        """The parameter's axis behind each axis of a constant of its name; a matrix may be turned."""
        held = self.state[name]
        if values.ndim == held.ndim == 2 and values.shape == held.shape[::-1]:
            square = values.shape == held.shape
            if not square or (np.array_equal(values, held.T) and not np.array_equal(values, held)):
                return 1, 0
        axes = _axes(values.shape, held.shape)
        if axes is None:
            raise ModelError(
                "the graph and the arrays are not of one network",
                where=name,
                value=f"shape {values.shape} in the graph, {held.shape} in the arrays",
                remedy=SAME_NETWORK,
            )
        return axes

    def _equal(self, values: Array) -> Iterable[tuple[str, tuple[int | None, ...]]]:
        for name, held in self.state.items():
            if held.size != values.size:
                continue
            axes = _axes(values.shape, held.shape)
            if axes is not None and np.array_equal(held.ravel(), values.ravel()):
                yield name, axes
            elif values.ndim == held.ndim == 2 and values.shape == held.shape[::-1] and np.array_equal(held.T, values):
                yield name, (1, 0)


def bias_of(weight: str) -> str:
    """The bias beside a weight: `fc.bias` for `fc.weight`, `attention.in_proj_bias` for `attention.in_proj_weight`."""
    return weight.removesuffix("weight") + "bias"


def _axes(shape: tuple[int, ...], held: tuple[int, ...]) -> tuple[int | None, ...] | None:
    """For each axis of a constant the parameter's axis, where the shapes differ by axes of length 1 alone."""
    if shape == held:
        return tuple(range(len(held)))
    longer = [axis for axis, length in enumerate(held) if length > 1]
    if [length for length in shape if length > 1] != [held[axis] for axis in longer]:
        return None
    remaining = iter(longer)
    return tuple(next(remaining) if length > 1 else None for length in shape)
