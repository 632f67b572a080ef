"""What a backend could not do of a spec, found before any work starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from paredown.deploy import runtimes
from paredown.errors import BackendMissing, ComponentMissing, SpecError, UnsupportedError
from paredown.manager import Manager
from paredown.registry import not_installed
from paredown.spec.base import Frozen
from paredown.spec.losses import HARD_LABEL
from paredown.spec.models import (
    BuilderModel,
    DistillStep,
    FinetuneStep,
    PruneStep,
    QuantizeStep,
    Spec,
    TimmModel,
    ZooModel,
)
from paredown.spec.nearest import listed
from paredown.spec.teachers import TeacherConfig, ZooTeacher, is_trained
from paredown.spec.trainings import trained_on, trainers
from paredown.spec.weights_checks import FOREIGN
from paredown.spec.widths import misfit

_ALWAYS = ("load_model", "save", "restore", "measure", "evaluate", "fold", "export")
_GIVEN = tuple(hook for hook in _ALWAYS if hook != "load_model")
"""What is asked where the network is the caller's, and no zoo builds it."""

_TRAINING = "distill"
_TRAINER = ("load_model", "save", "restore", _TRAINING)
"""What is asked of a backend that trains a network for others."""


def require_able(manager: Manager, spec: Spec, backend: str) -> None:
    """Refuses a spec of which a backend cannot do a part.

    Raises:
        UnsupportedError: Naming every such part.
    """
    found = problems(manager, spec, backend)
    if found:
        raise UnsupportedError(
            f"`{backend}` cannot do what the spec asks",
            value="; ".join(found),
            remedy="choose another backend, or install a plugin that supplies what is missing",
        )


def problems(manager: Manager, spec: Spec, backend: str) -> tuple[str, ...]:
    """The parts of a spec that nothing installed can do for a backend."""
    asked = hooks(spec, backend)
    found = [f"nothing implements the hook `{hook}`" for hook in asked if not who_answers(manager, hook, backend)]
    found += [problem for network in _networks(spec) for problem in _of_network(manager, network, backend)]
    found += _of_own(manager, spec, backend)
    found += [problem for ending in _endings(spec) for problem in _of_file(manager, ending)]
    found += _of_runtime(manager, spec, backend)
    found += _of_precision(manager, spec, backend)
    found += [
        f"the loss `{loss}` has no implementation"
        for loss in losses(manager, spec, backend)
        if not manager.registry.has_implementation("distill_loss", loss, backend)
    ]
    found += [problem for trainer in trainers(spec, [backend]) for problem in _of_trainer(manager, spec, trainer)]
    return tuple(dict.fromkeys(found))


def _of_trainer(manager: Manager, spec: Spec, trainer: str) -> Iterator[str]:
    """What keeps another backend from training a network for this one."""
    try:
        manager.require_backend(trainer)
    except (BackendMissing, SpecError) as error:
        yield f"`train_on: {trainer}`: {error.problems[0].what}: {error.problems[0].remedy}"
        return
    found = [f"nothing implements `{hook}`" for hook in _TRAINER if not who_answers(manager, hook, trainer)]
    found += [*_of_own(manager, spec, trainer), *_of_precision(manager, spec, trainer)]
    on_labels = manager.registry.label_loss(spec.task.kind)
    if not manager.registry.has_implementation("distill_loss", on_labels, trainer):
        found.append(f"the loss `{on_labels}` has no implementation")
    yield from (f"`train_on: {trainer}`: {problem}" for problem in found)


def _of_network(manager: Manager, network: ZooModel | ZooTeacher, backend: str) -> Iterator[str]:
    """What keeps a backend from building a network of the zoo."""
    info = manager.backend(backend)
    if network.name not in info.models:
        yield f"the network `{network.name}` is not one that it builds"
    elif (found := misfit(network.name, network.width, network.weights, info.widths)) is not None:
        yield f"{found.what}, and the spec asks for {found.value}: expected {found.expected}"


def _of_own(manager: Manager, spec: Spec, backend: str) -> tuple[str, ...]:
    """What keeps a backend from building a network that is none of the zoo's."""
    model, info = spec.model, manager.backend(backend)
    if isinstance(model, BuilderModel) and backend not in model.references():
        return (f"`model` names no function that builds the network on it: add `{backend}: package.module:function`",)
    if isinstance(model, TimmModel):
        if model.kind not in info.libraries:
            return (f"it builds no networks of `{model.kind}`",)
        missing = not_installed(info.libraries[model.kind])
        if missing:
            return (f'`{model.kind}` needs {listed(missing)}: pip install "paredown[{model.kind}]"',)
    return ()


