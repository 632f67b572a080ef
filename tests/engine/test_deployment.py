"""Which file is delivered."""

from __future__ import annotations

import pytest

from paredown.contracts import LayerInfo
from paredown.engine.choosing import choose, reasons
from paredown.engine.deployment import apart
from paredown.engine.uneven_widths import explain_slowness
from paredown.results import Candidate


def candidate(name: str, size: int, latency: float, top1: float, *, within: bool) -> Candidate:
    return Candidate(
        name=name,
        file=f"onnx/{name}.onnx",
        precision="fp32",
        metrics={"top1": top1},
        validation={"top1": top1},
        params=1,
        macs=1,
        bytes=size,
        weight_bytes=size,
        latency_ms=latency,
        latency_ratio=latency,
        peak_memory_mb=1.0,
        agreement=1.0,
        within_bound=within,
        delivered=False,
    )


SMALL_SLOW = candidate("int8", 10, 1.2, 0.95, within=True)
LARGE_FAST = candidate("fp32", 40, 0.8, 0.96, within=True)


@pytest.mark.parametrize(("prefer", "expected"), [("size", "int8"), ("latency", "fp32")])
def test_the_spec_says_what_counts(prefer, expected):
    assert choose([SMALL_SLOW, LARGE_FAST], prefer, "top1").name == expected


def test_a_file_beyond_the_bound_is_not_delivered_however_small():
    beyond = candidate("int8", 1, 0.1, 0.2, within=False)
    assert choose([beyond, LARGE_FAST], "size", "top1").name == "fp32"


def test_where_none_is_within_the_bound_the_most_accurate_is_delivered():
    files = [candidate("int8", 1, 0.1, 0.2, within=False), candidate("fp32", 9, 0.9, 0.3, within=False)]
    assert choose(files, "size", "top1").name == "fp32"


def test_a_candidate_that_is_slower_is_left_behind_with_the_reason():
    fast, slow = LARGE_FAST, SMALL_SLOW
    chosen = choose([slow, fast], "latency", "top1")
    (told,) = reasons([slow, fast], chosen, "latency", {"top1": 0.9}, 0.02, "top1")
    assert told.startswith(f"{slow.name} is not delivered")
    assert f"{slow.latency_ratio:.2f} of the baseline's time" in told
    assert f"{fast.latency_ratio:.2f}" in told


def test_a_candidate_beyond_the_bound_is_left_behind_with_the_loss():
    beyond = SMALL_SLOW.model_copy(update={"within_bound": False, "validation": {"top1": 0.5}})
    (told,) = reasons([beyond, LARGE_FAST], LARGE_FAST, "size", {"top1": 0.9}, 0.02, "top1")
    assert "loses 0.4000" in told
    assert "max_metric_drop is 0.02" in told


def convolution(name: str, width: int) -> LayerInfo:
    return LayerInfo(name, "conv", "Conv", (width, 3, 3, 3), (3, 8, 8), (width, 8, 8))


WHOLE = LARGE_FAST.model_copy(update={"macs": 100})
CUT_AND_SLOW = SMALL_SLOW.model_copy(update={"macs": 50})


def test_a_cut_network_that_is_slower_is_told_about_the_widths_that_make_it_so():
    before, after = ([convolution("stem", 16), convolution("head", width)] for width in (32, 17))
    (told,) = explain_slowness(WHOLE, [CUT_AND_SLOW], before, after)
    assert "1.20 of the baseline's time for 0.50 of its MACs" in told
    assert "1 of 2 convolutions" in told
    assert "head: 32 to 17" in told
    assert "round_to: 8" in told


@pytest.mark.parametrize(
    ("file", "width", "left"),
    [
        pytest.param(CUT_AND_SLOW.model_copy(update={"latency_ratio": 0.9}), 32, 17, id="the file is faster"),
        pytest.param(CUT_AND_SLOW, 32, 16, id="the widths that are left are even"),
        pytest.param(CUT_AND_SLOW, 20, 17, id="the network's own widths were not"),
    ],
)
def test_nothing_is_said_of_widths_that_cost_nothing(file, width, left):
    assert explain_slowness(WHOLE, [file], [convolution("a", width)], [convolution("a", left)]) == ()


def test_a_float_file_whose_metrics_are_not_its_networks_is_told():
    assert list(apart("fp32", {"map": 0.5004, "ap50": 1.0}, {"map": 0.5, "ap50": 1.0})) == []
    (note,) = apart("fp32", {"map": 0.502, "ap50": 1.0}, {"map": 0.5, "ap50": 1.0})
    assert note.startswith("fp32: map is 0.5020 by the file and 0.5000 in the framework")
    assert list(apart("fp32", {"map": float("nan")}, {"map": 0.5}))
