"""Loads on one backend what the other pruned: base model, plan and safetensors; and answers to the same images.

DIRECTORY is what `produce.py` wrote on the other backend; outputs are put there as `exchanged-*.npy`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from agreement.networks import CARRIED_OUT, PRUNED, workbench

import paredown
from paredown import files
from paredown.engine.journal import read_plan
from paredown.manager import Manager


def main(backend: str, place: str) -> None:
    manager, directory = Manager.discover(), Path(place)
    for name in PRUNED:
        bench = workbench(manager, backend, name)
        plan = read_plan(directory / name / f"plan-{CARRIED_OUT}.json")
        model = bench.build((plan,), files.read_state(directory / name / "pruned.safetensors"))
        np.save(directory / f"exchanged-{name}.npy", bench.outputs(model, "test"))
    bench = workbench(manager, backend, "resnet20")
    model = paredown.load(directory / "run" / "seed-0", backend=backend)
    np.save(directory / "exchanged-run.npy", bench.outputs(model, "test"))
