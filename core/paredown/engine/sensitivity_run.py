"""`paredown sensitivity` on one backend with one seed, in the worker's process."""

from __future__ import annotations

from pathlib import Path

from paredown import files
from paredown.algorithms.groups import output_layers
from paredown.contracts import RunContext, State
from paredown.engine import coupling, provenance, pruning, scoring
from paredown.engine.baseline import prepare_baseline
from paredown.engine.networks import digest
from paredown.engine.sensitivity import DEFAULT_RATIOS, measure
from paredown.engine.sources import require_running
from paredown.engine.trust import Trust, require_trusted
from paredown.engine.workbench import Report, Workbench, _silent
from paredown.errors import ArtifactError, UnsupportedError
from paredown.manager import Manager
from paredown.results import SensitivityRun
from paredown.spec.canonical import spec_hash
from paredown.spec.models import PruneStep, SensitivityAllocation, Spec
from paredown.spec.trainings import trained_on, trainers

_CONTENT = "content.json"


def run_sensitivity(
    manager: Manager,
    spec: Spec,
    backend: str,
    seed: int,
    directory: Path,
    *,
    base_dir: Path,
    fresh: bool = False,
    report: Report = _silent,
    trust: Trust = Trust(),  # noqa: B008 - immutable
) -> SensitivityRun:
    """Measures the baseline's groups, each alone, by the criterion and the ratios of the spec's only step.

    Args:
        manager: With the backend's plugin registered.
        spec: Complete and validated, with one pruning step.
        backend: The backend's name.
        seed: The seed of the baseline.
        directory: Where the network's canonical graph is kept.
        base_dir: Where relative paths of the spec start from.
        fresh: Measures all anew.
        report: Is told of events: `stage`, `epoch`, `note`.
        trust: Whose code the spec may name.

    Raises:
        TrustError: The spec names code that is not trusted.
        UnsupportedError: No channel of the network can be cut, or the criterion can score none.
    """
    (step,) = spec.steps
    assert isinstance(step, PruneStep)
    others = trainers(spec, [backend])
    require_trusted(spec, [backend, *others], trust)
    context = RunContext(seed=seed, device=spec.run.device, base_dir=base_dir, amp=spec.run.amp)
    bench = Workbench(manager, backend, spec, context, report, trust)
    bench.require_fit()
    require_running(bench)
    report("stage", text="baseline")
    model, notes = prepare_baseline(bench)
    state = bench.state(model)
    _keep_only(bench, directory, state, fresh=fresh)
    report("stage", text="coupled channels")
    groups = coupling.find(bench, directory, state)
    scores = scoring.scores(bench, step, model, state, groups)
    left_whole = dict(groups.left_whole)
    for group in groups.groups:
        if scores[group.name] is None:
            left_whole.update(dict.fromkeys(output_layers(group), pruning.unscored(step)))
    if all(values is None for values in scores.values()):
        raise UnsupportedError(
            "no channel of this network can be cut: there is nothing to measure",
            where=f"model {bench.source.name}, criterion {step.criterion.kind}",
            value="; ".join(f"{layer}: {reason}" for layer, reason in list(left_whole.items())[:3]) or "no layers",
            expected="a network with coupled channels that the criterion can score",
            remedy="choose another network, or another criterion with --criterion",
        )
    ratios = step.allocation.ratios if isinstance(step.allocation, SensitivityAllocation) else DEFAULT_RATIOS
    found = measure(bench, model, state, groups, scores, ratios, fresh=fresh)
    return SensitivityRun(
        backend=backend,
        seed=seed,
        baseline=found.baseline,
        curves=found.curves,
        left_whole=left_whole,
        measured=found.measured,
        reused=found.reused,
        notes=notes,
        provenance=provenance.gather(
            [
                name
                for info in map(manager.backend, (backend, *others))
                for name in provenance.distributions(info, bench.source.kind)
            ],
            bench.runtime,
            spec_hash=spec_hash(spec),
            device=spec.run.device,
            threads=provenance.thread_count(spec.run),
            trained_on=trained_on(spec, backend),
            baseline_digest=digest(state),
        ),
    )


def _keep_only(bench: Workbench, directory: Path, state: State, *, fresh: bool) -> None:
    """Removes from a directory what was made of other weights or by other versions."""
    distributions = provenance.distributions(bench.manager.backend(bench.backend), bench.source.kind)
    content = {
        "network": bench.source.name,
        "code": bench.source.content,
        "input_shape": list(bench.input_shape),
        "state": digest(state),
        "versions": provenance.versions(["paredown", *provenance.OURS, *distributions]),
    }
    try:
        known = None if fresh else files.read_json(directory / _CONTENT)
    except ArtifactError:
        known = None
    if known != content:
        files.remove_directory(directory)
        files.write_json(directory / _CONTENT, content)
