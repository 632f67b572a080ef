"""One process of the benchmark: `worker.py BACKEND NETWORK SEED`, and on standard input the cells, as JSON.

Without cells it trains the baseline. Every finished cell is a file at once, so that nothing finished is lost.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any, Protocol

from bench import Bench
from settings import Backend, Cell

from paredown import files
from paredown.contracts import Model


class Method(Protocol):
    """A way to prune."""

    def prune(self, cell: Cell) -> tuple[Model, dict[str, Any]]:
        """The pruned network, and facts about how."""
        ...


def main(backend: Backend, network: str, seed: int) -> None:
    """Runs the cells that standard input names."""
    cells = [Cell(**cell) for cell in json.load(sys.stdin)]
    bench = Bench(backend, network, seed)
    if not cells:
        start = time.process_time()
        bench.train_baseline()
        print(f"baseline {network} seed {seed}: {time.process_time() - start:.0f} s", flush=True)
        return
    whole = {**bench.size(bench.baseline()), **bench.accuracy(bench.baseline())}
    methods: dict[str, Method] = {}
    for cell in cells:
        start = time.process_time()
        family = _family(cell)
        if family not in methods:
            methods[family] = _method(bench, family)
        model, facts = methods[family].prune(cell)
        seconds = round(time.process_time() - start, 1)
        size = bench.size(model)
        widths = {name: len(values) for name, values in bench.workbench.state(model).items() if values.ndim > 1}
        result = {
            "cell": asdict(cell),
            "baseline": whole,
            **{f"{name}_kept": size[name] / whole[name] for name in size},
            **bench.recover(model),
            "prune_seconds": seconds,
            "how": facts,
            "widths": widths,
        }
        files.write_json(cell.path, result)
        print(
            f"{cell.name}: MACs {result['macs_kept']:.3f}, validation {result['validation_before']:.3f} ->"
            f" {result['validation']:.3f}, test {result['test']:.4f} (baseline {whole['test']:.4f}),"
            f" {seconds:.0f} + {result['recovery_seconds']:.0f} s",
            flush=True,
        )


def _family(cell: Cell) -> str:
    return cell.method if cell.method in ("torch-pruning", "paddleslim") else "ours"


def _method(bench: Bench, family: str) -> Method:
    if family == "torch-pruning":
        from by_torch_pruning import TorchPruning

        return TorchPruning(bench)
    if family == "paddleslim":
        from by_paddleslim import PaddleSlim

        return PaddleSlim(bench)
    from ours import Ours

    return Ours(bench)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))  # type: ignore[arg-type]  # run.py gives a backend's name
