"""Decides and writes on one backend, from given weights, what a run does with networks that return pixels.

DIRECTORY gets for each network a directory with its groups, pruning plans, what the cut left, the quantization
plan, the ONNX files, and outputs as `.npy`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from agreement.networks import CARRIED_OUT, PRUNINGS, workbench

from paredown import files
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.writing.qdq import write_qdq
from paredown.engine import coupling, exporting, pruning, quantization
from paredown.manager import Manager
from paredown.spec.models import PruneStep
from paredown.twins import PIXELS

DECIDED = {"unet": (CARRIED_OUT, "taylor"), "lraspp_mobilenet_v3_small": (CARRIED_OUT,)}


def main(backend: str, place: str) -> None:
    out = Path(place)
    manager = Manager.discover()
    for name in PIXELS:
        bench, directory = workbench(manager, backend, name), out / name
        directory.mkdir()
        model = bench.build_lively()
        state = bench.state(model)
        np.save(directory / "outputs.npy", bench.outputs(model, "test"))
        files.write_json(directory / "metrics.json", bench.metrics(model, "test"))
        found = coupling.find(bench, directory, state)
        groups = [group.model_dump(mode="json") for group in found.groups]
        files.write_json(directory / "groups.json", {"groups": groups, "left_whole": dict(found.left_whole)})
        plans = {}
        for pruning_name, step in zip(PRUNINGS, bench.spec.steps, strict=False):
            if pruning_name in DECIDED[name]:
                assert isinstance(step, PruneStep)
                plans[pruning_name] = pruning.decide(bench, step, model, state, found).plan
                plan = plans[pruning_name].model_dump(mode="json")
                files.write_json(directory / f"plan-{pruning_name}.json", plan)
        pruned = bench.cut(model, plans[CARRIED_OUT]).model
        np.save(directory / "outputs-pruned.npy", bench.outputs(pruned, "test"))
        files.write_state(directory / "pruned.safetensors", bench.state(pruned))
        graph = onnx.load(directory / exporting.BASELINE)
        step = bench.spec.steps[-1]
        quantized = make_plan(graph, quantization.observe(bench, step, graph), step, bench.spec.deploy.target)
        files.write_json(directory / "plan-quantize.json", quantized.model_dump(mode="json"))
        files.write_bytes(directory / "int8.onnx", to_bytes(write_qdq(graph, quantized)))
        folded, _ = exporting.folded(bench, bench.build_lively())
        simulated = exporting.simulate(bench, folded, quantized, {}).model
        np.save(directory / "outputs-simulated.npy", bench.outputs(simulated, "test"))
