"""Rounds of an iterative step remove, all together, what one shot would."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.algorithms.allocation import choose
from paredown.algorithms.costs import Costs
from paredown.algorithms.groups import GroupSet, after_cuts
from paredown.algorithms.surgery import cut_state
from paredown.contracts import LayerInfo
from paredown.engine.amounts import Part, request
from paredown.plan import Group, Member
from paredown.spec.components import L2Criterion
from paredown.spec.models import Keep, PruneStep


def network(*sizes):
    """One convolution for each size, from and to nowhere: its groups, arrays and layers."""
    state = {f"c{i}.weight": np.ones((size, 3, 1, 1), np.float32) for i, size in enumerate(sizes)}
    groups = tuple(
        Group(name=name, size=len(values), members=(Member(parameter=name, axis=0, role="output"),))
        for name, values in state.items()
    )
    return GroupSet(groups, {}), state


def layers_of(state):
    return [
        LayerInfo(name.removesuffix(".weight"), "conv", "Conv2d", values.shape, (3, 4, 4), (len(values), 4, 4))
        for name, values in state.items()
    ]


def widths_after(step, sizes, overrides=None):
    """The widths that are left once all rounds of a step have cut."""
    groups, state = network(*sizes)
    whole = {group.name: group.size for group in groups.groups}
    kept = dict.fromkeys(("macs", "params", "bytes"), 1.0)
    for index in range(step.rounds):
        present = {group.name: group.size for group in groups.groups}
        gone = {name: whole[name] - left for name, left in present.items()}
        part = Part((index + 1) / step.rounds, whole, gone, kept) if step.rounds > 1 else None
        costs = Costs(groups.groups, {name: values.shape for name, values in state.items()}, layers_of(state))
        asked = request(step, groups.groups, overrides or {}, part, None, {})
        scores = [np.arange(1.0, group.size + 1) for group in groups.groups]
        found = choose(groups.groups, scores, asked, costs)
        state = cut_state(state, found.cuts)
        groups = after_cuts(groups, found.cuts)
        kept = {name: kept[name] * share for name, share in found.reached.items()}
    return [len(values) for values in state.values()]


def step_of(**changes):
    return PruneStep(criterion=L2Criterion(), **{"scope": "local", **changes})


@pytest.mark.parametrize(
    ("size", "ratio", "rounds", "round_to"),
    [(16, 0.5, 3, 1), (32, 0.5, 4, 8), (64, 0.5, 5, 8), (8, 0.25, 2, 1), (10, 0.9, 7, 1)],
)
def test_rounding_in_one_round_is_made_up_for_in_the_next(size, ratio, rounds, round_to):
    one_shot = widths_after(step_of(ratio=ratio, round_to=round_to), [size])
    assert widths_after(step_of(ratio=ratio, round_to=round_to, rounds=rounds), [size]) == one_shot


def test_a_global_ratio_is_met_by_all_groups_together():
    left = widths_after(step_of(ratio=0.5, scope="global", rounds=3), [16, 24, 7])
    assert sum(left) == 47 - 23


def test_overrides_are_met_too():
    assert widths_after(step_of(ratio=0.5, rounds=3), [16, 16], {"c1.weight": 0.25}) == [8, 12]


def test_a_target_that_an_early_round_has_passed_is_not_passed_again():
    left = widths_after(step_of(keep=Keep(macs=0.95), round_to=8, rounds=5), [64])
    assert left == [56]
