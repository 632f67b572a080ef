"""Compressing a network and loaders that the caller holds, in the caller's process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from paredown.algorithms.labels import label_fault
from paredown.algorithms.objects import joined
from paredown.algorithms.outputs import first
from paredown.contracts import (
    Array,
    DataSplits,
    FloatArray,
    LossFunction,
    Model,
    ModelSource,
    Split,
    State,
    Task,
)
from paredown.engine.own_measures import OwnLoss, OwnMetric, as_loss, own_task
from paredown.engine.workbench import Workbench
from paredown.errors import DataError, HookFailed, ModelError, UnsupportedError
from paredown.plan import PrunePlan
from paredown.spec.document import format_path
from paredown.spec.models import AugmentConfig, Spec
from paredown.spec.trainings import trainings

LabelForm = Literal["classes", "any"]
"""One class an image, or numbers of any shape that the task or the caller's own functions read."""

Loader = Iterable[tuple[Any, Any]]
"""Yields batches of images (NCHW) and labels, as tensors of the framework or NumPy arrays; iterated once an epoch."""

_LOADER = "an iterable of (images, labels) that can be iterated again and again"
_AGAIN = "give a DataLoader or a list of batches, not a generator or an iterator"


@dataclass
class GivenWorkbench(Workbench):
    """A workbench around the caller's network and loaders."""

    model: Model = None
    loaders: dict[Split, Loader] = field(default_factory=dict)
    own_loss: OwnLoss | None = None
    own_metric: OwnMetric | Mapping[str, OwnMetric] | None = None

    @cached_property
    def task(self) -> Task:
        """The caller's metrics, where there are any; else the spec's task."""
        return super().task if self.own_metric is None else own_task(self.own_metric, super().task)

    def loss(self, kind: str) -> LossFunction:
        """The caller's loss wherever the network learns from labels; else the backend's."""
        return as_loss(self.own_loss) if kind == self.label_loss and self.own_loss is not None else super().loss(kind)

    @property
    def _labels(self) -> LabelForm:
        """What labels may be: classes where ours read them as such, anything where only others do."""
        own = self.own_loss is not None and self.own_metric is not None
        is_classes = self.manager.registry.components["task", self.spec.task.kind].outputs == "classes"
        return "classes" if is_classes and not own and self.label_loss == "hard_label" else "any"

    @cached_property
    def _collected(self) -> dict[Split, tuple[FloatArray, Array]]:
        collected = {name: _collect(loader, name, self._labels) for name, loader in self.loaders.items()}
        shapes = {name: images.shape[1:] for name, (images, _) in collected.items()}
        for name, shape in shapes.items():
            if shape != shapes["train"]:
                raise _refused(name, "gives images of another shape than train", shape, f"images of {shapes['train']}")
        return collected

    @cached_property
    def data(self) -> DataSplits:
        """The loaders' images, read once; training itself iterates the loader, so that its augmentation stays."""
        splits = self._collected
        images = splits["train"][0][:2]
        if self._labels == "any" and not splits["train"][1].dtype.names:
            classes = self._outputs(images)
        else:
            classes = int(max(_greatest(labels) for _, labels in splits.values())) + 1
            self._require_fit(images, classes)
        if self.own_loss is None or self.own_metric is None:
            for name, (given, labels) in splits.items():
                self._require_readable(name, given.shape, labels, classes)
        return DataSplits("given", splits["train"], splits["validation"], splits["test"], classes)

    def _require_readable(self, name: str, images: tuple[int, ...], labels: Array, classes: int) -> None:
        """Refuses labels that the task does not read; floats that are whole numbers are read as those."""
        is_whole = labels.dtype.kind == "f" and bool((labels == np.round(labels)).all())
        fault = label_fault(self.spec.task.kind, images, labels.astype(np.int64) if is_whole else labels, classes)
        if fault is not None:
            what = f"gives labels that the task `{self.spec.task.kind}` does not read"
            raise _refused(name, what, fault.value, fault.expected, "mend the labels, or give a loss and a metric")

    def _require_fit(self, images: FloatArray, classes: int) -> None:
        """Refuses a network that does not take these images, or has fewer outputs than there are classes."""
        found = self._output_shape(images)
        if len(found) < 2 or found[1] < classes:
            raise ModelError(
                "the network's outputs do not fit the labels",
                where="paredown.compress(model)",
                value=f"outputs of shape {found}",
                expected=f"[batch, classes, ...], with at least {classes} classes: the greatest label is {classes - 1}",
                remedy="mend the network's last layer, or the labels",
            )

    def _outputs(self, images: FloatArray) -> int:
        """How many outputs a network has, of which nothing else is known; one axis a batch, and at least one more."""
        found = self._output_shape(images)
        if len(found) < 2:
            raise ModelError(
                "the network's outputs have no axis beside the batch's",
                where="paredown.compress(model)",
                value=f"outputs of shape {found}",
                expected="[batch, ...]",
                remedy="let it return [batch, 1]",
            )
        return found[1]

    def _output_shape(self, images: FloatArray) -> tuple[int, ...]:
        """The shape of what the network answers to these images; refuses one that does not take them."""
        try:
            return first(self.manager.evaluate(self.backend, self.model, images)).shape
        except HookFailed as error:
            raise ModelError(
                f"the network does not take the loader's images: {error.__cause__}",
                where="paredown.compress(model)",
                value=f"images of shape {images.shape}",
                expected="a network that takes one batch of images and returns one tensor, or a tuple of several",
                remedy="compare its first layer with what the loader gives",
            ) from error

    @cached_property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the first image."""
        return self.data.input_shape

    @cached_property
    def source(self) -> ModelSource:
        """A description of what was given; it names no network of the zoo."""
        channels, height, width = self.input_shape
        return ModelSource(type(self.model).__name__, self.data.num_classes, channels, (height, width))

    def build(
        self, plans: tuple[PrunePlan, ...] = (), state: State | None = None, source: ModelSource | None = None
    ) -> Model:
        """A copy of the given network, or that of `source`, cut by the plans, holding the given arrays."""
        if source is not None:
            return super().build(plans, state, source)
        model = self.manager.fold(self.backend, self.model, ())
        for plan in plans:
            model = self.cut(model, plan).model
        return model if state is None else self.manager.restore(self.backend, model, state)

    @property
    def repeatable(self) -> bool:
        """A loader may give other images, or another order, each time."""
        return False

    def epochs(
        self,
        batch_size: int,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        soft_labels: FloatArray | None = None,
        augment: AugmentConfig | None = None,
    ) -> tuple[int, Any]:
        """The loader's own batches: their size and order are the caller's."""
        assert soft_labels is None, "soft labels of a caller's loader are refused before"
        assert augment is None, "augmentation of a caller's batches is refused before"
        loader: Any = self.loaders["train"]
        steps = _length(loader)

        def epoch(index: int) -> Iterator[tuple[FloatArray, Array]]:  # noqa: ARG001
            return (_to_arrays(batch, "train", self._labels) for batch in itertools.islice(loader, steps))

        return steps, epoch


def require_own_augmentation(spec: Spec) -> None:
    """Refuses augmentation of a loader's batches: nobody knows which image is which.

    Raises:
        UnsupportedError: A training of the spec augments.
    """
    for path, training in trainings(spec):
        if training.augment is not None:
            raise UnsupportedError(
                "a loader of yours augments its images itself",
                where=format_path((*path, "augment")),
                value=training.augment.model_dump_json(exclude_none=True),
                expected="no `augment` in `paredown.compress`",
                remedy="remove `augment`, and augment in the loader",
            )


def unused(spec: Spec, backend: str) -> str | None:
    """A note that names what a spec gives, other than the default, and `paredown.compress` does not use."""
    given = [name for name in ("model", "data", "baseline") if getattr(spec, name) is not None]
    given += ["seeds after the first"] if len(spec.seeds) > 1 else []
    given += ["backends"] if spec.backends not in ((backend,), Spec.model_fields["backends"].default) else []
    for path, training in trainings(spec):
        default = type(training).model_fields["batch_size"].default
        if path[0] == "steps" and training.batch_size != default:
            given.append(format_path((*path, "batch_size")))
    if not given:
        return None
    return f"given in the spec and not used: {', '.join(given)}; the network, the data and the batches are the caller's"


def _length(loader: Any) -> int:
    try:
        return len(loader)
    except TypeError:  # no length, or one that only an iterable dataset could tell
        return sum(1 for _ in loader)


def _collect(loader: Any, name: str, form: LabelForm) -> tuple[FloatArray, Array]:
    if not isinstance(loader, Iterable):
        raise _refused(name, "cannot be iterated", type(loader).__name__, _LOADER)
    if isinstance(loader, Iterator):
        raise _refused(name, "can be iterated only once", type(loader).__name__, _LOADER, _AGAIN)
    batches = [_to_arrays(batch, name, form) for batch in loader]
    if not any(len(labels) for _, labels in batches):
        raise _refused(name, "gave no images", f"{len(batches)} batches", _LOADER, "is the dataset empty?")
    shapes = {images.shape[1:] for images, _ in batches}
    if len(shapes) > 1:
        raise _refused(name, "gives images of several shapes", str(sorted(shapes)), "images of one shape")
    images = np.concatenate([images for images, _ in batches])
    if not np.isfinite(images).all():
        raise _refused(name, "gives NaN or infinity", "images", "finite numbers", "mend the data or its normalisation")
    return images, _joined([labels for _, labels in batches], name)


def _joined(batches: list[Array], name: str) -> Array:
    """The labels of all batches; records padded to the fullest image of their batch are padded to that of all."""
    try:
        return joined(batches) if any(one.dtype.names for one in batches) else np.concatenate(batches)
    except ValueError as error:
        found = ", ".join(sorted({f"{one.dtype} {one.shape[1:]}" for one in batches}))
        expected = "labels of one form; records of objects may differ in the number of places alone"
        raise _refused(name, "gives labels of several forms", found[:200], expected) from error


def _to_arrays(batch: Any, name: str, form: LabelForm) -> tuple[FloatArray, Array]:
    """One batch in NumPy: images [N, C, H, W], float32, and labels: [N], int64, records [N], or numbers [N, ...]."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise _refused(name, "gave a batch that is no pair", type(batch).__name__, "(images, labels)")
    images, labels = (_to_array(values) for values in batch)
    if images.ndim != 4 or images.dtype.kind not in "fiub":
        found = f"shape {images.shape}, {images.dtype}"
        raise _refused(name, "gave images of another form", found, "numbers of shape [batch, channels, height, width]")
    if labels.dtype.names:
        return images.astype(np.float32, copy=False), _structured(labels, len(images), name)
    if form == "any":
        return images.astype(np.float32, copy=False), _any_labels(labels, len(images), name)
    if labels.size != len(images) or labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        found = f"shape {labels.shape}, {labels.dtype}, for {len(images)} images"
        remedy = "give class numbers, not one-hot vectors or probabilities"
        raise _refused(name, "gave labels of another form", found, "one whole number from 0 for each image", remedy)
    return images.astype(np.float32, copy=False), labels.reshape(len(images)).astype(np.int64, copy=False)


