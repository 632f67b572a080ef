"""Paired differences with their 95% intervals, and the results that are committed."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from settings import (
    BASELINE,
    CRITERIA,
    DATA,
    NETWORKS,
    PACKAGES,
    RECOVERY,
    ROOT,
    SEEDS,
    SENSITIVITY_TARGET,
    TARGETS,
    Scope,
)

from paredown.engine.provenance import OURS, gather
from paredown.manager import Manager
from paredown.spec.loader import load_spec

BOUND = -0.5
"""Points of top-1: our mean difference to a peer, with its 95% interval, is not below this."""

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201)
"""Student's t for a two-sided 95% interval, from one degree of freedom on."""

Result = Mapping[str, Any]
Method = tuple[str, str, str]
"""Backend, method, scope."""


def choose_scope(results: Iterable[Result]) -> tuple[Scope, dict[str, float]]:
    """The scope with the greater mean validation accuracy over the pilot's cells, ours and the peer's together."""
    found: dict[Scope, list[float]] = {}
    for result in results:
        found.setdefault(result["cell"]["scope"], []).append(result["validation"])
    means = {scope: mean(values) for scope, values in found.items()}
    return max(means, key=lambda scope: (means[scope], scope)), {scope: round(means[scope], 5) for scope in means}


def difference(values: list[float]) -> dict[str, Any]:
    """Mean and 95% interval of paired differences, in points."""
    centre = mean(values)
    half = T_975[len(values) - 2] * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    interval = [round(centre - half, 3), round(centre + half, 3)] if math.isfinite(half) else None
    return {"mean": round(centre, 3), "interval": interval, "pairs": [round(value, 3) for value in values]}


def compare(results: list[Result], first: Method, second: Method, targets: tuple[float, ...]) -> dict[str, Any]:
    """First minus second on test, in points of top-1, paired by network and seed.

    A pair's figure over several targets is the mean of its differences, so that no training is counted as if it were
    independent of the others of its seed.
    """
    top1 = {
        (_method(result), result["cell"]["network"], result["cell"]["seed"], result["cell"]["target"]): result["test"]
        for result in results
    }
    pairs = sorted({(network, seed) for method, network, seed, _ in top1 if method == first})

    def over(networks: Sequence[str], chosen: tuple[float, ...]) -> dict[str, Any]:
        return difference(
            [
                mean(100 * (top1[first, network, seed, one] - top1[second, network, seed, one]) for one in chosen)
                for network, seed in pairs
                if network in networks
            ]
        )

    return {
        "first": list(first),
        "second": list(second),
        "all": over(NETWORKS, targets),
        "by_network": {name: over((name,), targets) for name in NETWORKS},
        "by_target": {str(one): over(NETWORKS, (one,)) for one in targets},
    }


def summarise(results: list[Result], scope: Scope, pilot: dict[str, float]) -> dict[str, Any]:
    """What is committed: small, with commit, versions and machine."""
    ours: Method = ("torch", "l2", scope)
    validation = {
        criterion: round(mean(r["validation"] for r in results if _method(r) == ("torch", criterion, scope)), 5)
        for criterion in CRITERIA
    }
    best = max(validation, key=lambda criterion: validation[criterion])
    comparisons = {
        "l2 minus torch-pruning": compare(results, ours, ("torch", "torch-pruning", scope), TARGETS),
        "l2 minus PaddleSlim's L1": compare(
            results, ("paddle", "l2", "local"), ("paddle", "paddleslim", "local"), TARGETS
        ),
        "sensitivity minus uniform": compare(
            results, ("torch", "l2+sensitivity", "local"), ("torch", "l2", "local"), (SENSITIVITY_TARGET,)
        ),
        **{
            f"{criterion} minus random": compare(
                results, ("torch", criterion, scope), ("torch", "random", scope), TARGETS
            )
            for criterion in CRITERIA
        },
    }
    for name in ("l2 minus torch-pruning", "l2 minus PaddleSlim's L1"):
        comparisons[name]["bound"] = verdict(comparisons[name]["all"])
    return {
        "commit": _commit(),
        "provenance": _provenance(),
        "recipe": {"data": DATA, "baseline": BASELINE, "recovery": RECOVERY},
        "scope": {"chosen": scope, "validation": pilot},
        "criterion": {"chosen": best, "validation": validation},
        "comparisons": comparisons,
        "cells": [_row(result) for result in results],
    }


def so_far(results: list[Result], wanted: int) -> dict[str, Any]:
    """What an unfinished run holds: the finished cells, and no comparison but those whose pairs are all there."""
    ours, peer = ("torch", "l2", "global"), ("torch", "torch-pruning", "global")
    is_complete = _complete(results, ours) and _complete(results, peer)
    compared = {"l2 minus torch-pruning": compare(results, ours, peer, TARGETS)} if is_complete else {}
    return {
        "complete": False,
        "finished_cells": len(results),
        "wanted_cells": wanted,
        "commit": _commit(),
        "provenance": _provenance(),
        "recipe": {"data": DATA, "baseline": BASELINE, "recovery": RECOVERY},
        "comparisons": compared,
        "cells": [_row(result) for result in results],
    }


def _complete(results: list[Result], method: Method) -> bool:
    found = {(r["cell"]["network"], r["cell"]["seed"], r["cell"]["target"]) for r in results if _method(r) == method}
    return len(found) == len(NETWORKS) * len(SEEDS) * len(TARGETS)


def verdict(found: Mapping[str, Any]) -> str:
    """`kept` when the whole interval is above the bound, `open` when only the mean is, else `missed`."""
    if found["mean"] < BOUND:
        return "missed"
    return "kept" if found["interval"] is not None and found["interval"][0] >= BOUND else "open"


def _method(result: Result) -> Method:
    cell = result["cell"]
    return cell["backend"], cell["method"], cell["scope"]


def _row(result: Result) -> dict[str, Any]:
    figures = {
        name: round(result[name], 4)
        for name in ("macs_kept", "params_kept", "validation_before", "validation", "test", "prune_seconds")
    }
    return {**result["cell"], "baseline": round(result["baseline"]["test"], 4), **figures}


def _provenance() -> dict[str, Any]:
    from settings import spec

    manager = Manager.discover()
    checked = load_spec(spec(NETWORKS[0]), manager.registry)
    packages = [name for names in PACKAGES.values() for name in names]
    runtime = manager.registry.implementation("runtime", checked.deploy.runtime.kind)(checked.deploy.runtime)
    found = gather([*OURS, *packages], runtime, spec_hash="", device="cpu", threads=1)
    return {name: value for name, value in found.model_dump(mode="json").items() if name != "spec_hash"}


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()
