"""`sensitivity`: what the metric loses when each group of channels is pruned alone."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paredown import api, files
from paredown.cli.progress import Progress
from paredown.cli.running import DONE, FAILED, console, print_failures, require_choice
from paredown.engine.code import require_code
from paredown.engine.preflight import require_able
from paredown.engine.processes import sensitivity_in_process
from paredown.engine.trust import trusting
from paredown.errors import ParedownError, SpecError
from paredown.manager import Manager
from paredown.report.sensitivity import PAGE, print_sensitivity, write_page
from paredown.results import Failure, Sensitivity, SensitivityRun
from paredown.spec.loader import load_spec, require_complete
from paredown.spec.models import PruneStep, SensitivityAllocation, Spec

RESULT = "sensitivity.json"
_WRONG_INPUT = ParedownError.exit_code


def sensitivity(given: Namespace) -> int:
    """Measures every backend and seed, writes `sensitivity.json` and the page, prints the table; returns the code."""
    manager = Manager.discover()
    spec = load_spec(given.spec, manager.registry)
    require_complete(spec)
    backends = list(dict.fromkeys(given.backend or spec.backends))
    seeds = list(dict.fromkeys(given.seed or spec.seeds))
    require_choice(manager, spec, backends, seeds)
    require_code(spec, backends, trusting(given.trust, given.spec.resolve().parent))
    alone = only_measured(manager, spec, given.criterion, given.ratios)
    directory = api.output_directory(spec, given.out)
    with Progress(quiet=given.quiet or given.json) as progress:
        runs, failures = _measure_all(manager, alone, directory, backends, seeds, given, progress)
    (step,) = alone.steps
    assert isinstance(step, PruneStep)
    assert isinstance(step.allocation, SensitivityAllocation)
    found = Sensitivity(
        name=spec.name,
        metric=manager.registry.implementation("task", spec.task.kind)(spec.task).primary,
        criterion=step.criterion.model_dump(mode="json"),
        ratios=tuple(sorted(step.allocation.ratios)),
        runs=tuple(runs),
        failures=tuple(failures),
    )
    _show(found, directory, as_json=given.json)
    return FAILED if failures else DONE


def _show(found: Sensitivity, directory: Path, *, as_json: bool) -> None:
    """Writes and prints what was found; where nothing was, only why."""
    if found.runs:
        files.write_json(directory / RESULT, found.model_dump(mode="json"))
        write_page(found, directory)
    if as_json:
        print(found.model_dump_json(indent=1))
    elif found.runs:
        print_sensitivity(found, console())
        print(f"page: {directory / PAGE}\ndata: {directory / RESULT}")
    else:
        print_failures(found.failures)


def only_measured(manager: Manager, spec: Spec, criterion: str | None, ratios: Sequence[float] | None) -> Spec:
    """The spec with one step in place of its own: the criterion and the ratios to measure by.

    Args:
        manager: With the plugins registered.
        spec: The spec as it was given.
        criterion: The name of one, with its default options; None takes that of the spec's first channel prune step.
        ratios: None takes those of that step's allocation, or the defaults.

    Raises:
        SpecError: The spec prunes no channels and no criterion was named, or there is none of this name.
    """
    steps = (step for step in spec.steps if isinstance(step, PruneStep) and step.granularity == "channel")
    first = next(steps, None)
    if first is None and criterion is None:
        raise SpecError(
            "the spec prunes no channels, so it does not say by which criterion to measure",
            where="steps",
            value=", ".join(str(getattr(step, "kind", "")) for step in spec.steps) or "no steps",
            expected="a `prune` step with `granularity: channel`, or --criterion",
            remedy="add --criterion l2",
        )
    allocation = first.allocation if first and isinstance(first.allocation, SensitivityAllocation) else None
    step: dict[str, Any] = {
        "kind": "prune",
        "criterion": {"kind": criterion} if criterion else first and first.criterion.model_dump(mode="json"),
        "scope": "local",
        "ratio": 0.5,
        "allocation": {
            "kind": "sensitivity",
            "ratios": list(ratios or (allocation or SensitivityAllocation()).ratios),
        },
    }
    changed = spec.model_dump(mode="json", serialize_as_any=True) | {"steps": [step]}
    try:
        return load_spec(changed, manager.registry)
    except SpecError as error:
        raise SpecError.of([replace(problem, where=_option(problem.where)) for problem in error.problems]) from None


def _option(where: str | None) -> str | None:
    return "--criterion" if where and where.startswith("steps[0].criterion") else where


def _measure_all(
    manager: Manager,
    spec: Spec,
    directory: Path,
    backends: Sequence[str],
    seeds: Sequence[int],
    given: Namespace,
    progress: Progress,
) -> tuple[list[SensitivityRun], list[Failure]]:
    """Every backend with every seed, each in a process of its own; one that fails does not stop the others.

    Raises:
        ParedownError: The first error, when nothing was measured and the input was at fault in all of them.
    """
    runs: list[SensitivityRun] = []
    errors: list[tuple[str, int, ParedownError]] = []
    for backend, seed in ((backend, seed) for backend in backends for seed in seeds):
        progress.start(backend, seed)
        error: ParedownError | None = None
        try:
            manager.require_backend(backend)
            require_able(manager, spec, backend)
            runs.append(
                sensitivity_in_process(
                    spec,
                    backend,
                    seed,
                    directory,
                    base_dir=given.spec.resolve().parent,
                    fresh=given.fresh,
                    on_event=lambda event, b=backend, s=seed: progress.event(b, s, event),  # type: ignore[misc]
                    trust=given.trust,
                )
            )
        except ParedownError as raised:
            error = raised
            errors.append((backend, seed, raised))
        progress.finish(backend, seed, error)
    if not runs and all(error.exit_code == _WRONG_INPUT for _, _, error in errors):
        raise errors[0][2]
    failures = [
        Failure(backend=backend, seed=seed, error=type(error).__name__, problems=error.problems)
        for backend, seed, error in errors
    ]
    return runs, failures
