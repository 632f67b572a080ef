"""A run's directory as something to load: base model + plans + safetensors, on any backend."""

from __future__ import annotations

from pathlib import Path

from paredown import files
from paredown.contracts import ExportRequest, Model, RunContext
from paredown.engine import exporting
from paredown.engine.journal import read_plan
from paredown.engine.runner import RESULT, WEIGHTS
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, UnsupportedError
from paredown.manager import Manager
from paredown.plan import PrunePlan
from paredown.results import RunResult
from paredown.spec.loader import load_spec

NEUTRAL_FORMATS = ("onnx",)


def find_run(directory: Path) -> Path:
    """The run's directory: the one given, or the only one below it.

    Raises:
        ArtifactError: When there is none, or more than one.
    """
    if (directory / RESULT).is_file():
        return directory
    found = sorted(path.parent for path in directory.glob(f"*/seed-*/{RESULT}"))
    if len(found) == 1:
        return found[0]
    raise ArtifactError(
        "this is not the directory of one finished run",
        where=str(directory),
        value="several runs: " + ", ".join(str(path) for path in found) if found else "no result.json",
        expected="a directory such as OUT/torch/seed-0",
        remedy="name one of them" if found else "run a spec first: paredown run SPEC --out DIR",
    )


def read_result(directory: Path) -> RunResult:
    """The result of a finished run."""
    return RunResult.model_validate(files.read_json(directory / RESULT))


def load(manager: Manager, directory: Path, backend: str | None = None) -> Model:
    """The network of a finished run, in the framework of `backend` (the run's own by default)."""
    bench, model = _rebuild(manager, directory, backend)
    del bench
    return model


def export(manager: Manager, directory: Path, target: Path, format_name: str, backend: str | None = None) -> list[Path]:
    """Writes the delivered network in a format: `onnx` copies the delivered file, others are a backend's own.

    Raises:
        UnsupportedError: When no backend writes the format.
        ArtifactError: When the run is not finished, or the target exists.
    """
    if format_name == "onnx":
        delivered = directory / read_result(directory).delivered
        if not delivered.is_file():
            raise ArtifactError(
                "the delivered file is missing", where=str(delivered), remedy="run the spec again with --fresh"
            )
        path = target if target.suffix == ".onnx" else target / delivered.name
        files.write_bytes(path, delivered.read_bytes())
        return [path]
    owner = backend or format_owner(manager, format_name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError("the target exists and is not empty", where=str(target), remedy="name a new directory")
    bench, model = _rebuild(manager, directory, owner)
    copy, _ = exporting.folded(bench, model)
    result = manager.export(owner, copy, ExportRequest(format_name, target, bench.input_shape))
    return list(result.files)


def format_owner(manager: Manager, format_name: str) -> str:
    """The backend that writes a format.

    Raises:
        UnsupportedError: When there is none.
    """
    owners = {name: info.name for info in manager.registry.backends.values() for name in info.formats}
    if format_name not in owners:
        raise UnsupportedError(
            "no backend writes this format",
            where="--format",
            value=format_name,
            expected=", ".join([*NEUTRAL_FORMATS, *owners]),
        )
    return owners[format_name]


def _rebuild(manager: Manager, directory: Path, backend: str | None) -> tuple[Workbench, Model]:
    result = read_result(directory)
    lost = next((step for step in result.steps if not step.replayable), None)
    if lost is not None:
        raise ArtifactError(
            "this network cannot be rebuilt: a plugin's step changed shapes without a plan",
            where=f"{directory}, step {lost.index} ({lost.kind})",
            remedy="export the delivered file with --format onnx",
        )
    spec = load_spec(directory / "spec.json", manager.registry)
    name = backend or result.backend
    manager.require_backend(name)
    bench = Workbench(manager, name, spec, RunContext(seed=result.seed, device=spec.run.device, base_dir=directory))
    plans = tuple(
        read_plan(directory / step.plan, PrunePlan) for step in result.steps if step.plan and step.kind == "prune"
    )
    return bench, bench.build(plans, files.read_state(directory / WEIGHTS))
