"""How much each group loses: ratios, targets, overrides, sensitivity."""

from __future__ import annotations

import numpy as np
import pytest
from algorithms.network import GROUPS, LAYERS, SHAPES, chain, layers_of, random_state
from hypothesis import given
from hypothesis import strategies as st

from paredown.algorithms.allocation import CutRequest, choose
from paredown.algorithms.costs import Costs
from paredown.algorithms.counting import count_macs
from paredown.algorithms.sensitivity import Curve
from paredown.algorithms.surgery import cut_state
from paredown.errors import PlanError, TargetUnreachable


def ascending(groups):
    return [np.arange(1.0, group.size + 1) for group in groups]


def chosen(request: CutRequest, *widths: int, scores=None, blocks: int = 1):
    groups, shapes, layers = chain(*widths, blocks=blocks)
    return choose(groups, scores or ascending(groups), request, Costs(groups, shapes, layers))


def counts(selection) -> dict[str, int]:
    return {cut.group.name: len(cut.remove) for cut in selection.cuts}


@pytest.mark.parametrize("scope", ["local", "global"])
def test_a_plain_ratio_is_the_share_of_channels_that_go_rounded_down(scope):
    groups, shapes, layers = chain(3, 16, 9, 12, 4)
    scores = [np.random.default_rng(i).uniform(size=group.size) for i, group in enumerate(groups)]
    found = choose(groups, scores, CutRequest(scope, ratio=0.4), Costs(groups, shapes, layers))
    if scope == "local":
        assert counts(found) == {"l0.weight": 6, "l1.weight": 3, "l2.weight": 4}
    assert sum(counts(found).values()) == (13 if scope == "local" else 14)
    assert found.finest is None


def test_reached_is_the_share_of_each_cost_that_is_kept():
    # 3 -> 4 -> 2: 20 weights, 16 positions; half of the 4 channels gone leaves 10.
    found = chosen(CutRequest("local", ratio=0.5), 3, 4, 2)
    assert found.reached == {"macs": 0.5, "params": 0.5, "bytes": 0.5}


@pytest.mark.parametrize("measure", ["macs", "params", "bytes"])
@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("target", [0.8, 0.5, 0.25])
def test_a_target_is_met_within_two_percent(measure, scope, target):
    found = chosen(CutRequest(scope, keep=(measure, target)), 3, 64, 96, 128, 80, 10)
    assert target * 0.98 <= found.reached[measure] <= target
    assert found.finest is None


def test_what_is_reached_is_what_counting_a_really_cut_network_gives():
    costs = Costs(GROUPS, SHAPES, LAYERS)
    found = choose(GROUPS, ascending(GROUPS), CutRequest("local", keep=("macs", 0.5)), costs)
    after = cut_state(random_state(), found.cuts)
    assert found.reached["macs"] == count_macs(layers_of(after)) / count_macs(LAYERS)


def test_where_channels_are_coarse_the_finest_cut_is_named():
    # 3 -> 4 -> 2: every channel is a quarter of the network.
    found = chosen(CutRequest("global", keep=("macs", 0.6)), 3, 4, 2)
    assert found.reached["macs"] == 0.5
    assert found.finest == "1 channel of group l0.weight: 25.00% of the macs"


def test_local_takes_the_same_share_of_every_group():
    found = chosen(CutRequest("local", keep=("macs", 0.25)), 3, 40, 80, 120, 10)
    shares = [len(cut.remove) / cut.group.size for cut in found.cuts]
    assert len(shares) == 3
    assert max(shares) - min(shares) <= 1 / 40


def test_global_takes_the_least_important_first():
    scores = [np.array([1.0] * 8 + [9.0] * 8), np.array([1.0] * 2 + [9.0] * 14)]
    found = chosen(CutRequest("global", keep=("params", 0.6)), 3, 16, 16, 10, scores=scores)
    for cut, values in zip(found.cuts, scores, strict=True):
        assert set(values[list(cut.remove)]) == {1.0}


