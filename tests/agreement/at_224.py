"""Exports and quantizes networks at 224 pixels on one backend, from weights that core draws.

DIRECTORY gets `NETWORK/fp32.onnx`, `NETWORK/plan-quantize.json` and `NETWORK/int8.onnx`.
"""

from __future__ import annotations

from pathlib import Path

from agreement.networks import AT_224, workbench
from agreement.produce import deploy

from paredown.manager import Manager


def main(backend: str, directory: str) -> None:
    out = Path(directory)
    manager = Manager.discover()
    for name in AT_224:
        bench = workbench(manager, backend, name, (3, 224, 224))
        (out / name).mkdir()
        deploy(bench, bench.build_lively(), out / name)
