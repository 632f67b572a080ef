"""A run's directory as something to load: base model + plans + safetensors, on any backend."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np

from paredown import files
from paredown.contracts import DataSplits, ExportRequest, Model, RunContext
from paredown.engine import exporting
from paredown.engine.code_digests import package_digest
from paredown.engine.given import GivenWorkbench
from paredown.engine.journal import Journal, cuts_of, read_plans
from paredown.engine.run_files import RESULT, SPEC, WEIGHTS, read_result
from paredown.engine.students import student_source
from paredown.engine.trust import Trust, require_trusted
from paredown.engine.workbench import Workbench
from paredown.errors import ArtifactError, UnsupportedError
from paredown.manager import Manager
from paredown.spec.loader import load_spec
from paredown.spec.models import Spec
from paredown.spec.nearest import one_of, suggestion

NEUTRAL_FORMATS = ("onnx",)


class ArtifactBench(Workbench):
    """A workbench for a finished run: its data may be elsewhere, and its device another machine's."""

    @cached_property
    def data(self) -> DataSplits:
        """Drawn images of the network's input: enough to see that folding changes nothing."""
        source = self.source
        images = np.random.default_rng(0).standard_normal((32, source.in_channels, *source.input_size))
        split = images.astype(np.float32), np.arange(32) % source.num_classes
        return DataSplits("drawn", split, split, split, source.num_classes)


def find_run(directory: Path) -> Path:
    """The run's directory: the one given, or the only one below it.

    Raises:
        ArtifactError: When there is none, or more than one.
    """
    if (directory / RESULT).is_file():
        return directory
    found = sorted(path.parent for below in ("", "*/") for path in directory.glob(f"{below}seed-*/{RESULT}"))
    if len(found) == 1:
        return found[0]
    raise ArtifactError(
        "this is not the directory of one finished run",
        where=str(directory),
        value="several runs: " + ", ".join(str(path) for path in found) if found else "no result.json",
        expected="a directory such as OUT/torch/seed-0",
        remedy="name one of them" if found else "run a spec first: paredown run SPEC --out DIR",
    )


def load(
    manager: Manager,
    directory: Path,
    backend: str | None = None,
    base: Model = None,
    trust: Trust = Trust(),  # noqa: B008 - immutable
) -> Model:
    """The network of a finished run, in the framework of `backend` (the run's own by default).

    Args:
        manager: With the backend's plugin registered.
        directory: The directory of one run.
        backend: The backend's name.
        base: The uncompressed network, for a run of `paredown.compress`, which was given one; it is not changed.
        trust: Whose code the run's spec may name.

    Raises:
        TrustError: The network is built by code that is not trusted.
        ArtifactError: A part is missing, the code that builds the network has changed since, or only the caller has the
            base network.
    """
    return _rebuild(manager, directory, backend, base, trust)[1]


def export(
    manager: Manager,
    directory: Path,
    target: Path,
    format_name: str,
    backend: str | None = None,
    trust: Trust = Trust(),  # noqa: B008 - immutable
) -> list[Path]:
    """Writes the delivered network in a format: `onnx` copies the delivered file, others are a backend's own.

    The directory of a backend's own format appears whole or not at all.

    Raises:
        UnsupportedError: When no backend writes the format.
        ArtifactError: When the run is not finished, or the target exists.
        TrustError: The network is built by code that is not trusted.
    """
    if format_name in NEUTRAL_FORMATS:
        return [_copy_delivered(directory, target)]
    owner = backend or format_owner(manager, format_name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError("the target exists and is not empty", where=str(target), remedy="name a new directory")
    bench, model = _rebuild(manager, directory, owner, trust=trust)
    copy, _ = exporting.folded(bench, model)
    files.make_directory(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        place = Path(scratch) / "files"
        result = manager.export(owner, copy, ExportRequest(format_name, place, bench.input_shape))
        written = [target / path.relative_to(place) for path in result.files]
        place.chmod(0o755)
        os.replace(place, target)  # noqa: PTH105 - Path.replace does the same; os.replace says that the target is empty
    return written


def format_owner(manager: Manager, format_name: str) -> str:
    """The backend that writes a format.

    Raises:
        UnsupportedError: When there is none.
    """
    owners = {name: info.name for info in manager.registry.backends.values() for name in info.formats}
    if format_name not in owners:
        known = (*NEUTRAL_FORMATS, *owners)
        raise UnsupportedError(
            f"no backend writes the format `{format_name}`",
            where="--format",
            value=format_name,
            expected=one_of(known, "format"),
            remedy=suggestion(format_name, known),
        )
    return owners[format_name]


def _copy_delivered(directory: Path, target: Path) -> Path:
    delivered = directory / read_result(directory).delivered
    if delivered.is_dir():
        written = delivered.parent.name
        raise UnsupportedError(
            f"this run was deployed as `{written}`, not as ONNX",
            where=str(delivered),
            value="--format onnx",
            expected=f"--format {written}, or a run with `deploy: {{runtime: {{kind: onnxruntime}}}}`",
            remedy=f"write --format {written}, or take the directory as it is",
        )
    if not delivered.is_file():
        raise ArtifactError(
            "the delivered file is missing", where=str(delivered), remedy="run the spec again with --fresh"
        )
    path = target if target.suffix == ".onnx" else target / delivered.name
    if path.exists():
        raise ArtifactError("the target exists", where=str(path), expected="a new file", remedy="name another")
    files.write_bytes(path, delivered.read_bytes())
    return path


def _rebuild(
    manager: Manager,
    directory: Path,
    backend: str | None,
    base: Model = None,
    trust: Trust = Trust(),  # noqa: B008 - immutable
) -> tuple[Workbench, Model]:
    result = read_result(directory)
    name = backend or result.backend
    manager.require_backend(name)
    # The spec's other backends are no matter here, and may not be installed.
    spec = load_spec(files.read_json(directory / SPEC) | {"backends": [name]}, manager.registry)
    plans = cuts_of(read_plans(directory, result.steps))
    context = RunContext(seed=result.seed, base_dir=directory)
    if base is not None:
        bench: Workbench = GivenWorkbench(manager, name, spec, context, model=base)
    elif spec.model is not None:
        require_trusted(spec, [name], trust)
        bench = ArtifactBench(manager, name, spec, context, trust=trust)
    else:
        raise ArtifactError(
            "this network was given to `paredown.compress`: it has no name to be built by",
            where=str(directory),
            expected="the run of a spec, which names a network of the zoo",
            remedy="build the uncompressed network yourself and call paredown.load(directory, model=network);"
            " the delivered ONNX file needs no network: export --format onnx",
        )
    source = student_source(spec, len(result.steps))
    if source is None and base is None:
        _require_same_code(spec, directory, name, trust)
    return bench, bench.build(plans, files.read_state(directory / WEIGHTS), source)


def _require_same_code(spec: Spec, directory: Path, backend: str, trust: Trust) -> None:
    """Refuses to build a run's network by code that has changed since; another backend's from elsewhere is not known.

    Raises:
        ArtifactError: The sources of the function's package are not those that the run was made with.
    """
    made, now = Journal.key_of(directory).get("package"), package_digest(spec, backend, trust)
    if made is None or now is None or made["name"] != now["name"] or made == now:
        return
    raise ArtifactError(
        "the network of this run was built by another code",
        where=str(directory),
        value=f"`{now['name']}` has changed since the run",
        expected=f"the sources of `{now['name']}` that the run was made with",
        remedy="take them back, or run the spec again; the delivered ONNX file needs no code: export --format onnx",
    )
