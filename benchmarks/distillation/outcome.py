"""Paired differences with their 95% intervals, the verdicts, and the results that are committed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from cells import (
    ALONE,
    BOUND,
    DATA,
    LOSSES,
    OVERHEAD_BOUND,
    PEER_LOSSES,
    PILOT_SEED,
    SEEDS,
    SPEED_BOUND,
    TEACHER_TRAIN,
    TORCHDISTILL,
    TRAINS,
    WEIGHTS,
)
from summary import _commit, _provenance, difference  # benchmarks/pruning

Result = Mapping[str, Any]
Method = tuple[str, str, str, str]
"""Lane, student, loss, teacher."""


def choose_weights(results: Iterable[Result]) -> dict[str, float]:
    """For each loss the weight with the greatest validation accuracy, the smallest of equals.

    A loss whose tries are not all there keeps the middle one.
    """
    found = tried(results)
    return {
        loss: max(tries, key=lambda weight: found[loss][weight]) if set(tries) <= set(found[loss]) else tries[1]
        for loss, tries in WEIGHTS.items()
    }


def tried(results: Iterable[Result]) -> dict[str, dict[float, float]]:
    """Validation accuracy of each try of each loss."""
    found: dict[str, dict[float, float]] = {loss: {} for loss in WEIGHTS}
    for result in results:
        cell = result["cell"]
        if _method(result) == ("torch", "cnn", cell["loss"], "torch") and cell["seed"] == PILOT_SEED:
            found[cell["loss"]][cell["weight"]] = result["validation"]
    return found


def summarise(
    results: Sequence[Result],
    teachers: Sequence[Result],
    speed: Sequence[Result],
    tries: Mapping[str, Mapping[float, float]],
    left_out: Sequence[str],
    wanted: int,
) -> dict[str, Any]:
    """What is committed: small, with commit, versions and machine; comparisons whose pairs are all there.

    Args:
        results: Of the cells with the chosen weights.
        teachers: Their accuracies.
        speed: What each backend's `speed.py` found.
        tries: Validation accuracies that the weights were chosen by.
        left_out: Names of cells that this version cannot run.
        wanted: How many cells there are to be.
    """
    gains, peers, timings = _gains(results), _peers(results), [one for each in speed for one in _timings(each)]
    bounds = {f"ours minus torchdistill, {name}": one["bound"] for name, one in peers.items()}
    bounds |= {f"{one['what']} on {one['backend']}": one["bound"] for one in timings}
    bounds |= {
        f"kl by {one['teacher']} lifts on {one['lane']}": one["lifts"]
        for one in gains
        if one["teacher"].endswith(".onnx")
    }
    return {
        "complete": len(results) == wanted and not left_out and len(speed) > 1,
        "finished_cells": len(results),
        "wanted_cells": wanted,
        "left_out": list(left_out),
        "commit": _commit(),
        "provenance": _provenance(),
        "peer": list(TORCHDISTILL),
        "recipe": {"data": DATA, "teacher": TEACHER_TRAIN, "students": TRAINS, "losses": LOSSES},
        "bounds": bounds,
        "teachers": [{**one, "test": round(one["test"], 4)} for one in teachers],
        "gains": gains,
        "peers": peers,
        "speed": timings,
        "tries": {
            loss: {f"{weight:g}": round(value, 4) for weight, value in one.items()} for loss, one in tries.items()
        },
        "cells": [_row(result) for result in results],
    }


def _gains(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each way to learn minus the same student alone, on test, in points of top-1, paired by seed.

    torchdistill's students are compared with ours on torch: first weights and images are the same.
    """
    found = []
    for method in dict.fromkeys(_method(result) for result in results):
        lane, student, loss, teacher = method
        alone = _tests(results, ("torch" if lane == "torchdistill" else lane, student, ALONE, ""))
        taught = _tests(results, method)
        if loss == ALONE or set(alone) != set(SEEDS) or set(taught) != set(SEEDS):
            continue
        gain = _differences(taught, alone)
        top1 = {"alone": _points(alone.values()), "taught": _points(taught.values())}
        named = {"lane": lane, "student": student, "loss": loss, "teacher": teacher}
        found.append({**named, "weight": _weight(results, method), **top1, "gain": gain, "lifts": verdict(gain, 0.0)})
    return found


def _peers(results: Sequence[Result]) -> dict[str, Any]:
    """Ours minus torchdistill, by loss, and over all losses, where a seed's figure is the mean of its differences."""
    found: dict[str, Any] = {}
    for loss in PEER_LOSSES:
        ours, theirs = (_tests(results, (lane, "cnn", loss, "torch")) for lane in ("torch", "torchdistill"))
        if set(ours) == set(theirs) == set(SEEDS):
            found[loss] = _differences(ours, theirs)
    if len(found) == len(PEER_LOSSES):
        rows = [one["pairs"] for one in found.values()]
        found["all"] = difference([mean(pairs) for pairs in zip(*rows, strict=True)])
    return {loss: {**one, "bound": verdict(one, BOUND)} for loss, one in found.items()}


def _timings(speed: Result) -> list[dict[str, Any]]:
    found = []
    for what, bound in (("soft_labels", SPEED_BOUND), ("overhead", OVERHEAD_BOUND)):
        ratio = difference(speed[what]["ratios"])
        judged = verdict(ratio, bound) if what == "soft_labels" else verdict(_negative(ratio), -bound)
        found.append({"backend": speed["backend"], "what": what, **speed[what], "ratio": ratio, "bound": judged})
    return found


def verdict(found: Mapping[str, Any], least: float) -> str:
    """`kept` when the whole interval is above `least`, `open` when only the mean is, else `missed`."""
    if not found["mean"] >= least:
        return "missed"
    low = found["interval"][0] if found["interval"] is not None else -math.inf
    return "kept" if low >= least else "open"


def _negative(found: Mapping[str, Any]) -> dict[str, Any]:
    interval = found["interval"]
    return {"mean": -found["mean"], "interval": None if interval is None else [-interval[1], -interval[0]]}


def _differences(first: Mapping[int, float], second: Mapping[int, float]) -> dict[str, Any]:
    return difference([100 * (first[seed] - second[seed]) for seed in SEEDS])


def _tests(results: Sequence[Result], method: Method) -> dict[int, float]:
    """Top-1 on test by seed."""
    return {result["cell"]["seed"]: result["test"] for result in results if _method(result) == method}


def _points(values: Iterable[float]) -> float:
    return round(100 * mean(values), 2)


def _rounded(tries: Mapping[float, float]) -> dict[str, float]:
    return {f"{weight:g}": round(value, 4) for weight, value in tries.items()}


def _weight(results: Sequence[Result], method: Method) -> float:
    return next(float(result["cell"]["weight"]) for result in results if _method(result) == method)


def _method(result: Result) -> Method:
    cell = result["cell"]
    return cell["lane"], cell["student"], cell["loss"], cell["teacher"]


def _row(result: Result) -> dict[str, Any]:
    return {**result["cell"], **{name: round(result[name], 4) for name in ("validation", "test", "seconds")}}
