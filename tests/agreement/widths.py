"""What a backend says of the networks that take a width multiplier, at several widths.

DIRECTORY gets `widths.json`, by `NETWORK@WIDTH`; the outputs of each network at one width as `NETWORK.npy`; and of one
that is cut its groups, its pruning plan and what the cut left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from agreement.networks import CARRIED_OUT, PRUNINGS, AgreementBench, answering_width, at_widths, workbench
from agreement.zoo import describe

from paredown import files
from paredown.engine import coupling, pruning
from paredown.manager import Manager
from paredown.twins import TORCH_ONLY, TORCH_PIXELS

CUT = "resnext50_32x4d"
"""Its convolutions are in groups."""


def main(backend: str, directory: str) -> None:
    out = Path(directory)
    manager, facts = Manager.discover(), {}
    for name, widths in manager.backend(backend).widths.items():
        if name in (*TORCH_ONLY, *TORCH_PIXELS):
            continue
        for width in at_widths(widths):
            bench = workbench(manager, backend, name, width=width)
            model = bench.build()
            facts[f"{name}@{width}"] = describe(bench, model)
            if width == answering_width(widths):
                np.save(out / f"{name}.npy", bench.outputs(bench.build_lively(model), "test"))
                if name == CUT:
                    _cut(bench, out)
    files.write_json(out / "widths.json", facts)


def _cut(bench: AgreementBench, out: Path) -> None:
    model = bench.build_lively()
    state = bench.state(model)
    found = coupling.find(bench, out, state)
    groups = [group.model_dump(mode="json") for group in found.groups]
    files.write_json(out / "groups.json", {"groups": groups, "left_whole": dict(found.left_whole)})
    step = bench.spec.steps[list(PRUNINGS).index(CARRIED_OUT)]
    plan = pruning.decide(bench, step, model, state, found).plan
    files.write_json(out / "plan.json", plan.model_dump(mode="json"))
    files.write_state(out / "pruned.safetensors", bench.state(bench.cut(model, plan).model))
