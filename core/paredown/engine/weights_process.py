"""Reading another framework's file of weights, in a process of its own: two frameworks never share one.

A request as JSON on standard input, the arrays as safetensors in a file, notes as JSON on the last line of standard
output.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paredown import files
from paredown.contracts import Checkpoint, ModelSource, RunContext
from paredown.errors import ParedownError, WeightsError

if TYPE_CHECKING:
    from paredown.engine.workbench import Workbench

_PLAIN = ("name", "num_classes", "in_channels", "input_size", "width", "kind")
"""The fields of a source that say all of a network that is built by name."""


def read_elsewhere(bench: Workbench, owner: str, source: ModelSource, path: Path) -> Checkpoint:
    """The arrays of a file under neutral names, read by the backend that knows its format.

    Raises:
        BackendMissing: That backend is not installed.
        WeightsError: The file cannot be read, or its names cannot be looked up: that backend has no such network.
    """
    bench.manager.require_backend(owner)
    with tempfile.TemporaryDirectory(prefix="paredown-weights-") as scratch:
        target = Path(scratch) / "arrays.safetensors"
        request = {
            "backend": owner,
            "path": str(path.resolve()),
            "target": str(target),
            "source": {name: getattr(source, name) for name in _PLAIN},
            "spec": bench.spec.model_dump(mode="json"),
            "base_dir": str(bench.context.base_dir.resolve()),
            "trust": list(bench.trust.packages),
        }
        answer = _ask(request, path)
        if "error" in answer:
            raise ParedownError.from_dict(answer["error"])
        return Checkpoint(files.read_state(target), tuple(answer["notes"]))


def _ask(request: dict[str, Any], path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "paredown.engine.weights_process"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        raise WeightsError(
            "the weights could not be read",
            where=str(path),
            value=f"the process that reads them ended with exit code {done.returncode}: {said[:300]}",
            expected="a file that its framework reads",
            remedy="save it as .safetensors in neutral names",
        )
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def main() -> int:
    """Answers one request. An error of ours is an answer too."""
    from paredown.engine.trust import trusting
    from paredown.engine.workbench import Workbench
    from paredown.manager import Manager
    from paredown.spec.loader import load_spec

    request = json.loads(sys.stdin.read())
    try:
        manager = Manager.discover()
        base_dir = Path(request["base_dir"])
        context = RunContext(device="cpu", base_dir=base_dir)
        spec = load_spec(request["spec"], manager.registry)
        bench = Workbench(manager, request["backend"], spec, context, trust=trusting(request["trust"], base_dir))
        given = request["source"]
        plain = ModelSource(**given | {"input_size": tuple(given["input_size"])})

        def build() -> Any:
            return bench.build(source=bench.source if plain.kind == "builder" else plain)

        found = manager.read_weights(request["backend"], Path(request["path"]), build)
        files.write_state(Path(request["target"]), found.arrays)
        answer: dict[str, Any] = {"notes": list(found.notes)}
    except ParedownError as error:
        answer = {"error": error.to_dict()}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
