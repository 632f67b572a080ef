"""One process of the benchmark: `worker.py BACKEND NETWORK SEED`, and on standard input the cells, as JSON.

Without cells it trains the baseline. Every finished cell is a file at once, so that nothing finished is lost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cells import BATCH, Cell, Lane
from subject import Subject

from paredown import files


def main(lane: Lane, network: str, seed: int) -> None:
    """Runs the cells that standard input names."""
    cells = [Cell(**cell) for cell in json.load(sys.stdin)]
    subject = Subject(lane, network, seed)
    if not cells:
        subject.bench.train_baseline()
        print(f"baseline {network} seed {seed}", flush=True)
        return
    _run(subject, cells)
    if lane == "torch":
        subject.save_data()


def _run(subject: Subject, cells: Sequence[Cell]) -> None:
    for cell in cells:
        facts, figures = _quantize(subject, cell)
        files.write_json(cell.path, {"cell": asdict(cell), **figures, "how": facts})
        print(
            f"{cell.name}: test {figures['test']:.4f} (fp32 {figures['fp32']:.4f}), agreement"
            f" {figures['test_agreement']:.4f}, bytes {figures['bytes'] / figures['fp32_bytes']:.3f},"
            f" latency {figures['latency_ratio']:.2f}, {figures['seconds']:.1f} s",
            flush=True,
        )


def _quantize(subject: Subject, cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts about how, and the figures."""
    runtime = subject.workbench.runtime
    if cell.method == "quant_post_static":
        import by_quant_post_static

        facts, inference, reference, path, seconds = by_quant_post_static.quantize(subject, cell)
        return facts, subject.figures(inference, reference, path, seconds)
    if cell.method == "quantize_static":
        import by_quantize_static

        path = subject.directory / f"{cell.method}-{cell.setting}.onnx"
        seconds = by_quantize_static.quantize(subject.fp32, path, subject.calibration, BATCH, cell.options)
        return dict(cell.options), subject.figures(runtime, subject.fp32, path, seconds)
    import by_paredown

    act = by_paredown.train if cell.method == "paredown-qat" else by_paredown.quantize
    facts, path, seconds = act(subject, cell)
    return facts, subject.figures(runtime, subject.fp32, path, seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))  # type: ignore[arg-type]  # run.py gives a lane's name
