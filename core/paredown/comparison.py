"""Runs side by side: every backend and seed of a spec, and how far the backends came to the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from paredown import files
from paredown.algorithms.batches import evaluation_batch
from paredown.contracts import Outputs, Runtime, Task
from paredown.deploy.verify import run_batches
from paredown.engine.code import require_code
from paredown.engine.data import load_data
from paredown.engine.journal import read_plans
from paredown.engine.preflight import require_able
from paredown.engine.processes import run_in_process
from paredown.engine.runner import run_directory
from paredown.engine.tallies import agreement_of
from paredown.engine.tasks import for_images
from paredown.engine.trust import trusting
from paredown.errors import ParedownError, SpecError
from paredown.manager import Manager
from paredown.plan import PrunePlan
from paredown.results import Agreement, Comparison, Failure, RunResult
from paredown.spec.models import Spec

COMPARISON = "compare.json"
_WRONG_INPUT = ParedownError.exit_code


class Listener(Protocol):
    """Is told what happens, run by run."""

    def start(self, backend: str, seed: int) -> None:
        """A run begins."""

    def event(self, backend: str, seed: int, event: dict[str, Any]) -> None:
        """A worker's event."""

    def finish(self, backend: str, seed: int, error: ParedownError | None) -> None:
        """A run ended, well or not."""


class Silence:
    """A listener that hears nothing."""

    def start(self, backend: str, seed: int) -> None:
        """A run begins."""

    def event(self, backend: str, seed: int, event: dict[str, Any]) -> None:
        """A worker's event."""

    def finish(self, backend: str, seed: int, error: ParedownError | None) -> None:
        """A run ended, well or not."""


def run_all(
    manager: Manager,
    spec: Spec,
    out: Path,
    *,
    backends: Sequence[str],
    seeds: Sequence[int],
    base_dir: Path,
    fresh: bool = False,
    listener: Listener | None = None,
    trust: Sequence[str] = (),
) -> Comparison:
    """Runs every backend with every seed, each in a process of its own; a backend that fails does not stop the others.

    Raises:
        TrustError: The spec names code of a module that `trust` does not hold.
        ModelError: Code that it names is nowhere. Both before anything runs.
        ParedownError: The first error, when no run finished and the input was at fault in all of them.
    """
    require_code(spec, backends, trusting(trust, base_dir))
    told = listener or Silence()
    runs: list[RunResult] = []
    failures: list[Failure] = []
    errors: list[ParedownError] = []
    for backend in backends:
        for seed in seeds:
            told.start(backend, seed)
            try:
                manager.require_backend(backend)
                require_able(manager, spec, backend)
                runs.append(
                    run_in_process(
                        spec,
                        backend,
                        seed,
                        out,
                        base_dir=base_dir,
                        fresh=fresh,
                        on_event=lambda event, b=backend, s=seed: told.event(b, s, event),  # type: ignore[misc]
                        trust=trust,
                    )
                )
                told.finish(backend, seed, None)
            except SpecError:
                raise
            except ParedownError as error:
                errors.append(error)
                failures.append(
                    Failure(backend=backend, seed=seed, error=type(error).__name__, problems=error.problems)
                )
                told.finish(backend, seed, error)
    if not runs and errors and all(error.exit_code == _WRONG_INPUT for error in errors):
        raise errors[0]
    return Comparison(
        name=spec.name,
        spec=spec.model_dump(mode="json"),
        primary=_task(manager, spec).primary,
        runs=tuple(runs),
        failures=tuple(failures),
        agreement=agreements(manager, spec, out, runs, base_dir),
    )


def agreements(
    manager: Manager, spec: Spec, out: Path, runs: Sequence[RunResult], base_dir: Path
) -> tuple[Agreement, ...]:
    """For each seed, every pair of backends that finished it."""
    pairs = [(a, b) for a, b in combinations(runs, 2) if a.seed == b.seed and a.backend != b.backend]
    if not pairs or spec.data is None:
        return ()
    data = load_data(manager, spec, base_dir)
    task = for_images(_task(manager, spec), data.input_shape)
    runtime: Runtime = manager.registry.implementation("runtime", spec.deploy.runtime.kind)(spec.deploy.runtime)

    def answers(run: RunResult) -> Iterator[Outputs]:
        path, images = run_directory(out, run.backend, run.seed) / run.delivered, data.test[0]
        return run_batches(runtime, path, images, batch_size=evaluation_batch(images))

    return tuple(
        Agreement(
            backends=(a.backend, b.backend),
            seed=a.seed,
            predictions=agreement_of(task, answers(a), answers(b)),
            kept_channels=_kept_alike(out, a, b),
            metric_difference={name: b.final.metrics[name] - a.final.metrics[name] for name in a.final.metrics},
        )
        for a, b in pairs
    )


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Writes `compare.json` and returns its path."""
    path = out / COMPARISON
    files.write_json(path, comparison.model_dump(mode="json"))
    return path


def _task(manager: Manager, spec: Spec) -> Task:
    task: Task = manager.registry.implementation("task", spec.task.kind)(spec.task)
    return task


def _kept_alike(out: Path, a: RunResult, b: RunResult) -> dict[str, float | None]:
    alike: dict[str, float | None] = {}
    for step_a, step_b in zip(a.steps, b.steps, strict=True):
        if step_a.plan and step_b.plan:
            (first,) = read_plans(run_directory(out, a.backend, a.seed), [step_a])
            (second,) = read_plans(run_directory(out, b.backend, b.seed), [step_b])
            if isinstance(first, PrunePlan) and isinstance(second, PrunePlan):
                alike[step_a.plan] = same_decisions(first, second)
    return alike


def same_decisions(first: PrunePlan, second: PrunePlan) -> float | None:
    """The share of channels that two plans treat alike, over the groups that both or either cut; None without any."""
    removed = [{cut.group.name: (cut.group.size, set(cut.remove)) for cut in plan.cuts} for plan in (first, second)]
    alike = total = 0
    for name in removed[0].keys() | removed[1].keys():
        size = (removed[0].get(name) or removed[1][name])[0]
        gone = [plan.get(name, (size, set[int]())) for plan in removed]
        if gone[0][0] != gone[1][0]:
            return None
        total += size
        alike += size - len(gone[0][1] ^ gone[1][1])
    return alike / total if total else None
