"""Costs of a network that is cut, against counting what a real cut leaves."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms.network import GROUPS, LAYERS, SHAPES, chain, layers_of, random_state
from hypothesis import given
from hypothesis import strategies as st

from paredown.algorithms.costs import Costs
from paredown.algorithms.counting import count_macs, count_parameters
from paredown.algorithms.surgery import cut_state
from paredown.errors import PlanError
from paredown.plan import Cut, Group, Member

COSTS = Costs(GROUPS, SHAPES, LAYERS)


def counted(state) -> dict[str, int]:
    every = sum(values.size for values in state.values())
    return {"macs": count_macs(layers_of(state)), "params": count_parameters(state), "bytes": 4 * every}


def test_two_convolutions_by_hand():
    groups, shapes, layers = chain(3, 4, 2)
    costs = Costs(groups, shapes, layers)
    # 4 x 4 positions; 12 + 8 weights. One channel less of the first: 9 + 6.
    assert costs.full == {"macs": 320, "params": 20, "bytes": 80}
    assert costs.at({"l0.weight": (1,)}) == {"macs": 240, "params": 15, "bytes": 60}
    assert costs.shares({"l0.weight": (1,)}) == {"macs": 0.75, "params": 0.75, "bytes": 0.75}


def test_the_whole_network_costs_what_is_counted():
    assert COSTS.full == counted(random_state())


@given(
    first=st.sets(st.integers(0, 6), max_size=6),
    second=st.integers(0, 5),
    seed=st.integers(0, 100),
)
def test_a_cut_network_costs_what_is_counted(first, second, seed):
    half = np.random.default_rng(seed).permutation(6)[:second]
    removed = {"a.weight": tuple(sorted(first)), "grouped.weight": (*sorted(half), *(6 + np.sort(half)))}
    cuts = [Cut(group=group, remove=tuple(int(one) for one in removed[group.name])) for group in GROUPS]
    assert COSTS.at(removed) == counted(cut_state(random_state(), cuts))


@given(seed=st.integers(0, 1000))
def test_a_path_of_cuts_costs_the_same(seed):
    generator = np.random.default_rng(seed)
    orders = [(generator.permutation(group.size), np.arange(0, group.size, 2)) for group in GROUPS]
    steps = np.array([generator.integers(0, len(counts)) for _, counts in orders])
    removed = {
        group.name: channels[: counts[step]].tolist()
        for group, (channels, counts), step in zip(GROUPS, orders, steps, strict=True)
    }
    assert COSTS.along(orders).at(steps) == COSTS.at(removed)


def test_what_no_group_touches_is_told():
    assert COSTS.untouched("params") == 10 / COSTS.full["params"]
    assert COSTS.untouched("macs") == 0


def test_a_group_of_another_network_is_an_error_that_names_the_axis():
    stranger = Group(name="a.weight", size=9, members=(Member(parameter="a.weight", axis=0, role="output"),))
    with pytest.raises(PlanError, match=r"a\.weight, axis 0"):
        Costs([stranger], SHAPES, LAYERS)
