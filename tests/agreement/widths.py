"""What a backend says of the networks that take a width multiplier, at several widths.

DIRECTORY gets `widths.json`, by `NETWORK@WIDTH`, and the outputs of each network at half its width as `NETWORK.npy`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from agreement.networks import HALF, at_widths, workbench
from agreement.zoo import describe

from paredown import files
from paredown.manager import Manager


def main(backend: str, directory: str) -> None:
    out = Path(directory)
    manager, facts = Manager.discover(), {}
    for name, smallest in manager.backend(backend).widths.items():
        for width in at_widths(smallest):
            bench = workbench(manager, backend, name, width=width)
            model = bench.build()
            facts[f"{name}@{width}"] = describe(bench, model)
            if width == HALF:
                np.save(out / f"{name}.npy", bench.outputs(bench.build_lively(model), "test"))
    files.write_json(out / "widths.json", facts)
