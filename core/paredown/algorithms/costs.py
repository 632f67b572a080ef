"""What a network costs once channels are gone: multiply-accumulates, parameters and bytes, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from paredown.algorithms.counting import layer_positions
from paredown.contracts import IntArray, LayerInfo
from paredown.errors import PlanError
from paredown.plan import Group, Member

Measure = Literal["macs", "params", "bytes"]
MEASURES: tuple[Measure, ...] = ("macs", "params", "bytes")

_BYTES_PER_NUMBER = 4
_STATISTICS = (".running_mean", ".running_var")


class Costs:
    """Costs of a network as a function of the channels removed from its groups, exact for every array.

    `macs` are those of `counting.count_macs`, `params` those of `counting.count_parameters`, `bytes` four for each
    stored number, BatchNorm's statistics included.

    Args:
        groups: The groups that may be cut.
        state_shapes: Every array's shape in torch's layout.
        layers: The calls of the layers, in any order.

    Raises:
        PlanError: A member is in no array, or its axis has another length.
    """

    def __init__(
        self, groups: Sequence[Group], state_shapes: Mapping[str, tuple[int, ...]], layers: Sequence[LayerInfo]
    ) -> None:
        self.groups = tuple(groups)
        rank = max((len(shape) for shape in state_shapes.values()), default=1)
        self._rows = {name: row for row, name in enumerate(state_shapes)}
        self._lengths = np.ones((len(state_shapes), max(rank, 1)), dtype=np.int64)
        for row, shape in enumerate(state_shapes.values()):
            self._lengths[row, : len(shape)] = shape
        self._weights, self._fixed_macs = self._factors(layers)
        self._members = [self._tables(group) for group in self.groups]
        self.full = self._count(self._lengths)

    def at(self, removed: Mapping[str, Sequence[int]]) -> dict[Measure, int]:
        """The costs once channels are gone: names of groups to the channels removed from each."""
        lengths = self._lengths.copy()
        for group, (slots, positions) in zip(self.groups, self._members, strict=True):
            gone = list(removed.get(group.name, ()))
            if gone:
                np.subtract.at(lengths.reshape(-1), slots, positions[:, gone].sum(axis=1))
        return self._count(lengths)

    def shares(self, removed: Mapping[str, Sequence[int]]) -> dict[str, float]:
        """The shares of the whole network's costs that are kept once channels are gone."""
        return self.as_shares(self.at(removed))

    def as_shares(self, costs: Mapping[Measure, int]) -> dict[str, float]:
        """Costs divided by those of the whole network; 1 where that costs nothing."""
        return {name: costs[name] / self.full[name] if self.full[name] else 1.0 for name in MEASURES}

    def untouched(self, measure: Measure) -> float:
        """The share of a cost that lies in arrays no group has a channel of."""
        width = self._lengths.shape[1]
        touched = {int(slot) // width for slots, _ in self._members for slot in slots}
        rest = np.ones(len(self._lengths), dtype=np.int64)
        rest[sorted(touched)] = 0
        sizes = self._lengths.prod(axis=1) * rest
        held = int(self._weights[measure] @ sizes) + (self._fixed_macs if measure == "macs" else 0)
        return held / self.full[measure] if self.full[measure] else 1.0

    def along(self, orders: Sequence[tuple[IntArray, IntArray]]) -> CostPath:
        """Prepares for many questions about channels that go in a fixed order.

        Args:
            orders: For each group its channels in the order in which they go, and for each step, from 0 on, how many
                of them are gone then.
        """
        return CostPath(self, orders)

    def _factors(self, layers: Sequence[LayerInfo]) -> tuple[dict[Measure, IntArray], int]:
        """What each number of each array counts for, by measure, and the MACs of weights that no array holds."""
        macs = np.zeros(len(self._rows), dtype=np.int64)
        fixed = 0
        for layer in layers:
            if layer.kind not in ("conv", "linear"):
                continue
            row = self._rows.get(f"{layer.name}.weight")
            if row is None:
                fixed += math.prod(layer.weight_shape) * layer_positions(layer)
            else:
                macs[row] += layer_positions(layer)
        params = np.asarray([not name.endswith(_STATISTICS) for name in self._rows], dtype=np.int64)
        every = np.full(len(self._rows), _BYTES_PER_NUMBER, dtype=np.int64)
        return {"macs": macs, "params": params, "bytes": every}, fixed

    def _tables(self, group: Group) -> tuple[IntArray, IntArray]:
        """For each member of a group its slot among all axes, and [members, channels]: the positions of each."""
        slots = [self._slot(member, group) for member in group.members]
        positions = np.zeros((len(slots), group.size), dtype=np.int64)
        for row, member in enumerate(group.members):
            if member.channels is None:
                positions[row] = 1
            else:
                channels = np.asarray(member.channels)
                positions[row] = np.bincount(channels[channels >= 0], minlength=group.size)
        return np.asarray(slots, dtype=np.int64), positions

    def _slot(self, member: Member, group: Group) -> int:
        row = self._rows.get(member.parameter)
        expected = group.size if member.channels is None else len(member.channels)
        found = None if row is None else int(self._lengths[row, member.axis])
        if row is None or found != expected:
            raise PlanError(
                "a group does not fit the network whose cost is asked for",
                where=f"{member.parameter}, axis {member.axis}",
                value="absent" if found is None else f"{found} long",
                expected=f"{expected} long",
                remedy="use the groups with the network that they were found in",
            )
        return row * self._lengths.shape[1] + member.axis

    def _count(self, lengths: IntArray) -> dict[Measure, int]:
        sizes = lengths.prod(axis=1)
        counts = {measure: int(self._weights[measure] @ sizes) for measure in MEASURES}
        counts["macs"] += self._fixed_macs
        return counts


class CostPath:
    """Costs along fixed orders of removal: tens of microseconds a question. Made by `Costs.along`."""

    def __init__(self, costs: Costs, orders: Sequence[tuple[IntArray, IntArray]]) -> None:
        self._costs = costs
        if len(orders) != len(costs.groups):
            raise PlanError(
                "each group needs an order",
                value=len(orders),
                expected=f"{len(costs.groups)} orders",
                remedy="give an order for each group that the costs were made for",
            )
        tables, slots, owners, starts, length = [], [], [], [], 0
        for owner, ((group_slots, positions), (channels, counts)) in enumerate(
            zip(costs._members, orders, strict=True)
        ):
            gone = np.zeros((len(group_slots), len(channels) + 1), dtype=np.int64)
            np.cumsum(positions[:, channels], axis=1, out=gone[:, 1:])
            table = gone[:, counts]
            tables.append(table.ravel())
            slots.append(group_slots)
            owners.append(np.full(len(group_slots), owner))
            starts.append(length + np.arange(len(group_slots)) * table.shape[1])
            length += table.size
        self._table, self._slots, self._owners, self._starts = (
            np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64) for parts in (tables, slots, owners, starts)
        )

    def at(self, steps: IntArray) -> dict[Measure, int]:
        """The costs once each group has gone `steps` cuts along its order; [groups]."""
        gone = self._table[self._starts + steps[self._owners]]
        lengths = self._costs._lengths.copy()
        np.subtract.at(lengths.reshape(-1), self._slots, gone)
        return self._costs._count(lengths)

    def shares(self, steps: IntArray) -> dict[str, float]:
        """The shares of the whole network's costs that are kept."""
        return self._costs.as_shares(self.at(steps))
