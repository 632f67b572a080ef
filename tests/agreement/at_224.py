"""Exports and quantizes networks at 224 pixels on one backend, from weights that core draws.

    python at_224.py BACKEND DIRECTORY

DIRECTORY gets `NETWORK/fp32.onnx`, `NETWORK/plan-quantize.json` and `NETWORK/int8.onnx`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from networks import AT_224, workbench
from produce import deploy

from paredown.manager import Manager


def main(backend: str, out: Path) -> None:
    manager = Manager.discover()
    for name in AT_224:
        bench = workbench(manager, backend, name, (3, 224, 224))
        (out / name).mkdir()
        deploy(bench, bench.build_lively(), out / name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
