"""Paired differences with their 95% intervals, and the results that are committed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from cells import (
    BASELINE,
    BATCH,
    DATA,
    DEFAULT,
    NETWORKS,
    QAT_BOUNDS,
    QAT_ON,
    QAT_TRAIN,
    SAMPLES,
    SEEDS,
    SPEED_BOUND,
    networks_of,
)
from summary import _commit, _provenance, difference  # benchmarks/pruning

BOUND = -0.5
"""Points of top-1: our mean difference to a peer, with its 95% interval, is not below this."""

Result = Mapping[str, Any]
Method = tuple[str, str]
"""Lane and method."""

TORCH: Method = ("torch", "paredown")
PADDLE: Method = ("paddle", "paredown")
PEERS: tuple[tuple[str, Method, Method, str], ...] = (
    ("quantize_static", TORCH, ("torch", "quantize_static"), "defaults"),
    ("NNCF in OpenVINO", TORCH, ("openvino", "nncf"), "defaults"),
    ("PaddleSlim's quant_post_static", PADDLE, ("paddle", "quant_post_static"), "hist"),
)
"""A peer's name, ours on the same framework, the peer's method and its default setting."""


def summarise(results: Sequence[Result], speed: Sequence[Result], wanted: int) -> dict[str, Any]:
    """What is committed: small, with commit, versions and machine; comparisons whose pairs are all there."""
    compared = _peers(results) | _trained(results)
    bounds = {name: one["bound"] for name, one in compared.items() if "bound" in one}
    for one in speed:
        bounds[f"speed of {one['network']}"] = "kept" if one["share"] >= SPEED_BOUND else "missed"
    return {
        "complete": len(results) == wanted and len(speed) > 1,
        "finished_cells": len(results),
        "wanted_cells": wanted,
        "commit": _commit(),
        "provenance": _provenance(),
        "recipe": {"data": DATA, "baseline": BASELINE, "calibration": [SAMPLES, BATCH], "training": QAT_TRAIN},
        "bounds": bounds,
        "comparisons": compared,
        "speed": list(speed),
        "cells": [_row(result) for result in results],
    }


def choose(results: Sequence[Result], method: Method, network: str) -> str | None:
    """The setting with the greatest mean validation accuracy over the seeds, the first of equals."""
    found: dict[str, list[float]] = {}
    for result in results:
        if _method(result) == method and result["cell"]["network"] == network:
            found.setdefault(result["cell"]["setting"], []).append(result["validation"])
    means = {setting: mean(values) for setting, values in found.items() if len(values) == len(SEEDS)}
    return max(means, key=lambda setting: means[setting]) if means else None


def _peers(results: Sequence[Result]) -> dict[str, Any]:
    """Ours minus each peer: defaults beside defaults, the best on validation beside the best."""
    found = {}
    for name, ours, peer, default in PEERS:
        plain: dict[str, tuple[str | None, str | None]] = dict.fromkeys(NETWORKS, (DEFAULT, default))
        best = {network: (choose(results, ours, network), choose(results, peer, network)) for network in NETWORKS}
        for title, settings in ((f"{name}, defaults", plain), (f"{name}, best on validation", best)):
            compared = _compare(results, ours, peer, settings)
            if compared is not None:
                found[f"ours minus {title}"] = compared | {"bound": verdict(compared["all"], BOUND)}
    return found


def _trained(results: Sequence[Result]) -> dict[str, Any]:
    """Quantization-aware training minus the float network."""
    found = {}
    for lane, settings in QAT_ON.items():
        for setting in settings:
            pairs = _pairs(results, (lane, "paredown-qat"), dict.fromkeys(NETWORKS, setting), "test")
            if len(pairs) < len(networks_of(setting)) * len(SEEDS):
                continue
            fp32 = _pairs(results, (lane, "paredown-qat"), dict.fromkeys(NETWORKS, setting), "fp32")
            compared = _differences(pairs, fp32)
            bound = {"bound": verdict(compared["all"], QAT_BOUNDS[setting])} if setting in QAT_BOUNDS else {}
            found[f"trained at {setting} on {lane} minus fp32"] = compared | bound
    return found


def _compare(
    results: Sequence[Result], ours: Method, peer: Method, settings: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, Any] | None:
    """First minus second on test, in points of top-1, paired by network and seed; None where a pair is missing."""
    first = _pairs(results, ours, {network: pair[0] for network, pair in settings.items()}, "test")
    second = _pairs(results, peer, {network: pair[1] for network, pair in settings.items()}, "test")
    if not len(first) == len(second) == len(NETWORKS) * len(SEEDS):
        return None
    return _differences(first, second) | {"settings": {network: list(pair) for network, pair in settings.items()}}


def _pairs(
    results: Sequence[Result], method: Method, settings: Mapping[str, str | None], figure: str
) -> dict[tuple[str, int], float]:
    return {
        (result["cell"]["network"], result["cell"]["seed"]): result[figure]
        for result in results
        if _method(result) == method and result["cell"]["setting"] == settings[result["cell"]["network"]]
    }


def _differences(first: Mapping[tuple[str, int], float], second: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    def over(networks: Sequence[str]) -> dict[str, Any]:
        return difference([100 * (first[key] - second[key]) for key in sorted(first) if key[0] in networks])

    held = [name for name in NETWORKS if any(key[0] == name for key in first)]
    return {"all": over(held), "by_network": {name: over((name,)) for name in held}}


def verdict(found: Mapping[str, Any], bound: float) -> str:
    """`kept` when the whole interval is above the bound, `open` when only the mean is, else `missed`."""
    if found["mean"] < bound:
        return "missed"
    low = found["interval"][0] if found["interval"] is not None else -math.inf
    return "kept" if low >= bound else "open"


def _method(result: Result) -> Method:
    return result["cell"]["lane"], result["cell"]["method"]


def _row(result: Result) -> dict[str, Any]:
    names = ("fp32", "validation", "test", "test_agreement", "bytes", "fp32_bytes", "latency_ratio", "seconds")
    return {**result["cell"], **{name: round(result[name], 4) for name in names}}