def _any_labels(labels: Array, count: int, name: str) -> Array:
    """Labels of any form, the batch axis first: whole numbers as int64, all others as float32."""
    if labels.ndim == 0 or len(labels) != count or labels.dtype.kind not in "fiub":
        found = f"shape {labels.shape}, {labels.dtype}, for {count} images"
        raise _refused(name, "gave labels of another form", found, "numbers of shape [batch, ...]")
    return labels.astype(np.float32 if labels.dtype.kind == "f" else np.int64, copy=False)


def _structured(labels: Array, count: int, name: str) -> Array:
    """Labels of objects in images, one record an image, with the field `classes`."""
    fields = labels.dtype.names or ()
    if labels.shape != (count,) or "classes" not in fields:
        found = f"shape {labels.shape}, fields {', '.join(fields)}, for {count} images"
        raise _refused(name, "gave labels of another form", found, "one record for each image, with a field `classes`")
    return labels


def _greatest(labels: Array) -> int:
    """The greatest class among labels; a record's empty places are -1."""
    return int((labels["classes"] if labels.dtype.names else labels).max())


def _to_array(values: Any) -> Array:
    detached = values.detach() if hasattr(values, "detach") else values
    on_host = detached.cpu() if hasattr(detached, "cpu") else detached
    return np.asarray(on_host.numpy() if hasattr(on_host, "numpy") else on_host)


def _refused(name: str, what: str, value: object, expected: str, remedy: str | None = None) -> DataError:
    where = f"paredown.compress({name}=...)"
    return DataError(f"the {name} loader {what}", where=where, value=value, expected=expected, remedy=remedy)
