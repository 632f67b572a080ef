"""Tasks, and the losses on labels that go with them: they are told how large the images are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.contracts import LossFunction, Task


def for_images(task: Task, input_shape: tuple[int, int, int]) -> Task:
    """The task for images of this shape (channels, height, width); one that has no use for their size is itself."""
    sized = getattr(task, "sized", None)
    return task if sized is None else sized(*input_shape[1:])


def loss_for_images(loss: LossFunction, input_shape: tuple[int, int, int]) -> LossFunction:
    """A loss that finds `image_size` (height, width) among its options."""
    size = {"image_size": list(input_shape[1:])}

    def sized(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:
        return loss(student, teacher, labels, {**size, **options})

    return sized
