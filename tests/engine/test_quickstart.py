"""The quickstart, as it stands in the README, keeps its promises on both backends."""

from __future__ import annotations

import pytest
import yaml
from helpers import QUICKSTART


@pytest.fixture(scope="module", params=["torch", "paddle"])
def run(request, tmp_path_factory, runners):
    spec = yaml.safe_load(QUICKSTART.read_text("utf-8"))
    _, result, _ = runners[request.param].run(spec, tmp_path_factory.mktemp("quickstart"))
    assert not result.missed
    return result.model_dump(mode="json")


def test_half_of_the_channels_go_and_at_most_0_35_of_the_macs_stay(run):
    channels = run["steps"][0]["evidence"]["channels"]
    assert channels["after"] == channels["before"] / 2
    assert run["final"]["macs"] <= 0.35 * run["baseline"]["macs"]


def test_the_int8_file_keeps_top1_within_two_points_of_the_baseline_on_test(run):
    int8 = run["candidates"][1]
    assert int8["precision"] == "int8"
    assert int8["metrics"]["top1"] >= run["baseline"]["metrics"]["top1"] - 0.02


def test_the_int8_file_has_at_most_0_27_of_the_pruned_weight_bytes_and_0_45_of_the_file(run):
    fp32, int8 = run["candidates"]
    assert int8["weight_bytes"] <= 0.27 * fp32["weight_bytes"]
    assert int8["bytes"] <= 0.45 * fp32["bytes"]
