"""Decides and writes on one backend, from given weights, what a run does with a detector.

DIRECTORY, which has the network's name, gets the groups, two pruning plans, what the cut left, the quantization plan,
the ONNX files of the network and its integer form, and the outputs of the network and its simulation as `.npz`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from agreement.networks import CARRIED_OUT, FRAMEWORKS, PRUNINGS, workbench

from paredown import files
from paredown.algorithms.outputs import as_tuple
from paredown.contracts import Outputs
from paredown.deploy.analysis import layer_noise
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.verify import require_equal_outputs, run_file
from paredown.deploy.writing.qdq import write_qdq
from paredown.engine import coupling, exporting, pruning, quantization
from paredown.manager import Manager
from paredown.twins import MASK_DETECTORS

DECIDED = (CARRIED_OUT, "taylor")


def main(backend: str, directory: str) -> None:
    out = Path(directory)
    bench = workbench(Manager.discover(), backend, out.name, width=0.25)
    model = bench.build_lively()
    state, (images, _) = bench.state(model), bench.split("test")
    keep(out / "outputs.npz", bench.manager.evaluate(backend, model, images))
    found = coupling.find(bench, out, state)
    groups = [group.model_dump(mode="json") for group in found.groups]
    files.write_json(out / "groups.json", {"groups": groups, "left_whole": dict(found.left_whole)})
    plans = {}
    for name, step in zip(PRUNINGS, bench.spec.steps, strict=False):
        if name in DECIDED:
            plans[name] = pruning.decide(bench, step, model, state, found).plan
            files.write_json(out / f"plan-{name}.json", plans[name].model_dump(mode="json"))
    pruned = bench.cut(model, plans[CARRIED_OUT]).model
    files.write_state(out / "pruned.safetensors", bench.state(pruned))
    file = out / exporting.BASELINE
    graph, step = onnx.load(file), bench.spec.steps[-1]
    plan = make_plan(graph, quantization.observe(bench, step, graph), step, bench.spec.deploy.target)
    files.write_json(out / "plan-quantize.json", plan.model_dump(mode="json"))
    files.write_bytes(out / "int8.onnx", to_bytes(write_qdq(graph, plan)))
    whole = bench.build_lively()
    folded, _ = exporting.folded(bench, whole)
    simulated = exporting.simulate(bench, folded, plan, {}).model
    keep(out / "simulated.npz", bench.manager.evaluate(backend, simulated, images))
    answers = run_file(bench.runtime, file, images)
    difference = require_equal_outputs(answers, bench.manager.evaluate(backend, whole, images), file)
    files.write_json(out / "facts.json", {"difference": difference})
    if backend == FRAMEWORKS[0] and out.name in MASK_DETECTORS:  # equal files and equal plans have equal noise
        noise = layer_noise(graph, plan, lambda: iter([images]))
        files.write_json(out / "noise.json", {one.layer: one.network for one in noise})


def keep(path: Path, outputs: Outputs) -> None:
    """All outputs of a network, in their order."""
    np.savez(path, *as_tuple(outputs))
