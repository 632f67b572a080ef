"""Loading a dataset, and refusing one that is not what the task reads before anything is computed with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paredown.algorithms.labels import label_fault
from paredown.contracts import DataSplits, Images
from paredown.errors import DataError
from paredown.manager import Manager
from paredown.spec.models import Spec

_REMEDY = "mend the data or its limit"


def load_data(manager: Manager, spec: Spec, base_dir: Path) -> DataSplits:
    """The spec's dataset, split, with labels in the form that its task reads.

    Raises:
        DataError: The spec names none, a file of it is missing or wrong, a split is empty, an image is not finite, or
            labels have another form or other classes than they say.
    """
    if spec.data is None:
        raise DataError(
            "the spec names no data", where="data", expected="a kind of data", remedy="add `data: {kind: digits}`"
        )
    data: DataSplits = manager.registry.implementation("data", spec.data.kind)(spec.data, base_dir)
    for name, (images, labels) in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        if not len(labels) or not _finite(images):
            fault = "holds NaN or infinity" if len(labels) else "is empty"
            raise DataError(f"the {name} split {fault}", where=f"data {data.name}", remedy=_REMEDY)
        found = label_fault(spec.task.kind, images.shape, labels, data.num_classes)
        if found is not None:
            raise DataError(
                f"the {name} split's labels are not what the task `{spec.task.kind}` reads",
                where=f"data {data.name}",
                value=found.value,
                expected=found.expected,
                remedy="choose the data's own task, or mend the labels",
            )
    return data


def _finite(images: Images) -> bool:
    """Whether an array holds numbers only; what is no array promises it."""
    return not isinstance(images, np.ndarray) or bool(np.isfinite(images).all())
