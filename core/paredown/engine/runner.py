"""One run: a spec on one backend with one seed, from the baseline to `result.json`."""

from __future__ import annotations

import copy
import functools
import time
from pathlib import Path
from typing import Any

from paredown import files
from paredown.contracts import Model, RunContext
from paredown.engine import exporting, provenance
from paredown.engine.baseline import prepare_baseline
from paredown.engine.built import Quantized, QuantizedByRuntime
from paredown.engine.code_digests import code_of_others, package_digest
from paredown.engine.deployment import Deployment, as_figures, deploy
from paredown.engine.given import GivenWorkbench, require_own_augmentation
from paredown.engine.given_files import given_files
from paredown.engine.journal import Journal, cuts_of
from paredown.engine.networks import digest
from paredown.engine.preflight import require_able
from paredown.engine.run_files import PICTURES, RESULT, SPEC, WEIGHTS, read_result
from paredown.engine.selectors import require_matches
from paredown.engine.sources import require_running
from paredown.engine.stepping import Masks, Root, StepInput, StepOutput, masks_after
from paredown.engine.steps import perform
from paredown.engine.students import student_source
from paredown.engine.teaching.preparing import require_lessons
from paredown.engine.trust import Trust, require_trusted
from paredown.engine.workbench import Report, Workbench, _silent
from paredown.manager import Manager
from paredown.plan import DistillPlan, PrunePlan, QuantPlan
from paredown.results import RunResult, StepRecord
from paredown.spec.base import Frozen
from paredown.spec.canonical import spec_hash
from paredown.spec.models import DistillStep, QuantizeStep, Spec
from paredown.spec.trainings import trained_on, trainers

_BASELINE_WEIGHTS = "weights-baseline.safetensors"


def run_one(
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
) -> RunResult:
    """Runs a spec on one backend with one seed, going on from the last finished step of `directory`.

    Args:
        manager: With the backend's plugin registered.
        spec: Complete and validated.
        backend: The backend's name.
        seed: One of the spec's seeds, or another.
        directory: Where everything is written: plans, weights, ONNX files, the journal, `result.json`.
        base_dir: Where relative paths of the spec start from.
        fresh: Forgets what the directory holds.
        report: Is told of events: `stage`, `epoch`, `note`.
        trust: Whose code the spec may name.

    Raises:
        TrustError: The spec names code that is not trusted; nothing is removed, imported or written before that.
    """
    others = trainers(spec, [backend])
    require_trusted(spec, [backend, *others], trust)
    context = RunContext(seed=seed, device=spec.run.device, base_dir=base_dir, amp=spec.run.amp)
    bench = Workbench(manager, backend, spec, context, report, trust)
    if fresh:
        files.remove_directory(directory)
    distributions = [
        name
        for info in map(manager.backend, (backend, *others))
        for name in provenance.distributions(info, bench.source.kind)
    ]
    key = {
        "spec": work_hash(spec),
        "backend": backend,
        "seed": seed,
        "versions": {
            **provenance.versions(["paredown", *provenance.OURS, *distributions]),
            **manager.versions_for(_kinds(spec.model_dump(mode="json"))),
        },
        "weights": given_files(spec, base_dir),
        "code": bench.source.content or None,
    }
    package = package_digest(spec, backend, trust)
    if package is not None:
        key["package"] = package
    if others:
        key["code of trainers"] = code_of_others(spec, others, trust)
    journal = Journal.open(directory, key)
    if (directory / RESULT).exists():
        return read_result(directory)
    files.sweep(directory)
    files.write_json(directory / SPEC, spec.model_dump(mode="json"))
    baseline, final = _work(bench, journal)
    deployment = deploy(bench, baseline, final, _quantized(bench, journal), directory)
    result = _result(bench, journal, deployment)
    files.write_json(directory / RESULT, result.model_dump(mode="json"))
    return result


