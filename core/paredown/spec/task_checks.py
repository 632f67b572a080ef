"""Networks and losses that do not go with the task."""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.base import ComponentConfig
from paredown.spec.document import DataPath, Document
from paredown.spec.installed_checks import named_networks
from paredown.spec.losses import HARD_LABEL
from paredown.spec.models import DistillStep, Spec, TimmModel
from paredown.spec.nearest import listed
from paredown.spec.vocabulary import KnownComponent, Vocabulary

_CLASSES = "classes"


def check_task(spec: Spec, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    """The problems with what networks return, and with what losses read, under the spec's task."""
    task = vocabulary.components.get(("task", spec.task.kind))
    if task is None:
        return
    yield from _networks(spec, task, document, vocabulary)
    if isinstance(spec.model, TimmModel) and task.outputs != _CLASSES:
        yield document.problem(
            ("model", "kind"),
            f"networks of timm are not for the task `{spec.task.kind}`",
            value=spec.model.name,
            expected=f"a network that returns {task.outputs}, not {_CLASSES}",
            remedy="choose a network of the zoo, or one that a function builds (`kind: builder`)",
        )
    for index, step in enumerate(spec.steps):
        if isinstance(step, DistillStep):
            for place, loss in enumerate(step.losses):
                path: DataPath = ("steps", index, "losses", place)
                yield from _loss(spec.task.kind, task, loss, path, document, vocabulary)


def _networks(spec: Spec, task: KnownComponent, document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    known, given = vocabulary.backend_models(), vocabulary.backend_outputs()
    for path, network in named_networks(spec):
        builders = [name for name in dict.fromkeys(spec.backends) if network.name in known.get(name, ())]
        if network.weights == "pretrained" and any(network.name in given[name] for name in builders):
            yield document.problem(
                (*path, "weights"),
                f"nobody publishes weights of `{network.name}` for any classes",
                value="pretrained",
                expected="the path of a .safetensors file, or none",
                remedy="leave `weights` out, or give a file",
            )
        wrong = [name for name in builders if given[name].get(network.name, _CLASSES) != task.outputs]
        if not wrong:
            continue
        fitting = [
            name
            for name in known[wrong[0]]
            if all(name in known[one] and given[one].get(name, _CLASSES) == task.outputs for one in builders)
        ]
        remedy = f"choose one of {listed(fitting)}" if fitting else "choose another backend"
        yield document.problem(
            (*path, "name"),
            f"the network `{network.name}` is not for the task `{spec.task.kind}`",
            value=network.name,
            expected=f"a network that returns {task.outputs}, not {given[wrong[0]].get(network.name, _CLASSES)}",
            remedy=f"{remedy}, or another task",
        )


def _loss(
    name: str,
    task: KnownComponent,
    loss: ComponentConfig,
    path: DataPath,
    document: Document,
    vocabulary: Vocabulary,
) -> Iterator[Problem]:
    entry = vocabulary.components.get(("distill_loss", loss.kind))
    if entry is None:
        return
    if entry.reads == "labels" and loss.kind not in (HARD_LABEL, task.loss):
        yield document.problem(
            path,
            f"`{loss.kind}` reads the labels of another task than `{name}`",
            value=loss.kind,
            expected=f"`{HARD_LABEL}`, which is `{task.loss}` there",
            remedy=f"write `{HARD_LABEL}`",
        )
    if entry.guided_by and task.outputs not in entry.guided_by:
        yield document.problem(
            path,
            f"`{loss.kind}` looks where the teacher's outputs say, and cannot read those of the task `{name}`",
            value=loss.kind,
            expected=f"networks that return {' or '.join(entry.guided_by)}, not {task.outputs}",
            remedy="write `feature_l2`, which weighs all positions alike",
        )
    fitting = task.output_losses
    if entry.reads == "outputs" and fitting is not None and loss.kind not in fitting:
        yield document.problem(
            path,
            f"`{loss.kind}` cannot compare the outputs of networks for the task `{name}`",
            value=loss.kind,
            expected=f"one of {listed(fitting)}, or a loss that reads features" if fitting else "a loss on features",
            remedy=f"write `{fitting[0]}`, or a loss such as `feature_l2`" if fitting else "write `feature_l2`",
        )
