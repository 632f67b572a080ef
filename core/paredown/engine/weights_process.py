"""Reading a framework's own file of weights, in a process that it may crash, and where two frameworks never meet.

The arrays come back as safetensors in a file.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paredown import files
from paredown.contracts import Checkpoint, ModelSource, RunContext
from paredown.engine.conversing import answer, converse, ending, start
from paredown.engine.other_backend import opened, told
from paredown.engine.workbench import Workbench
from paredown.errors import WeightsError


def read_elsewhere(bench: Workbench, owner: str, source: ModelSource, path: Path) -> Checkpoint:
    """The arrays of a file under neutral names, read by the backend that knows its format.

    Raises:
        BackendMissing: That backend is not installed.
        WeightsError: The file cannot be read, or its names cannot be looked up: that backend has no such network.
    """
    bench.manager.require_backend(owner)
    with tempfile.TemporaryDirectory(prefix="paredown-weights-") as scratch:
        target, log = Path(scratch) / "arrays.safetensors", Path(scratch) / "log"
        context = RunContext(device="cpu", base_dir=bench.context.base_dir)
        request = {**told(bench, owner, source, context), "path": str(path.resolve()), "target": str(target)}
        with log.open("w", encoding="utf-8") as errors:
            process = start("paredown.engine.weights_process", bench.spec.run, errors)
            found = converse(process, request)
        if found is None:
            raise WeightsError(
                "the weights could not be read",
                where=str(path),
                value=f"the process that reads them ended with {ending(process, log)}",
                expected="a file that its framework reads",
                remedy="save it as .safetensors in neutral names",
            )
        return Checkpoint(files.read_state(target), tuple(found["notes"]))


def work(request: dict[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    """Reads the file, and returns notes on what was found."""
    bench, source = opened(request, report)
    path = Path(request["path"])
    found = bench.manager.read_weights(request["backend"], path, lambda: bench.build(source=source))
    files.write_state(Path(request["target"]), found.arrays)
    return {"notes": list(found.notes)}


if __name__ == "__main__":
    sys.exit(answer(work))
