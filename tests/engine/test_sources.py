"""What a network that no zoo vouches for returns is compared with what the task reads, before any training."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from paredown.algorithms.detection import positions, prototype_size
from paredown.contracts import ModelSource
from paredown.engine.sources import require_running
from paredown.engine.tasks import for_images
from paredown.errors import ModelError
from paredown.manager import Manager

REGISTRY = Manager.discover().registry
PLACES, CELLS = len(positions((8, 6)).strides), prototype_size((8, 6))
DETECTED = [(2, 10, PLACES), (2, 4, PLACES), (2, PLACES)]


def bench(task, *outputs):
    """A workbench around a network of 10 classes on images of 8x6 that returns zeros of these shapes."""
    arrays = tuple(np.zeros(shape, np.float32) for shape in outputs)
    found = arrays[0] if len(arrays) == 1 else arrays
    entry = REGISTRY.components["task", task]
    config = entry.config()
    return SimpleNamespace(
        spec=SimpleNamespace(model=None, task=config),
        task=for_images(REGISTRY.implementation("task", task)(config), (1, 8, 6)),
        backend="toy",
        input_shape=(1, 8, 6),
        source=ModelSource("own:build", 10, 1, (8, 6), kind="builder"),
        build=lambda: None,
        manager=SimpleNamespace(evaluate=lambda *_: found, registry=REGISTRY),
    )


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        ("classification", [(2, 10)]),
        ("multi_label_classification", [(2, 10)]),
        ("semantic_segmentation", [(2, 10, 8, 6)]),
        ("detection", DETECTED),
        ("instance_segmentation", [*DETECTED, (2, 5, PLACES), (2, 5, *CELLS)]),
    ],
)
def test_outputs_that_the_task_reads_are_accepted(task, outputs):
    require_running(bench(task, *outputs))


@pytest.mark.parametrize(
    ("task", "outputs", "what"),
    [
        ("classification", [(2, 12)], "write `num_classes: 12`"),
        ("classification", [(2, 10, 1, 1)], r"expected: one output \(2, 10\)"),
        ("classification", [(2, 10), (2, 10)], r"\(2, 10\), \(2, 10\) for 2 images"),
        ("classification", [(20,)], "not what the task `classification` reads"),
        ("classification", [(1, 10)], "not what the task `classification` reads"),
        ("semantic_segmentation", [(2, 12, 8, 6)], "write `num_classes: 12`"),
        ("semantic_segmentation", [(2, 10, 4, 3)], r"expected: one output \(2, 10, 8, 6\)"),
        ("detection", [(2, 10), (2, 4)], "not those of a detector"),
        ("detection", [(2, 10)], "not those of a detector"),
        ("detection", [(2, 9, PLACES), *DETECTED[1:]], "write `num_classes: 9`"),
        ("instance_segmentation", DETECTED, "not those of a detector with masks"),
        ("semantic_segmentation", [(2, 10)], "not what the task `semantic_segmentation` reads"),
    ],
)
def test_outputs_that_the_task_cannot_read_are_refused_with_both_shapes(task, outputs, what):
    with pytest.raises(ModelError, match=what):
        require_running(bench(task, *outputs))
