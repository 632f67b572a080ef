"""Does on one backend, from given weights, what a run does, and writes all that the tests compare.

DIRECTORY holds `zoo.json`, `training.json` and `distillation.json`, a whole run of `resnet20` under `run/`, and for
each pruned network a directory with its groups, plans, weights, the framework's outputs as `.npy`, and for some the
ONNX files.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from agreement.networks import (
    CARRIED_OUT,
    DEPLOYED,
    MEASURED,
    PRUNED,
    PRUNINGS,
    QUANTIZE,
    AgreementBench,
    lively,
    workbench,
)
from agreement.training import distillation_facts, training_facts
from agreement.zoo import zoo_facts

import paredown
from paredown import files
from paredown.algorithms import counting
from paredown.algorithms.initialization import draw
from paredown.contracts import Measurements, MeasureRequest, Model, State
from paredown.deploy.files import to_bytes
from paredown.deploy.points import make_plan
from paredown.deploy.writing.qdq import write_qdq
from paredown.engine import coupling, exporting, pruning, quantization, scoring
from paredown.engine.runner import run_one
from paredown.manager import Manager
from paredown.plan import PrunePlan
from paredown.spec.loader import load_spec


class MeasuresOnce:
    """A manager of one network that stays as it is: what was measured of it is not measured again."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._known: dict[tuple[Any, ...], Measurements] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def measure(self, backend: str, model: Model, request: MeasureRequest) -> Measurements:
        """What the backend measures."""
        images = tuple(len(images) for images, _ in request.batches)
        key = (id(model), request.what, images, request.axes, request.layer_names)
        if key not in self._known:
            self._known[key] = self._manager.measure(backend, model, request)
        return self._known[key]


def compress(bench: AgreementBench, directory: Path) -> None:
    """One network from equal weights to the pruned one, or on to the int8 file."""
    model = bench.build_lively()
    facts: dict[str, Any] = {"drawn": digests(draw(bench.state(model), 7)), "before": size(bench, model)}
    np.save(directory / "outputs.npy", bench.outputs(model, "test"))
    plans = decide(bench, model, directory)
    pruned = bench.cut(model, plans[CARRIED_OUT]).model
    files.write_json(directory / "facts.json", {**facts, "after": size(bench, pruned)})
    files.write_state(directory / "pruned.safetensors", bench.state(pruned))
    np.save(directory / "outputs-pruned.npy", bench.outputs(pruned, "test"))
    if bench.source.name in DEPLOYED:
        deploy(bench, pruned, directory)


def decide(bench: AgreementBench, model: Model, directory: Path) -> dict[str, PrunePlan]:
    """The plan of every pruning, the groups that they were decided on, and the scores that were measured."""
    state = bench.state(model)
    found = coupling.find(bench, directory, state)
    written = {
        "groups": [group.model_dump(mode="json") for group in found.groups],
        "left_whole": dict(found.left_whole),
    }
    files.write_json(directory / "groups.json", written)
    plans = {}
    bench = replace(bench, manager=MeasuresOnce(bench.manager))
    for name, step in zip(PRUNINGS, bench.spec.steps, strict=False):
        plans[name] = pruning.decide(bench, step, model, state, found).plan
        files.write_json(directory / f"plan-{name}.json", plans[name].model_dump(mode="json"))
        if name in MEASURED:
            np.savez(directory / f"scores-{name}.npz", **scoring.scores(bench, step, model, state, found))
    return plans


def deploy(bench: AgreementBench, model: Model, directory: Path) -> None:
    """The canonical fp32 file, the quantization plan, the int8 file, and the plan simulated in the framework."""
    exported = exporting.canonical(bench, model, directory / "fp32.onnx")
    step = bench.spec.steps[-1]
    plan = make_plan(exported.model, quantization.observe(bench, step, exported.model), step, bench.spec.deploy.target)
    files.write_json(directory / "plan-quantize.json", plan.model_dump(mode="json"))
    files.write_bytes(directory / "int8.onnx", to_bytes(write_qdq(onnx.load(directory / "fp32.onnx"), plan)))
    simulated = exporting.simulate(bench, exported.folded, plan, {}).model
    np.save(directory / "outputs-simulated.npy", bench.outputs(simulated, "test"))


def run(manager: Manager, backend: str, directory: Path) -> None:
    """A whole run of `resnet20` on real images, from weights in a file; and what its network, loaded again, answers."""
    bench = workbench(manager, backend, "resnet20")
    directory.mkdir(parents=True)
    files.write_state(directory / "given.safetensors", lively(draw(bench.state(bench.build()), 0)))
    spec = {
        **bench.spec.model_dump(mode="json"),
        "data": {"kind": "digits", "limit": 320},
        "model": {**bench.spec.model_dump(mode="json")["model"], "weights": "given.safetensors"},
        "baseline": {"epochs": 0},
        "steps": [PRUNINGS[CARRIED_OUT], QUANTIZE],
    }
    checked = load_spec(spec, manager.registry)
    run_one(manager, checked, backend, 0, directory / "seed-0", base_dir=directory)
    np.save(directory / "outputs.npy", bench.outputs(paredown.load(directory / "seed-0"), "test"))


def size(bench: AgreementBench, model: Model) -> dict[str, int]:
    """Parameters and multiply-accumulates."""
    return {"params": counting.count_parameters(bench.state(model)), "macs": counting.count_macs(bench.layers(model))}


def digests(state: State) -> list[list[Any]]:
    """Name, shape and content of every array, in order."""
    return [
        [name, list(values.shape), hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()]
        for name, values in state.items()
    ]


def main(backend: str, directory: str) -> None:
    out = Path(directory)
    manager = Manager.discover()
    run(manager, backend, out / "run")
    for name in PRUNED:
        (out / name).mkdir()
        compress(workbench(manager, backend, name), out / name)
    files.write_json(out / "training.json", training_facts(manager, backend, out))
    files.write_json(out / "distillation.json", distillation_facts(manager, backend, out))
    files.write_json(out / "zoo.json", zoo_facts(manager, backend, out))
