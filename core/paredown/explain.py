"""What a spec would do, stage by stage: who acts on each backend, every setting, and the files that are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from paredown.errors import ComponentMissing
from paredown.explain_distillation import distillation_hooks, explain_teaching
from paredown.explain_pruning import explain_growth, explain_prune
from paredown.explain_quantization import BY_RUNTIME, HOOKS, explain_quantize, explain_training
from paredown.manager import Manager, missing_distributions
from paredown.spec.base import Frozen
from paredown.spec.losses import HARD_LABEL
from paredown.spec.models import BaselineConfig, DistillStep, FinetuneStep, PruneStep, QuantizeStep, Spec
from paredown.spec.precision import precision_asked
from paredown.spec.teachers import is_trained

_REDUCED = ("portable", "avx2")
_OF_A_RUN = ("spec.json", "journal.json", "weights.safetensors", "result.json")
_OF_A_COMPARISON = ("compare.json", "report.html")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting by its path in the stage; `is_default` says that the spec leaves it out."""

    name: str
    value: Any
    is_default: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what happens, its settings with all defaults filled in, and the files of a run that it writes.

    `hooks` are what the backend is asked, `losses` the kinds of loss that it must implement.
    """

    name: str
    what: str
    settings: tuple[Setting, ...]
    files: tuple[str, ...]
    hooks: tuple[str, ...]
    losses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackendState:
    """Whether a backend could run the stages: who answers each hook, what is missing, and what would be refused."""

    name: str
    title: str
    versions: dict[str, str]
    missing: tuple[str, ...]
    install: str | None
    acts: dict[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All stages in order, the backends, and the files of a whole comparison."""

    name: str
    seeds: tuple[int, ...]
    backends: tuple[BackendState, ...]
    stages: tuple[Stage, ...]
    run_files: tuple[str, ...]
    comparison_files: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def explain_spec(manager: Manager, spec: Spec, backends: Sequence[str]) -> Explanation:
    """What a spec would do on some backends; nothing is built, loaded or imported.

    Raises:
        SpecError: No plugin supplies one of the backends.
        BackendMissing: The plugin of one of the backends did not load.
    """
    quantized = _quantization(spec)
    read = _format(manager, spec)
    on_labels = manager.registry.label_loss(spec.task.kind)
    steps = (_step(manager, step, index, read, on_labels) for index, step in enumerate(spec.steps))
    stages = (_baseline(manager, spec), *steps, _deploy(spec, quantized, read))
    return Explanation(
        name=spec.name,
        seeds=spec.seeds,
        backends=tuple(_state(manager, spec, name, stages) for name in backends),
        stages=stages,
        run_files=_OF_A_RUN,
        comparison_files=_OF_A_COMPARISON,
    )


