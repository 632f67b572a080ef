"""What every task must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paredown.algorithms.outputs import as_tuple, of_each
from paredown.contracts import Array, Outputs, Task
from paredown.engine.tallies import agreement_of, metrics_of
from paredown.engine.tasks import for_images
from paredown.manager import Manager
from paredown.testing.components import ComponentConformance


class TaskConformance(ComponentConformance):
    """A task: metrics between 0 and 1, the primary one among them; an agreement; a loss that reads the labels.

    Give the fixtures `outputs` and `labels` where the task is for anything but one class an image, and the shape of the
    images where it has to know their size.
    """

    slot = "task"
    input_shape = (3, 32, 32)
    """(channels, height, width)."""

    @pytest.fixture
    def task(self, implementation: Any, config: Any) -> Task:
        return for_images(implementation(config), self.input_shape)

    @pytest.fixture
    def outputs(self) -> Outputs:
        """What a network returned, float32, of twelve images; a tuple where it is several arrays."""
        return np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)

    @pytest.fixture
    def labels(self) -> Array:
        """What the data says of these images."""
        return np.arange(12) % 5

    def test_its_metrics_lie_between_nothing_and_all(self, task: Task, outputs: Outputs, labels: Array) -> None:
        found = task.metrics(outputs, labels)
        assert task.primary in found
        assert all(0 <= value <= 1 for value in found.values())
        assert found == task.metrics(outputs, labels)

    def test_its_metrics_do_not_depend_on_the_order_of_images(
        self, task: Task, outputs: Outputs, labels: Array
    ) -> None:
        expected = {name: pytest.approx(value) for name, value in task.metrics(outputs, labels).items()}
        assert task.metrics(of_each(np.flipud, outputs), labels[::-1]) == expected

    def test_it_counts_batch_by_batch_what_it_measures_at_once(
        self, task: Task, outputs: Outputs, labels: Array
    ) -> None:
        other = of_each(np.negative, outputs)
        parts = [slice(0, 5), slice(5, 6), slice(6, None)]
        pieces, others = ([of_each(lambda one, p=part: one[p], whole) for part in parts] for whole in (outputs, other))
        expected = {name: pytest.approx(value) for name, value in task.metrics(outputs, labels).items()}
        assert metrics_of(task, pieces, labels) == expected
        assert agreement_of(task, pieces, others) == pytest.approx(task.agreement(outputs, other))

    def test_a_network_agrees_with_itself_and_less_with_others(self, task: Task, outputs: Outputs) -> None:
        other = of_each(np.negative, outputs)
        assert task.agreement(outputs, of_each(np.copy, outputs)) == 1
        apart = task.agreement(outputs, other)
        assert apart is not None
        assert 0 <= apart < 1
        assert apart == task.agreement(other, outputs)

    def test_it_leaves_outputs_and_labels_alone(self, task: Task, outputs: Outputs, labels: Array) -> None:
        copies = of_each(np.copy, outputs), labels.copy()
        task.metrics(outputs, labels)
        task.agreement(outputs, outputs)
        for output, copy in zip(as_tuple(outputs), as_tuple(copies[0]), strict=True):
            np.testing.assert_array_equal(output, copy)
        np.testing.assert_array_equal(labels, copies[1])

    def test_its_losses_are_there_and_its_own_reads_the_labels(self, manager: Manager) -> None:
        components = manager.registry.components
        entry = components["task", self.name]
        assert components["distill_loss", entry.loss].reads == "labels"
        assert all(components["distill_loss", name].reads == "outputs" for name in entry.output_losses or ())