def test_a_group_with_a_ratio_of_its_own_is_decided_apart():
    found = chosen(CutRequest("local", ratio=0.5, ratios={"l1.weight": 0.25}), 3, 8, 8, 8, 4)
    assert counts(found) == {"l0.weight": 4, "l1.weight": 2, "l2.weight": 4}
    kept = chosen(CutRequest("global", keep=("macs", 0.4), ratios={"l1.weight": 0.25}), 3, 64, 64, 64, 4)
    assert counts(kept)["l1.weight"] == 16
    assert 0.392 <= kept.reached["macs"] <= 0.4


def test_overrides_that_alone_go_below_the_target_are_named():
    # 3 -> 8 -> 8 -> 4: 120 weights, of which 3 * 2 + 2 * 8 + 8 * 4 stay.
    found = chosen(CutRequest("global", keep=("params", 0.6), ratios={"l0.weight": 0.75}), 3, 8, 8, 4)
    assert counts(found) == {"l0.weight": 6}
    assert found.finest == "none: the overrides alone keep 0.4500 of the params, below the target of 0.6"
    met = chosen(CutRequest("global", keep=("params", 0.455), ratios={"l0.weight": 0.75}), 3, 8, 8, 4)
    assert met.finest is None


def test_with_round_to_a_target_is_met_by_multiples():
    found = chosen(CutRequest("global", keep=("macs", 0.5), round_to=8), 3, 64, 96, 128, 10)
    assert all((cut.group.size - len(cut.remove)) % 8 == 0 for cut in found.cuts)
    assert found.reached["macs"] <= 0.5
    assert found.finest is None or found.finest.startswith("8 channels of group")


def test_a_target_out_of_reach_says_how_far_one_can_go_and_what_holds_it():
    request = CutRequest("global", keep=("macs", 0.01), round_to=4, left_whole={"stem": "protected by the spec"})
    with pytest.raises(TargetUnreachable) as caught:
        chosen(request, 3, 8, 8, 4)
    # Four channels stay everywhere: 3 * 4 + 4 * 4 + 4 * 4 of 3 * 8 + 8 * 8 + 8 * 4 weights.
    assert "0.3667 of the macs stay" in str(caught.value)
    assert "round_to 4" in str(caught.value)
    assert "stem is left whole: protected by the spec" in str(caught.value)
    assert caught.value.problems[0].where == "keep.macs"


def test_a_target_beyond_the_cap_of_sensitivity_says_so():
    curves = {"l0.weight": [(0.5, 0.0)], "l1.weight": [(0.5, 0.5)]}
    with pytest.raises(TargetUnreachable) as caught:
        chosen(CutRequest("global", keep=("macs", 0.005), curves=curves), 3, 100, 100, 10)
    assert "no group loses more than 95% of its channels" in str(caught.value)
    assert "allocation: {kind: uniform}" in str(caught.value)
    with pytest.raises(TargetUnreachable) as caught:
        chosen(CutRequest("global", keep=("macs", 0.0001)), 3, 100, 100, 10)
    assert "uniform" not in str(caught.value)


def test_without_any_group_no_target_can_be_reached():
    _, shapes, layers = chain(3, 8, 4)
    with pytest.raises(TargetUnreachable, match=r"100\.0% of the macs"):
        choose([], [], CutRequest("local", keep=("macs", 0.5)), Costs([], shapes, layers))
    assert choose([], [], CutRequest("local", ratio=0.5), Costs([], shapes, layers)).cuts == ()


def test_a_curve_never_falls_and_goes_on_beyond_the_last_point():
    curve = Curve.of([(0.5, 0.1), (0.25, -0.2), (0.75, 0.3)])
    np.testing.assert_allclose(curve.drop(np.array([0.25, 0.375, 0.875])), [0, 0.05, 0.4], atol=1e-12)
    np.testing.assert_allclose(Curve.of([(0.5, 0.1), (0.75, 0.05)]).drop(np.array([0.75, 0.9])), [0.1, 0.1])


