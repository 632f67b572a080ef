"""The Python side of the command: the same verbs, the same results."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paredown import comparison as comparing
from paredown.contracts import Model, RunContext
from paredown.engine import artifact, runner
from paredown.engine.code import require_code
from paredown.engine.given import GivenWorkbench, Loader, unused
from paredown.engine.own_measures import OwnLoss, OwnMetric
from paredown.engine.preflight import require_able
from paredown.engine.processes import run_in_process
from paredown.engine.trust import trusting
from paredown.errors import ArtifactError, ModelError
from paredown.manager import Manager
from paredown.results import Comparison, RunResult
from paredown.spec import loader
from paredown.spec.models import Spec

SpecLike = Spec | Mapping[str, Any] | Path | str


@dataclass(frozen=True, slots=True)
class Compressed:
    """What `compress` gives: the network, smaller and in its own framework, and what was measured on the way."""

    model: Model
    result: RunResult
    directory: Path


def load_spec(source: SpecLike) -> Spec:
    """Reads and validates a spec from a file (YAML or JSON), a mapping, or a `Spec`.

    Raises:
        SpecError: With the place, the value, what was expected and the remedy.
    """
    return loader.load_spec(source, Manager.discover().registry)


def run(
    spec: SpecLike,
    *,
    backend: str | None = None,
    seed: int | None = None,
    out: Path | str | None = None,
    fresh: bool = False,
    trust: Sequence[str] = (),
) -> RunResult:
    """Runs a spec on one backend with one seed, in a process of its own.

    Args:
        spec: A file, a mapping or a `Spec`.
        backend: The backend's name; the spec's first by default.
        seed: The spec's first by default.
        out: Where everything is written; `paredown-out/NAME` by default.
        fresh: Forgets what `out` holds instead of going on from there.
        trust: Functions (`module:function`) that the spec may name to build its network, or modules and packages: any
            of their functions, with any arguments.

    Raises:
        ParedownError: The input is wrong, the backend is missing, or it failed.
    """
    manager = Manager.discover()
    checked = _complete(spec, manager)
    chosen = backend or checked.backends[0]
    first_seed = checked.seeds[0] if seed is None else seed
    require_choice(manager, checked, [chosen], [first_seed])
    manager.require_backend(chosen)
    require_able(manager, checked, chosen)
    require_code(checked, [chosen], trusting(trust, _base_directory(spec)))
    return run_in_process(
        checked,
        chosen,
        first_seed,
        output_directory(checked, out),
        base_dir=_base_directory(spec),
        fresh=fresh,
        on_event=lambda _: None,
        trust=trust,
    )


def compare(
    spec: SpecLike,
    *,
    backends: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    out: Path | str | None = None,
    fresh: bool = False,
    listener: comparing.Listener | None = None,
    trust: Sequence[str] = (),
) -> Comparison:
    """Runs a spec on several backends and seeds, and writes `compare.json` and `report.html`.

    Args:
        spec: A file, a mapping or a `Spec`.
        backends: The spec's by default.
        seeds: The spec's by default.
        out: Where everything is written; `paredown-out/NAME` by default.
        fresh: Forgets what `out` holds instead of going on from there.
        listener: Is told of each run's events.
        trust: Functions (`module:function`) that the spec may name to build its network, or modules and packages: any
            of their functions, with any arguments.

    Raises:
        ParedownError: The input is wrong. A backend that is missing or failed stands in the result's `failures`.
    """
    from paredown.report.html import write_report

    manager = Manager.discover()
    checked = _complete(spec, manager)
    chosen, all_seeds = backends or checked.backends, seeds or checked.seeds
    require_choice(manager, checked, chosen, all_seeds)
    directory = output_directory(checked, out)
    comparison = comparing.run_all(
        manager,
        checked,
        directory,
        backends=chosen,
        seeds=all_seeds,
        base_dir=_base_directory(spec),
        fresh=fresh,
        listener=listener,
        trust=trust,
    )
    comparing.write_comparison(comparison, directory)
    write_report(comparison, directory, manager)
    return comparison


def compress(
    model: Model,
    spec: SpecLike,
    *,
    train: Loader,
    validation: Loader,
    test: Loader | None = None,
    loss: OwnLoss | None = None,
    metric: OwnMetric | Mapping[str, OwnMetric] | None = None,
    out: Path | str | None = None,
    trust: Sequence[str] = (),
) -> Compressed:
    """Compresses a network of the caller's with loaders of the caller's, in the caller's process.

    The spec's `model`, `data`, `baseline`, `backends` and further `seeds` are not used, nor is the `batch_size` of
    trainings: the network is the baseline, its framework is recognised by its class, and batches are the loader's. A
    note in the result names what the spec gives of these.

    Args:
        model: A `torch.nn.Module` or a `paddle.nn.Layer`; it is not changed.
        spec: Task, steps, deployment.
        train: Iterable of (images, labels), iterated once an epoch; images NCHW, labels whole numbers from 0.
        validation: The same, for choices.
        test: The same, for figures; `validation` stands in where it is not given, and the result's notes say so.
        loss: A function of the outputs and labels of a batch, tensors of the framework, that returns a scalar. It
            stands for `hard_label` everywhere: in training steps, and in the gradients of the criterion `taylor`.
        metric: A function of the outputs and labels of a split, NumPy arrays, that returns a number, greater is better;
            or several by name, the first for the bounds. It stands for the metrics of the spec's task. With `loss` and
            `metric`, labels may be numbers of any shape, the batch axis first.
        out: Where plans, weights and ONNX files are written; `paredown-out/NAME` by default. Started over.
        trust: Functions, modules and packages that built the networks of finished runs that teach (`artifact`).

    Raises:
        ParedownError: With the place, the value, what was expected and the remedy.
    """
    manager = Manager.discover()
    checked = loader.load_spec(spec, manager.registry)
    backend = backend_of(model, manager)
    manager.require_backend(backend)
    directory = runner.run_directory(output_directory(checked, out), backend, checked.seeds[0])
    bench = GivenWorkbench(
        manager,
        backend,
        checked,
        RunContext(
            seed=checked.seeds[0],
            device=checked.run.device,
            base_dir=_base_directory(spec),
            amp=checked.run.amp,
        ),
        trust=trusting(trust, _base_directory(spec)),
        model=model,
        loaders={"train": train, "validation": validation, "test": validation if test is None else test},
        own_loss=loss,
        own_metric=metric,
    )
    said = {
        "test figures are of the validation images: no test loader was given": test is None,
        "training and gradients use the loss that was given to compress": loss is not None,
        "the metrics are those that were given to compress": metric is not None,
    }
    left = unused(checked, backend)
    notes = (*(note for note, is_so in said.items() if is_so), *([left] if left else ()))
    final, result = runner.run_given(bench, directory, notes)
    return Compressed(final, result, directory)


def load(directory: Path | str, backend: str | None = None, *, model: Model = None, trust: Sequence[str] = ()) -> Model:
    """The compressed network of a run, rebuilt from base model, plans and weights, on any backend.

    Args:
        directory: The directory of one run, `OUT/BACKEND/seed-N`.
        backend: The backend to load it in; the one that made it by default.
        model: The uncompressed network, when it was given to `compress`: only the caller can build it. Not changed.
        trust: Modules and packages whose functions the run's spec may name to build its network; what is not installed
            is looked up in the current directory.

    Raises:
        ArtifactError: When a part is missing.
        TrustError: The network is built by code that is not trusted.
        PlanError: When `model` is not the network that was compressed.
    """
    manager = Manager.discover()
    chosen = backend or (None if model is None else backend_of(model, manager))
    return artifact.load(manager, Path(directory), chosen, model, trusting(trust, Path.cwd()))


def backend_of(model: Model, manager: Manager) -> str:
    """The backend whose framework an object belongs to, found without importing any framework.

    Raises:
        ModelError: When no registered backend knows the object's class.
    """
    for name, info in manager.registry.backends.items():
        module, base = info.base_class
        cls = getattr(sys.modules.get(module), base, None)
        if cls is not None and isinstance(model, cls):
            return name
    known = ", ".join(".".join(info.base_class) for info in manager.registry.backends.values())
    raise ModelError(
        "no backend knows this object",
        where="paredown.compress(model)",
        value=f"{type(model).__module__}.{type(model).__qualname__}",
        expected=f"an instance of {known}",
        remedy="pass the network itself, not its weights or a path",
    )


def output_directory(spec: Spec, out: Path | str | None) -> Path:
    """Where a spec's results are written.

    Raises:
        ArtifactError: When there is a file of this name.
    """
    directory = Path(out) if out is not None else Path("paredown-out") / spec.name
    if directory.exists() and not directory.is_dir():
        raise ArtifactError("this is a file", where=f"out {directory}", expected="a directory", remedy="name another")
    return directory


def require_choice(manager: Manager, spec: Spec, backends: Sequence[str], seeds: Sequence[int]) -> None:
    """Checks backends and seeds that were chosen apart from the spec as if they stood in it, before any work starts.

    Raises:
        SpecError: With one problem for each mistake.
    """
    chosen = {"backends": list(backends), "seeds": list(seeds)}
    loader.load_spec(spec.model_dump(mode="json", serialize_as_any=True) | chosen, manager.registry)


def _complete(spec: SpecLike, manager: Manager) -> Spec:
    checked = loader.load_spec(spec, manager.registry)
    loader.require_complete(checked)
    return checked


def _base_directory(spec: SpecLike) -> Path:
    return Path(spec).resolve().parent if isinstance(spec, (str, Path)) else Path.cwd()
