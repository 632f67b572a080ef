"""One cell of the matrix, in a process of its own.

    PYTHONPATH=tests python -m matrix.cell BACKEND NETWORK DIRECTORY

Writes into DIRECTORY the plan, the pruned weights and the network's outputs, which the other backend replays, and at
last `cell.json` with every figure and every check.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from matrix.bench import MatrixBench, workbench
from matrix.cells import BETWEEN_BACKENDS, CLASSES, Cell
from matrix.checks import Recorder, require

from paredown import files
from paredown.algorithms.groups import GroupSet, layer_of
from paredown.contracts import LayerInfo, Model, State
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.engine import coupling, exporting, pruning
from paredown.engine.evidence import size
from paredown.engine.training import on_labels, plan_training, train
from paredown.manager import Manager
from paredown.plan import PrunePlan
from paredown.spec.models import AdamWConfig, ConstantSchedule, TrainConfig

PLAN, WEIGHTS, OUTPUTS, RESULT = "plan.json", "pruned.safetensors", "outputs.npy", "cell.json"

TOLD_APART = 1e-3
"""How far outputs of different images must lie apart, by the greatest output: ten times what a check allows."""


def main(backend: str, name: str, place: str) -> None:
    """Runs the cell and writes its result."""
    start, directory = time.perf_counter(), Path(place)
    bench = workbench(Manager.discover(), Cell(name, backend))
    recorder, facts = Recorder(), {}
    pruned = _prune(bench, directory, recorder, facts)
    if pruned is not None:
        _use(bench, directory, recorder, facts, *pruned)
    checks = tuple(check for check in Cell(name, backend).checks if check not in BETWEEN_BACKENDS)
    recorder.not_reached(checks, "the network was not cut")
    result = {
        "network": name,
        "backend": backend,
        "input_shape": list(bench.input_shape),
        **facts,
        "seconds": {**recorder.seconds, "total": round(time.perf_counter() - start, 2)},
        **_used(),
        "checks": {check: recorder.outcomes[check] for check in checks},
    }
    files.write_json(directory / RESULT, result)


def _prune(
    bench: MatrixBench, directory: Path, recorder: Recorder, facts: dict[str, Any]
) -> tuple[Model, PrunePlan] | None:
    """Finds the groups, decides and cuts; None where that fails."""
    pruned = None
    with recorder.check("shapes shrink"):
        model = bench.build_lively()
        state, layers = bench.state(model), bench.layers(model)
        before = size(bench, model)
        found = coupling.find(bench, None, state)
        plan = pruning.decide(bench, bench.spec.steps[0], model, state, found).plan
        facts.update(_decided(found, plan))
        with recorder.check("left whole"):
            _require_named(layers, plan)
        outcome = bench.cut(model, plan)
        after = size(bench, outcome.model)
        facts.update({figure: {"before": before[figure], "after": after[figure]} for figure in before})
        facts["cut_by"] = outcome.evidence["cut_by"]
        files.write_json(directory / PLAN, plan.model_dump(mode="json"))
        pruned = bench.strengthen(outcome.model), plan
        for figure in before:
            require(after[figure] < before[figure], f"{figure}: {before[figure]} before, {after[figure]} after")
    return pruned


def _decided(found: GroupSet, plan: PrunePlan) -> dict[str, Any]:
    channels = sum(group.size for group in found.groups)
    return {
        "groups": {"found": len(found.groups), "cut": len(plan.cuts)},
        "channels": {"before": channels, "after": channels - sum(len(cut.remove) for cut in plan.cuts)},
        "left_whole": dict(plan.left_whole),
    }


def _require_named(layers: tuple[LayerInfo, ...], plan: PrunePlan) -> None:
    members = [member for cut in plan.cuts for member in cut.group.members if member.role == "output"]
    accounted = {layer_of(member.parameter) for member in members} | {
        name for name, reason in plan.left_whole.items() if reason
    }
    silent = [layer.name for layer in layers if layer.kind in ("conv", "linear") and layer.name not in accounted]
    require(not silent, f"neither cut nor named: {', '.join(dict.fromkeys(silent))}")


def _use(
    bench: MatrixBench,
    directory: Path,
    recorder: Recorder,
    facts: dict[str, Any],
    model: Model,
    plan: PrunePlan,
) -> None:
    """All that is done with a pruned network; training comes last, because it changes the weights."""
    outputs = bench.outputs(model, "test")
    with recorder.check("forward"):
        facts["told_apart"] = _require_alive(outputs)
    with recorder.check("save and load"):
        files.write_state(directory / WEIGHTS, bench.state(model))
        np.save(directory / OUTPUTS, outputs)
        loaded = bench.build((plan,), files.read_state(directory / WEIGHTS))
        require(np.array_equal(bench.outputs(loaded, "test"), outputs), "the loaded network answers otherwise")
    with tempfile.TemporaryDirectory(prefix="paredown-matrix-") as scratch:
        path = Path(scratch) / "pruned.onnx"
        with recorder.check("export"):
            exporting.canonical(bench, model, path)
        if recorder.outcomes["export"] is True:
            with recorder.check("runtime agrees"):
                found = run_file(bench.runtime, path, bench.split("test")[0])
                facts["runtime_difference"] = require_equal_outputs(found, outputs, path)
        else:
            recorder.not_reached(("runtime agrees",), "there is no file")
    with recorder.check("backward"):
        _require_training(bench, model)


def _require_alive(outputs: Any) -> float:
    require(outputs.shape[1:] == (CLASSES,), f"outputs of the shape {outputs.shape}")
    require(np.isfinite(outputs).all(), "outputs that are no finite numbers")
    apart = float(np.max(np.ptp(outputs, axis=0)) / np.max(np.abs(outputs)))
    require(apart > TOLD_APART, f"all images give the same outputs, to {apart:.1e} of the greatest")
    return apart


def _require_training(bench: MatrixBench, model: Model) -> None:
    count = len(bench.split("train")[1])
    # Adam's first step moves by the sign of a gradient: a bias before a BatchNorm has one of rounding alone.
    optimizer = AdamWConfig(lr=0.01, weight_decay=0.0)
    config = TrainConfig(epochs=1, batch_size=count, optimizer=optimizer, schedule=ConstantSchedule())
    before = bench.state(model)
    outcome = train(bench, model, plan_training(config, on_labels(bench)), salt=0)
    losses = outcome.evidence["loss"]
    require(np.isfinite(losses).all(), f"the loss is {losses}")
    still = _unmoved(before, bench.state(outcome.model))
    require(not still, f"one step leaves as they were: {', '.join(still)}")


def _unmoved(before: State, after: State) -> list[str]:
    parameters = [name for name in before if not name.endswith((".running_mean", ".running_var"))]
    return [name for name in parameters if np.array_equal(before[name], after[name])]


def _used() -> dict[str, float]:
    """Seconds of the processor, and the peak of memory of this process or of the greatest that it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in used), 1),
        "peak_memory_mb": max(one.ru_maxrss for one in used) // 1024,  # Linux counts in KiB
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