def run_given(bench: GivenWorkbench, directory: Path, notes: tuple[str, ...]) -> tuple[Model, RunResult]:
    """Compresses a network that the caller holds; the directory is started over, since a given object has no name.

    Raises:
        UnsupportedError: The backend cannot do a part of the spec, or the spec augments images that a loader gives.
        SpecError: A selector picks no layer. Either is raised before anything is removed or trained.
    """
    Journal.require_given(directory)
    used = bench.spec.model_copy(update={"model": None, "data": None, "baseline": None})
    require_able(bench.manager, used, bench.backend)
    require_own_augmentation(used)
    require_matches(bench)
    require_lessons(bench)
    files.remove_directory(directory)
    journal = Journal.open(directory, {"spec": work_hash(bench.spec), "backend": bench.backend, "given": True})
    files.write_json(directory / SPEC, used.model_dump(mode="json"))
    baseline = bench.build()
    files.write_state(directory / _BASELINE_WEIGHTS, bench.state(baseline))
    journal.finish_baseline(_BASELINE_WEIGHTS, notes)
    final = _take_steps(bench, journal, bench.build())
    result = _result(bench, journal, deploy(bench, baseline, final, _quantized(bench, journal), directory))
    files.write_json(directory / RESULT, result.model_dump(mode="json"))
    return final, result


def _kinds(data: Any) -> set[str]:
    """Every kind that a spec names: another version of the plugin behind one makes another run."""
    if isinstance(data, dict):
        own = {data["kind"]} if isinstance(data.get("kind"), str) else set()
        return own.union(*(_kinds(value) for value in data.values()))
    return set().union(*(_kinds(value) for value in data)) if isinstance(data, list) else set()


def _work(bench: Workbench, journal: Journal) -> tuple[Model, Model]:
    """The baseline and the network after all steps; finished parts are restored, not repeated."""
    directory = journal.directory
    bench.require_fit()
    require_running(bench)
    require_matches(bench)
    require_lessons(bench, len(journal.steps), cuts_of(journal.plans()))
    if journal.baseline is None:
        bench.report("stage", text="baseline")
        model, notes = prepare_baseline(bench)
        notes = (*bench.data.notes, *notes)
        files.write_state(directory / _BASELINE_WEIGHTS, bench.state(model))
        journal.finish_baseline(_BASELINE_WEIGHTS, notes)
    baseline = bench.build(state=files.read_state(directory / _BASELINE_WEIGHTS))
    source = student_source(bench.spec, len(journal.steps))
    model = bench.build(cuts_of(journal.plans()), files.read_state(directory / _latest_weights(journal)), source)
    return baseline, _take_steps(bench, journal, model)


def _take_steps(bench: Workbench, journal: Journal, model: Model) -> Model:
    """Performs the steps that the journal does not hold, and records each."""
    directory = journal.directory
    start = files.read_state(directory / _BASELINE_WEIGHTS)
    plans = list(journal.plans())
    masks: Masks = functools.reduce(masks_after, plans, {})
    replayable = True
    for index in range(len(journal.steps), len(bench.spec.steps)):
        step = bench.spec.steps[index]
        kind = str(getattr(step, "kind", ""))
        bench.report("stage", text=f"step {index + 1} of {len(bench.spec.steps)}: {kind}")
        began = time.monotonic()
        _remove_stale(directory)
        root = _root(bench, journal)
        given = StepInput(model, start, index, directory, cuts_of(plans), masks, replayable, root)
        output = perform(bench, step, given)
        model, replayable = output.model, replayable and output.replayable
        plans.append(output.plan)
        masks = masks_after(masks, output.plan)
        seconds = round(time.monotonic() - began, 3)
        journal.finish_step(_record(bench, directory, index, kind, output, seconds))
        bench.manager.on_step_end(bench.backend, step, copy.deepcopy(output.evidence))
        if isinstance(output.plan, PrunePlan) and replayable:
            require_lessons(bench, index + 1, cuts_of(plans), features_alone=True)
    files.write_state(directory / WEIGHTS, bench.state(model))
    return model


def _remove_stale(directory: Path) -> None:
    """Removes the files that a step makes anew; the baseline's stays, for nothing changes the baseline."""
    for file in (directory / exporting.FINAL).parent.glob("*.onnx"):
        if file != directory / exporting.BASELINE:
            file.unlink()