def _endings(spec: Spec) -> tuple[str, ...]:
    """The endings of the files of weights that are a framework's own."""
    networks = [*_networks(spec), *([spec.model] if spec.model is not None else [])]
    endings = (Path(network.weights).suffix.lower() for network in networks if network.weights is not None)
    return tuple(dict.fromkeys(ending for ending in endings if ending in FOREIGN))


def _of_file(manager: Manager, ending: str) -> Iterator[str]:
    """What keeps everybody from reading such a file."""
    try:
        manager.require_backend(manager.reader_of(ending))
    except (BackendMissing, UnsupportedError) as error:
        yield f"weights from `{ending}` cannot be read: {error.problems[0].what}: {error.problems[0].remedy}"


def _of_runtime(manager: Manager, spec: Spec, backend: str) -> tuple[str, ...]:
    """What keeps the files from the runtime."""
    options = spec.deploy.runtime
    try:
        runtime = manager.registry.implementation("runtime", options.kind)(options)
    except ComponentMissing as error:
        return (f"{error.problems[0].what}: {error.problems[0].remedy}",)
    return tuple(runtimes.problems(runtime, manager.backend(backend), spec))


def _of_precision(manager: Manager, spec: Spec, backend: str) -> tuple[str, ...]:
    """What keeps a backend from mixed precision, as far as that is known without its framework."""
    has, device = manager.backend(backend).amp, spec.run.device
    if not spec.run.amp or device in has or (has and device == "auto"):
        return ()
    return (f"it trains in mixed precision {f'on {has[0]} alone' if has else 'nowhere'}, and `run.amp` asks for it",)


def hooks(spec: Spec, backend: str) -> tuple[str, ...]:
    """The hooks that a run of the spec asks of its backend."""
    asked = list(_GIVEN if spec.model is None else _ALWAYS)
    if _networks(spec):
        asked.append("load_model")
    if trained_on(spec, backend) == backend:
        asked.append(_TRAINING)
    if any(isinstance(step, PruneStep) and step.recover for step in spec.steps):
        asked.append(_TRAINING)
    inner = [_hook(one) for step in spec.steps for one in getattr(step, "during", ())]
    return tuple(dict.fromkeys([*asked, *inner, *(_hook(step) for step in spec.steps)]))


def _networks(spec: Spec) -> tuple[ZooModel | ZooTeacher, ...]:
    """The networks of the zoo that a run of the spec builds: the spec's own, teachers and students."""
    found: list[ZooModel | ZooTeacher] = [spec.model] if isinstance(spec.model, ZooModel) else []
    for step in spec.steps:
        if isinstance(step, DistillStep):
            found += [teacher for _, teacher in step.named_teachers() if isinstance(teacher, ZooTeacher)]
            found += [step.student] if step.student is not None else []
    return tuple(found)


def losses(manager: Manager, spec: Spec, backend: str) -> tuple[str, ...]:
    """The kinds of loss that the spec's trainings on a backend use."""
    on_labels = manager.registry.label_loss(spec.task.kind)
    kinds = [on_labels] if trained_on(spec, backend) == backend else []
    for step in spec.steps:
        if isinstance(step, FinetuneStep) or (
            isinstance(step, PruneStep) and (step.recover or _needs_gradients(manager, step))
        ):
            kinds.append(on_labels)
        elif isinstance(step, DistillStep):
            kinds += [on_labels if loss.kind == HARD_LABEL else loss.kind for loss in step.losses]
            kinds += [on_labels] if any(_is_trained_by(backend, one) for _, one in step.named_teachers()) else []
    return tuple(dict.fromkeys(kinds))


def _is_trained_by(backend: str, teacher: TeacherConfig) -> bool:
    if not isinstance(teacher, ZooTeacher) or teacher.train is None:
        return False
    return is_trained(teacher) and teacher.train.train_on in (None, backend)


def _needs_gradients(manager: Manager, step: PruneStep) -> bool:
    return "gradients" in manager.registry.components["criterion", step.criterion.kind].needs


def _hook(step: Frozen) -> str:
    if isinstance(step, PruneStep):
        return "prune"
    if isinstance(step, QuantizeStep):
        return "quantize"
    return _TRAINING if isinstance(step, FinetuneStep | DistillStep) else "apply_step"


def who_answers(manager: Manager, hook: str, backend: str) -> str:
    """The plugins that answer a hook for a backend, in the order of asking; empty where nobody does."""
    registry = manager.registry
    own = registry.backend_owner(backend)
    others = {registry.backend_owner(name) for name in registry.backends} - {own}
    asked = [own, *(name for name in manager.plugins if name != own and name not in others)]
    return ", ".join(name for name in asked if hook in manager.capabilities(name))