def test_sensitivity_takes_more_where_accuracy_depends_less():
    # One threshold for both: l0 loses twice as much accuracy at each ratio as l1.
    curves = {"l0.weight": [(0.5, 0.2)], "l1.weight": [(0.5, 0.1)]}
    found = chosen(CutRequest("global", ratio=0.45, curves=curves), 3, 100, 100, 10)
    assert counts(found) == {"l0.weight": 30, "l1.weight": 60}


def test_sensitivity_meets_a_target_and_never_takes_more_than_its_cap():
    curves = {"l0.weight": [(0.5, 0.0)], "l1.weight": [(0.5, 0.5)]}
    found = chosen(CutRequest("local", keep=("params", 0.4), curves=curves), 3, 100, 100, 10)
    assert 0.392 <= found.reached["params"] <= 0.4
    flat = chosen(CutRequest("local", ratio=0.49, curves=curves), 3, 100, 100, 10)
    assert counts(flat) == {"l0.weight": 95, "l1.weight": 3}


def test_groups_that_lose_nothing_share_alike():
    curves = {"l0.weight": [(0.75, 0.0)], "l1.weight": [(0.75, 0.0)]}
    assert counts(chosen(CutRequest("local", ratio=0.5, curves=curves), 3, 40, 40, 10)) == {
        "l0.weight": 20,
        "l1.weight": 20,
    }


def test_a_group_without_a_curve_is_an_error_that_names_it():
    with pytest.raises(PlanError, match=r"l1\.weight"):
        chosen(CutRequest("local", ratio=0.5, curves={"l0.weight": [(0.5, 0.1)]}), 3, 8, 8, 4)


def test_a_request_holds_a_ratio_or_a_target():
    for request in (CutRequest("local"), CutRequest("local", ratio=0.5, keep=("macs", 0.5))):
        with pytest.raises(PlanError):
            chosen(request, 3, 8, 4)
    with pytest.raises(PlanError, match="seconds"):
        chosen(CutRequest("local", keep=("seconds", 0.5)), 3, 8, 4)


@given(
    widths=st.lists(st.integers(2, 10), min_size=1, max_size=4),
    target=st.floats(0.05, 0.95),
    measure=st.sampled_from(["macs", "params", "bytes"]),
    scope=st.sampled_from(["local", "global"]),
    round_to=st.sampled_from([1, 2, 8]),
    blocks=st.sampled_from([1, 2]),
    seed=st.integers(0, 100),
)
def test_a_target_is_within_two_percent_or_one_finest_cut(widths, target, measure, scope, round_to, blocks, seed):
    groups, shapes, layers = chain(3, *(4 * width for width in widths), 5, blocks=blocks)
    costs = Costs(groups, shapes, layers)
    scores = [np.random.default_rng(seed + i).uniform(size=group.size) for i, group in enumerate(groups)]
    request = CutRequest(scope, keep=(measure, target), round_to=round_to)
    try:
        found = choose(groups, scores, request, costs)
    except TargetUnreachable:
        least = {group.name: tuple(range(group.size)) for group in groups}
        return_here = {name: gone[: -max(round_to, blocks)] for name, gone in least.items()}
        assert costs.shares(return_here)[measure] > target
        return
    reached = costs.shares({cut.group.name: cut.remove for cut in found.cuts})
    assert found.reached == reached
    assert found == choose(groups, scores, request, costs)
    if found.finest is None:
        assert abs(reached[measure] - target) <= 0.02 * target or not found.cuts
    else:
        name, count = found.finest.split(" of group ")[1].split(":")[0], int(found.finest.split()[0])
        shorter = {cut.group.name: cut.remove for cut in found.cuts}
        values = scores[int(name[1:].split(".")[0])]
        order = sorted(shorter[name], key=lambda channel: (values[channel], -channel))
        width = len(values) // blocks
        for block in range(blocks):
            mine = [channel for channel in order if channel // width == block]
            order = [one for one in order if one not in mine[len(mine) - count // blocks :]]
        shorter[name] = tuple(order)
        assert costs.shares(shorter)[measure] > target >= reached[measure]
    for cut in found.cuts:
        assert (cut.group.size - len(cut.remove)) % round_to == 0
