"""`make bench-cutting`: what cutting resnet50 costs beside torch-pruning by hand, in time and in memory.

Pairs that take turns, each on a fresh network: our `prune` hook and torch-pruning's own calls carry out the same cuts,
tracing apart. Then one whole pruning step through the engine, export and all; and in a process of its own, which has
no room left over from the export, the memory that the cut and its checks take above what the process held before.
Writes benchmarks/results/cutting.json; returns 1 when a bound is missed.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
import torch_pruning

from paredown.contracts import DataSplits, RunContext
from paredown.engine.coupling import find
from paredown.engine.pruning import decide
from paredown.engine.workbench import Workbench
from paredown.manager import Manager
from paredown.plan import PrunePlan
from paredown.spec.loader import load_spec
from paredown_torch import prune as ours
from paredown_torch.dependency import Dependencies

RESULTS = Path(__file__).parent / "results" / "cutting.json"
PAIRS = 21
T_975 = {20: 2.086}
BOUNDS = {"ratio": 1.3, "step_seconds": 60.0, "memory": 2.0}
SPEC = {
    "version": 1,
    "name": "bench-cutting",
    "task": {"kind": "classification"},
    "data": {"kind": "digits"},
    "model": {"kind": "zoo", "name": "resnet50", "num_classes": 1000, "in_channels": 3, "input_size": [224, 224]},
    "baseline": {"epochs": 1},
    "steps": [{"kind": "prune", "criterion": {"kind": "l2"}, "scope": "local", "ratio": 0.5}],
    "deploy": {"runtime": {"kind": "onnxruntime"}},
}


class Bench(Workbench):
    """A workbench over eight drawn images: cutting does not look at them."""

    data = DataSplits(
        "drawn", *[(np.random.default_rng(0).standard_normal((8, 3, 224, 224), np.float32), np.arange(8))] * 3, 1000
    )


def main() -> int:
    """Measures, writes the results, prints them."""
    bench = _workbench()
    plan, step = whole_step(bench)
    ratios = [paired(bench, plan, turn) for turn in range(PAIRS)]
    spread = T_975[PAIRS - 1] * stdev(one["ratio"] for one in ratios) / PAIRS**0.5
    middle = mean(one["ratio"] for one in ratios)
    results = {
        "versions": {name: version(name) for name in ("paredown", "torch", "torch-pruning")},
        "machine": {"cpu": _cpu(), "python": platform.python_version(), "threads": 1},
        "pairs": ratios,
        "ratio": {"mean": middle, "interval": [middle - spread, middle + spread]},
        "ours_seconds": median(one["ours"] for one in ratios),
        "by_hand_seconds": median(one["by_hand"] for one in ratios),
        "step": step,
        "bounds": BOUNDS,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: results[key] for key in ("ratio", "ours_seconds", "by_hand_seconds", "step")}, indent=1))
    kept = (
        middle <= BOUNDS["ratio"]
        and step["seconds"] <= BOUNDS["step_seconds"]
        and step["extra_memory_by_model"] <= BOUNDS["memory"]
    )
    return 0 if kept else 1


def whole_step(bench: Bench) -> tuple[PrunePlan, dict[str, float]]:
    """One pruning step as a run takes it: export, groups, scores, cut and checks; and what the cut takes in memory."""
    model = bench.build()
    state = bench.state(model)
    began = time.perf_counter()
    groups = find(bench, None, state)
    exported = time.perf_counter()
    plan = decide(bench, bench.spec.steps[0], model, state, groups).plan  # type: ignore[arg-type]  # a PruneStep
    decided = time.perf_counter()
    del state, groups
    bench.cut(model, plan)
    ended = time.perf_counter()
    return plan, {
        "seconds": ended - began,
        "export_and_groups_seconds": exported - began,
        "decision_seconds": decided - exported,
        "cut_and_checks_seconds": ended - decided,
        "extra_memory_by_model": _in_a_new_process(plan),
    }


def extra_memory(plan: PrunePlan) -> float:
    """The most that the cut and its checks hold at once, above what the process held before, by the model's size."""
    bench = _workbench()
    model = bench.build()
    bench.layers(model)  # one forward pass: what the kernels keep from their first call is not the cut's
    size = sum(values.nbytes for values in bench.state(model).values())
    _forget_peak()
    before = _resident("VmRSS")
    bench.cut(model, plan)
    return (_resident("VmHWM") - before) / size


def _in_a_new_process(plan: PrunePlan) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(extra_memory, (plan,))


def _workbench() -> Bench:
    torch.set_num_threads(1)
    manager = Manager.discover()
    return Bench(manager, "torch", load_spec(SPEC, manager.registry), RunContext(seed=0, device="cpu"))


def paired(bench: Bench, plan: PrunePlan, turn: int) -> dict[str, float]:
    """The seconds of both on fresh networks; who goes first alternates."""
    measured = {}
    for name in ("ours", "by_hand") if turn % 2 == 0 else ("by_hand", "ours"):
        measured[name] = (_ours if name == "ours" else _by_hand)(bench, plan)
    return {**measured, "ratio": measured["ours"] / measured["by_hand"]}


def _ours(bench: Bench, plan: PrunePlan) -> float:
    model = bench.build()
    traced = Dependencies(model, plan.input_shape)
    own, ours._trace = ours._trace, lambda *_: traced
    try:
        start = time.perf_counter()
        ours.prune(model, plan)
        return time.perf_counter() - start
    finally:
        ours._trace = own


def _by_hand(bench: Bench, plan: PrunePlan) -> float:
    model = bench.build()
    graph = torch_pruning.DependencyGraph().build_dependency(model, torch.zeros(1, *plan.input_shape))
    modules: dict[str, Any] = dict(model.named_modules())
    start = time.perf_counter()
    for cut in plan.cuts:
        layer = modules[cut.group.name.removesuffix(".weight")]
        group = graph.get_pruning_group(layer, torch_pruning.prune_conv_out_channels, list(cut.remove))
        group.prune(record_history=False)
    return time.perf_counter() - start


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
