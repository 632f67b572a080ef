"""Metrics and agreement batch by batch, as the task counts them, or of everything at once where it cannot."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paredown.algorithms.batches import batch_labels
from paredown.algorithms.outputs import concatenated
from paredown.contracts import AgreementTally, Array, MetricTally, Outputs, Task


def metric_tally(task: Task) -> MetricTally:
    """The task's own tally; of a task without one a tally that keeps all outputs until the end."""
    own = getattr(task, "metric_tally", None)
    tally: MetricTally = Kept(task) if own is None else own()
    return tally


def agreement_tally(task: Task) -> AgreementTally:
    """As `metric_tally`, of the agreement."""
    own = getattr(task, "agreement_tally", None)
    tally: AgreementTally = KeptPairs(task) if own is None else own()
    return tally


def metrics_of(task: Task, answers: Iterable[Outputs], labels: Array) -> dict[str, float]:
    """The metrics of what a network answers to the images of a split, batch by batch in their order.

    Args:
        task: Knows the metrics.
        answers: The outputs of each batch; none is held on to longer than the task's tally does.
        labels: Those of the whole split.
    """
    tally, start = metric_tally(task), 0
    for outputs in answers:
        count = batch_size(outputs)
        tally.update(outputs, batch_labels(labels[start : start + count]))
        start += count
    return tally.compute()


def agreement_of(task: Task, answers: Iterable[Outputs], reference: Iterable[Outputs]) -> float | None:
    """The agreement of two networks' outputs for the same batches; None where neither predicts anything."""
    tally = agreement_tally(task)
    for outputs, other in zip(answers, reference, strict=True):
        tally.update(outputs, other)
    return tally.compute()


def batch_size(outputs: Outputs) -> int:
    """How many images the outputs are of."""
    return len(outputs[0]) if isinstance(outputs, tuple) else len(outputs)


class Kept:
    """The metrics of a task that reads a whole split at once."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._outputs: list[Outputs] = []
        self._labels: list[Array] = []

    def update(self, outputs: Outputs, labels: Array) -> None:
        """Keeps a batch."""
        self._outputs.append(outputs)
        self._labels.append(labels)

    def compute(self) -> dict[str, float]:
        """The task's metrics of all that was kept."""
        return self._task.metrics(concatenated(self._outputs), np.concatenate(self._labels))


class KeptPairs:
    """The agreement of a task that reads a whole split at once."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._outputs: list[Outputs] = []
        self._reference: list[Outputs] = []

    def update(self, outputs: Outputs, reference: Outputs) -> None:
        """Keeps a batch of both networks."""
        self._outputs.append(outputs)
        self._reference.append(reference)

    def compute(self) -> float | None:
        """The task's agreement of all that was kept."""
        return self._task.agreement(concatenated(self._outputs), concatenated(self._reference))
