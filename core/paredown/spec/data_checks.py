"""Data and task: are the labels of the one what the other is measured on?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from paredown.errors import Problem
from paredown.spec.base import DataConfig
from paredown.spec.document import Document
from paredown.spec.models import Spec
from paredown.spec.nearest import listed
from paredown.spec.planned import is_planned_value

LABELLED_TASKS = (
    "classification",
    "multi_label_classification",
    "semantic_segmentation",
    "detection",
    "instance_segmentation",
)
"""Tasks whose labels every dataset spells alike; what another task reads is for its plugin to say."""


def check_data(spec: Spec, document: Document) -> Iterator[Problem]:
    """A problem where the labels are for other tasks than the spec's."""
    if not isinstance(spec.data, DataConfig):
        return
    tasks = spec.data.tasks()
    if tasks and spec.task.kind in LABELLED_TASKS and spec.task.kind not in tasks:
        yield document.problem(
            ("task", "kind"),
            f"the labels of `{spec.data.kind}` are not for the task `{spec.task.kind}`",
            value=spec.task.kind,
            expected=listed(tasks),
            remedy=_remedy(spec.data, spec.task.kind, tasks),
        )


def _remedy(data: DataConfig, task: str, tasks: tuple[str, ...]) -> str:
    """The option of the data that gives the task's labels; a task that is there to be written; other data."""
    options = [name for name, field in type(data).model_fields.items() if task in get_args(field.annotation)]
    ways = [f"write `{name}: {task}` under `data`" for name in options]
    ways += [f"write the task `{one}`" for one in tasks if not is_planned_value("Spec", "task", one)][:1]
    return ", or ".join([*ways, "choose other data"])