def _root(bench: Workbench, journal: Journal) -> Root | None:
    """The student that took the baseline's place in a finished step, as that step left it."""
    source = student_source(bench.spec, len(journal.steps))
    if source is None:
        return None
    last = next(one for one in reversed(journal.steps) if _replaces(bench.spec.steps[one.index]))
    return Root(source, files.read_state(journal.directory / last.weights))


def _replaces(step: Frozen) -> bool:
    return isinstance(step, DistillStep) and step.student is not None


def _record(bench: Workbench, directory: Path, index: int, kind: str, output: StepOutput, seconds: float) -> StepRecord:
    """Writes a step's plan and weights, and returns the entry that names them."""
    plan = f"plan-{index}.json" if output.plan is not None else None
    if output.plan is not None:
        files.write_json(directory / f"plan-{index}.json", output.plan.model_dump(mode="json"))
    weights = f"weights-{index}.safetensors"
    files.write_state(directory / weights, bench.state(output.model))
    corrected = f"corrected-{index}.safetensors" if output.corrected else None
    if corrected:
        files.write_state(directory / corrected, output.corrected)
    return StepRecord(
        index=index,
        kind=kind,
        plan=plan,
        weights=weights,
        seconds=seconds,
        evidence=output.evidence,
        replayable=output.replayable,
        corrected=corrected,
    )


def _latest_weights(journal: Journal) -> str:
    return journal.steps[-1].weights if journal.steps else _BASELINE_WEIGHTS


def _quantized(bench: Workbench, journal: Journal) -> Quantized | QuantizedByRuntime | None:
    """How the last step that decided it quantizes the network; None where none did."""
    for record, plan in zip(reversed(journal.steps), reversed(journal.plans()), strict=True):
        step = bench.spec.steps[record.index]
        if isinstance(step, QuantizeStep) and plan is None:
            return QuantizedByRuntime(step)
        found = plan.quantization if isinstance(plan, DistillPlan) else plan
        if isinstance(found, QuantPlan):
            if found.leaves_all_in_float:
                return None  # every layer had to stay in float: that is the candidate fp32
            corrected = files.read_state(journal.directory / record.corrected) if record.corrected else {}
            return Quantized(found, corrected)
    return None


def _result(bench: Workbench, journal: Journal, deployment: Deployment) -> RunResult:
    """The result of a run; the pictures that it names are written before it is."""
    pictures = deployment.pictures
    if pictures is not None:
        files.write_json(journal.directory / PICTURES, pictures.model_dump(mode="json"))
    delivered = next(one for one in deployment.candidates if one.delivered)
    assert journal.baseline is not None
    # A network that the caller holds is trained by nobody here, whatever the spec says of a baseline.
    spec, trainer = bench.spec, trained_on(bench.spec, bench.backend)
    if isinstance(bench, GivenWorkbench):
        spec, trainer = bench.spec.model_copy(update={"baseline": None}), None
    involved = map(bench.manager.backend, (bench.backend, *trainers(spec, [bench.backend])))
    return RunResult(
        backend=bench.backend,
        seed=bench.context.seed,
        baseline=deployment.baseline,
        final=as_figures(delivered.model_dump()),
        delivered=delivered.file,
        baseline_file=deployment.baseline_file,
        candidates=deployment.candidates,
        steps=journal.steps,
        missed=deployment.missed,
        choice=deployment.choice,
        notes=(*journal.notes, *deployment.notes),
        pictures=None if pictures is None else PICTURES,
        provenance=provenance.gather(
            [name for info in involved for name in provenance.distributions(info, bench.source.kind)],
            bench.runtime,
            spec_hash=spec_hash(bench.spec),
            device=spec.run.device,
            threads=provenance.thread_count(spec.run),
            trained_on=trainer,
            baseline_digest=digest(files.read_state(journal.directory / journal.baseline)),
        ),
    )


def work_hash(spec: Spec) -> str:
    """The hash of what one run does: another backend or seed added to a spec leaves finished runs valid."""
    return spec_hash(spec.model_copy(update={"name": "any", "backends": ("any",), "seeds": (0,)}))


def run_directory(out: Path, backend: str, seed: int) -> Path:
    """Where the run of one backend and seed lies within the output directory."""
    return out / backend / f"seed-{seed}"
