"""Equal weights give equal decisions: groups, pruning plans index by index, quantization plans."""

from __future__ import annotations

import numpy as np
import pytest
from agreement.networks import DEPLOYED, EXACT, MEASURED, PRUNED, PRUNINGS, TARGETED

from paredown.comparison import same_decisions
from paredown.engine.journal import read_plan
from paredown.files import read_json


@pytest.fixture(params=PRUNED)
def network(request):
    return request.param


def test_the_groups_are_equal_in_names_members_sizes_and_order(produced, network):
    torch, paddle = (read_json(produced[backend] / network / "groups.json") for backend in ("torch", "paddle"))
    assert [group["name"] for group in torch["groups"]] == [group["name"] for group in paddle["groups"]]
    for mine, theirs in zip(torch["groups"], paddle["groups"], strict=True):
        assert mine == theirs
    assert torch["left_whole"] == paddle["left_whole"]


@pytest.mark.parametrize("pruning", [*EXACT, *TARGETED])
def test_the_same_channels_go(produced, network, pruning):
    torch, paddle = (read_plan(produced[b] / network / f"plan-{pruning}.json") for b in ("torch", "paddle"))
    assert {cut.group.name: cut.remove for cut in torch.cuts} == {cut.group.name: cut.remove for cut in paddle.cuts}
    assert torch == paddle


@pytest.mark.parametrize("pruning", MEASURED)
def test_what_gradients_and_activations_decide_is_the_same_to_rounding(produced, network, pruning):
    torch, paddle = (read_plan(produced[b] / network / f"plan-{pruning}.json") for b in ("torch", "paddle"))
    assert same_decisions(torch, paddle) >= 0.99
    mine, theirs = (np.load(produced[b] / network / f"scores-{pruning}.npz") for b in ("torch", "paddle"))
    assert mine.files == theirs.files
    for group in mine.files:
        scale = np.abs(mine[group]).max()
        assert np.abs(mine[group] - theirs[group]).max() <= 1e-4 * scale, group


def test_the_scopes_and_criteria_decide_differently(produced, network):
    plans = [read_plan(produced["torch"] / network / f"plan-{pruning}.json") for pruning in PRUNINGS]
    assert len({tuple(cut.remove for cut in plan.cuts) for plan in plans}) == len(PRUNINGS)


def test_a_target_in_macs_is_reached_to_two_percent_with_widths_that_are_multiples(produced, network):
    plan = read_plan(produced["torch"] / network / "plan-macs.json")
    assert plan.reached["macs"] == pytest.approx(0.5, rel=0.02)
    for cut in plan.cuts:
        assert (cut.group.size - len(cut.remove)) % 4 == 0


def test_a_protected_layer_is_left_whole_and_named(produced, network):
    plan = read_plan(produced["torch"] / network / "plan-protected.json")
    assert "protected by the spec" in plan.left_whole.values()


def test_the_same_plan_leaves_the_same_arrays_and_the_same_size(produced, network):
    torch, paddle = (produced[backend] / network for backend in ("torch", "paddle"))
    assert (torch / "pruned.safetensors").read_bytes() == (paddle / "pruned.safetensors").read_bytes()
    facts = read_json(torch / "facts.json")
    assert facts == read_json(paddle / "facts.json")
    assert facts["after"]["params"] < 0.6 * facts["before"]["params"]
    assert facts["after"]["macs"] < 0.6 * facts["before"]["macs"]


@pytest.mark.parametrize("file", ["run/seed-0/plan-1.json", *(f"{name}/plan-quantize.json" for name in DEPLOYED)])
def test_every_scale_and_zero_point_is_equal(produced, file):
    torch, paddle = (read_plan(produced[backend] / file) for backend in ("torch", "paddle"))
    assert torch.points
    assert [(p.layer, p.port, p.index) for p in torch.points] == [(p.layer, p.port, p.index) for p in paddle.points]
    assert torch == paddle