def settings_of(model: BaseModel, prefix: str = "", *, is_default: bool = False) -> Iterator[Setting]:
    """The settings of a model and of the models in it; `kind` stands for the model that it decides on."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        left_out = is_default or name not in model.model_fields_set
        path = prefix.removesuffix(".") if name == "kind" and prefix else prefix + name
        nested = value if isinstance(value, tuple) else (value,)
        if nested and all(isinstance(part, BaseModel) for part in nested):
            for index, part in enumerate(nested):
                place = f"{path}[{index}]." if isinstance(value, tuple) else f"{path}."
                yield from settings_of(part, place, is_default=left_out)
        elif name != "kind" or prefix:
            yield Setting(path, value, is_default if name == "kind" else left_out)


def _baseline(manager: Manager, spec: Spec) -> Stage:
    baseline = spec.baseline or BaselineConfig(epochs=0)
    trained = baseline.epochs > 0
    weights = spec.model.weights if spec.model else None
    start = {None: "weights drawn from the seed", "pretrained": "the framework's pretrained weights"}
    what = f"Build the network with {start.get(weights, f'the weights of {weights}')}"
    shared = f" on {baseline.train_on}, which does so for every backend" if baseline.train_on else ""
    what += (
        f", train it for {_count(baseline.epochs, 'epoch')}{shared}, and keep it in the cache: equal ones are trained"
        " once."
        if trained
        else ", and take it as it is."
    )
    parts = [(name, getattr(spec, name)) for name in ("data", "model")] + ([("train", baseline)] if trained else [])
    settings = tuple(
        one for name, part in parts if part is not None for one in settings_of(part, f"{name}.", is_default=False)
    )
    hooks = ("load_model", "restore", *(("distill",) if trained else ()))
    losses = (manager.registry.label_loss(spec.task.kind),) if trained else ()
    return Stage("baseline", what, settings, ("weights-baseline.safetensors",), hooks, losses)


def _step(manager: Manager, step: Frozen, index: int, read: str, on_labels: str) -> Stage:
    kind = str(getattr(step, "kind", type(step).__name__))
    plan, weights = f"plan-{index}.json", f"weights-{index}.safetensors"
    settings = tuple(settings_of(step))
    if isinstance(step, PruneStep):
        pruning = explain_prune(step, manager.registry.components["criterion", step.criterion.kind].needs)
        needed = (on_labels,) if pruning.on_labels else ()
        return Stage(kind, pruning.what, settings, (plan, weights), pruning.hooks, needed)
    if isinstance(step, FinetuneStep):
        what = f"Train on the labels for {_count(step.train.epochs, 'epoch')}.{_meanwhile(step)}"
        return Stage(kind, what, settings, (plan, weights), _training_hooks(step), (on_labels,))
    if isinstance(step, DistillStep):
        epochs = _count(step.train.epochs, "epoch")
        what = f"Train for {epochs}.{explain_teaching(step)}{_meanwhile(step)}"
        trained = any(is_trained(teacher) for _, teacher in step.named_teachers())
        kinds = [on_labels if loss.kind == HARD_LABEL else loss.kind for loss in step.losses]
        losses = tuple(dict.fromkeys([*kinds, *([on_labels] if trained else [])]))
        hooks = tuple(dict.fromkeys([*_training_hooks(step), *distillation_hooks(step)]))
        return Stage(kind, what, settings, (plan, weights), hooks, losses)
    if isinstance(step, QuantizeStep) and read != "onnx":
        return Stage(kind, BY_RUNTIME, settings, (weights,), ())
    if isinstance(step, QuantizeStep):
        return Stage(kind, explain_quantize(step), settings, (plan, weights), HOOKS)
    return Stage(kind, "A step of a plugin's own.", settings, (weights,), ("apply_step",))


def _training_hooks(step: FinetuneStep | DistillStep) -> tuple[str, ...]:
    kinds = [inner.kind for inner in step.during]
    return ("distill", *(("prune",) if "prune" in kinds else ()), *(HOOKS if "quantize" in kinds else ()))


def _meanwhile(step: FinetuneStep | DistillStep) -> str:
    grown = [explain_growth(inner, step.train.epochs) for inner in step.during if isinstance(inner, PruneStep)]
    if step.train.bn_l1:
        grown.insert(0, " An L1 penalty draws the scales of BatchNorm to zero.")
    trained = [explain_training(one, step.train.epochs) for one in step.during if isinstance(one, QuantizeStep)]
    return "".join([*grown, *trained])


def _quantization(spec: Spec) -> QuantizeStep | None:
    steps = [one for step in spec.steps for one in (step, *getattr(step, "during", ()))]
    return next((one for one in reversed(steps) if isinstance(one, QuantizeStep)), None)


def _format(manager: Manager, spec: Spec) -> str:
    """What the runtime reads; ONNX, where it is not installed and cannot be asked."""
    try:
        runtime = manager.registry.implementation("runtime", spec.deploy.runtime.kind)
    except ComponentMissing:
        return "onnx"
    return str(runtime.format)


def _weight_bits(step: QuantizeStep, target: str) -> str:
    if step.mode == "weight_only":
        return "8 bits, for every target: nothing multiplies them as integers"
    return f"{'7 bits, safe on every CPU' if target in _REDUCED else '8 bits'} ({target})"


def _deploy(spec: Spec, quantized: QuantizeStep | None, read: str) -> Stage:
    end = ".onnx" if read == "onnx" else ""
    names = ("baseline-fp32", "fp32", *((precision_asked(quantized),) if quantized else ()))
    best = {"size": "smallest", "latency": "fastest"}[spec.deploy.prefer]
    what = (
        "Write the files, verify each on the test images against the framework, and measure each on one thread against"
        f" the baseline's. Deliver the {best} that loses at most {spec.deploy.max_metric_drop:g} on validation."
    )
    if quantized is not None and quantized.mode != "fp16" and quantized.weights.bits == 8 and read == "onnx":
        what += f" Weights use {_weight_bits(quantized, spec.deploy.target)}."
    return Stage(
        "deploy",
        what,
        tuple(settings_of(spec.deploy)),
        tuple(f"{read}/{name}{end}" for name in names),
        ("fold", "export", "evaluate"),
    )


def _state(manager: Manager, spec: Spec, backend: str, stages: Sequence[Stage]) -> BackendState:
    from paredown.engine import preflight
    from paredown.engine.provenance import versions

    info = manager.backend(backend)
    missing = missing_distributions(info)
    hooks = dict.fromkeys(hook for stage in stages for hook in stage.hooks)
    answers = {hook: preflight.who_answers(manager, hook, backend) for hook in hooks}
    return BackendState(
        name=backend,
        title=info.title,
        versions=versions(info.distributions),
        missing=missing,
        install=info.install if missing else None,
        acts={hook: who for hook, who in answers.items() if who},
        problems=preflight.problems(manager, spec, backend),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
