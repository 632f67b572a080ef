"""Data and task: are the labels of the one what the other is measured on?"""

from __future__ import annotations

from collections.abc import Iterator

from paredown.errors import Problem
from paredown.spec.base import DataConfig
from paredown.spec.document import Document
from paredown.spec.models import Spec
from paredown.spec.nearest import listed

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
    tasks = spec.data.tasks() if isinstance(spec.data, DataConfig) else ()
    if spec.data is not None and tasks and spec.task.kind in LABELLED_TASKS and spec.task.kind not in tasks:
        yield document.problem(
            ("task", "kind"),
            f"the labels of `{spec.data.kind}` are not for the task `{spec.task.kind}`",
            value=spec.task.kind,
            expected=listed(tasks),
            remedy=f"write `{tasks[0]}`, or choose other data",
        )
